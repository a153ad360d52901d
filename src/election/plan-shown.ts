/**
 * Whom the slices of a route show while the election has nothing to do: whoever does not lead any more is taken out, and whoever stays is shown as it is by
 * now, as a Service that selects by the label would show it. Neither shows another pod, nor another token, than the version that was read: so
 * neither needs a proof that the lock is ours, and each is void where somebody has written the slice since. (Promise I11.)
 */
import type { Slice, SliceEndpoint } from '../api/route.ts';
import type { Idle, Plan, Withdraw } from './actions.ts';
import { labelled } from './candidates.ts';
import { labelledPods } from './fencing.ts';
import type { Observation, ObservedPod } from './observation.ts';
import { highestObservedToken, rememberedToken } from './observed-tokens.ts';
import type { KnownLock, OwnedLock } from './owned-lock.ts';
import { fitnessOf } from './plan-held.ts';
import { isOutage } from './plan-restrained.ts';
import { look, soonest } from './plans.ts';
import { dueOf, isHeldOff, isHeldUp, ownSlices, showingOf } from './route.ts';
import type { RouteView, Showing } from './route-view.ts';

export const withdrawal = (
  slices: readonly Slice[],
  { remove = false, confirm = false }: Partial<Pick<Withdraw, 'remove' | 'confirm'>> = {},
): Withdraw => ({ do: 'withdraw', slices, remove, confirm });

/** Nothing is written to pods either. */
export const restrained = ({ group, labelStop }: Observation): boolean => group.spec.paused || labelStop !== null;

/**
 * The bucket is this replica's, or was until Consul fell silent; or nobody may have it: Consul has been silent past the deadline of whoever leads. A plan
 * of the owner without a verdict waits for something that is about to come, unless it waits for Consul.
 */
export const mayTend = (o: Observation, { verdict }: Idle): boolean =>
  isOwner(o) ? verdict !== null || isOutage(o) : isOutlasted(o);

const isOwner = ({ ownership: { kind } }: Observation): boolean => kind === 'owned' || kind === 'lapsed';

/** The bucket is this replica’s now, and so no other one’s. */
const owns = ({ ownership: { kind } }: Observation): boolean => kind === 'owned';

const isOutlasted = (o: Observation): boolean => isOutage(o) && o.nowMs >= o.lockDeadlineMs;

/** Past the deadline nobody leads without a label, whatever a lock says that was seen before. */
const demotes = (o: Observation): boolean => o.group.spec.onConsulLoss === 'Demote' && !restrained(o) && isOutlasted(o);

/** null: the slices are as they should be. */
export function tending(o: Observation, route: RouteView, owned: OwnedLock | null): Plan | null {
  const lock = owned === null || owned.kind === 'unread' ? null : owned;
  const own = ownSlices(o).filter(({ family }) => !isHeldUp(o, route, family));
  const left = own.filter((slice) => isToGo(o, lock, slice) || mustBeFenced(o, route, lock, slice));
  const changed = left.length > 0 ? [] : own.flatMap((slice) => changedIn(o, route, lock, slice));
  const slices = [...left, ...changed.map(({ slice }) => slice)];
  if (slices.length === 0) return null;
  const confirm = lock === null;
  return (
    confirmed(o, lock, slices) ??
    (left.length > 0
      ? look([withdrawal(left, { confirm })], 'nobody is to be shown by the EndpointSlices')
      : look([{ do: 'refresh', slices: changed, confirm }], 'whoever the EndpointSlices show has changed'))
  );
}

const isToGo = (o: Observation, lock: KnownLock | null, slice: Slice): boolean =>
  mustGo(o, lock, slice) && !isHeldOff(o, slice.family, ({ endpoint }) => endpoint === null);

/** It shows a pod that does not lead, that is not there any more, or that the Service may not be led to. */
function mustGo(o: Observation, lock: KnownLock | null, slice: Slice): boolean {
  if (slice.endpoint === null) return false;
  const shown = shownIn(o, slice.endpoint);
  if (shown === undefined) return true;
  const showing = showingIn(o, slice, shown);
  if (showing === null) return isOwner(o);
  return showing.content.endpoint === null || (!labelled(o.group, shown) && !mayStay(o, lock, slice, shown));
}

const shownIn = (o: Observation, { pod: { uid } }: SliceEndpoint): ObservedPod | undefined =>
  o.pods.find(({ pod }) => pod.uid === uid);

/** null: the Service is not, or not known to be, this group's to lead, or does not have the family any more. */
const showingIn = (o: Observation, { family }: Slice, shown: ObservedPod): Showing | null =>
  showingOf(o, shown).find(({ slice }) => slice.family === family) ?? null;

