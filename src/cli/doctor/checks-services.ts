/** Services that lead to leaders by label. Pure. */
import type { LeaderGroup } from '../../api/leadergroup.ts';
import type { RawObject } from '../../api/raw.ts';
import { check } from './check.ts';
import type { Finding } from './findings.ts';
import { createMembership, type Membership } from './membership.ts';
import { grouped, namespaceOf, selectorOf, titleOf } from './objects.ts';

export const byLabel = check(
  ['service-matches-no-member', 'service-selects-label-only'],
  ['groups', 'pods', 'services'],
  ({ groups, pods, services }) => {
    const membership = createMembership(groups, pods);
    const byNamespace = grouped(
      groups.flatMap(({ valid }) => valid ?? []),
      ({ namespace }) => namespace,
    );
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
