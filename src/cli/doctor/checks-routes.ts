/** Services that lead to leaders by a route. One that is not followed any more, on purpose, is no fault. Pure. */
import type { LeaderGroup } from '../../api/leadergroup.ts';
import {
  API_GROUP,
  MANAGED_BY_LABEL,
  ROUTE_ANNOTATION,
  SERVICE_NAME_LABEL,
  UNROUTED_ANNOTATION,
} from '../../api/names.ts';
import type { RawObject } from '../../api/raw.ts';
import { conditionOf, type Group } from '../groups.ts';
import { check } from './check.ts';
import { groupTitle, living } from './checks-groups.ts';
import type { Finding } from './findings.ts';
import { nameOf, namespaceOf, section, selectorOf, texts, titleOf } from './objects.ts';

/** By a Service as by a slice of it. */
const serviceKey = (namespace: string, name: string): string => `${namespace}/${name}`;

type Routes = ReadonlyMap<string, LeaderGroup>;

/** By the Service that they route to. */
const routesOf = (groups: readonly Group[]): Routes =>
  new Map(
    groups.flatMap(({ valid }) => {
      const name = valid?.spec.route?.serviceName;
      return valid === null || name === undefined ? [] : [[serviceKey(valid.namespace, name), valid] as const];
    }),
  );

/** Uids of groups of which somebody has said at the Service that their route is not followed any more (`unroute`), and whom nobody lets lead it again. */
const unroutedIn = (services: readonly RawObject[]): ReadonlySet<string> =>
  new Set(
    services
      .map((service) => texts(section(service, 'metadata', 'annotations')))
      .filter((annotations) => annotations[ROUTE_ANNOTATION] === undefined)
      .flatMap((annotations) => annotations[UNROUTED_ANNOTATION]?.split(' ') ?? []),
  );

function followed(groups: readonly Group[], services: readonly RawObject[]): readonly Group[] {
  const unrouted = unroutedIn(services);
  return groups.filter(({ known }) => !unrouted.has(known.uid));
}

/** What Routed says of a Service that Kubernetes leads, and the operator does not. */
const NOT_OURS = 'ServiceHasSelector';

function notRouted(groups: readonly Group[], isTold: (reason: string) => boolean): readonly Finding[] {
  return living(groups).flatMap((group): readonly Finding[] => {
    const condition = conditionOf(group, 'Routed');
    if (condition === null || condition.status === 'True' || !isTold(condition.reason)) return [];
    return [{ id: 'not-routed', object: groupTitle(group), message: `${condition.reason}: ${condition.message}` }];
  });
}

/** `NoLeader` is told by Ready. */
export const routed = check(['not-routed'], ['groups'], ({ groups }) =>
  notRouted(groups, (reason) => reason !== 'NoLeader' && reason !== NOT_OURS),
);

export const followedRoutes = check(['not-routed'], ['groups', 'services'], ({ groups, services }) =>
  notRouted(followed(groups, services), (reason) => reason === NOT_OURS),
);

export const routedServices = check(['route-service-has-selector'], ['groups', 'services'], ({ groups, services }) => {
  const routes = routesOf(followed(groups, services));
  return services.flatMap((service): readonly Finding[] => {
    const group = routes.get(serviceKey(namespaceOf(service), nameOf(service)));
    if (group === undefined || Object.keys(selectorOf(service)).length === 0) return [];
    const message = `${group.name} routes to it, and it has a selector.`;
    return [{ id: 'route-service-has-selector', object: titleOf(service), message }];
  });
});

const serviceOf = (slice: RawObject): string => texts(section(slice, 'metadata', 'labels'))[SERVICE_NAME_LABEL] ?? '';
const managerOf = (slice: RawObject): string | undefined =>
  texts(section(slice, 'metadata', 'labels'))[MANAGED_BY_LABEL];

export const foreignSlices = check(
  ['route-foreign-slices'],
  ['groups', 'services', 'slices'],
  ({ groups, services, slices }) => {
    const routes = routesOf(followed(groups, services));
    return slices.flatMap((slice): readonly Finding[] => {
      const group = routes.get(serviceKey(namespaceOf(slice), serviceOf(slice)));
      const manager = managerOf(slice) ?? 'nobody that it names';
      if (group === undefined || manager === API_GROUP) return [];
      const message = `${group.name} routes to ${serviceOf(slice)}, and this is of ${manager}.`;
      return [{ id: 'route-foreign-slices', object: titleOf(slice), message }];
    });
  },
);

export const staleSlices = check(['stale-slice'], ['groups', 'slices'], ({ groups, slices }) => {
  const routes = routesOf(groups);
  return slices
    .filter((slice) => managerOf(slice) === API_GROUP)
    .filter((slice) => !routes.has(serviceKey(namespaceOf(slice), serviceOf(slice))))
    .map((slice) => ({
      id: 'stale-slice',
      object: titleOf(slice),
      message: `No group routes to ${serviceOf(slice)}.`,
    }));
});
