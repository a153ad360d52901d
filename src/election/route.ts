/**
 * The route of a group: the EndpointSlices by which the traffic of a Service goes to the leader. What is known of them, what should stand in them,
 * and what there is to say. At most one pod stands in each. (Promise I11.)
 */
import type { MonotonicMs } from '../api/clocks.ts';
import type { Says } from '../api/condition-reasons.ts';
import type { LeaderGroup } from '../api/leadergroup.ts';
import { ROUTE_ANNOTATION } from '../api/names.ts';
import type { Pod } from '../api/pod.ts';
import type {
  AddressFamily,
  Service,
  ServicePort,
  Slice,
  SliceContent,
  SliceEndpoint,
  SlicePort,
} from '../api/route.ts';
import { labelled } from './candidates.ts';
import type { Observation, ObservedPod, RefusedFor } from './observation.ts';
import { recordedToken } from './observed-tokens.ts';

export const FAMILIES: readonly AddressFamily[] = ['IPv4', 'IPv6'];

export const sliceName = (service: string, family: AddressFamily): string =>
  `${service}-leadergroup-${family.toLowerCase()}`;

/**
 * What stands under the name of a slice. `foreign`: one that is not this operator's. `rival`: one of another group that is there. null: nothing. One
 * that has another uid than the group's is of a group that is gone.
 */
export type SliceFound = Slice | 'foreign' | 'rival' | null;

/** What the API server has shown, and what our own writes have made of it since. */
export type RouteReading = {
  readonly serviceName: string;
  /** null: there is none. */
  readonly service: Service | null;
  readonly slices: Readonly<Record<AddressFamily, SliceFound>>;
  /** What else leads traffic of the Service; a text: why that is not known. */
  readonly foreign: { readonly slices: readonly string[]; readonly endpoints: boolean } | string;
  /** Monotonic milliseconds at which it is to be read again. */
  readonly againAtMs: MonotonicMs;
};

/** What kept the operator from it last; in whose words. */
export type RouteProblem = RefusedFor & {
  readonly of: 'read' | 'write';
  /** `denied`: for want of a right. `refused`: by the API server, for good. `silent`: nobody answered, so it may have been done. */
  readonly kind: 'denied' | 'refused' | 'silent';
  /** In a row. */
  readonly count: number;
};

export type RouteView = {
  /** null: never read, or void, since nobody knows what became of a write. */
  readonly reading: RouteReading | null;
  /** null: there is none. */
  readonly problem: RouteProblem | null;
  /** Name of an older group that names the same Service; null: there is none. */
  readonly elder: string | null;
  /** Ids of live replicas that know no routes. */
  readonly olderReplicas: readonly string[];
  /** Slices that were fenced since the lock has its present version. */
  readonly fenced: ReadonlySet<AddressFamily>;
};

/** Nothing is tried again before its time. */
export const isHeldUp = ({ nowMs }: Pick<Observation, 'nowMs'>, { problem }: RouteView): boolean =>
  problem !== null && nowMs < problem.retryAtMs;

/** The Service that this group may lead; null: none, or not known. */
export function routedService(o: Observation): Service | null {
  const service = o.route?.reading?.service ?? null;
  return service !== null && o.route?.elder === null && service.group === o.group.name ? service : null;
}

/** Slices of this very group, whatever they show. */
export const ownSlices = (o: Observation): readonly Slice[] =>
  FAMILIES.flatMap((family) => {
    const found = o.route?.reading?.slices[family] ?? null;
    return isOwn(o.group, found) ? [found] : [];
  });

export const isOwn = ({ uid }: Pick<LeaderGroup, 'uid'>, found: SliceFound): found is Slice =>
  isSlice(found) && found.group.uid === uid;

export const isSlice = (found: SliceFound): found is Slice => found !== null && typeof found === 'object';

/** Of what should stand in a slice all but its token, and whether it is fenced. */
export type Showing = { readonly slice: Slice; readonly content: Omit<SliceContent, 'token' | 'fenced'> };

/** What the slices of this group should show while this pod leads. */
export function showingOf(o: Observation, { pod }: ObservedPod): readonly Showing[] {
  const service = routedService(o);
  if (service === null) return [];
  return ownSlices(o)
    .filter(({ family }) => service.families.includes(family))
    .map((slice) => ({ slice, content: contentFor(o.group, service, slice.family, pod) }));
}

/** Those of them that show something else. `token`: of the lead. */
export const differing = (showings: readonly Showing[], token: number): readonly Showing[] =>
  showings.filter(({ slice, content }) => !shows(slice, content, token));

export const basicsOf = (
  { name, uid }: LeaderGroup,
  { name: service, headless }: Pick<Service, 'name' | 'headless'>,
) => ({
  service,
  headless,
  group: { name, uid },
});

