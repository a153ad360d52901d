/** `kubectl leadergroup route SERVICE` and `unroute SERVICE`: the traffic of a Service goes to the leader, and back, without a moment in which it has no endpoint. */
import { UNROUTED_ANNOTATION } from '../../api/names.ts';
import { projectService } from '../../kubernetes/objects/service.ts';
import { EXIT, type Exit } from '../errors.ts';
import { demandRights, type OwnRight } from '../own-rights.ts';
import { ENDPOINT_SLICES, ENDPOINTS, LEADER_GROUPS, PODS, SERVICES } from '../resources.ts';
import { towardsFormer, towardsLabel } from '../route/by-selector.ts';
import { towardsSlice } from '../route/by-slice.ts';
import { carryOut, type MoveFlags } from '../route/move.ts';
import { chosenGroup } from '../route/objections.ts';
import type { Scene } from '../route/scene.ts';
import { refused, type Step } from '../route/steps.ts';
import { isForPrograms, oneNamespace, type Session } from '../session.ts';

export type RouteOptions = {
  /** null: the one whose pods the Service selects. */
  readonly group: string | null;
  /** null: as it is already on its way, else by label. */
  readonly by: 'label' | 'slice' | null;
};

export async function route(session: Session, name: string, options: RouteOptions, flags: MoveFlags): Promise<Exit> {
  const namespace = oneNamespace(session);
  const bySlice = options.by === null ? await isOnItsWay(session, namespace, name) : options.by === 'slice';
  await demandRights(session, [
    ...always(namespace, name),
    ...(bySlice ? ofSlices(namespace, name, options.group) : []),
  ]);
  const next = (scene: Scene): Step => {
    const group = chosenGroup(scene, options.group);
    if (typeof group === 'string') return refused(group);
    return bySlice ? towardsSlice(scene, group) : towardsLabel(scene, group);
  };
  const again = `Run this again to go on, or \`kubectl leadergroup unroute ${name} -n ${namespace}\` to go back.`;
  return await carryOut(session, { namespace, name, withEndpoints: bySlice, again, next }, flags);
}

/** To slices, or there. */
async function isOnItsWay({ api }: Session, namespace: string, name: string): Promise<boolean> {
  const service = await api.get({ resource: SERVICES, namespace, name });
  return service !== null && projectService(service)?.group != null;
}

export async function unroute(session: Session, name: string, flags: MoveFlags): Promise<Exit> {
  const namespace = oneNamespace(session);
  await demandRights(session, always(namespace, name));
  const again = 'Run this again to go on.';
  const seen: Scene[] = [];
  const next = (scene: Scene): Step => {
    seen.push(scene);
    return towardsFormer(scene);
  };
  const exit = await carryOut(session, { namespace, name, withEndpoints: false, again, next }, flags);
  if (exit === EXIT.done && !isForPrograms(session))
    for (const line of seen.slice(-1).flatMap(remainsOf)) session.io.out(line);
  return exit;
}

/** `spec.route` is never taken off: a replica that has just started knows from nowhere else where the slices are. */
const remainsOf = ({ service, groups }: Scene): readonly string[] =>
  groups
    .filter(({ valid }) => valid?.spec.route?.serviceName === service.name)
    .map(
      ({ namespace, name }) =>
        `spec.route stays in LeaderGroup ${namespace}/${name}, since it cannot be taken off: its condition Routed is False with ServiceHasSelector ` +
        `until the group is deleted and created anew without it. That this is on purpose stands at the Service (${UNROUTED_ANNOTATION}), for doctor. Nothing else follows from it.`,
    );

const always = (namespace: string, name: string): readonly OwnRight[] => [
  { verb: 'get', resource: SERVICES, namespace, name },
  { verb: 'patch', resource: SERVICES, namespace, name },
  { verb: 'list', resource: LEADER_GROUPS, namespace },
  { verb: 'list', resource: PODS, namespace },
  { verb: 'list', resource: ENDPOINT_SLICES, namespace },
];

const ofSlices = (namespace: string, name: string, group: string | null): readonly OwnRight[] => [
  { verb: 'patch', resource: LEADER_GROUPS, namespace, ...(group === null ? {} : { name: group }) },
  { verb: 'delete', resource: ENDPOINT_SLICES, namespace },
  { verb: 'get', resource: ENDPOINTS, namespace, name },
  { verb: 'delete', resource: ENDPOINTS, namespace, name },
];
