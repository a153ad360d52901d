/**
 * The route of a group: the EndpointSlices by which the traffic of a Service goes to the leader. What is known of them, and what should stand in
 * them. At most one pod stands in each. (Promise I11.)
 */
import type { MonotonicMs } from '../api/clocks.ts';
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
import type { Contest, Observation, ObservedPod, RefusedFor } from './observation.ts';

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
  /** What else leads traffic of the Service; a text: why that is not known. null: not read yet: it was read in a hurry. */
  readonly foreign: { readonly slices: readonly string[]; readonly endpoints: boolean } | string | null;
  /** Monotonic milliseconds at which it is to be read again. */
  readonly againAtMs: MonotonicMs;
};

/** What kept the operator from it last; in whose words. */
export type RouteProblem = RefusedFor & {
  /** From reading it, or from writing the slice of this family. */
  readonly of: 'read' | AddressFamily;
  /**
   * `denied`: for want of a right. `refused`: by the API server, for good. `silent`: nobody answered, so it may have been done. `contested`: somebody else
   * has written it each time between our read and our write.
   */
  readonly kind: 'denied' | 'refused' | 'silent' | 'contested';
  /** In a row. */
  readonly count: number;
};

export type RouteView = {
  /** null: never read, or void, since nobody knows what became of a write. */
  readonly reading: RouteReading | null;
  /** One of reads, and one of each family, at most. */
  readonly problems: readonly RouteProblem[];
  /** Name of an older group that names the same Service; null: there is none. */
  readonly elder: string | null;
  /** Ids of live replicas that know no routes. */
  readonly olderReplicas: readonly string[];
  /** Slices that were fenced since the lock has its present version. */
  readonly fenced: ReadonlySet<AddressFamily>;
  /** Slices that this replica has written last, as far as it knows. */
  readonly written: ReadonlyMap<AddressFamily, OwnWrite>;
  /** Slices that somebody else deletes, or brings back, again and again. */
  readonly remade: ReadonlyMap<AddressFamily, Remade>;
  /** For want of which right nobody tells of changes, which are found within a minute then; null: of none. */
  readonly unwatched: string | null;
};

export type OwnWrite = {
  /** What the write said, whatever has become of it. */
  readonly content: SliceContent;
  /** The API server has made something else of it, as it would of the next one: an admission webhook, say. */
  readonly mangled: boolean;
  /** Somebody else undoes it again and again; null: nobody does. */
  readonly contest: SliceContest | null;
};

export type SliceContest = Pick<Contest, 'notBeforeMs' | 'overAtMs'>;

/** null: nobody undoes it. */
export type Remade = {
  /** It was made, and has to be made once more each time. */
  readonly made: SliceContest | null;
  /** It was deleted, and has to be deleted once more each time. */
  readonly removed: SliceContest | null;
};

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

/** Of what should stand in a slice all but its token, and whether it is fenced. */
export type Showing = { readonly slice: Slice; readonly content: Omit<SliceContent, 'token' | 'fenced'> };

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
