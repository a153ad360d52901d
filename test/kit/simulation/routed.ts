/** Whether the routes of a world at rest lead where they should, and the condition Routed says so. */
import { isDeepStrictEqual } from 'node:util';
import type { LeaderGroup } from '../../../src/api/leadergroup.ts';
import type { Pod } from '../../../src/api/pod.ts';
import type { Service, Slice } from '../../../src/api/route.ts';
import { addressOf } from '../../../src/election/route.ts';
import type { WorldApiServer } from '../model/world-api-server.ts';

/** Why the group's slices do not lead to this leader as they should, or Routed does not say how it is; null: all is right. */
export function unrouted(api: WorldApiServer, group: LeaderGroup, leader: Pod): string | null {
  const { route } = group.spec;
  if (route === null) return null;
  const { slices, services } = api.routing;
  const own = slices().filter((slice) => slice.group.uid === group.uid);
  const service = services().find(({ name }) => name === route.serviceName);
  if (service === undefined) return `there is no Service ${route.serviceName}`;
  const leads = service.group === group.name && !hasElder(api, group, route.serviceName);
  const wrong = leads ? wrongSlice(own, service, leader, group) : (shownIn(own) ?? null);
  return wrong ?? wrongWords(group, leads && service.families.every((family) => addressOf(leader, family) !== null));
}

/** Another group acts, or none: this one shows nobody. */
function shownIn(own: readonly Slice[]): string | undefined {
  const shows = own.find(({ endpoint }) => endpoint !== null);
  return shows && `slice ${shows.name} of ${shows.group.name} shows ${shows.endpoint?.pod.name}, and is not to`;
}

/** `whole`: it leads its Service in every family. */
function wrongWords({ name, status }: LeaderGroup, whole: boolean): string | null {
  const said = status?.conditions.find(({ type }) => type === 'Routed');
  if (said?.status === (whole ? 'True' : 'False')) return null;
  const words = said === undefined ? 'not there' : `${said.status} ${said.reason} (${said.message})`;
  return `Routed of ${name} is ${words}, and ${whole ? 'all is right' : 'it is not to lead the Service, or not in each family'}`;
}

/** An older group that names the Service too. */
const hasElder = (api: WorldApiServer, group: LeaderGroup, serviceName: string): boolean =>
  api
    .groups()
    .some(
      ({ uid, spec, createdMs }) =>
        uid !== group.uid &&
        spec.route?.serviceName === serviceName &&
        (createdMs < group.createdMs || (createdMs === group.createdMs && uid < group.uid)),
    );

function wrongSlice(own: readonly Slice[], service: Service, leader: Pod, group: LeaderGroup): string | null {
  for (const family of ['IPv4', 'IPv6'] as const) {
    const slice = own.find((each) => each.family === family && each.service === service.name);
    const wanted = service.families.includes(family);
    const why = wanted ? wrongIn(slice, service, leader, group) : (shownIn(slice === undefined ? [] : [slice]) ?? null);
    if (why !== null) return `the ${family} slice of ${group.name}: ${why}`;
  }
  return null;
}

/** It shows nobody, and this lead has written it: else a write of the lead before may be under way, and show whoever led then. */
function wrongWithoutAddress({ endpoint, token }: Slice, leads: number): string | null {
  if (endpoint !== null) return `it shows ${endpoint.pod.name}, and the leader has no address there`;
  return token < leads ? `it was written last with token ${token}, and the lead has ${leads}` : null;
}

function wrongIn(slice: Slice | undefined, service: Service, leader: Pod, group: LeaderGroup): string | null {
  if (slice === undefined) return 'there is none';
  const { endpoint, altered, token, ports } = slice;
  const leads = Number(leader.annotations[`token.leadergroup.dev/${group.name}`]);
  if (addressOf(leader, slice.family) === null) return wrongWithoutAddress(slice, leads);
  if (endpoint === null) return 'it shows nobody';
  const shown = {
    altered,
    token,
    pod: endpoint.pod.uid,
    ports,
    ready: endpoint.ready,
    serving: endpoint.serving,
    terminating: endpoint.terminating,
  };
  const wanted: typeof shown = {
    altered: false,
    token: leads,
    pod: leader.uid,
    ports: service.ports.map(({ target, ...port }) => ({ ...port, port: Number(target) })),
    ready: service.publishNotReadyAddresses || (leader.ready && !leader.deleting),
    serving: leader.ready,
    terminating: leader.deleting,
  };
  if (!leader.addresses.includes(endpoint.address)) return `it shows ${endpoint.address}, which is not the leader's`;
  return isDeepStrictEqual(shown, wanted)
    ? null
    : `it is ${JSON.stringify(shown)}, and should be ${JSON.stringify(wanted)}`;
}
