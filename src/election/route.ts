/**
 * The route of a group: the EndpointSlices by which the traffic of a Service goes to the leader. What is known of them, and what should stand in
 * them. At most one pod stands in each. (Promise I11.)
 */

import type { LeaderGroup } from '../api/leadergroup.ts';
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
import { finished } from './candidates.ts';
import type { Observation, ObservedPod } from './observation.ts';
import type { Remade, RouteProblem, RouteReading, RouteView, Showing, SliceFound } from './route-view.ts';

export const FAMILIES: readonly AddressFamily[] = ['IPv4', 'IPv6'];

export const sliceName = (service: string, family: AddressFamily): string =>
  `${service}-leadergroup-${family.toLowerCase()}`;

/** What somebody else undoes again and again is put right, but not at once every time; what is to be otherwise by now is written at once. */
export function isHeldOff(
  { nowMs, route }: Observation,
  family: AddressFamily,
  wanted: (content: SliceContent) => boolean,
): boolean {
  const known = route?.written.get(family);
  return known?.contest != null && nowMs < known.contest.notBeforeMs && wanted(known.content);
}

/** What somebody else deletes, or brings back, again and again is made, or deleted, but not at once every time. */
export const isRemadeLater = ({ nowMs, route }: Observation, family: AddressFamily, what: keyof Remade): boolean =>
  nowMs < (route?.remade.get(family)?.[what]?.notBeforeMs ?? nowMs);

/** What keeps the operator for now from reading, or from writing the slice of a family, which a read that has failed does too; null: nothing. */
export const hindrance = (
  { nowMs }: Pick<Observation, 'nowMs'>,
  { problems }: Pick<RouteView, 'problems'>,
  from: RouteProblem['of'],
): RouteProblem | null =>
  problems.find(({ of, retryAtMs }) => (of === 'read' || of === from) && nowMs < retryAtMs) ?? null;

/** Nothing is tried again before its time. What holds the slice of one family up holds up no other one. */
export const isHeldUp = (
  o: Pick<Observation, 'nowMs'>,
  route: Pick<RouteView, 'problems'>,
  from: RouteProblem['of'],
): boolean => hindrance(o, route, from) !== null;

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

/** What the slices of this group should show while this pod leads. */
export function showingOf(o: Observation, shown: ObservedPod): readonly Showing[] {
  const service = routedService(o);
  if (service === null) return [];
  return ownSlices(o)
    .filter(({ family }) => service.families.includes(family))
    .map((slice) => ({ slice, content: contentFor(o.group, service, slice.family, shown) }));
}

/** Those of them that show something else. `token`: of the lead. */
export const differing = (showings: readonly Showing[], token: number): readonly Showing[] =>
  showings.filter(({ slice, content }) => slice.altered || !shows(slice, content, token));

/** Those that are to be written now. */
export const dueOf = (
  o: Observation,
  route: RouteView,
  showings: readonly Showing[],
  token: number,
): readonly Showing[] =>
  differing(showings, token).filter(
    ({ slice: { family }, content }) =>
      !isHeldUp(o, route, family) && !isHeldOff(o, family, (before) => shows(before, content, token)),
  );

/** The same, whatever they are fenced with. */
export const sameContent = (a: SliceContent, b: SliceContent): boolean =>
  a.token === b.token &&
  a.headless === b.headless &&
  a.service === b.service &&
  a.group.name === b.group.name &&
  a.group.uid === b.group.uid &&
  (a.endpoint === null ? b.endpoint === null : b.endpoint !== null && alike(a.endpoint, b.endpoint)) &&
  alikePorts(a.ports, b.ports);

export const basicsOf = (
  { name, uid }: LeaderGroup,
  { name: service, headless }: Pick<Service, 'name' | 'headless'>,
) => ({
  service,
  headless,
  group: { name, uid },
});

function contentFor(
  group: LeaderGroup,
  service: Service,
  family: AddressFamily,
  { pod, zone }: ObservedPod,
): Showing['content'] {
  const ports = portsOf(service, pod);
  const address = addressOf(pod, family);
  // The address of a pod that has ended may be another's by now; the endpoint controller leaves it out too.
  const reachable = address !== null && !finished(pod) && (ports.length > 0 || service.ports.length === 0);
  return {
    ...basicsOf(group, service),
    ports,
    endpoint: reachable ? { ...endpointOf(service, pod, address), zone } : null,
  };
}

export const addressOf = ({ addresses }: Pod, family: AddressFamily): string | null =>
  addresses.find((address) => address.includes(':') === (family === 'IPv6')) ?? null;

/** As the endpoint controller would set the conditions. */
const endpointOf = ({ publishNotReadyAddresses }: Service, pod: Pod, address: string): Omit<SliceEndpoint, 'zone'> => ({
  address,
  pod: { name: pod.name, uid: pod.uid },
  node: pod.node,
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

export function portNumber({ target, protocol }: ServicePort, { namedPorts }: Pod): number | null {
  if (typeof target === 'number') return target;
  return namedPorts.find((port) => port.name === target && port.protocol === protocol)?.port ?? null;
}

/**
 * Whether a slice is as it should be. One that is to show nobody may be fenced, but not of an earlier lead: what that has written, and is late, must not
 * find it as it was.
 */
function shows(slice: SliceContent, content: Showing['content'], token: number): boolean {
  if (content.endpoint === null) return slice.endpoint === null && slice.token >= token;
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

/** A zone that is not known is no other one: a watch of nodes may be behind, or a right missing. */
const alike = (a: SliceEndpoint, b: SliceEndpoint): boolean =>
  a.address === b.address &&
  a.pod.uid === b.pod.uid &&
  a.pod.name === b.pod.name &&
  a.node === b.node &&
  (a.zone === b.zone || b.zone === null) &&
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
