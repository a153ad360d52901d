/** The lock is held by a session of ours and the record is good: the leader stays while it can, else it is handed over. */
import type { FollowUp, Look, Plan, Promote, Verify } from './actions.ts';
import { askedFirst, leads, yieldsLock } from './before-promotion.ts';
import { notReadyInWords } from './candidacy.ts';
import { excluded, finished, labelled, membersOf, refused } from './candidates.ts';
import { askFor, contestMessage, onHold, unknownContester } from './contests.ts';
import { evictionsOwed, isFormer } from './eviction.ts';
import { fence, fencingForMove, fencingTarget, labelledPods, promotion, refOf, versionRef } from './fencing.ts';
import { failingDetail, judgementOf, nominees } from './judgement.ts';
import type { LockView, Observation, ObservedPod } from './observation.ts';
import { recordedToken } from './observed-tokens.ts';
import type { HeldLock } from './owned-lock.ts';
import { unreadOwners } from './owners.ts';

import { waitForCandidate, waitForPass } from './plan-free.ts';
import { type Held, handOverTo, isAlive } from './plan-handover.ts';
import { planPreemption } from './plan-preemption.ts';
import { planSwitchover } from './plan-switchover.ts';
import { ahead, electing, idle, look, notReady, ready, sentences, soonest, transition } from './plans.ts';
import { leftOver, openingFor, suitableSession, suits, unsuited } from './sessions.ts';
import { shownAnew } from './show.ts';
import { tokenOf } from './token.ts';
import { transaction } from './transactions.ts';

export type Fitness =
  | { readonly kind: 'fit' }
  /** Not ready, but failoverDelaySeconds gives it this long to come back. */
  | { readonly kind: 'degraded'; readonly graceMs: number }
  /** `replaceable`: kept while nobody else can lead. */
  | { readonly kind: 'ineligible'; readonly cause: IneligibleCause; readonly replaceable: boolean };

export type IneligibleCause =
  | 'LeaderGone'
  | 'LeaderTerminating'
  | 'LeaderExcluded'
  | 'LeaderFinished'
  | 'LeaderNoLongerMember'
  | 'LeaderNodeLost'
  | 'LeaderNotReady'
  | 'LeaderUnresponsive'
  | 'PromotionRefused'
  | 'BeforePromotionFailed';

export function planHeld(o: Observation, lock: HeldLock): Plan {
  const held: Held = { o, ...lock };
  const holder = o.pods.find(({ pod }) => pod.uid === held.session.podUid) ?? null;
  if (holder === null) return replace(held, null, 'LeaderGone', false);
  const fitness = fitnessOf(o, holder);
  const probed = fitness.kind === 'ineligible' ? null : planUnresponsive(held);
  if (probed !== null) return probed;
  switch (fitness.kind) {
    case 'fit':
      return (
        askedFirst(o, [holder]) ?? planSwitchover(held, holder) ?? resign(held, holder) ?? keep(held, holder, null)
      );
    case 'degraded':
      return planSwitchover(held, holder) ?? resign(held, holder) ?? keepDegraded(held, holder, fitness.graceMs);
    case 'ineligible':
      return replace(held, holder, fitness.cause, fitness.replaceable);
  }
}

/** The leader does not respond, and somebody else does; null: it stays. */
function planUnresponsive(held: Held): Plan | null {
  const judgement = judgementOf(held.o);
  if (judgement?.kind !== 'failing') return null;
  const found = held.o.pods.filter(({ pod }) => judgement.successors.includes(pod.uid));
  const place = ({ pod }: ObservedPod): number => judgement.successors.indexOf(pod.uid);
  const [nominee, ...others] = found.toSorted((a, b) => place(a) - place(b));
  if (nominee === undefined) return null;
  return handOverTo(held, nominee, 'LeaderUnresponsive', { alive: false, why: ` (${judgement.failure})`, others });
}

export function fitnessOf(o: Observation, holder: ObservedPod): Fitness {
  const { pod, member } = holder;
  if (finished(pod)) return { kind: 'ineligible', cause: 'LeaderFinished', replaceable: false };
  if (!member) return { kind: 'ineligible', cause: 'LeaderNoLongerMember', replaceable: false };
  if (excluded(pod)) return { kind: 'ineligible', cause: 'LeaderExcluded', replaceable: false };
  if (pod.deleting) return { kind: 'ineligible', cause: 'LeaderTerminating', replaceable: true };
  if (refused(o, holder)) return { kind: 'ineligible', cause: 'PromotionRefused', replaceable: true };
  if (holder.nodeLost) return { kind: 'ineligible', cause: 'LeaderNodeLost', replaceable: true };
  if (holder.candidacy.lacks === null)
    return yieldsLock(o, holder)
      ? { kind: 'ineligible', cause: 'BeforePromotionFailed', replaceable: true }
      : { kind: 'fit' };
  const graceMs = o.group.spec.failoverDelayMs - holder.candidacy.forMs;
  return graceMs > 0
    ? { kind: 'degraded', graceMs }
    : { kind: 'ineligible', cause: 'LeaderNotReady', replaceable: true };
}

