/** Whether a lock's record may be believed: names the previous holder, holds the last token. */
import type { GroupKeys, LockView, MemberSession, Observation, Ownership } from './observation.ts';
import { recordedToken } from './observed-tokens.ts';

export type Trust =
  | 'good'
  /** Never written, deleted, or rewritten by hand. */
  | 'missing'
  /** Of a deleted group of this name, or written under a newer generation than exists (after a restore). */
  | 'previousIncarnation'
  /** Its token is below one seen on a pod or in the status: Consul was restored from a backup. */
  | 'tooLow'
  /** The lock is held by the session of another member than the record names. */
  | 'contradicted';

export function trustOf(
  o: Pick<Observation, 'group' | 'highestObserved'>,
  lock: LockView,
  holder: MemberSession | null,
): Trust {
  const { record } = lock;
  if (record === null) return 'missing';
  if (record.groupUid !== o.group.uid || record.generation > o.group.generation) return 'previousIncarnation';
  if (recordedToken(lock) < o.highestObserved) return 'tooLow';
  if (holder !== null && holder.podUid !== record.holder.uid) return 'contradicted';
  return 'good';
}

/** Identifies one version of the lock as this owner of the bucket saw it held; null where the bucket is not ours. */
export const verificationOf = (ownership: Ownership, lock: LockView | null): string | null =>
  ownership.kind === 'owned' ? [ownership.guard.session, versionOf(lock), lock?.session].join(' ') : null;

/** Identifies one version of the lock's keys; null when it has not been read. */
export const versionOf = (lock: LockView | null): string | null =>
  lock === null ? null : lock.versions.map(({ index }) => index).join('/');

/**
 * For how long a fencing patch counts (ADR 0003). Beside a lockKey that is until the record changes, which every transaction of ours that locks
 * writes: external holders that pass the lock on among themselves promote nobody.
 */
export const fencingVersion = (keys: GroupKeys, lock: LockView | null): string | null =>
  lock?.versions.find(({ key }) => key === keys.record)?.index.toString() ?? versionOf(lock);
