/**
 * What a plan means for the slices of the group's route. Whoever is promoted is shown, in one write that is sent with the label; where nobody leads they
 * are emptied, and every write that may be under way is made void; where the leader stays they are put right after a verification. What keeps the
 * operator from them is reported, and holds neither label nor lock up. (Promise I11.)
 */
import type { AddressFamily, Service, Slice } from '../api/route.ts';
import type { FollowUp, Idle, Look, NewSlice, Plan, Show, TokenRule, Transition } from './actions.ts';
import { labelledPods } from './fencing.ts';
import type { Observation } from './observation.ts';
import { ownedLockOf } from './owned-lock.ts';
import { mayTend, restrained, tendAgainMs, tending, withdrawal } from './plan-shown.ts';
import { look, nothing, soonest, until, withFirst } from './plans.ts';
import {
  basicsOf,
  FAMILIES,
  hindrance,
  isHeldUp,
  isOwn,
  isRemadeLater,
  isSlice,
  numberedPorts,
  ownSlices,
  routedService,
  showingOf,
  sliceName,
} from './route.ts';
import type { Remade, RouteReading, RouteView, Showing } from './route-view.ts';

/** What `plan` becomes for a group with a route. A deletion removes the slices by itself. */
export function withRoute(o: Observation, plan: Plan): Plan {
  if (o.route === null || o.group.deleting) return plan;
  switch (plan.kind) {
    case 'idle':
      return atRest(o, o.route, plan);
    case 'look':
      return plan;
    case 'transition':
      return routed(o, o.route, plan);
  }
}

function routed(o: Observation, route: RouteView, plan: Transition): Plan {
  const { lock, after } = plan;
  const promotes = after.some(({ do: what }) => what === 'promote');
  if (isShownAgain(plan) && isStale(o, route)) return reading(o, true);
  if (lock.do !== 'unlock' && !promotes) return plan;
  if (!isHeldUp(o, route, 'read') && route.reading === null) return fencedFirst(plan, reading(o, true));
  if (lock.do === 'unlock') return unlocking(o, route, plan);
  // For the sake of a change of leader they are made at once, whoever deletes them again and again.
  const preparation = prepared(o, route, { patiently: lock.do === 'verify' });
  return preparation === null ? showing(o, plan) : fencedFirst(plan, preparation);
}

/**
 * No label waits for what may hang; but who leads and is alive keeps it until it has been told to stop. Whoever is fenced by then need not be again: it
 * counts for the version of the lock.
 */
function fencedFirst({ fence, lock, cause, reason, verdict }: Transition, then: Idle | Look): Idle | Look {
  const mayWait = lock.do === 'handOver' && lock.revoke !== null;
  return mayWait || fence.length === 0 ? then : withFirst(fence, { ...then, cause, reason, verdict });
}

/** So often a read or a write that nobody answers is tried before the lock is given up without it. */
const TRIES = 3;

function unlocking(o: Observation, route: RouteView, plan: Transition): Plan {
  if (plan.lock.do !== 'unlock') return plan;
  const left = ownSlices(o).filter(({ family, endpoint }) => endpoint !== null || !route.fenced.has(family));
  const awaited = awaitedMs(o, route, left);
  if (awaited !== null) return fencedFirst(plan, nothing('an EndpointSlice is to be emptied first', awaited));
  const slices = left.filter(({ family }) => !isHeldUp(o, route, family));
  if (slices.length === 0) return plan;
  return { ...plan, lock: { ...plan.lock, withdraw: withdrawal(slices) }, after: [] };
}

/** Milliseconds until what nobody answered is tried again; null: nothing is worth that wait. */
function awaitedMs(o: Observation, route: RouteView, slices: readonly Slice[]): number | null {
  const hindrances = ['read' as const, ...slices.map(({ family }) => family)].map((from) => hindrance(o, route, from));
  return soonest(
    hindrances.map((found) =>
      found !== null && found.kind === 'silent' && found.count < TRIES ? until(o, found.retryAtMs) : null,
    ),
  );
}

/** Slices are there, and empty, before the first election that they show. null: they are, or cannot be. */
function prepared(o: Observation, route: RouteView, { patiently }: { readonly patiently: boolean }): Look | null {
  const service = routedService(o);
  const slices = route.reading?.slices;
  if (service === null || slices === undefined) return null;
  const free = FAMILIES.filter((family) => !isHeldUp(o, route, family));
  const waits = (family: AddressFamily, what: keyof Remade): boolean => patiently && isRemadeLater(o, family, what);
  const earlier = free
    .map((family) => slices[family])
    .filter((found): found is Slice => isSlice(found) && !isOwn(o.group, found))
    .filter((found) => misleads(o, found) || !waits(found.family, 'removed'));
  if (earlier.length > 0)
    return look([withdrawal(earlier, { remove: true })], 'removing the EndpointSlices of a group that is gone');
  if (route.olderReplicas.length > 0) return null;
  const missing = free.filter(
    (family) => service.families.includes(family) && slices[family] === null && !waits(family, 'made'),
  );
  return missing.length === 0
    ? null
    : look(
        [{ do: 'makeSlices', slices: missing.map((family) => newSlice(o, service, family)) }],
        `making EndpointSlices for Service ${service.name}`,
      );
}