function contentFor(group: LeaderGroup, service: Service, family: AddressFamily, pod: Pod): Showing['content'] {
  const ports = portsOf(service, pod);
  const address = addressOf(pod, family);
  const reachable = address !== null && (ports.length > 0 || service.ports.length === 0);
  return { ...basicsOf(group, service), ports, endpoint: reachable ? endpointOf(service, pod, address) : null };
}

const addressOf = ({ addresses }: Pod, family: AddressFamily): string | null =>
  addresses.find((address) => address.includes(':') === (family === 'IPv6')) ?? null;

/** As the endpoint controller would set the conditions. */
const endpointOf = ({ publishNotReadyAddresses }: Service, pod: Pod, address: string): SliceEndpoint => ({
  address,
  pod: { name: pod.name, uid: pod.uid },
  node: pod.node,
  zone: null,
  ready: publishNotReadyAddresses || (pod.ready && !pod.deleting),
  serving: pod.ready,
  terminating: pod.deleting,
});

/** Those that are found. */
const portsOf = (service: Service, pod: Pod): readonly SlicePort[] =>
  service.ports.flatMap(({ target, ...port }) => {
    const number = portNumber({ target, ...port }, pod);
    return number === null ? [] : [{ ...port, port: number }];
  });

/** What can be said of ports without knowing the leader. */
export const numberedPorts = ({ ports }: Service): readonly SlicePort[] =>
  ports.flatMap(({ target, ...port }) => (typeof target === 'number' ? [{ ...port, port: target }] : []));

function portNumber({ target, protocol }: ServicePort, { namedPorts }: Pod): number | null {
  if (typeof target === 'number') return target;
  return namedPorts.find((port) => port.name === target && port.protocol === protocol)?.port ?? null;
}

/** Whether a slice is as it should be. One that shows nobody may have any token and fence. */
function shows(slice: Slice, content: Showing['content'], token: number): boolean {
  if (slice.altered) return false;
  if (content.endpoint === null) return slice.endpoint === null;
  return (
    slice.token === token &&
    slice.fenced === '' &&
    slice.headless === content.headless &&
    slice.service === content.service &&
    slice.group.name === content.group.name &&
    slice.endpoint !== null &&
    alike(slice.endpoint, content.endpoint) &&
    alikePorts(slice.ports, content.ports)
  );
}

const alike = (a: SliceEndpoint, b: SliceEndpoint): boolean =>
  a.address === b.address &&
  a.pod.uid === b.pod.uid &&
  a.pod.name === b.pod.name &&
  a.node === b.node &&
  a.zone === b.zone &&
  a.ready === b.ready &&
  a.serving === b.serving &&
  a.terminating === b.terminating;

const alikePorts = (a: readonly SlicePort[], b: readonly SlicePort[]): boolean =>
  a.length === b.length &&
  a.every((port, index) => {
    const other = b[index];
    return (
      port.name === other?.name &&
      port.port === other.port &&
      port.protocol === other.protocol &&
      port.appProtocol === other.appProtocol
    );
  });

/** The highest token that a slice of this group has shown: a witness for the next one. */
export const shownToken = (group: Pick<LeaderGroup, 'uid'>, reading: RouteReading | null): number =>
  reading === null
    ? 0
    : Math.max(
        0,
        ...FAMILIES.map((family) => reading.slices[family]).flatMap((found) =>
          isOwn(group, found) ? [found.token] : [],
        ),
      );

/** What the condition Routed says. */
export type Routed = { readonly said: Says<'Routed'>; readonly message: string };

const no = (reason: Extract<Says<'Routed'>, { status: 'False' }>['reason'], message: string): Routed => ({
  said: { status: 'False', reason },
  message,
});

const unknown = (reason: Extract<Says<'Routed'>, { status: 'Unknown' }>['reason'], message: string): Routed => ({
  said: { status: 'Unknown', reason },
  message,
});

/** null: the group has no route. */
export function routedOf(o: Observation): Routed | null {
  const { route } = o;
  const name = o.group.spec.route?.serviceName;
  if (route === null || name === undefined) return null;
  return hindered(o, route, name) ?? unshown(o, route, name) ?? disturbed(o.group, route, name) ?? SHOWN;
}

const SHOWN: Routed = { said: { status: 'True', reason: 'LeaderShown' }, message: '' };

/** What keeps the operator from the slices. */
function hindered(o: Observation, route: RouteView, name: string): Routed | null {
  const { reading, problem } = route;
  const older = route.olderReplicas;
  if (older.length > 0)
    return unknown(
      'OlderReplica',
      `replica ${older.join(', ')} of the operator knows no routes; update it. No slice is made for Service ${name} until then`,
    );
  if (problem?.of === 'read') return notRead(problem, name);
  if (reading === null && problem === null) return unknown('NotChecked', `Service ${name} has not been read yet`);
  if (route.elder !== null)
    return no(
      'RouteConflict',
      `the older LeaderGroup ${route.elder} names Service ${name} too, and only the older one acts. Delete one of the two groups, or create one anew with another Service`,
    );
  return reading === null ? null : withoutConsent(o, reading.service, name);
}

