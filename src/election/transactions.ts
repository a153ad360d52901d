/** Builds the transactions of a plan: who gives the lock up, who has it then, under which token, with which record. */
import type { PodRef } from '../api/pod.ts';
import type { AwaitGrantExpiry, HandOver, Locking, Take, TokenRule, Unlock, Verify } from './actions.ts';
import type { LockView, MemberSession, Observation } from './observation.ts';
import { recordedToken, rememberedToken } from './observed-tokens.ts';
import type { FreeLock, HeldLock } from './owned-lock.ts';
import { preemptionAfter } from './preemption-record.ts';
import type { HandledSwitchover, LockRecord } from './record.ts';
import { switchoverAfter } from './switchover-record.ts';
import { tokenFloor } from './token.ts';
import { trustOf } from './trust.ts';

/**
 * Everything that any token of this group was ever seen in: the next one is above it. Where the record cannot be believed a previous incarnation
 * may have left tokens that nothing here shows.
 */
function above(o: Observation, { lock, session }: FreeLock | HeldLock): TokenRule {
  const forgotten = trustOf(o, lock, session) !== 'good';
  const floor = forgotten ? tokenFloor(o.wallSeconds) : 0;
  return { kind: 'above', token: Math.max(rememberedToken(lock), o.highestObserved, floor) };
}

/** Who gets the lock. `moved`: the switchover that asks for it; null: none does. `preempts`: it is preferred to whoever has it. */
type Next = {
  readonly session: MemberSession;
  readonly pod: PodRef;
  readonly moved?: HandledSwitchover | null;
  readonly preempts?: boolean;
};

function locking(
  o: Observation,
  owned: FreeLock | HeldLock,
  { session, pod, moved = null, preempts = false }: Next,
): Omit<Locking, 'from'> {
  const { guard, lock } = owned;
  return {
    guard,
    view: lock,
    to: { session: session.id, pod },
    token: above(o, owned),
    record: {
      ...recordAfter(o, lock, pod),
      ...switchoverAfter(o, owned, pod.uid, moved),
      ...preemptionAfter(o, lock, pod.uid, { preempts, moved: moved !== null }),
    },
  };
}

const take = (o: Observation, free: FreeLock, session: MemberSession, pod: PodRef): Take => ({
  do: 'take',
  wait: awaitGrantExpiry(o, pod),
  transaction: { ...locking(o, free, { session, pod }), from: null },
});

/** The holder locks again. `raise` when its token was used for a promotion that has been undone. */
const verify = (o: Observation, held: HeldLock, pod: PodRef, raise: boolean): Verify => ({
  do: 'verify',
  transaction: {
    ...locking(o, held, { session: held.session, pod }),
    from: null,
    token: raise ? above(o, held) : { kind: 'keep', token: recordedToken(held.lock) },
  },
});

const handOver = (o: Observation, held: HeldLock, next: Next): HandOver => ({
  do: 'handOver',
  revoke: null,
  wait: awaitGrantExpiry(o, next.pod),
  transaction: { ...locking(o, held, next), from: held.session.id },
});

/** The record stays as it is: it names the last holder and its token for whoever locks next. */
function unlock(o: Observation, held: HeldLock): Unlock {
  const { guard, lock, session } = held;
  const known = o.pods.find(({ pod }) => pod.uid === session.podUid);
  const holder = lock.record?.holder ?? { uid: session.podUid, pod: known?.pod.name ?? session.podUid };
  return {
    do: 'unlock',
    wait: awaitGrantExpiry(o, null),
    transaction: {
      guard,
      view: lock,
      from: session.id,
      to: null,
      token: { kind: 'keep', token: recordedToken(lock) },
      record: {
        ...recordAfter(o, lock, { namespace: o.group.namespace, name: holder.pod, uid: holder.uid }),
        ...switchoverAfter(o, held, null, null),
        ...preemptionAfter(o, lock, null),
      },
    },
  };
}

/**
 * Before a lock leaves its holder every grant that the holder may still believe must have run out. Whoever gets the lock may believe its own
 * grant; a pod without a process believes nothing. A pod that is merely gone may have one.
 */
function awaitGrantExpiry(o: Observation, next: PodRef | null): AwaitGrantExpiry {
  const over = o.pods.filter(({ pod }) => pod.stopped).map(({ pod }) => pod.uid);
  return { do: 'awaitGrantExpiry', exempt: next === null ? over : [...over, next.uid] };
}

/** From a leader that is alive, and may be acting on a grant. */
const revokeAndHandOver = (o: Observation, held: HeldLock, next: Next): HandOver => ({
  ...handOver(o, held, next),
  revoke: { do: 'revoke', holder: held.session.podUid },
});

export const transaction = { take, verify, handOver, revokeAndHandOver, unlock } as const;

const recordAfter = (
  o: Observation,
  lock: LockView,
  pod: PodRef,
): Omit<LockRecord, 'token' | 'switchover' | 'pinned' | 'preempted'> => ({
  v: 1,
  groupUid: o.group.uid,
  generation: o.group.generation,
  holder: { pod: pod.name, uid: pod.uid },
  writes: (lock.record?.writes ?? 0) + 1,
});