/** The gate gives no grant for a lock that this owner of the bucket has not written (see answerGate). */
const unverifiedButAsked = (o: Observation): boolean => o.asked && !o.verified;

/**
 * Its time is for keeping its label. One that we have fenced, for a handover that got no further, say, or that has got the lock and not its label yet, gets
 * none before it is ready: nobody would lead until then.
 */
function keepDegraded(held: Held, holder: ObservedPod, graceMs: number): Plan {
  const { o } = held;
  const hasLabel = labelled(o.group, holder) || leads(o, holder);
  return isFormer(o, holder.pod) || !hasLabel
    ? replace(held, holder, 'LeaderNotReady', true)
    : keep(held, holder, graceMs);
}

/** The leader stays. Whatever is wrong around it is put right after a verification. */
function keep(held: Held, holder: ObservedPod, graceMs: number | null): Plan {
  const { o, session } = held;
  const unknown = contesterOf(held, holder);
  if (unknown !== null) return unknown;
  const repairs = repairsOf(held, holder);
  if (repairs.length > 0 || !session.proven || unverifiedButAsked(o)) {
    const premises = electing('LabelRestored', 'restoring labels and annotations');
    return transition(premises, { fence: [], lock: verifyOf(held, holder), after: repairs });
  }
  if (!suits(o, session)) return changeSession(held, holder);
  const missing = unsuited(o);
  if (missing.length > 0)
    return ahead([{ do: 'openSessions', pods: missing }], 'opening sessions for whoever may lead next', graceMs);
  const unread = unreadOwners(o);
  if (unread.length > 0)
    return ahead(
      [{ do: 'readOwners', owners: unread, hurry: false }],
      'reading controllers ahead of the next handover',
      graceMs,
    );
  const left = leftOver(o);
  if (left.length > 0)
    return ahead([{ do: 'destroySessions', sessions: left }], 'giving up sessions that are no longer needed', graceMs);
  if (!labelled(o.group, holder)) {
    if (onHold(o, holder)) return idle(notReady('LabelContested', sentences([contestMessage(o)])), graceMs);
    const wait = waitForCandidate(o);
    return { ...wait, againMs: soonest([graceMs, wait.againMs]) };
  }
  const details = [notReadyDetail(o, holder), probeDetail(o), contestMessage(o), followersRefused(o)];
  return planPreemption(held, holder, idle(ready('Led', sentences(details)), graceMs));
}

/** Who undoes the repairs, where that is not known yet. */
function contesterOf({ o, lock }: Held, holder: ObservedPod): Look | null {
  const wrong = (observed: ObservedPod): boolean =>
    observed.pod.uid === holder.pod.uid
      ? promotable(o, lock, holder)
      : labelled(o.group, observed) || lacksFollowerLabel(o, holder, observed);
  return askFor(unknownContester(o, wrong));
}

/** Reported while it is waited for; what has been tried again since is over, or refused anew. */
const followersRefused = ({ nowMs, followersRefused: refusal }: Observation): string | null =>
  refusal !== null && nowMs < refusal.retryAtMs ? refusal.message : null;

function probeDetail(o: Observation): string | null {
  const judgement = judgementOf(o);
  return judgement?.kind === 'failing' ? failingDetail(judgement) : null;
}

/** By the condition that the group goes by. */
const isReady = ({ candidacy }: ObservedPod): boolean => candidacy.lacks === null;

const notReadyDetail = ({ group }: Observation, { pod, candidacy }: ObservedPod): string | null =>
  candidacy.lacks === null
    ? null
    : `${pod.name} is ${notReadyInWords(group.spec, candidacy.lacks)}; failoverDelaySeconds has not passed yet`;

function repairsOf({ o, lock }: Held, holder: ObservedPod): readonly FollowUp[] {
  const strays = straysBeside(o, holder);
  const promotes = promotable(o, lock, holder) && !onHold(o, holder);
  return [
    ...fence(
      strays.map((stray) => fencingTarget(o, stray)),
      'stray',
    ),
    ...(promotes ? [promotion(holder)] : shownAnew(o, lock, holder)),
    ...(promotes || labelled(o.group, holder) ? evictionsOwed(o, holder) : []),
    ...followerLabels(o, holder),
  ];
}

const straysBeside = (o: Observation, holder: ObservedPod): readonly ObservedPod[] =>
  labelledPods(o).filter((stray) => stray.pod.uid !== holder.pod.uid && !onHold(o, stray));

