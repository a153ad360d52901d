/** Who leads best: an order of the candidates that every replica computes alike from the same members. */
import type { ObservedPod } from './observation.ts';

type Rank = readonly (number | string)[];

/**
 * The best first. One that has not resigned just now; not on a cordoned node and not about to be evicted; then pods that a controller keeps running, before those without one
 * and those that are made to end; then the workload with more pods of the group, so that a canary does not take the lead; then the newest
 * revision of that workload, so that a rolling update moves the leader once; then the longest ready; then the name.
 */
export function ranked(candidates: readonly ObservedPod[], members: readonly ObservedPod[]): readonly ObservedPod[] {
  const workloads = workloadsOf(members);
  const ranks = new Map(candidates.map((each) => [each, rank(each, workloads)]));
  return candidates.toSorted((a, b) => compare(ranks.get(a) ?? [], ranks.get(b) ?? []));
}

function rank(candidate: ObservedPod, workloads: ReadonlyMap<string, Workload>): Rank {
  const { pod, cordoned } = candidate;
  const workload = workloads.get(workloadOf(candidate));
  return [
    candidate.yields ? 1 : 0,
    cordoned || pod.disrupted ? 1 : 0,
    pod.owner === null || pod.runsToCompletion ? 1 : 0,
    -(workload?.size ?? 0),
    workload === undefined ? 0 : revisionsAfter(workload, revisionOf(candidate)),
    pod.readyTransitionMs ?? Number.MAX_SAFE_INTEGER,
    pod.name,
  ];
}

/** How many revisions of the workload are newer: revisions of different workloads do not compare by age. */
const revisionsAfter = ({ newest }: Workload, revision: string): number =>
  [...newest.values()].filter((createdMs) => createdMs > (newest.get(revision) ?? 0)).length;

/** `newest`: by revision, when its newest pod was made. */
type Workload = { readonly size: number; readonly newest: ReadonlyMap<string, number> };

function workloadsOf(members: readonly ObservedPod[]): ReadonlyMap<string, Workload> {
  const workloads = new Map<string, { size: number; readonly newest: Map<string, number> }>();
  for (const member of members) {
    // Pods without a controller are no revisions of one another: the longest ready of them is the best.
    if (member.pod.owner === null) continue;
    const key = workloadOf(member);
    const workload = workloads.get(key) ?? { size: 0, newest: new Map<string, number>() };
    workloads.set(key, workload);
    workload.size += 1;
    const revision = revisionOf(member);
    workload.newest.set(revision, Math.max(workload.newest.get(revision) ?? 0, member.pod.createdMs));
  }
  return workloads;
}

/** Argo Rollouts names the hash of its ReplicaSets in a label of its own. */
const TEMPLATE_HASHES = ['pod-template-hash', 'rollouts-pod-template-hash'] as const;

/**
 * What the pod is a replica of. The ReplicaSets of one Deployment are told by their names, `<deployment>-<pod-template-hash>`: their own
 * owners are not known here.
 */
function workloadOf({ pod: { owner, labels } }: ObservedPod): string {
  if (owner === null) return '';
  if (owner.kind !== 'ReplicaSet') return `${owner.kind}/${owner.uid}`;
  const hash = TEMPLATE_HASHES.map((label) => labels[label]).find((value) => value && owner.name.endsWith(`-${value}`));
  return hash === undefined
    ? `${owner.kind}/${owner.uid}`
    : `${owner.kind} of ${owner.name.slice(0, -hash.length - 1)}`;
}

/** StatefulSets and DaemonSets keep one owner over all revisions, and name the revision in a label. */
const revisionOf = ({ pod: { owner, labels } }: ObservedPod): string =>
  owner?.kind === 'ReplicaSet' ? owner.uid : (labels['controller-revision-hash'] ?? '');

function compare(a: Rank, b: Rank): number {
  for (const [i, left] of a.entries()) {
    const right = b[i] ?? left;
    if (left !== right) return left < right ? -1 : 1;
  }
  return 0;
}