/**
 * Of one without the label. The holder of the lock: a cache may not show its label yet; but one that is not to have it, for it ends or was refused it, is
 * shown no longer than by label. Without a lock, what shows a later lead than is known here is the
 * next owner's; and only whoever had the bucket last, or has to demote, judges by the label at all: somebody else may own it, and be putting it right.
 */
function mayStay(o: Observation, lock: KnownLock | null, { token }: Slice, shown: ObservedPod): boolean {
  if (restrained(o)) return true;
  if (lock !== null) return leads(o, lock, shown) && !demotes(o);
  return token > knownToken(o) || !(isOwner(o) || demotes(o));
}

const leads = (o: Observation, lock: KnownLock | null, shown: ObservedPod): boolean =>
  lock?.kind === 'held' && lock.session.podUid === shown.pod.uid && fitnessOf(o, shown).kind !== 'ineligible';

/** Of the last lead that anything but the slices tells of. */
const knownToken = (o: Observation): number =>
  Math.max(
    o.lock === null ? 0 : rememberedToken(o.lock),
    highestObservedToken(
      o.group,
      o.pods.map(({ pod }) => pod),
    ),
  );

/** Once for each version of the lock: a write of an earlier plan would find the slice as it was read. */
function mustBeFenced(o: Observation, { fenced }: RouteView, lock: KnownLock | null, slice: Slice): boolean {
  if (slice.endpoint !== null || fenced.has(slice.family) || restrained(o) || labelledPods(o).length > 0) return false;
  if (demotes(o)) return true;
  return lock !== null && lock.kind !== 'held' && lock.lock.versions.some(({ index }) => index > 0);
}

/** Whoever stays, and leads as far as this replica knows, is not as it is shown. */
function changedIn(o: Observation, route: RouteView, lock: KnownLock | null, slice: Slice): readonly Showing[] {
  const shown = slice.endpoint === null ? undefined : shownIn(o, slice.endpoint);
  if (shown === undefined || leftToOwnerMs(o, shown) > 0 || mustGo(o, lock, slice)) return [];
  if (!labelled(o.group, shown) && !restrained(o) && !leads(o, lock, shown)) return [];
  const showing = showingIn(o, slice, shown);
  if (showing === null || !(owns(o) || isDescribedOtherwise(showing))) return [];
  return dueOf(o, route, [showing], slice.token);
}

/**
 * By what becomes of the pod. What others make of a slice, an admission webhook say, is the owner's to put right: of several replicas, none of which has the
 * bucket, each would find altered what another has written, without end. (Promise I7.)
 */
const isDescribedOtherwise = ({ slice: { endpoint: is }, content: { endpoint: should } }: Showing): boolean =>
  is?.address !== should?.address ||
  is?.ready !== should?.ready ||
  is?.serving !== should?.serving ||
  is?.terminating !== should?.terminating;

/** An owner that is well shows the next leader by one write, which another replica's before it would cost kube-proxy's second. */
const OWNERS_TURN_MS = 10_000;

/** Milliseconds for which it is the owner's to say that a pod is not as ready as it is shown. */
function leftToOwnerMs(o: Observation, { pod, notReadyForMs }: ObservedPod): number {
  if (isOwner(o) || (pod.ready && !pod.deleting)) return 0;
  return pod.ready ? OWNERS_TURN_MS : Math.max(0, OWNERS_TURN_MS - notReadyForMs);
}

/** Milliseconds until there may be something to do that no event tells of; null: nothing. */
export const tendAgainMs = (o: Observation): number | null =>
  soonest([...ownSlices(o).map((slice) => turnMs(o, slice)), ...contestsMs(o)].filter((ms) => ms > 0));

function turnMs(o: Observation, { endpoint }: Slice): number {
  const shown = endpoint === null ? undefined : shownIn(o, endpoint);
  return shown === undefined ? 0 : leftToOwnerMs(o, shown);
}

/** Until a slice is put right again, and until nobody is said to change it. */
function contestsMs({ nowMs, route }: Observation): readonly number[] {
  if (route === null) return [];
  const edited = [...route.written.values()].map(({ contest }) => contest);
  const remade = [...route.remade.values()].flatMap(({ made, removed }) => [made, removed]);
  return [...edited, ...remade].flatMap((contest) =>
    contest === null ? [] : [contest.notBeforeMs - nowMs, contest.overAtMs - nowMs],
  );
}

/** A slice that shows a later lead than the lock does has been written since that was read. null: it is not. */
function confirmed(o: Observation, lock: KnownLock | null, slices: readonly Slice[]): Plan | null {
  if (lock === null || o.freshList) return null;
  const remembered = rememberedToken(lock.lock);
  return slices.some(({ token }) => token > remembered)
    ? look([{ do: 'readLock' }, { do: 'listPods' }], 'an EndpointSlice shows a later lead than the lock does')
    : null;
}
