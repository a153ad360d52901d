/**
 * Moves a Service to `spec.route`, so that at every moment it has an endpoint that is ready, and at the end the leader alone. The operator's slices show
 * the leader before anything else goes; then Kubernetes takes its own endpoints out, by a selector that no pod meets; only then the selector goes,
 * so that what Kubernetes leaves behind is empty and shows no former leader whenever the move is cut off. Pure.
 */
import { API_GROUP, FORMER_SELECTOR_ANNOTATION, ROUTE_ANNOTATION, UNROUTED_ANNOTATION } from '../../api/names.ts';
import { ENDPOINT_SLICES, ENDPOINTS, LEADER_GROUPS } from '../resources.ts';
import { leaderIn, objectionToService, objectionToSlice, type ValidGroup } from './objections.ts';
import { isPlain, NOBODY, type Scene, type SliceSeen } from './scene.ts';
import { changeOf, sameSelector } from './selectors.ts';
import { type Maybe, refused, routedNow, type Step, serviceStep, slicesOfKubernetes } from './steps.ts';

export function towardsSlice(scene: Scene, group: ValidGroup): Step {
  const objection = objectionToService(scene, group) ?? objectionToSlice(scene, group) ?? objectionToOthers(scene);
  if (objection !== null) return refused(objection);
  return (
    consent(scene, group) ??
    route(scene, group) ??
    shown(scene, group) ??
    withdrawn(scene) ??
    leftovers(scene) ??
    settled(scene, group)
  );
}

/** What is left after each step, for whoever asks before. */
const LEFT = [
  'set spec.route of the LeaderGroup, which is never changed or taken off again',
  "wait until the operator's EndpointSlices show the leader",
  'give the Service a selector that no pod meets, and wait until Kubernetes has taken its own endpoints out',
  'take the selector off',
  'delete the empty Endpoints object and EndpointSlices that Kubernetes leaves behind',
] as const;

/** Slices of somebody else, and what was there before anybody noted a selector. */
function objectionToOthers(scene: Scene): string | null {
  const { service, slices, selector, former, endpoints } = scene;
  const known = [...slicesOfKubernetes(scene), ...slices.filter(isOperators)];
  const other = slices.find((slice) => !known.includes(slice));
  if (other !== undefined)
    return `EndpointSlice ${other.name} of Service ${service.name} is of ${other.manager === '' ? 'nobody that it names' : other.manager}: traffic would go on going there. Delete it, if nobody needs it, or move the Service by label.`;
  const isUnknown = Object.keys(selector).length === 0 && former === null;
  const left = slicesOfKubernetes(scene).map(({ name }) => name);
  if (!isUnknown || (left.length === 0 && !isThere(endpoints))) return null;
  return `Service ${service.name} has no selector, and endpoints that somebody has given it: ${[...(isThere(endpoints) ? [`Endpoints ${service.name}`] : []), ...left].join(', ')}. Delete these, if nobody needs them.`;
}

const isThere = (endpoints: Scene['endpoints']): endpoints is Exclude<Scene['endpoints'], null | 'unread'> =>
  endpoints !== null && endpoints !== 'unread';

const isOperators = ({ manager }: SliceSeen): boolean => manager === API_GROUP;

/** The consent of the Service's owner, and the way back. It changes no traffic. */
function consent(scene: Scene, group: ValidGroup): Maybe {
  const { service, selector, unrouted } = scene;
  const isNoted = !isPlain(selector) || isFormer(scene, group);
  if (service.group === group.name && isNoted && unrouted === '') return null;
  const leader = isPlain(selector) ? leaderIn(scene, group) : null;
  if (typeof leader === 'string') return refused(leader);
  const noted = isNoted ? {} : { [FORMER_SELECTOR_ANNOTATION]: JSON.stringify(selector) };
  const again = unrouted === '' ? {} : { [UNROUTED_ANNOTATION]: null };
  return serviceStep(scene, {
    patch: { metadata: { annotations: { [ROUTE_ANNOTATION]: group.name, ...noted, ...again } } },
    says: `annotated Service ${service.name}: LeaderGroup ${group.name} may lead its traffic${isNoted ? '' : ', and its selector is noted'}`,
    rest: group.valid.spec.route === null ? LEFT : LEFT.slice(1),
  });
}

/** Whether its selector is the one that is noted, with the label of the leader or without. */
function isFormer({ selector, former }: Scene, { valid }: ValidGroup): boolean {
  const { key, leader } = valid.spec.label;
  return former !== null && [former, { ...former, [key]: leader }].some((each) => sameSelector(each, selector));
}

