/**
 * The group is being deleted: labels off, lock released, the last token left in Consul, pods cleaned, finalizer removed; in this order, so
 * that whatever interrupts it the next pass goes on. It never hangs a namespace: with Consul away the labels come off and after ten seconds
 * the finalizer goes; and within a minute it goes whatever forbids us to write to a pod. Sessions expire by themselves, the record left is
 * a previous incarnation, and a next group of this name fences whoever is still labelled before anyone is promoted.
 */
import { podUid } from '../api/ids.ts';
import { costAnnotation, FINALIZER, fencedAnnotation, sinceAnnotation, tokenAnnotation } from '../api/names.ts';
import type { Idle, Look, Plan, Premises, Preparation } from './actions.ts';
import { labelled, promotedHere } from './candidates.ts';
import { fence, fencingForMove, fencingTarget, labelledPods, versionRef } from './fencing.ts';
import type { Observation, ObservedPod } from './observation.ts';
import { rememberedToken } from './observed-tokens.ts';
import type { KnownLock, OwnedLock } from './owned-lock.ts';
import { withdrawal } from './plan-shown.ts';
import { idle, look, nothing, notReady, quietly, transition, until, withFirst } from './plans.ts';
import type { LockRecord } from './record.ts';
import { retainedLeader } from './retained.ts';
import { hindrance, isHeldUp, ownSlices } from './route.ts';
import { handledSwitchover } from './switchover-record.ts';
import { transaction } from './transactions.ts';

/** How long an unreachable Consul may hold up a deletion, or EndpointSlices that cannot be removed. */
const PATIENCE_MS = 10_000;
/** How long anything else may, a policy that forbids to take a label off, say. */
const LIMIT_MS = 25_000;
/** From here on nothing but the finalizer counts. */
export const LAST_MS = 30_000;
const AGAIN_MS = 1000;
/** That the API server answers all the while is known by a read of the group with each pass. */
const LOOK_AGAIN_MS = 5000;

export function planDeletion(o: Observation, owned: OwnedLock | null): Plan {
  if (!o.group.finalizers.includes(FINALIZER)) return nothing('only finalizers of others are left');
  const leftMs = ownersTimeMs(o);
  if (leftMs === null || leftMs > 0) return nothing('another replica owns the bucket', leftMs);
  if (!o.deletionConfirmed) return look([{ do: 'readGroup' }], 'the cache may show a previous incarnation');
  const waitedMs = o.nowMs - (o.deletingSinceMs ?? o.nowMs);
  if (waitedMs >= LAST_MS) return look([{ do: 'removeFinalizer' }], 'the group is deleted; the time limit has passed');
  if (waitedMs >= LIMIT_MS) return giveUp(o, owned);
  const refusal = o.fencingRefused;
  if (refusal !== null && o.nowMs < refusal.retryAtMs) {
    return waiting(refusal.message, Math.min(refusal.retryAtMs - o.nowMs, LIMIT_MS - waitedMs));
  }
  return owned === null || withoutConsul(o) ? deleteWithoutConsul(o, waitedMs) : deleteWithConsul(o, owned, waitedMs);
}

/**
 * The slices of the route go before the lock does, unless the API server refuses that, or does not answer for so long: they have the group for their
 * owner, and go with it. null: there is none, or nothing can be done about them.
 */
function planSlices(o: Observation, waitedMs: number): Idle | Look | null {
  const { route } = o;
  const serviceName = o.group.spec.route?.serviceName;
  if (route === null || serviceName === undefined || waitedMs >= PATIENCE_MS) return null;
  const unread = hindrance(o, route, 'read');
  if (route.reading === null && unread === null)
    return deletion(
      [{ do: 'readRoute', serviceName, hurry: true }],
      'the group is deleted; reading its EndpointSlices',
    );
  const slices = ownSlices(o);
  // What was refused long ago is tried once more: it may be allowed by now.
  const free = slices.filter(({ family }) => !isHeldUp(o, route, family));
  if (free.length > 0)
    return deletion([withdrawal(free, { remove: true })], 'the group is deleted; removing its EndpointSlices');
  const silent = [unread, ...slices.map(({ family }) => hindrance(o, route, family))].find(
    (found) => found?.kind === 'silent',
  );
  return silent == null ? null : waiting(silent.message, Math.min(until(o, silent.retryAtMs), PATIENCE_MS - waitedMs));
}