/** Traffic goes to somebody who does not lead. */
const misleads = (o: Observation, { endpoint }: Slice): boolean =>
  endpoint !== null && !labelledPods(o).some(({ pod }) => pod.uid === endpoint.pod.uid);

const newSlice = ({ group }: Observation, service: Service, family: AddressFamily): NewSlice => ({
  name: sliceName(service.name, family),
  family,
  content: { ...basicsOf(group, service), ports: numberedPorts(service) },
});

/** From the former leader to the next one in one write: a slice that is emptied before costs kube-proxy's second. */
function showing(o: Observation, plan: Transition): Transition {
  const { lock } = plan;
  const next = o.pods.find(({ pod }) => pod.uid === lock.transaction.to?.pod.uid);
  const { route } = o;
  if (next === undefined || lock.do === 'unlock' || route === null) return plan;
  const slices = showingOf(o, next).filter(
    (each) => (changes(each) || isOfBefore(each, lock.transaction.token)) && !isHeldUp(o, route, each.slice.family),
  );
  if (slices.length === 0) return plan;
  const show: Show = { do: 'show', slices };
  const after: readonly FollowUp[] = plan.after;
  if (lock.do === 'verify') return { ...plan, lock, after: after.map((action) => withShow(show, action)) };
  const allowed = after.filter((action) => action.do === 'promote' || action.do === 'evict');
  return { ...plan, lock, after: allowed.map((action) => (action.do === 'promote' ? { ...action, show } : action)) };
}

const withShow = (show: Show, action: FollowUp): FollowUp => (action.do === 'promote' ? { ...action, show } : action);

/** Of a pod that cannot be shown nothing is written where nobody is, once this lead has written it. */
const changes = ({ slice, content }: Showing): boolean =>
  content.endpoint !== null || slice.endpoint !== null || slice.altered;

/** No lead of this token has written it: a write of an earlier plan that is late would find it as it was read, and show a former leader. */
const isOfBefore = ({ slice }: Showing, rule: TokenRule): boolean => rule.kind === 'above' || slice.token < rule.token;

/** Nobody leads, and whoever is to may be known at any moment: what people are only warned of is read when the label is on. */
const isFirst = (o: Observation): boolean => labelledPods(o).length === 0;

/** `hurry`: a label or a lock waits for it, or may do so at any moment. */
function reading(o: Observation, hurry: boolean): Look {
  const serviceName = o.group.spec.route?.serviceName ?? '';
  return look([{ do: 'readRoute', serviceName, hurry }], `reading Service ${serviceName} and its EndpointSlices`);
}

/** After everything else: people are only warned of it. null: it is known, or may wait. */
const readingOthers = (o: Observation, { serviceName, foreign }: RouteReading): Look | null =>
  foreign !== null || isFirst(o)
    ? null
    : look([{ do: 'readOthers', serviceName }], `reading what else leads traffic of Service ${serviceName}`);

/** Of a leader that stays. */
const isShownAgain = ({ lock, after }: Transition): boolean =>
  lock.do === 'verify' && after.some(({ do: what }) => what === 'show' || what === 'promote');

/**
 * What is refused to be written may be read: whoever takes back that his Service is led must be heard before it is tried again. A read that fails is not tried
 * again before its time: a label waits for it.
 */
const isStale = (o: Observation, route: RouteView): boolean =>
  route.problems.some(({ of }) => of !== 'read') &&
  route.reading !== null &&
  o.nowMs >= route.reading.againAtMs &&
  !isHeldUp(o, route, 'read');

/** Milliseconds until something is tried again; null: nothing is waited for. */
const retryMs = (o: Observation, { problems }: RouteView): number | null =>
  soonest(problems.map(({ retryAtMs }) => (o.nowMs < retryAtMs ? until(o, retryAtMs) : null)));

/** The election has nothing to do: the slices are looked at now and then, made, and emptied where nobody leads. */
function atRest(o: Observation, route: RouteView, plan: Idle): Plan {
  if (!mayTend(o, plan)) return plan;
  const { reading: known } = route;
  if (isHeldUp(o, route, 'read')) return { ...plan, againMs: soonest([plan.againMs, retryMs(o, route)]) };
  if (known === null || o.nowMs >= known.againAtMs) return reading(o, known === null || isFirst(o));
  const owned = ownedLockOf(o);
  const set = restrained(o) || owned === null ? null : (yielding(o, route) ?? prepared(o, route, { patiently: true }));
  const againMs = soonest([plan.againMs, until(o, known.againAtMs), retryMs(o, route), tendAgainMs(o)]);
  return set ?? tending(o, route, owned) ?? readingOthers(o, known) ?? { ...plan, againMs };
}

/** The older group is to make its own. */
function yielding(o: Observation, route: RouteView): Plan | null {
  const { elder } = route;
  const free = ({ family }: Slice): boolean => !isHeldUp(o, route, family) && !isRemadeLater(o, family, 'removed');
  const own = elder === null ? [] : ownSlices(o).filter(free);
  return own.length === 0
    ? null
    : look([withdrawal(own, { remove: true })], `LeaderGroup ${elder} is older, and names the same Service`);
}
