/** The lock is free and its record is good: somebody led before, the next one is chosen. */
import type { TransitionCause } from '../api/transition-causes.ts';
import type { Fence, FencingTarget, Idle, Look, Plan, Verdict } from './actions.ts';
import { askedFirst, unyielding, yieldsLock } from './before-promotion.ts';
import { excluded, fencingRefused, labelled, membersOf, rankedCandidates, refused } from './candidates.ts';
import { due } from './contests.ts';
import { fence, fencingForMove, promotion, refOf } from './fencing.ts';
import { ineligibleOf, noCandidateMessage } from './ineligible.ts';
import { type Nominees, nominees } from './judgement.ts';
import type { LockView, Observation, ObservedPod } from './observation.ts';
import type { FreeLock } from './owned-lock.ts';
import { electing, idle, look, nothing, notReady, ready, transition, until, withFirst } from './plans.ts';
import { leftOver, openingFor, suitableSession } from './sessions.ts';
import { transaction } from './transactions.ts';

export function planFree(o: Observation, free: FreeLock): Plan {
  const { lock } = free;
  const next = nomineesFor(o, lock);
  if (next.kind !== 'known') return withFirst(fence(due(o, exposed(o, lock)), 'move'), waitForPass(next));
  const nominee = next.ranked[0] ?? null;
  const targets = exposed(o, lock);
  const delayed = nominee === null ? null : lockDelayed(o);
  if (nominee === null || delayed !== null)
    return withFirst(fence(due(o, targets), 'move'), delayed ?? waitForCandidate(o));
  const asking = askedFirst(o, next.ranked);
  if (asking !== null) return withFirst(fence(due(o, targets), 'move'), asking);
  const first = fence(targets, 'move');
  const session = suitableSession(o, nominee);
  if (session === null) return withFirst(first, look([openingFor(nominee)], 'the nominee needs a session'));
  const reason = `the lock is free; electing ${nominee.pod.name}`;
  return transition(electing(causeOf(o, lock, nominee), reason), {
    fence: [...first, ...previous(o, lock, nominee)],
    lock: transaction.take(o, free, session, refOf(nominee)),
    after: [promotion(nominee)],
  });
}

/**
 * The recorded holder may stay (minReadySeconds is for newcomers), else who carries the label, else the best. Whoever leads already is judged by
 * the leader probe as a leader is: that one question of another member came later proves nothing.
 */
function nomineesFor(o: Observation, lock: LockView): Nominees {
  const recorded = membersOf(o).find(({ pod }) => pod.uid === lock.record?.holder.uid);
  if (recorded !== undefined && mayStay(o, recorded)) return { kind: 'known', ranked: [recorded] };
  const leading = unyielding(o, rankedCandidates(o)).find((pod) => labelled(o.group, pod));
  return leading === undefined ? nominees(o) : { kind: 'known', ranked: [leading] };
}

/** Conditions stay as they are: it is over within a period of the probe, or its timeout. */
export const waitForPass = (next: Exclude<Nominees, { kind: 'known' }>): Idle | Look =>
  next.kind === 'waiting'
    ? nothing('waiting for a candidate that passes the leader probe', next.forMs)
    : look(
        [{ do: 'askCandidates', pods: next.pods.map(refOf) }],
        'asking the candidates before one of them is elected',
      );

const mayStay = (o: Observation, observed: ObservedPod): boolean =>
  observed.candidacy.lacks === null &&
  !observed.nodeLost &&
  !observed.pod.deleting &&
  !excluded(observed.pod) &&
  !refused(o, observed) &&
  !yieldsLock(o, observed) &&
  !fencingRefused(o, observed);

/** With a lockKey an external holder may take the free lock at any moment: nobody may be labelled, not even the nominee. */
const exposed = (o: Observation, lock: LockView): readonly FencingTarget[] =>
  o.group.spec.lockKey === null ? [] : fencingForMove(o, lock, null);

/** Without a lockKey nobody else can take the lock: the nominee is spared. */
const previous = (o: Observation, lock: LockView, nominee: ObservedPod): readonly Fence[] =>
  o.group.spec.lockKey === null ? fence(fencingForMove(o, lock, nominee.pod.uid), 'move') : [];

function causeOf(o: Observation, lock: LockView, nominee: ObservedPod): TransitionCause {
  if (lock.record === null) return 'FirstElection';
  return lock.record.holder.uid === nominee.pod.uid ? 'SessionLost' : 'LeaderLost';
}

/** Nobody can lead now: says why. */
export function waitForCandidate(o: Observation): Idle | Look {
  const left = leftOver(o);
  if (left.length > 0)
    return look([{ do: 'destroySessions', sessions: left }], 'giving up sessions that are no longer needed');
  if (membersOf(o).length === 0) return idle(noMembers(o));
  const failing = ineligibleOf(o).some(({ reason }) => reason === 'BeforePromotionFailed');
  return idle(notReady(failing ? 'BeforePromotionFailed' : 'NoCandidate', noCandidateMessage(o)));
}

/**
 * Scaled to zero on purpose, which is nothing to wait for; or the pods are still to come, and whoever waits for the group to be ready
 * (before a Service is pointed at its leader) must go on waiting. What tells the two apart is whether anybody ever led.
 */
function noMembers(o: Observation): Verdict {
  const { status } = o.group;
  const hadMembers =
    (status?.leaderTransitions ?? 0) > 0 ||
    (status?.leaders.length ?? 0) > 0 ||
    (o.lock !== null && ofThisIncarnation(o, o.lock));
  return hadMembers
    ? ready('ScaledToZero', 'the selector matches no pods')
    : notReady('NoMembers', 'the selector matches no pods yet; a leader is elected as soon as a pod is ready');
}

const ofThisIncarnation = ({ group }: Observation, { record }: LockView): boolean => record?.groupUid === group.uid;

/** What there is to say while Consul keeps the lock closed; null when it does not. */
export function lockDelayed(o: Observation): Idle | null {
  if (o.lockDelayedUntilMs === null || o.nowMs >= o.lockDelayedUntilMs) return null;
  const detail =
    'Consul delays the lock because the session of its holder expired (lockDelaySeconds); the operator retries';
  return idle(notReady('LockDelay', detail), until(o, o.lockDelayedUntilMs));
}
