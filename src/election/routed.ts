/** What the condition Routed says of a group's route: who is shown, or what stands in the way and what to do about it. */
import type { Says } from '../api/condition-reasons.ts';
import type { LeaderGroup } from '../api/leadergroup.ts';
import { API_GROUP, MANAGED_BY_LABEL, ROUTE_ANNOTATION } from '../api/names.ts';
import type { AddressFamily, Service } from '../api/route.ts';
import { labelled } from './candidates.ts';
import type { Observation, ObservedPod } from './observation.ts';
import { recordedToken } from './observed-tokens.ts';
import { addressOf, differing, ownSlices, portNumber, showingOf, sliceName } from './route.ts';
import type { RouteProblem, RouteView, SliceFound } from './route-view.ts';

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
  return (
    hindered(o, route, name) ??
    altered(o, route, name) ??
    unshown(o, route, name) ??
    disturbed(o.group, route, name) ??
    unwatched(route, name) ??
    SHOWN
  );
}

const SHOWN: Routed = { said: { status: 'True', reason: 'LeaderShown' }, message: '' };

/** What keeps the operator from the slices. */
function hindered(o: Observation, route: RouteView, name: string): Routed | null {
  const { reading, problems } = route;
  const unread = problems.find(({ of }) => of === 'read');
  const older = route.olderReplicas;
  if (older.length > 0)
    return unknown(
      'OlderReplica',
      `replica ${older.join(', ')} of the operator knows no routes; update it. No slice is made for Service ${name} until then`,
    );
  if (unread !== undefined) return notRead(unread, name);
  if (reading === null && problems.length === 0) return unknown('NotChecked', `Service ${name} has not been read yet`);
  if (route.elder !== null)
    return no(
      'RouteConflict',
      `the older LeaderGroup ${route.elder} names Service ${name} too, and only the older one acts. Delete one of the two groups, or create one anew with another Service`,
    );
  return reading === null ? null : withoutConsent(o, reading.service, name);
}

const GIVE_RIGHTS =
  'kubectl apply -k deploy/overlays/route gives the operator the rights (with Helm: --set route.enabled=true)';

const notRead = ({ kind, message }: RouteProblem, name: string): Routed =>
  kind === 'silent'
    ? unknown('NotChecked', `reading Service ${name} and its slices failed: ${message}`)
    : no('PermissionDenied', `the operator may not read Service ${name} and its slices; ${GIVE_RIGHTS}. ${message}`);

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

/** Somebody else changes a slice as it is written, or again and again. */
function altered({ group }: Observation, { written, remade }: RouteView, service: string): Routed | null {
  for (const [family, { mangled, contest }] of written) {
    const name = sliceName(service, family);
    if (mangled)
      return no(
        'SliceAltered',
        `EndpointSlice ${name} does not stand as the operator has written it: an admission webhook changes it, so traffic of Service ${service} may go elsewhere. It is not written again for that. kubectl -n ${group.namespace} get endpointslice ${name} -o yaml, and have the webhook leave slices with the label ${MANAGED_BY_LABEL}=${API_GROUP} alone; then kubectl -n ${group.namespace} annotate endpointslice ${name} again=1, and it is written whole`,
      );
    if (contest !== null)
      return no(
        'SliceAltered',
        `another client keeps changing EndpointSlice ${name}; the operator restores it every few seconds. Stop that client from writing it`,
      );
  }
  for (const [family, { made }] of remade) {
    const name = sliceName(service, family);
    const does = made === null ? 'bringing back' : 'deleting';
    const undone = made === null ? 'deletes' : 'makes';
    return no(
      'SliceAltered',
      `another client keeps ${does} EndpointSlice ${name}, or changing the annotation that says whose it is; the operator ${undone} it anew every few seconds. Stop that client from writing it`,
    );
  }
  return null;
}

/** Why a slice does not show the leader. */
function unshown(o: Observation, route: RouteView, name: string): Routed | null {
  const { reading, problems } = route;
  const service = reading?.service ?? null;
  const [problem] = problems;
  const unwritten =
    problem === undefined ? unknown('NotChecked', `Service ${name} is being read`) : notWritten(problem);
  if (reading === null || service === null) return unwritten;
  const taken = service.families.find((family) => isTaken(reading.slices[family]));
  if (taken !== undefined) return inConflict(o, name, taken);
  const leader = o.pods.find((observed) => labelled(o.group, observed));
  if (leader === undefined) return noLeader(o, route, name);
  return unreachable(service, leader) ?? (showsWhole(o, service, leader) ? null : unwritten);
}

/** Whoever stands there still is to be taken out, unless something keeps the operator from it. */
function noLeader(o: Observation, { problems }: RouteView, service: string): Routed {
  for (const { name, family, endpoint } of ownSlices(o)) {
    const problem = problems.find(({ of }) => of === family);
    if (endpoint !== null)
      return problem === undefined
        ? no(
            'NoLeader',
            `nobody leads, and EndpointSlice ${name} of Service ${service} still shows pod ${endpoint.pod.name}`,
          )
        : notWritten(problem);
  }
  return no('NoLeader', `nobody leads, so Service ${service} has no endpoint`);
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

const UNWRITTEN = {
  denied: 'PermissionDenied',
  refused: 'WriteRefused',
  silent: 'WriteRefused',
  contested: 'SliceAltered',
} as const;

const notWritten = ({ kind, message }: RouteProblem): Routed => no(UNWRITTEN[kind], message);

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
  if (foreign === null)
    return unknown('NotChecked', `whether Service ${name} has other endpoints has not been read yet`);
  if (typeof foreign === 'string')
    return unknown('NotChecked', `whether Service ${name} has other endpoints is not known: ${foreign}`);
  if (!foreign.endpoints && foreign.slices.length === 0) return null;
  const commands = [
    ...(foreign.endpoints ? [`kubectl -n ${namespace} delete endpoints ${name}`] : []),
    ...(foreign.slices.length > 0 ? [`kubectl -n ${namespace} delete endpointslice ${foreign.slices.join(' ')}`] : []),
  ].join(', then ');
  const selecting = reading.service?.hasSelector === true ? 'take its selector off first, then ' : '';
  return no(
    'ForeignEndpoints',
    `traffic of Service ${name} goes elsewhere too: ${selecting}${commands} (that they are gone is found within a minute)`,
  );
}

/** All is right, and what others change is found within a minute, where it would be found at once. */
const unwatched = ({ unwatched: why }: RouteView, name: string): Routed | null =>
  why === null
    ? null
    : no(
        'PermissionDenied',
        `the leader is shown, but what others change about Service ${name} is found within a minute only; ${GIVE_RIGHTS}. ${why}`,
      );
