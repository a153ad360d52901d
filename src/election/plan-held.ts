/** The lock is held by a session of ours and the record is good: the leader stays while it can, else it is handed over. */
import type { PodRef } from '../api/pod.ts';
import type { Action, Plan } from './actions.ts';
import { excluded, finished, labelled, membersOf, rankedCandidates, refused } from './candidates.ts';
import type { BucketFence, LockView, MemberSession, Observation, ObservedPod } from './observation.ts';
import { unreadOwners } from './owners.ts';
import { waitForCandidate } from './plan-free.ts';
import { act, look, nothing, notReady, ready, rest, soonest } from './plans.ts';
import { leftOver, openingFor, suitableSession, suits, unsuited } from './sessions.ts';
import { tokenOf } from './token.ts';
import { transaction } from './transactions.ts';
import { recordedToken } from './witnesses.ts';
import { labelledPods, refOf, versionRef, writeOff, writeOffsForMove, writeOffTarget } from './write-off.ts';

export type Fitness =
  | { readonly kind: 'fit' }
  /** Not ready, but failoverDelaySeconds gives it this long to come back. */
  | { readonly kind: 'ailing'; readonly graceMs: number }
  /** `replaceable`: kept while nobody else can lead. */
  | { readonly kind: 'unfit'; readonly cause: UnfitCause; readonly replaceable: boolean };

export type UnfitCause =
  | 'LeaderGone'
  | 'LeaderTerminating'
  | 'LeaderExcluded'
  | 'LeaderFinished'
  | 'LeaderNoLongerMember'
  | 'LeaderNotReady'
  | 'PromotionRefused';

type Held = {
  readonly o: Observation;
  readonly fence: BucketFence;
  readonly lock: LockView;
  readonly session: MemberSession;
};

export function planHeld(o: Observation, lock: LockView, session: MemberSession): Plan {
  if (o.ownership.kind !== 'owned') return nothing('this replica does not own the bucket');
  const held: Held = { o, fence: o.ownership.fence, lock, session };
  const holder = o.pods.find(({ pod }) => pod.uid === session.podUid) ?? null;
  if (holder === null) return replace(held, null, 'LeaderGone', false);
  const fitness = fitnessOf(o, holder);
  switch (fitness.kind) {
    case 'fit':
      return keep(held, holder, null);
    case 'ailing':
      return keep(held, holder, fitness.graceMs);
    case 'unfit':
      return replace(held, holder, fitness.cause, fitness.replaceable);
  }
}

export function fitnessOf(o: Observation, holder: ObservedPod): Fitness {
  const { pod, member } = holder;
  if (finished(pod)) return { kind: 'unfit', cause: 'LeaderFinished', replaceable: false };
  if (!member) return { kind: 'unfit', cause: 'LeaderNoLongerMember', replaceable: false };
  if (excluded(pod)) return { kind: 'unfit', cause: 'LeaderExcluded', replaceable: false };
  if (pod.deleting) return { kind: 'unfit', cause: 'LeaderTerminating', replaceable: true };
  if (refused(o, holder)) return { kind: 'unfit', cause: 'PromotionRefused', replaceable: true };
  if (pod.ready) return { kind: 'fit' };
  const graceMs = o.group.spec.failoverDelayMs - holder.notReadyForMs;
  return graceMs > 0 ? { kind: 'ailing', graceMs } : { kind: 'unfit', cause: 'LeaderNotReady', replaceable: true };
}

/** The gate gives no yes for a lock that this owner of the bucket has not written (see answerGate). */
const unverifiedButAsked = (o: Observation): boolean => o.asked && !o.verified;

/** The leader stays. Whatever is wrong around it is put right after a verification. */
function keep(held: Held, holder: ObservedPod, graceMs: number | null): Plan {
  const { o, lock, session } = held;
  const unknown = unknownContester(o);
  if (unknown !== null) return look([{ do: 'readContester', pod: unknown }], 'somebody else writes the label too');
  const repairs = repairsOf(held, holder);
  if (repairs.length > 0 || !session.proven || unverifiedButAsked(o)) {
    return act([verifyOf(held, holder), ...repairs], 'LabelRestored', 'the lock is held; the labels are put right');
  }
  if (!suits(o, session)) return changeSession(held, holder);
  const missing = unsuited(o);
  if (missing.length > 0) return look([{ do: 'openSessions', pods: missing }], 'every candidate has a session');
  const unread = unreadOwners(o);
  if (unread.length > 0) return look([{ do: 'readOwners', owners: unread }], 'the next handover waits for no read');
  const left = leftOver(o);
  if (left.length > 0) return look([{ do: 'destroySessions', sessions: left }], 'sessions that nobody needs');
  if (!labelled(o.group, holder)) {
    if (onHold(o, holder)) return rest(notReady('LabelContested', contestMessage(o)), graceMs);
    const wait = waitForCandidate(o);
    return { ...wait, againMs: soonest([graceMs, wait.againMs]) };
  }
  const details = [holder.pod.ready ? '' : notReadyDetail(lock), contestMessage(o), o.followersRefusedBecause];
  return rest(ready('Led', details.filter((detail) => detail !== '').join('; ')), graceMs);
}

/** A label that somebody else writes as well is repaired, but not at once every time. */
const onHold = (o: Observation, { contest }: ObservedPod): boolean => contest !== null && o.nowMs < contest.notBeforeMs;

const unknownContester = (o: Observation): PodRef | null => {
  const found = o.pods.find(({ contest }) => contest !== null && contest.by === null);
  return found === undefined ? null : refOf(found);
};