/** One kept without its label is promoted when it is ready again, not before. */
const promotable = (o: Observation, lock: LockView, holder: ObservedPod): boolean =>
  isReady(holder) && (!labelled(o.group, holder) || tokenOf(holder.pod, o.group.name) !== recordedToken(lock));

function followerLabels(o: Observation, holder: ObservedPod): readonly FollowUp[] {
  const { follower } = o.group.spec.label;
  if (follower === null) return [];
  if (followersRefused(o) !== null) return [];
  const wrong = membersOf(o).filter(
    (observed) => lacksFollowerLabel(o, holder, observed) && !labelled(o.group, observed) && !onHold(o, observed),
  );
  return wrong.length === 0 ? [] : [{ do: 'labelFollowers', follower, pods: wrong.map(versionRef) }];
}

function lacksFollowerLabel(
  o: Observation,
  holder: ObservedPod,
  { pod, member, claimedByOther }: ObservedPod,
): boolean {
  const { key, follower } = o.group.spec.label;
  const concerned = follower !== null && member && pod.uid !== holder.pod.uid && !claimedByOther && !pod.deleting;
  return concerned && pod.labels[key] !== follower;
}

/**
 * A token stands for one promotion: one that was promoted with it and has lost its label since (fenced while
 * Consul was silent, say) comes back with a higher one.
 */
function verifyOf(held: Held, holder: ObservedPod): Verify {
  const { o, lock } = held;
  const used = tokenOf(holder.pod, o.group.name) >= recordedToken(lock);
  const raise = isReady(holder) && used && !labelled(o.group, holder);
  return transaction.verify(o, held, refOf(holder), raise);
}

/** The spec's TTL or lock-delay was edited: a new session for the same pod, in one transaction; the label stays. */
function changeSession(held: Held, holder: ObservedPod): Plan {
  const { o } = held;
  const next = suitableSession(o, holder);
  if (next === null) {
    return look([openingFor(holder)], 'sessionTTLSeconds or lockDelaySeconds has changed');
  }
  const keepsLabel = labelled(o.group, holder) && leads(o, holder);
  const after: readonly Promote[] = keepsLabel || isReady(holder) ? [promotion(holder)] : [];
  return transition(electing('SessionChanged', 'sessionTTLSeconds or lockDelaySeconds has changed'), {
    fence: [],
    lock: transaction.handOver(o, held, { session: next, pod: refOf(holder) }),
    after,
  });
}

/** null: the leader has not resigned, or nobody else can lead. */
function resign(held: Held, holder: ObservedPod): Plan | null {
  const { o, lock } = held;
  const { pod } = holder;
  if (o.resigned === null || o.resigned.uid !== pod.uid || o.resigned.token !== recordedToken(lock)) return null;
  const next = nominees(o, pod.uid);
  if (next.kind !== 'known') return waitForPass(next);
  const [nominee, ...others] = next.ranked;
  return nominee === undefined ? null : handOverTo(held, nominee, 'LeaderResigned', { alive: isReady(holder), others });
}

/** The leader cannot stay: hand over, or keep it while nobody else can lead, or give the lock up. */
function replace(held: Held, holder: ObservedPod | null, cause: IneligibleCause, replaceable: boolean): Plan {
  const { o, lock, session } = held;
  const next = nominees(o, session.podUid);
  if (next.kind !== 'known') return waitForPass(next);
  const [nominee, ...others] = next.ranked;
  if (nominee !== undefined) return handOverTo(held, nominee, cause, { alive: isAlive(held, holder), others });
  if (replaceable && holder !== null) return keepIneligible(held, holder);
  return transition(electing(cause, 'the leader can no longer lead, and there is no other candidate'), {
    fence: fence(fencingForMove(o, lock, null), 'move'),
    lock: transaction.unlock(o, held),
    after: [],
  });
}

/** Nobody else can lead: the label stays where it is, a stray one elsewhere does not. */
function keepIneligible(held: Held, holder: ObservedPod): Plan {
  const { o } = held;
  const others = (observed: ObservedPod): boolean => observed.pod.uid !== holder.pod.uid && labelled(o.group, observed);
  const unknown = askFor(unknownContester(o, others));
  if (unknown !== null) return unknown;
  const strays = straysBeside(o, holder);
  const anew = labelled(o.group, holder) ? [...shownAnew(o, held.lock, holder), ...evictionsOwed(o, holder)] : [];
  if (strays.length + anew.length > 0 || !held.session.proven || unverifiedButAsked(o)) {
    const clean = fence(
      strays.map((stray) => fencingTarget(o, stray)),
      'stray',
    );
    const what = strays.length > 0 ? 'removing the leader label from other pods' : 'verifying the lock';
    const after = [...clean, ...anew];
    return transition(electing('LabelRestored', what), { fence: [], lock: verifyOf(held, holder), after });
  }
  return waitForCandidate(o);
}
