/** The lock of a group whose bucket is ours: found out once for a plan, and passed on to whatever acts on it. */
import type { SessionId } from '../api/ids.ts';
import type { BucketGuard, LockView, MemberSession, Observation } from './observation.ts';
import { holderAmong } from './sessions.ts';

/** Nothing is known of it. */
export type UnreadLock = { readonly kind: 'unread'; readonly guard: BucketGuard };

type Known = { readonly guard: BucketGuard; readonly lock: LockView };

export type FreeLock = Known & { readonly kind: 'free'; readonly session: null };

/** `session`: the one of ours that holds it. */
export type HeldLock = Known & { readonly kind: 'held'; readonly session: MemberSession };

/** Held by a session that is none of ours, or not yet known to be. */
export type LockElsewhere = Known & { readonly kind: 'elsewhere'; readonly session: null; readonly by: SessionId };

export type KnownLock = FreeLock | HeldLock | LockElsewhere;
export type OwnedLock = UnreadLock | KnownLock;

/** null: the bucket is not ours, or cannot be shown to be. */
export function ownedLockOf({ ownership, lock, sessions }: Observation): OwnedLock | null {
  if (ownership.kind !== 'owned') return null;
  const { guard } = ownership;
  if (lock === null) return { kind: 'unread', guard };
  const session = holderAmong(sessions, lock);
  if (session !== null) return { kind: 'held', guard, lock, session };
  const by = lock.session;
  return by === null
    ? { kind: 'free', guard, lock, session: null }
    : { kind: 'elsewhere', guard, lock, session: null, by };
}
