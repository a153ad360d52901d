/** Which groups select which pods, without trying every pair. Pure. */
import type { LeaderGroup } from '../../api/leadergroup.ts';
import type { Pod } from '../../api/pod.ts';
import { indexPair, matches } from '../../api/selector.ts';
import type { Group } from '../groups.ts';

export type Membership = {
  /** The groups that select it, the oldest first. */
  groupsOf(pod: Pod): readonly LeaderGroup[];
  /** Finished pods and mirrors left out. */
  membersOf(group: Pick<LeaderGroup, 'namespace' | 'name'>): readonly Pod[];
};

export function createMembership(groups: readonly Group[], pods: readonly Pod[]): Membership {
  const index = new Map<string, LeaderGroup[]>();
  for (const { valid } of groups) {
    if (valid === null) continue;
    const key = `${valid.namespace} ${indexPair(valid.spec.selector) ?? ''}`;
    const same = index.get(key);
    if (same === undefined) index.set(key, [valid]);
    else same.push(valid);
  }
  const groupsOf = (pod: Pod): readonly LeaderGroup[] => {
    const pairs = ['', ...Object.entries(pod.labels).map(([key, value]) => `${key}=${value}`)];
    return pairs
      .flatMap((pair) => index.get(`${pod.namespace} ${pair}`) ?? [])
      .filter(({ spec }) => matches(spec.selector, pod.labels))
      .toSorted((one, other) => one.createdMs - other.createdMs || (one.uid < other.uid ? -1 : 1));
  };
  const members = new Map<string, Pod[]>();
  for (const pod of pods) {
    if (pod.mirror || pod.phase === 'Succeeded' || pod.phase === 'Failed') continue;
    for (const { namespace, name } of groupsOf(pod)) {
      const key = `${namespace}/${name}`;
      const same = members.get(key);
      if (same === undefined) members.set(key, [pod]);
      else same.push(pod);
    }
  }
  return { groupsOf, membersOf: ({ namespace, name }) => members.get(`${namespace}/${name}`) ?? [] };
}