/**
 * Whoever does not own the bucket, and has no answer from Consul, begins when the owner should have ended: that may be gone, and while Consul
 * is unreachable nobody else becomes the owner. null: the owner's for good. 0: ours.
 */
function ownersTimeMs({ ownership, consulUnreachable, nowMs, deletionSeenMs }: Observation): number | null {
  if (ownership.kind !== 'notOwned') return 0;
  return consulUnreachable ? Math.max(0, (deletionSeenMs ?? nowMs) + LAST_MS - nowMs) : null;
}

/** What holds the deletion up, for people; it goes on by itself after a minute at the latest. */
const waiting = (why: string, againMs: number): Idle =>
  idle(
    notReady(
      'Deleting',
      `${why}; the LeaderGroup is removed within a minute of its deletion, even if a pod still carries the label`,
    ),
    Math.max(1, Math.min(againMs, LOOK_AGAIN_MS)),
  );

/** As `look`; should one of the actions fail, people see that the group is being deleted, and why it is still there. */
const deletion = (after: readonly Preparation[], reason: string): Look => ({
  ...look(after, reason),
  ...deleting(reason),
});

const deleting = (reason: string): Premises => ({
  ...quietly(reason),
  verdict: notReady('Deleting', 'the LeaderGroup is being deleted'),
});

/** The last token is kept if Consul lets us; the rest stays as it is. */
function giveUp(o: Observation, owned: OwnedLock | null): Plan {
  const buried = owned === null || owned.kind === 'unread' || withoutConsul(o) ? [] : burial(o, owned);
  return deletion([...buried, { do: 'removeFinalizer' }], 'the group is deleted; its cleanup did not finish in time');
}

const withoutConsul = (o: Observation): boolean =>
  o.consulUnreachable || (o.consulDenied !== null && o.nowMs < o.consulDenied.retryAtMs);

function deleteWithoutConsul(o: Observation, waitedMs: number): Plan {
  const retained = retainedLeader(o);
  const off = fence(
    labelledPods(o)
      .filter(({ pod }) => pod.uid !== retained?.pod.uid && (o.labelStop === null || !o.fenced.has(pod.uid)))
      .map((target) => fencingTarget(o, target)),
    'deletion',
  );
  if (off.length > 0)
    return withFirst(off, deletion([], 'the group is deleted while Consul is unreachable; removing labels first'));
  const slices = planSlices(o, waitedMs);
  if (slices !== null) return slices;
  if (waitedMs < PATIENCE_MS) return waiting('Consul is unreachable', Math.min(AGAIN_MS, PATIENCE_MS - waitedMs));
  return deletion(
    [...cleanUp(o), { do: 'removeFinalizer' }],
    'the group is deleted; Consul was unreachable for ten seconds',
  );
}

function deleteWithConsul(o: Observation, owned: OwnedLock, waitedMs: number): Plan {
  if (owned.kind === 'unread') return deletion([{ do: 'readLock' }], 'the lock has not been read yet');
  if (owned.kind === 'elsewhere' && o.holderSession === null) {
    return deletion([{ do: 'readHolderSession', session: owned.by }], 'an unknown session holds the lock');
  }
  const off = fence(fencingForMove(o, owned.lock, retainedLeader(o)?.pod.uid ?? null), 'deletion');
  const releasing = 'the group is deleted; releasing its label and lock';
  const slices = planSlices(o, waitedMs);
  if (slices !== null) return withFirst(off, slices);
  if (owned.kind === 'held')
    return transition(deleting(releasing), { fence: off, lock: transaction.unlock(o, owned), after: [] });
  if (off.length > 0) return withFirst(off, deletion([], releasing));
  return deletion([...burial(o, owned), ...cleanUp(o), { do: 'removeFinalizer' }], 'the group is deleted; cleaning up');
}

