/** Why a Service is not moved: one sentence each, with what to do. Pure. */
import type { LeaderGroup } from '../../api/leadergroup.ts';
import type { Pod } from '../../api/pod.ts';
import { field, textField } from '../../api/raw.ts';
import { matches } from '../../api/selector.ts';
import { section } from '../doctor/objects.ts';
import type { Group } from '../groups.ts';
import { isPlain, type Scene } from './scene.ts';

/** A group whose spec can be acted on. */
export type ValidGroup = Group & { readonly valid: LeaderGroup };

const isValid = (group: Group): group is ValidGroup => group.valid !== null;

const titleOf = ({ service }: Scene): string => `Service ${service.namespace}/${service.name}`;

/** Members of the group that the Service leads to. */
const membersIn = ({ pods }: Scene, { valid }: ValidGroup): readonly Pod[] =>
  pods.filter(
    (pod) => !pod.mirror && !['Succeeded', 'Failed'].includes(pod.phase) && matches(valid.spec.selector, pod.labels),
  );

/** The group that is meant; a sentence where none can be found. */
export function chosenGroup(scene: Scene, name: string | null): ValidGroup | string {
  const asked = name ?? scene.service.group;
  if (asked !== null) return namedGroup(scene, asked);
  if (!isPlain(scene.selector) && scene.former === null)
    return `${titleOf(scene)} has no selector by which its group could be found: name the group with --group.`;
  const found = scene.groups.filter(isValid).filter((group) => membersIn(scene, group).length > 0);
  const [only, second] = found;
  if (only === undefined)
    return `no pod that ${titleOf(scene)} selects is a member of a LeaderGroup: look at its selector, or name the group with --group.`;
  const names = found.map((group) => group.name).join(', ');
  return second === undefined ? only : `pods of ${titleOf(scene)} are members of ${names}: say which with --group.`;
}

function namedGroup({ groups, service }: Scene, name: string): ValidGroup | string {
  const group = groups.find((each) => each.name === name);
  if (group === undefined) return `there is no LeaderGroup ${name} in namespace ${service.namespace}.`;
  if (!isValid(group)) return `the spec of LeaderGroup ${name} cannot be acted on: ${group.problems.join(' ')}`;
  return group.known.deleting ? `LeaderGroup ${name} is being deleted.` : group;
}

/** The pod that leads, where the Service may lead to it alone; a sentence where nobody does. */
export function leaderIn(scene: Scene, group: ValidGroup): Pod | string {
  const { label } = group.valid.spec;
  const members = membersIn(scene, group);
  if (members.length === 0) return `the selector of ${titleOf(scene)} matches no member of ${group.name}.`;
  const carriers = scene.pods.filter((pod) => pod.labels[label.key] === label.leader);
  const [leader, second] = carriers;
  if (leader === undefined) return nobody(scene, group);
  if (second !== undefined)
    return `${carriers.map(({ name }) => name).join(' and ')} carry ${label.key}=${label.leader}, and ${titleOf(scene)} selects both: give it a selector that matches pods of ${group.name} only.`;
  if (!members.includes(leader))
    return `${leader.name} carries ${label.key}=${label.leader} and is no member of ${group.name}: give ${titleOf(scene)} a selector that matches pods of ${group.name} only.`;
  return isFit(leader, scene) ? leader : `${leader.name} leads ${group.name} and is not ready: wait until a leader is.`;
}

const isFit = ({ ready, deleting }: Pod, { service }: Scene): boolean =>
  !deleting && (ready || service.publishNotReadyAddresses);

const nobody = (scene: Scene, { name, status }: ValidGroup): string =>
  status.leader === ''
    ? `nobody leads ${name}: \`kubectl leadergroup status ${name}\` says why. ${titleOf(scene)} would have no endpoint.`
    : `${status.leader} leads ${name}, and the selector of ${titleOf(scene)} does not match it: it would have no endpoint.`;

/** Of every move to a leader. null: none. */
export function objectionToService(scene: Scene, group: ValidGroup): string | null {
  const { raw, service, groups } = scene;
  const spec = section(raw, 'spec');
  const title = titleOf(scene);
  if (textField(spec, 'type') === 'ExternalName')
    return `${title} is of type ExternalName: DNS leads to another name, and there are no endpoints.`;
  if (field(spec, 'internalTrafficPolicy') === 'Local')
    return `${title} has internalTrafficPolicy Local: clients on other nodes than the leader's would find no endpoint. Take that off first, or make another Service for the leader.`;
  if (scene.names)
    return `${title} gives its pods their names in DNS (their spec.subdomain), which all but the leader would lose. Make another Service for the leader.`;
  if (service.group !== null && service.group !== group.name && groups.some(({ name }) => name === service.group))
    return `${title} is led by LeaderGroup ${service.group} (annotation leadergroup.dev/route). \`kubectl leadergroup unroute ${service.name}\` first.`;
  return null;
}

/** Of a move to a leader by slice. */
export function objectionToSlice(scene: Scene, group: ValidGroup): string | null {
  const { service, groups } = scene;
  const title = titleOf(scene);
  const { route, paused } = group.valid.spec;
  if (route !== null && route.serviceName !== service.name)
    return `the route of LeaderGroup ${group.name} is Service ${route.serviceName}, and a route is never changed: move ${service.name} by label, or create the group anew.`;
  const rival = groups.find((each) => each.name !== group.name && each.valid?.spec.route?.serviceName === service.name);
  if (rival !== undefined)
    return `LeaderGroup ${rival.name} has ${title} as its route: of two groups only the older one acts. Delete one of them, or move the Service by label.`;
  if (paused) return `LeaderGroup ${group.name} is paused: \`kubectl leadergroup resume ${group.name}\` first.`;
  return null;
}