function contestMessage(o: Observation): string {
  const found = o.pods.find(({ contest }) => contest !== null);
  if (found?.contest == null) return '';
  const { key } = o.group.spec.label;
  return `somebody else writes the label ${key} of pod ${found.pod.name}${found.contest.by === null ? '' : ` (${found.contest.by})`}; it is put right every few seconds`;
}

const notReadyDetail = (lock: LockView): string =>
  `${lock.record?.holder.pod ?? 'the leader'} is not ready and failoverDelaySeconds has not passed`;

function repairsOf({ o, lock }: Held, holder: ObservedPod): readonly Action[] {
  const strays = straysBeside(o, holder);
  return [
    ...writeOff(
      strays.map((stray) => writeOffTarget(o, stray)),
      'stray',
    ),
    ...(promotable(o, lock, holder) && !onHold(o, holder) ? [{ do: 'promote', pod: versionRef(holder) } as const] : []),
    ...followerLabels(o, holder),
  ];
}

const straysBeside = (o: Observation, holder: ObservedPod): readonly ObservedPod[] =>
  labelledPods(o).filter((stray) => stray.pod.uid !== holder.pod.uid && !onHold(o, stray));

/** One kept without its label is promoted when it is ready again, not before. */
const promotable = (o: Observation, lock: LockView, holder: ObservedPod): boolean =>
  holder.pod.ready && (!labelled(o.group, holder) || tokenOf(holder.pod, o.group.name) !== recordedToken(lock));

function followerLabels(o: Observation, holder: ObservedPod): readonly Action[] {
  const { key, follower } = o.group.spec.label;
  if (follower === null || (o.followersRefusedUntilMs !== null && o.nowMs < o.followersRefusedUntilMs)) return [];
  const wrong = membersOf(o).filter(
    ({ pod, claimedByOther }) =>
      pod.uid !== holder.pod.uid && !claimedByOther && !pod.deleting && pod.labels[key] !== follower,
  );
  const plain = wrong.filter((observed) => !labelled(o.group, observed));
  return plain.length === 0 ? [] : [{ do: 'labelFollowers', pods: plain.map(versionRef) }];
}

/**
 * A token stands for one promotion: one that was promoted with it and has lost its label since (written off while
 * Consul was silent, say) comes back with a higher one.
 */
function verifyOf({ o, fence, lock, session }: Held, holder: ObservedPod): Action {
  const used = tokenOf(holder.pod, o.group.name) >= recordedToken(lock);
  const raise = holder.pod.ready && used && !labelled(o.group, holder);
  return { do: 'verify', transaction: transaction.verify(o, fence, lock, session, refOf(holder), raise) };
}

/** The spec's TTL or lock-delay was edited: a new session for the same pod, in one transaction; the label stays. */
function changeSession({ o, fence, lock, session }: Held, holder: ObservedPod): Plan {
  const next = suitableSession(o, holder);
  if (next === null) {
    return look([openingFor(o, holder)], 'the session timing was edited');
  }
  const moved = transaction.handOver(session.id, o, fence, lock, next, refOf(holder));
  const promote: readonly Action[] =
    labelled(o.group, holder) || holder.pod.ready ? [{ do: 'promote', pod: versionRef(holder) }] : [];
  return act([{ do: 'handOver', transaction: moved }, ...promote], 'SessionChanged', 'the session timing was edited');
}

/** The leader cannot stay: hand over, or keep it while nobody else can lead, or give the lock up. */
function replace(held: Held, holder: ObservedPod | null, cause: UnfitCause, replaceable: boolean): Plan {
  const { o, lock, session } = held;
  const nominee = rankedCandidates(o).find(({ pod }) => pod.uid !== session.podUid) ?? null;
  if (nominee !== null) return handOverTo(held, nominee, cause);
  if (replaceable && holder !== null) return keepUnfit(held, holder);
  const actions: readonly Action[] = [
    ...writeOff(writeOffsForMove(o, lock, null), 'move'),
    { do: 'unlock', transaction: transaction.unlock(o, held.fence, lock, session) },
  ];
  return act(actions, cause, 'the leader is no more and nobody else can lead');
}

function handOverTo({ o, fence, lock, session }: Held, nominee: ObservedPod, cause: UnfitCause): Plan {
  const next = suitableSession(o, nominee);
  if (next === null) return look([openingFor(o, nominee)], 'the nominee needs a session');
  const actions: readonly Action[] = [
    ...writeOff(writeOffsForMove(o, lock, nominee.pod.uid), 'move'),
    { do: 'handOver', transaction: transaction.handOver(session.id, o, fence, lock, next, refOf(nominee)) },
    { do: 'promote', pod: versionRef(nominee) },
  ];
  return act(actions, cause, `${cause}: the lead passes to ${nominee.pod.name}`);
}

/** Nobody else can lead: the label stays where it is, a stray one elsewhere does not. */
function keepUnfit(held: Held, holder: ObservedPod): Plan {
  const { o } = held;
  const strays = straysBeside(o, holder);
  if (strays.length > 0 || !held.session.proven || unverifiedButAsked(o)) {
    const clean = writeOff(
      strays.map((stray) => writeOffTarget(o, stray)),
      'stray',
    );
    const what = strays.length > 0 ? 'labels on others are taken off' : 'the lock is verified';
    return act([verifyOf(held, holder), ...clean], 'LabelRestored', what);
  }
  return waitForCandidate(o);
}
