/** Builds the transactions of a plan: who gives the lock up, who has it then, under which token, with which record. */
import type { PodRef } from '../api/pod.ts';
import type { LockTransaction, TokenRule } from './actions.ts';
import type { BucketGuard, LockView, MemberSession, Observation } from './observation.ts';
import { recordedToken, rememberedToken } from './observed-tokens.ts';
import type { LockRecord } from './record.ts';
import { holderAmong } from './sessions.ts';
import { tokenFloor } from './token.ts';
import { trustOf } from './trust.ts';

/**
 * Everything that any token of this group was ever seen in: the next one is above it. Where the record cannot be believed an earlier life
 * may have left tokens that nothing here shows.
 */
function above(o: Observation, lock: LockView): TokenRule {
  const forgotten = trustOf(o, lock, holderAmong(o.sessions, lock)) !== 'good';
  const floor = forgotten ? tokenFloor(o.wallSeconds) : 0;
  return { kind: 'above', token: Math.max(rememberedToken(lock), o.highestObserved, floor) };
}

type Build = (
  o: Observation,
  guard: BucketGuard,
  lock: LockView,
  session: MemberSession,
  pod: PodRef,
) => LockTransaction;

const take: Build = (o, guard, lock, session, pod) => ({
  guard,
  view: lock,
  from: null,
  to: { session: session.id, pod },
  token: above(o, lock),
  record: recordAfter(o, lock, pod),
});

/** The holder locks again. `raise` when its token was used for a promotion that has been undone. */
const verify = (
  o: Observation,
  guard: BucketGuard,
  lock: LockView,
  session: MemberSession,
  pod: PodRef,
  raise: boolean,
): LockTransaction => ({
  ...take(o, guard, lock, session, pod),
  token: raise ? above(o, lock) : { kind: 'keep', token: recordedToken(lock) },
});

const handOver = (from: string, ...args: Parameters<Build>): LockTransaction => ({ ...take(...args), from });

/** The record stays as it is: it names the last holder and its token for whoever locks next. */
function unlock(o: Observation, guard: BucketGuard, lock: LockView, session: MemberSession): LockTransaction {
  const known = o.pods.find(({ pod }) => pod.uid === session.podUid);
  const holder = lock.record?.holder ?? { uid: session.podUid, pod: known?.pod.name ?? session.podUid };
  return {
    guard,
    view: lock,
    from: session.id,
    to: null,
    token: { kind: 'keep', token: recordedToken(lock) },
    record: { ...recordAfter(o, lock, { namespace: o.group.namespace, name: holder.pod, uid: holder.uid }) },
  };
}

export const transaction = { take, verify, handOver, unlock } as const;

const recordAfter = (o: Observation, lock: LockView, pod: PodRef): Omit<LockRecord, 'token'> => ({
  v: 1,
  groupUid: o.group.uid,
  generation: o.group.generation,
  holder: { pod: pod.name, uid: pod.uid },
  writes: (lock.record?.writes ?? 0) + 1,
});