/**
 * Before the pods are cleaned, which may be all that still knows the last token. Nothing where no token was ever given, or where it is
 * done already: for this group, since one that never led finds what the one before it has left, with the time of that deletion. (Promises I5 and I12.)
 */
function burial(o: Observation, owned: KnownLock): readonly Preparation[] {
  const { guard, lock } = owned;
  const token = Math.max(rememberedToken(lock), o.highestObserved);
  if (token === 0 || !oursToWrite(o, owned)) return [];
  const { uid: groupUid, generation } = o.group;
  const { record: found } = lock;
  if (found?.deleted !== undefined && found.groupUid === groupUid && found.token >= token) return [];
  const holder = found?.holder ?? holderUnrecorded(o);
  const writes = (found?.writes ?? 0) + 1;
  const record = {
    v: 1,
    groupUid,
    generation,
    holder,
    token,
    writes,
    switchover: { atMs: handledSwitchover(o, owned).atMs, to: null },
    deleted: Math.floor(o.wallSeconds / 60),
  } as const;
  return [{ do: 'bury', guard, view: lock, record }];
}

/** The next group of the name is to know whoever keeps its label. */
function holderUnrecorded(o: Observation): LockRecord['holder'] {
  const retained = retainedLeader(o)?.pod;
  return retained === undefined ? { pod: '-', uid: podUid('-') } : { pod: retained.name, uid: retained.uid };
}

/** The value of a lock that an external holder holds is the external's; beside a lockKey the record is always ours. */
const oursToWrite = (o: Observation, { kind }: KnownLock): boolean => o.keys.record !== null || kind !== 'elsewhere';

/** Whoever must keep this group's label keeps its token too: the next group of this name knows it by that, and fences it. (Promise I4.) */
function cleanUp(o: Observation): readonly Preparation[] {
  const retained = retainedLeader(o);
  const keeps = (observed: ObservedPod): boolean => observed === retained || keepsLabel(o, observed);
  const marked = o.pods.filter((observed) => carriesOurs(o, observed) && !keeps(observed));
  const pods = marked.map((observed) => ({ pod: versionRef(observed), label: labelOnCleanUp(o, observed) }));
  return pods.length === 0 ? [] : [{ do: 'cleanUp', pods }];
}

const keepsLabel = (o: Observation, observed: ObservedPod): boolean =>
  o.labelStop !== null && promotedHere(o.group, observed.pod) && labelled(o.group, observed);

function carriesOurs(o: Observation, observed: ObservedPod): boolean {
  const { name } = o.group;
  const annotations = [tokenAnnotation(name), sinceAnnotation(name), fencedAnnotation(name), costAnnotation(name)];
  const marked = annotations.some((key) => observed.pod.annotations[key] !== undefined);
  return marked || labelOnCleanUp(o, observed) === 'remove';
}

/** With deletionPolicy Retain followers stay what they are; whoever else has the leader's value does not. */
const labelOnCleanUp = (o: Observation, observed: ObservedPod): 'remove' | 'keep' =>
  o.labelStop === null && ownLabel(o, observed) && !(retainsLabels(o) && !labelled(o.group, observed))
    ? 'remove'
    : 'keep';

const retainsLabels = ({ group }: Observation): boolean => group.spec.deletionPolicy === 'Retain';

function ownLabel(o: Observation, observed: ObservedPod): boolean {
  const { key, leader, follower } = o.group.spec.label;
  const value = observed.pod.labels[key];
  if (value === leader) return labelled(o.group, observed);
  return value !== undefined && value === follower && observed.member && !observed.claimedByOther;
}
