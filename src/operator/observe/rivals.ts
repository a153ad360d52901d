/**
 * Groups that select the same pods under the same label key. Of two the older acts; one that an acting older group keeps from acting leads
 * nobody, and keeps nobody from acting. Every replica comes to the same answer from the same caches.
 */
import type { LeaderGroup } from '../../api/leadergroup.ts';
import type { Pod } from '../../api/pod.ts';
import { matches } from '../../api/selector.ts';
import { finished } from '../../election/candidates.ts';
import { groupKey, type Store } from '../cache/store.ts';

export type Rivals = {
  /** Groups that act for the pod under this group's label key, this one left out. */
  acting(pod: Pod): readonly LeaderGroup[];
  /** As `acting`, those that are older than this group. */
  olderActing(pod: Pod): readonly LeaderGroup[];
  /** An older group, of whatever label key, keeps its leader last, and the pod may be that. */
  olderKeepsLast(pod: Pod): boolean;
};

/** `gone`: uids of groups that a read has shown to be gone while the cache still shows them. Good for one observation. */
export function rivalsOf(store: Store, group: LeaderGroup, gone: ReadonlySet<string>): Rivals {
  const known = new Map<string, boolean>();
  const found = new Map<Pod, readonly LeaderGroup[]>();

  function selecting(pod: Pod): readonly LeaderGroup[] {
    const groups = found.get(pod) ?? store.groupsSelecting(pod).filter(({ uid }) => !gone.has(uid));
    found.set(pod, groups);
    return groups;
  }

  const rivals = (of: LeaderGroup, pod: Pod): readonly LeaderGroup[] =>
    selecting(pod).filter((other) => other.uid !== of.uid && other.spec.label.key === of.spec.label.key);

  /** Ages only fall on the way, so this ends. */
  function acts(candidate: LeaderGroup): boolean {
    const before = known.get(candidate.uid);
    if (before !== undefined) return before;
    const members = store.podsConcerning(groupKey(candidate)).filter(({ pod }) => isMember(candidate, pod));
    const elders = new Map(
      members.flatMap(({ pod }) =>
        rivals(candidate, pod)
          .filter((other) => older(other, candidate))
          .map((other) => [other.uid, other]),
      ),
    );
    const acting = ![...elders.values()].some(acts);
    known.set(candidate.uid, acting);
    return acting;
  }

  const acting = (pod: Pod): readonly LeaderGroup[] => rivals(group, pod).filter(acts);
  return {
    acting,
    olderActing: (pod) => rivals(group, pod).filter((other) => older(other, group) && acts(other)),
    olderKeepsLast: (pod) =>
      selecting(pod).some(
        (other) => other.spec.scaleDown === 'LeaderLast' && other.uid !== group.uid && older(other, group),
      ),
  };
}

export const isMember = ({ spec }: LeaderGroup, pod: Pod): boolean =>
  matches(spec.selector, pod.labels) && !pod.mirror && !finished(pod);

/** Of two groups that want the same the older acts. */
export const older = (a: LeaderGroup, b: LeaderGroup): boolean =>
  a.createdMs === b.createdMs ? a.uid < b.uid : a.createdMs < b.createdMs;
