/** Services that lead to leaders, by label or by a route. Pure. */
import type { LeaderGroup } from '../../api/leadergroup.ts';
import { API_GROUP, MANAGED_BY_LABEL, SERVICE_NAME_LABEL } from '../../api/names.ts';
import type { RawObject } from '../../api/raw.ts';
import type { Group } from '../groups.ts';
import { check } from './check.ts';
import type { Finding } from './findings.ts';
import { createMembership, type Membership } from './membership.ts';
import { grouped, nameOf, namespaceOf, section, texts, titleOf } from './objects.ts';

const validOf = (groups: readonly Group[]): readonly LeaderGroup[] =>
  groups.flatMap(({ valid }) => (valid === null ? [] : [valid]));

const selectorOf = (service: RawObject): Readonly<Record<string, string>> =>
  texts(section(service, 'spec', 'selector'));

export const byLabel = check(
  ['service-matches-no-member', 'service-selects-label-only'],
  ['groups', 'pods', 'services'],
  ({ groups, pods, services }) => {
    const membership = createMembership(groups, pods);
    const byNamespace = grouped(validOf(groups), ({ namespace }) => namespace);
    return services.flatMap((service) => ofService(service, byNamespace.get(namespaceOf(service)) ?? [], membership));
  },
);

function ofService(service: RawObject, groups: readonly LeaderGroup[], { membersOf }: Membership): readonly Finding[] {
  const selector = Object.entries(selectorOf(service));
  const led = groups.filter(({ spec: { label } }) =>
    selector.some(([key, value]) => key === label.key && value === label.leader),
  );
  const [first] = led;
  if (first === undefined) return [];
  const object = titleOf(service);
  const rest = selector.filter(([key]) => key !== first.spec.label.key);
  if (rest.length === 0) {
    const names = led.map(({ name }) => name).join(', ');
    return [
      {
        id: 'service-selects-label-only',
        object,
        message: `It finds the leaders of ${names}, and of whatever group comes.`,
      },
    ];
  }
  const members = led.map((group) => membersOf(group));
  // Pods of a group that has none now may have any labels.
  if (members.some((pods) => pods.length === 0)) return [];
  if (members.flat().some(({ labels }) => rest.every(([key, value]) => labels[key] === value))) return [];
  const asked = rest.map(([key, value]) => `${key}=${value}`).join(',');
  const names = led.map(({ name }) => name).join(', ');
  return [{ id: 'service-matches-no-member', object, message: `No pod of ${names} has ${asked}.` }];
}

const serviceKey = (namespace: string, name: string): string => `${namespace}/${name}`;

/** By the Service that they route to. */
const routes = (groups: readonly Group[]): ReadonlyMap<string, LeaderGroup> =>
  new Map(
    validOf(groups).flatMap((group) =>
      group.spec.route === null ? [] : [[serviceKey(group.namespace, group.spec.route.serviceName), group] as const],
    ),
  );

export const routedServices = check(['route-service-has-selector'], ['groups', 'services'], ({ groups, services }) => {
  const routing = routes(groups);
  return services.flatMap((service): readonly Finding[] => {
    const group = routing.get(serviceKey(namespaceOf(service), nameOf(service)));
    if (group === undefined || Object.keys(selectorOf(service)).length === 0) return [];
    return [
      {
        id: 'route-service-has-selector',
        object: titleOf(service),
        message: `${group.name} routes to it, and it has a selector.`,
      },
    ];
  });
});

export const slices = check(['route-foreign-slices', 'stale-slice'], ['groups', 'slices'], ({ groups, slices }) => {
  const routing = routes(groups);
  return slices.flatMap((slice): readonly Finding[] => {
    const labels = texts(section(slice, 'metadata', 'labels'));
    const service = labels[SERVICE_NAME_LABEL] ?? '';
    const group = routing.get(serviceKey(namespaceOf(slice), service));
    const isOurs = labels[MANAGED_BY_LABEL] === API_GROUP;
    const object = titleOf(slice);
    if (isOurs && group === undefined)
      return [{ id: 'stale-slice', object, message: `No group routes to ${service}.` }];
    if (isOurs || group === undefined) return [];
    const manager = labels[MANAGED_BY_LABEL] ?? 'nobody that it names';
    return [
      { id: 'route-foreign-slices', object, message: `${group.name} routes to ${service}, and this is of ${manager}.` },
    ];
  });
});
