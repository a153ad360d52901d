/** What transactions on the lock, and reads of it, leave in memory. */
import type { MonotonicMs } from '../../api/clocks.ts';
import type { PodUid, SessionId } from '../../api/ids.ts';
import type { ExternalSession } from '../../election/observation.ts';
import { entriesThat, plusNewest, put, removed } from './collections.ts';
import { type GroupMemory, MOST_NOTED, type Refusal } from './memory.ts';

export type LockOutcome =
  /** A transaction of ours gave it to this pod. `newReign`: the record named another one before. */
  | { readonly kind: 'locked'; readonly uid: PodUid; readonly newReign: boolean; readonly verifiedAt: string | null }
  /** `version`, `before`: of the fencing patches, after the transaction and when it was planned. */
  | { readonly kind: 'unlocked'; readonly version: string | null; readonly before: string | null }
  | { readonly kind: 'lockDelayed'; readonly untilMs: MonotonicMs }
  | { readonly kind: 'consulDenied'; readonly refusal: Refusal }
  | { readonly kind: 'lockRead' }
  /** The session that holds it is none of ours. */
  | { readonly kind: 'externalHolder'; readonly id: SessionId; readonly session: ExternalSession };

export function ofLock(memory: GroupMemory, outcome: LockOutcome): GroupMemory {
  switch (outcome.kind) {
    case 'locked':
      return locked({ ...memory, consulDenied: null, lockDelayedUntilMs: null, revoked: null }, outcome);
    case 'unlocked':
      return {
        ...memory,
        consulDenied: null,
        lockDelayedUntilMs: null,
        revoked: null,
        fenced: stillFenced(memory, outcome),
        slicesFenced: slicesStillFenced(memory, outcome),
      };
    case 'lockDelayed':
      return { ...memory, lockDelayedUntilMs: outcome.untilMs };
    case 'consulDenied':
      return { ...memory, consulDenied: outcome.refusal };
    case 'lockRead':
      return {
        ...memory,
        lockReadSince: memory.wholeIncarnation,
        externalHolders: entriesThat(memory.externalHolders, (_, { kind }) => kind !== 'gone'),
      };
    case 'externalHolder':
      return { ...memory, externalHolders: put(memory.externalHolders, outcome.id, outcome.session) };
  }
}

/** What was put right of the pod before it led does not hold its promotion up, should that have to be repeated. */
function locked(memory: GroupMemory, outcome: Extract<LockOutcome, { kind: 'locked' }>): GroupMemory {
  const { uid, newReign, verifiedAt } = outcome;
  const next = {
    ...memory,
    fenced: { version: null, uids: new Map<PodUid, true>() },
    slicesFenced: { version: null, families: [] },
    groupConfirmedAt: null,
    verifiedAt,
  };
  if (!newReign) return next;
  return {
    ...next,
    resignation: null,
    turn: null,
    recordedByUs: plusNewest(memory.recordedByUs, uid, MOST_NOTED),
    repairs: removed(memory.repairs, uid),
  };
}

/** Fencing patches made before an unlock still count after it: nobody can be promoted without moving the lock first. */
const stillFenced = (
  { fenced }: GroupMemory,
  { version, before }: Extract<LockOutcome, { kind: 'unlocked' }>,
): GroupMemory['fenced'] => ({ version, uids: fenced.version === before ? fenced.uids : new Map() });

const slicesStillFenced = (
  { slicesFenced }: GroupMemory,
  { version, before }: Extract<LockOutcome, { kind: 'unlocked' }>,
): GroupMemory['slicesFenced'] => ({
  version,
  families: slicesFenced.version === before ? slicesFenced.families : [],
});
