/**
 * The planner: one pure function from everything observed to what to do next. Which rule decides, in order:
 * deletion, a label that may not be written, overlap, a forbidden key, ownership, a Consul outage, pause, then the state of the lock.
 */
import { FINALIZER } from '../api/names.ts';
import type { Fence, Plan } from './actions.ts';
import { goesByReady } from './candidacy.ts';
import { due } from './contests.ts';
import { withEviction } from './eviction.ts';
import { fence, fencingTarget, labelledPods } from './fencing.ts';
import { withOwnersKnown } from './label-trial.ts';
import { nextChangeMs } from './next-change.ts';
import type { Observation } from './observation.ts';
import { type KnownLock, type OwnedLock, ownedLockOf } from './owned-lock.ts';
import { planDeletion } from './plan-deletion.ts';
import { planDistrusted } from './plan-distrusted.ts';
import { planElsewhere } from './plan-elsewhere.ts';
import { planFree } from './plan-free.ts';
import { planHeld } from './plan-held.ts';
import {
  isOutage,
  nodesNotReadable,
  planLabelStop,
  planNodesNotReadable,
  planOutage,
  planOverlap,
  planPaused,
  standDown,
} from './plan-restrained.ts';
import { withRoute } from './plan-route.ts';
import { look, nothing, soonest, stalled, withFirst } from './plans.ts';
import { trustOf } from './trust.ts';

/**
 * Decides the next actions for one group.
 *
 * **Guarantees** Every action that moves a lock follows the fencing patch of its previous holder; every promotion follows a
 * transaction under the plan's own bucket session; at rest the plan is empty.
 * **Assumptions** `o` was put together before any of its actions runs, and the executor stops at the first that fails.
 */
export const plan = (o: Observation): Plan =>
  withGroupKnown(o, withOwnersKnown(o, withRoute(o, withEviction(o, withTimers(o, decide(o))))));

/**
 * A cache may show a group that another owner of the bucket has deleted: nobody is given a label for one that the API server has not shown
 * since this one got the bucket. While it is ours nobody else deletes it.
 */
const withGroupKnown = (o: Observation, plan: Plan): Plan =>
  o.groupKnown || !labelsAnybody(plan)
    ? plan
    : look([{ do: 'readGroup' }], 'reading the group from the API server before the first label is written');

const labelsAnybody = (plan: Plan): boolean =>
  plan.kind === 'transition' &&
  plan.after.some(({ do: what }) => what === 'promote' || what === 'show' || what === 'labelFollowers');

/** Whatever a plan that rests, or may be put off, says of the group ends with time at the latest, be it only a counter in the status. */
const withTimers = (o: Observation, plan: Plan): Plan =>
  mayRest(plan) ? { ...plan, againMs: soonest([plan.againMs, nextChangeMs(o)]) } : plan;

const mayRest = (plan: Plan): boolean =>
  (plan.kind === 'idle' && plan.verdict !== null) || (plan.kind === 'look' && plan.canWait);

function decide(o: Observation): Plan {
  const owned = ownedLockOf(o);
  if (o.group.deleting) return planDeletion(o, owned);
  if (o.labelStop !== null) return planLabelStop(o, o.labelStop, owned);
  if (isOutage(o)) return planOutage(o);
  if (o.ownership.kind === 'notOwned') return nothing('another replica owns the bucket');
  if (owned === null) return nothing('this replica may not act for the bucket yet', lookAgainMs(o));
  return planOwned(o, owned) ?? planByLock(o, owned);
}

/** Events wake a group whose bucket is taken again; this is for the one that is missed. Each second would be most of what a restart with ten thousand groups costs. */
const LOOK_AGAIN_MS = 5000;

/** At the deadline at the latest: whoever is to be demoted then is woken by nothing else where no session is kept. (Promise I3.) */
const lookAgainMs = (o: Observation): number =>
  o.nowMs < o.lockDeadlineMs && labelledPods(o).length > 0
    ? Math.min(LOOK_AGAIN_MS, o.lockDeadlineMs - o.nowMs)
    : LOOK_AGAIN_MS;