const notRead = ({ kind, message }: RouteProblem, name: string): Routed =>
  kind === 'silent'
    ? unknown('NotChecked', `reading Service ${name} and its slices failed: ${message}`)
    : no(
        'PermissionDenied',
        `the operator may not read Service ${name} and its slices: ${message}. kubectl apply -k deploy/overlays/route gives it the rights`,
      );

/** null: the Service is there, and this group may lead its traffic. */
function withoutConsent({ group }: Observation, service: Service | null, name: string): Routed | null {
  const { namespace } = group;
  if (service === null)
    return no(
      'ServiceNotFound',
      `there is no Service ${name} in namespace ${namespace}; create one without a selector`,
    );
  if (service.group === group.name) return null;
  const annotate = `kubectl -n ${namespace} annotate service ${name} ${ROUTE_ANNOTATION}=${group.name}`;
  if (service.hasSelector)
    return no(
      'ServiceHasSelector',
      `Service ${name} has a selector and is not led by this group. To move it here: ${annotate}, then take its selector off (docs/routing.md)`,
    );
  const now = service.group === null ? 'is not annotated' : `lets LeaderGroup ${service.group} lead its traffic`;
  return no('ServiceNotAnnotated', `Service ${name} ${now}. If it is to be led by this group: ${annotate}`);
}

/** Why a slice does not show the leader. */
function unshown(o: Observation, { reading, problem }: RouteView, name: string): Routed | null {
  const service = reading?.service ?? null;
  const unwritten = problem === null ? unknown('NotChecked', `Service ${name} is being read`) : notWritten(problem);
  if (reading === null || service === null) return unwritten;
  const taken = service.families.find((family) => isTaken(reading.slices[family]));
  if (taken !== undefined) return inConflict(o, name, taken);
  const leader = o.pods.find((observed) => labelled(o.group, observed));
  if (leader === undefined) return no('NoLeader', `nobody leads, so Service ${name} has no endpoint`);
  return unreachable(service, leader) ?? (showsWhole(o, service, leader) ? null : unwritten);
}

function showsWhole(o: Observation, { families }: Service, leader: ObservedPod): boolean {
  const showings = showingOf(o, leader);
  const token = o.lock === null ? 0 : recordedToken(o.lock);
  return showings.length === families.length && differing(showings, token).length === 0;
}

/** The leader, by the Service. */
function unreachable({ name, ports, families }: Service, { pod }: ObservedPod): Routed | null {
  const missing = ports.filter((port) => portNumber(port, pod) === null).map(({ target }) => `"${target}"`);
  if (missing.length > 0)
    return no(
      'PortNotFound',
      `no container port of pod ${pod.name} is named ${missing.join(' or ')}, as a targetPort of Service ${name} says. Name the container port so, or use its number`,
    );
  const family = families.find((each) => addressOf(pod, each) === null);
  return family === undefined
    ? null
    : no('NoAddress', `pod ${pod.name} leads and has no ${family} address of its own for Service ${name}`);
}

const notWritten = ({ kind, message }: RouteProblem): Routed =>
  no(kind === 'denied' ? 'PermissionDenied' : 'WriteRefused', message);

const isTaken = (found: SliceFound): boolean => found === 'foreign' || found === 'rival';

const inConflict = ({ group }: Observation, service: string, family: AddressFamily): Routed =>
  no(
    'SliceConflict',
    `EndpointSlice ${sliceName(service, family)} is not this group's. If nobody needs it: kubectl -n ${group.namespace} delete endpointslice ${sliceName(service, family)}`,
  );

/** The leader is shown, and perhaps others are. */
function disturbed({ namespace }: LeaderGroup, { reading }: RouteView, name: string): Routed | null {
  if (reading === null) return null;
  const { foreign } = reading;
  if (typeof foreign === 'string')
    return unknown('NotChecked', `whether Service ${name} has other endpoints is not known: ${foreign}`);
  if (!foreign.endpoints && foreign.slices.length === 0) return null;
  const commands = [
    ...(foreign.endpoints ? [`kubectl -n ${namespace} delete endpoints ${name}`] : []),
    ...(foreign.slices.length > 0 ? [`kubectl -n ${namespace} delete endpointslice ${foreign.slices.join(' ')}`] : []),
  ].join(', then ');
  const selecting = reading.service?.hasSelector === true ? 'take its selector off first, then ' : '';
  return no('ForeignEndpoints', `traffic of Service ${name} goes elsewhere too: ${selecting}${commands}`);
}
