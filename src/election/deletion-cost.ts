/**
 * The leader goes last when its ReplicaSet is scaled down: its promotion sets the deletion cost where there is none, and the fencing patch takes
 * it off where it is still what the promotion set. In these patches and no others: nothing is written for its sake, and nothing is repaired.
 */
import type { LeaderGroup } from '../api/leadergroup.ts';
import { costAnnotation, DELETION_COST, LEADER_DELETION_COST } from '../api/names.ts';
import type { Pod } from '../api/pod.ts';

type Annotations = Readonly<Record<string, string | null>>;

/** What a promotion of the pod, as it was read, writes besides. `costIsAnothers`: see ObservedPod. */
export function costOfPromotion(
  { name, spec }: LeaderGroup,
  { pod, costIsAnothers }: { readonly pod: Pod; readonly costIsAnothers: boolean },
): Annotations {
  if (spec.scaleDown !== 'LeaderLast' || costIsAnothers || !countsCost(pod)) return {};
  // The mark without the cost: somebody has taken it off, and means it.
  if (pod.annotations[DELETION_COST] !== undefined || pod.annotations[costAnnotation(name)] !== undefined) return {};
  return { [DELETION_COST]: LEADER_DELETION_COST, [costAnnotation(name)]: LEADER_DELETION_COST };
}

/** What a patch that ends the lead of the pod, as it was read, takes off besides. One without a precondition may not: the pod may be another's by then. */
export function costOfDemotion({ name }: Pick<LeaderGroup, 'name'>, { annotations }: Pod): Annotations {
  const mark = annotations[costAnnotation(name)];
  if (mark === undefined) return {};
  return { [costAnnotation(name)]: null, ...(annotations[DELETION_COST] === mark ? { [DELETION_COST]: null } : {}) };
}

/** No other controller of Kubernetes looks at it. */
export const countsCost = ({ owner }: Pod): boolean => owner?.kind === 'ReplicaSet';
