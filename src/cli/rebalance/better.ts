/** Whether another member of a group would rather lead, by `spec.preferences` and `spec.spread`. Pure. */
import type { LeaderGroup } from '../../api/leadergroup.ts';
import type { ClusterNode, Pod } from '../../api/pod.ts';
import { matches } from '../../api/selector.ts';
import { spreadOrder } from '../../api/spread-order.ts';
import { membersOf } from '../members.ts';

export type Advice =
  | { readonly kind: 'move'; readonly from: string; readonly to: string; readonly why: string }
  | { readonly kind: 'stay'; readonly why: string }
  /** It cannot be told. */
  | { readonly kind: 'unknown'; readonly why: string };

/** `nodes` null: they may not be read. */
export type Seen = {
  readonly group: LeaderGroup;
  readonly pods: readonly Pod[];
  readonly nodes: ReadonlyMap<string, ClusterNode> | null;
  readonly nowMs: number;
};

/** Of pods of one revision of a workload all have the same. */
const REVISION_LABELS = ['pod-template-hash', 'controller-revision-hash', 'pod-template-generation'];

export function advise(seen: Seen): Advice {
  const { group, nodes } = seen;
  const { preferences, spread, paused } = group.spec;
  if (paused) return stay('it is paused');
  if (preferences.length === 0 && spread === null) return stay('it has neither preferences nor spread');
  const needsNodes = spread !== null || preferences.some(({ nodeSelector }) => nodeSelector !== null);
  if (needsNodes && nodes === null) return { kind: 'unknown', why: 'no right to list nodes, by which it prefers' };
  const { leader, others } = membersIn(seen);
  if (leader === null) return stay('nobody leads, or more than one pod carries the label');
  if (others.length === 0) return stay('no other pod can lead');
  if (isRolling([leader, ...others]))
    return stay('its pods are being updated: the operator moves the leader once for that');
  return bestOf(seen, leader, others);
}

const stay = (why: string): Advice => ({ kind: 'stay', why });

/** Whoever could lead and is on a node that stays. */
function membersIn({ group, pods, nodes, nowMs }: Seen): {
  readonly leader: Pod | null;
  readonly others: readonly Pod[];
} {
  const members = membersOf(group, pods, nowMs);
  const named = (name: string): Pod | undefined => pods.find((pod) => pod.name === name);
  const leaders = members.filter(({ leads }) => leads).map(({ pod }) => named(pod));
  const able = members.filter(({ leads, whyNot }) => !leads && whyNot === null).map(({ pod }) => named(pod));
  const stays = (pod: Pod | undefined): pod is Pod =>
    pod !== undefined && !pod.disrupted && nodes?.get(pod.node ?? '')?.cordoned !== true;
  return { leader: leaders.length === 1 ? (leaders[0] ?? null) : null, others: able.filter(stays) };
}

const isRolling = (pods: readonly Pod[]): boolean =>
  pods.some((one) =>
    pods.some(
      (other) =>
        one.owner?.kind === other.owner?.kind &&
        REVISION_LABELS.some((key) => one.labels[key] !== undefined && one.labels[key] !== other.labels[key]),
    ),
  );

function bestOf(seen: Seen, leader: Pod, others: readonly Pod[]): Advice {
  const weight = (pod: Pod): number => weightOf(seen, pod);
  const near = (pod: Pod): number => orderOf(seen, pod);
  const [best] = others.toSorted(
    (one, other) => weight(other) - weight(one) || near(one) - near(other) || (one.name < other.name ? -1 : 1),
  );
  if (best === undefined) return stay('no other pod can lead');
  const move = (why: string): Advice => ({ kind: 'move', from: leader.name, to: best.name, why });
  if (weight(best) > weight(leader)) return move(`it is preferred by ${weight(best)} over ${weight(leader)}`);
  // Of two workloads the larger one goes before the spread: that is left to the operator.
  const isLike = best.owner?.uid === leader.owner?.uid;
  if (weight(best) === weight(leader) && isLike && near(best) < near(leader))
    return move(`its ${seen.group.spec.spread?.topologyKey ?? 'domain'} comes first for this group`);
  return stay('nobody is preferred to the leader');
}

/** As the operator counts it: a node of which nothing is known fits none. */
function weightOf({ group, nodes }: Seen, pod: Pod): number {
  const labels = nodes?.get(pod.node ?? '')?.labels;
  return group.spec.preferences
    .filter(
      ({ podSelector, nodeSelector }) =>
        (podSelector === null || matches(podSelector, pod.labels)) &&
        (nodeSelector === null || (labels !== undefined && matches(nodeSelector, labels))),
    )
    .reduce((sum, { weight }) => sum + weight, 0);
}

function orderOf({ group, nodes }: Seen, pod: Pod): number {
  const { spread } = group.spec;
  if (spread === null) return 0;
  const domain = nodes?.get(pod.node ?? '')?.labels[spread.topologyKey];
  return domain === undefined ? Number.MAX_SAFE_INTEGER : spreadOrder(group, domain);
}