function route({ service }: Scene, { raw, known, name, namespace, valid }: ValidGroup): Maybe {
  if (valid.spec.route !== null) return null;
  return {
    kind: 'patch',
    of: 'LeaderGroup',
    object: raw,
    ref: { resource: LEADER_GROUPS, namespace, name },
    patch: { metadata: { uid: known.uid }, spec: { route: { serviceName: service.name } } },
    says: `set spec.route of LeaderGroup ${name} to Service ${service.name}`,
    rest: LEFT.slice(1),
  };
}

/** Reasons of Routed that do not pass by themselves. */
const STUCK = ['PermissionDenied', 'RouteConflict', 'SliceConflict', 'PortNotFound', 'NoAddress', 'WriteRefused'];

/** Nothing goes before the operator's slices show a leader who is ready. */
function shown(scene: Scene, group: ValidGroup): Maybe {
  const { service, slices } = scene;
  const own = slices.filter(({ groupUid }) => groupUid === group.known.uid).filter(isOperators);
  const missing = service.families.filter(
    (family) => !own.some((slice) => slice.family === family && slice.ready.length > 0),
  );
  if (missing.length === 0) return null;
  const said = routedNow(group);
  const unchanged = isPlain(scene.selector)
    ? `Traffic goes where it went before. Mend it and run this again, or go back: \`kubectl leadergroup unroute ${service.name}\`.`
    : `Mend it and run this again, or go back: \`kubectl leadergroup unroute ${service.name}\`.`;
  if (said !== null && said.status === 'False' && STUCK.includes(said.reason))
    return refused(`${said.reason}: ${said.message} ${unchanged}`);
  const more =
    said === null
      ? 'No operator has looked at the route yet.'
      : `Routed is ${said.status} (${said.reason}): ${said.message}`;
  return {
    kind: 'wait',
    what: `the operator's ${missing.join(' and ')} EndpointSlice of Service ${service.name} to show the leader. ${more}`,
    rest: LEFT.slice(2),
  };
}

/** Kubernetes takes its endpoints out by itself, while it still looks after them. */
function withdrawn(scene: Scene): Maybe {
  const { service, selector, endpoints } = scene;
  if (isPlain(selector))
    return serviceStep(scene, {
      patch: { spec: { selector: changeOf(selector, NOBODY) } },
      says: `gave Service ${service.name} a selector that no pod meets: Kubernetes takes its endpoints out, those of the operator stay`,
      rest: LEFT.slice(3),
    });
  if (Object.keys(selector).length === 0) return null;
  const filled = slicesOfKubernetes(scene).filter((slice) => slice.endpoints > 0);
  if (filled.length > 0 || (isThere(endpoints) && endpoints.filled))
    return {
      kind: 'wait',
      what: `Kubernetes to take its endpoints out of Service ${service.name}: ${filled.map(({ name }) => name).join(', ') || `Endpoints ${service.name}`}`,
      rest: LEFT.slice(3),
    };
  return serviceStep(scene, {
    patch: { spec: { selector: null } },
    says: `took the selector of Service ${service.name} off`,
    rest: LEFT.slice(4),
  });
}

/** The Endpoints object first: Kubernetes makes slices of it, for ever. */
function leftovers(scene: Scene): Maybe {
  const { service, endpoints } = scene;
  const { namespace } = service;
  if (isThere(endpoints)) {
    const { uid, resourceVersion } = endpoints;
    return {
      kind: 'delete',
      ref: { resource: ENDPOINTS, namespace, name: service.name },
      preconditions: { uid, resourceVersion },
      says: `deleted Endpoints ${service.name}`,
      rest: [],
    };
  }
  const [left] = slicesOfKubernetes(scene);
  if (left === undefined) return null;
  const { name, uid, resourceVersion } = left;
  return {
    kind: 'delete',
    ref: { resource: ENDPOINT_SLICES, namespace, name },
    preconditions: { uid, resourceVersion },
    says: `deleted EndpointSlice ${name}, which Kubernetes has left behind`,
    rest: [],
  };
}

function settled({ service }: Scene, group: ValidGroup): Step {
  const said = routedNow(group);
  if (said?.status === 'True')
    return { kind: 'done', says: `Service ${service.name} leads to the leader of ${group.name} by slice` };
  const now = said === null ? 'it has not looked yet' : `${said.status} (${said.reason})`;
  return {
    kind: 'settle',
    what: `the operator to find that nothing else leads its traffic, within a minute: Routed is ${now}`,
  };
}