/** What decides before the lock is looked at; null: nothing does. */
function planOwned(o: Observation, owned: OwnedLock): Plan | null {
  if (o.overlapsWith !== null) return planOverlap(o, o.overlapsWith, owned);
  if (o.lockKeyProblem !== null) return standDown(o, { reason: 'LockKeyNotAllowed', message: o.lockKeyProblem }, owned);
  if (o.group.spec.paused) return planPaused(o, owned);
  if (!o.nodesReadable && !goesByReady(o.group.spec)) return planWithoutNodes(o, owned);
  const refused = planRefused(o, owned);
  if (refused !== null) return refused;
  if (!o.group.finalizers.includes(FINALIZER)) {
    // Read first: a lock that was taken before shows that this is no first finalizer (ADR 0013).
    return look([{ do: 'readLock' }, { do: 'addFinalizer' }], 'adding the finalizer before the first lock');
  }
  return null;
}

const MEND_REFUSAL = 'Change the policy or webhook that refuses it, or delete the pod that it protects.';

/** Whoever leads goes on, but for a shared lock that is not ours: that may be anyone's by now, whatever nodes would show. */
function planWithoutNodes(o: Observation, owned: OwnedLock): Plan {
  if (o.group.spec.lockKey === null || owned.kind === 'held') return planNodesNotReadable(o, owned);
  const refused = planRefused(o, owned);
  if (refused !== null) return refused;
  const isFree = owned.kind === 'free' && !owned.lock.foreignEntry;
  return isFree ? withFirst(labelsOff(o), nodesNotReadable(o)) : planByLock(o, owned);
}

/** null: nothing that the group needs is refused just now. */
function planRefused(o: Observation, owned: OwnedLock): Plan | null {
  const refusal = o.consulDenied ?? o.fencingRefused;
  if (refusal === null || o.nowMs >= refusal.retryAtMs) return null;
  const denied = o.consulDenied !== null || o.fencingRefused?.status === 403;
  const plan = denied
    ? stalled('PermissionDenied', refusal.message)
    : stalled('WriteRefused', `${refusal.message}. ${MEND_REFUSAL}`);
  return withFirst(withoutLock(o, owned), { ...plan, againMs: refusal.retryAtMs - o.nowMs });
}

function planByLock(o: Observation, owned: OwnedLock): Plan {
  if (owned.kind === 'unread') return look([{ do: 'readLock' }], 'the lock has not been read yet');
  if (owned.lock.foreignEntry) return planForeignEntry(o, owned);
  if (owned.kind === 'elsewhere') return planElsewhere(o, owned);
  const trust = trustOf(o, owned.lock, owned.session);
  if (trust !== 'good') return planDistrusted(o, owned, trust);
  return owned.kind === 'free' ? planFree(o, owned) : planHeld(o, owned);
}

/** A shared lock that we do not hold may be anyone's by now, also while Consul refuses us: nobody stays labelled. */
function withoutLock(o: Observation, { kind }: OwnedLock): readonly Fence[] {
  if (o.group.spec.lockKey === null || kind === 'unread' || o.fencingRefused !== null) return [];
  return kind === 'held' ? [] : labelsOff(o);
}

function labelsOff(o: Observation): readonly Fence[] {
  const targets = labelledPods(o).map((pod) => fencingTarget(o, pod));
  return fence(due(o, targets), 'external');
}

function planForeignEntry(o: Observation, { kind, lock }: KnownLock): Plan {
  const plan = stalled(
    'KeyConflict',
    `the Consul key ${o.keys.lock} holds an entry that is not a lock (index ${lock.versions[0]?.index ?? 0}). The operator does not change it. ` +
      'Delete the entry if nobody needs it, or create a LeaderGroup with another lockKey.',
  );
  return kind === 'held' ? plan : withFirst(labelsOff(o), plan);
}
