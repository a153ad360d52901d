/**
 * Who leads best: an order of the candidates that every replica computes alike from the same view, whatever order the pods are known in
 * (docs/adr/0033-who-leads-best.md). It takes effect where somebody is elected; a healthy leader is moved
 * for its weights alone, and only where spec.preemption asks for it (preemption.ts).
 */
import type { Criterion } from '../api/criteria.ts';
import type { PodUid } from '../api/ids.ts';
import type { LeaderGroup } from '../api/leadergroup.ts';
import { matches } from '../api/selector.ts';
import { spreadOrder } from '../api/spread-order.ts';
import { transitionMs } from './candidacy.ts';
import type { ObservedPod } from './observation.ts';
import { type Standing, standings } from './revisions.ts';

/** As the values of a rank stand. */
const ORDER = [
  'NotResigned',
  'NotFailedLately',
  'NodeStays',
  'Controlled',
  'Revision',
  'Ordinal',
  'Preference',
  'Workload',
  'Spread',
  'NewestNode',
  'LongestReady',
  'Name',
] as const satisfies readonly Criterion[];

export type RankedGroup = Pick<LeaderGroup, 'namespace' | 'name' | 'spec'>;

/** The best first: of two, the lesser value goes first. */
type Rank = readonly (number | string)[];

type Ranked = { readonly candidate: ObservedPod; readonly rank: Rank };

/** `members`: of which `candidates` are some. */
export const ranked = (
  group: RankedGroup,
  candidates: readonly ObservedPod[],
  members: readonly ObservedPod[],
): readonly ObservedPod[] => inOrder(group, candidates, members).map(({ candidate }) => candidate);

/** By what `uid`, the best of `candidates`, comes before the next one; null where it is not the best, or the only one. */
export function deciding(
  group: RankedGroup,
  uid: PodUid,
  candidates: readonly ObservedPod[],
  members: readonly ObservedPod[],
): Criterion | null {
  const [best, next] = inOrder(group, candidates, members);
  if (best?.candidate.pod.uid !== uid || next === undefined) return null;
  return ORDER[best.rank.findIndex((value, at) => value !== next.rank[at])] ?? 'Name';
}

function inOrder(
  group: RankedGroup,
  candidates: readonly ObservedPod[],
  members: readonly ObservedPod[],
): readonly Ranked[] {
  const standing = standings(candidates, members);
  return candidates
    .map((candidate) => ({ candidate, rank: rankOf(group, candidate, standing(candidate)) }))
    .toSorted((a, b) => compare(a.rank, b.rank));
}

/**
 * After what is about to go, and who runs on no longer than it must, comes the revision, so that a rolling update moves the leader once. It is compared within
 * a workload only, so of two workloads neither is outdated, and what the user prefers decides; then the larger one, so that a canary does not take the lead.
 * With `controller.kubernetes.io/pod-deletion-cost`, too, it is the longest ready, and not the youngest: the ADR has why.
 */
function rankOf(group: RankedGroup, candidate: ObservedPod, { outdatedBy, size, before }: Standing): Rank {
  const { pod, host } = candidate;
  return [
    candidate.yields ? 1 : 0,
    candidate.deferred === null ? 0 : 1,
    candidate.cordoned || pod.disrupted ? 1 : 0,
    pod.owner === null || pod.runsToCompletion ? 1 : 0,
    outdatedBy,
    before,
    -weightOf(group, candidate),
    -size,
    distance(group, candidate),
    -Number(host?.createdMs ?? 0),
    transitionMs(group.spec, pod) ?? Number.MAX_SAFE_INTEGER,
    pod.name,
  ];
}

/** The sum of the preferences that it fits. A node of which nothing is known fits none. */
export const weightOf = ({ spec }: RankedGroup, { pod, host }: ObservedPod): number =>
  spec.preferences
    .filter(
      ({ podSelector, nodeSelector }) =>
        (podSelector === null || matches(podSelector, pod.labels)) &&
        (nodeSelector === null || (host !== null && matches(nodeSelector, host.labels))),
    )
    .reduce((sum, { weight }) => sum + weight, 0);

/** Of the domain of its node, in the order that this group has of its own; the least is the best. */
function distance(group: RankedGroup, { host }: ObservedPod): number {
  const { spread } = group.spec;
  if (spread === null) return 0;
  const labels = host?.labels ?? {};
  const domain = Object.hasOwn(labels, spread.topologyKey) ? labels[spread.topologyKey] : undefined;
  return domain === undefined ? Number.MAX_SAFE_INTEGER : spreadOrder(group, domain);
}

function compare(a: Rank, b: Rank): number {
  for (const [at, left] of a.entries()) {
    const right = b[at] ?? left;
    if (left !== right) return left < right ? -1 : 1;
  }
  return 0;
}
