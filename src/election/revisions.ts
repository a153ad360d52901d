/**
 * Workloads and their revisions, told from the pods alone: nothing is read for it, no right is needed, and nothing is stale. The updated revision of
 * a workload is the one with the newest pod (docs/adr/0033-who-leads-best.md says when that errs, and what it costs).
 */
import type { ObservedPod } from './observation.ts';

export type Standing = {
  /** How many candidates of newer revisions of the same workload there are to choose from, counted by revision. */
  readonly outdatedBy: number;
  /** Pods of the group that the workload has, whatever becomes of them. */
  readonly size: number;
  /**
   * Of an outdated pod of a StatefulSet, how far its ordinal is above the lowest one that could lead: an update begins at the highest. 0 for all others.
   */
  readonly before: number;
};

const ALONE: Standing = { outdatedBy: 0, size: 0, before: 0 };

/** How each of `candidates` stands in its workload. Pods without a controller are no revisions of one another. Takes as long as there are members. */
export function standings(
  candidates: readonly ObservedPod[],
  members: readonly ObservedPod[],
): (candidate: ObservedPod) => Standing {
  const workloads = workloadsOf(members);
  for (const candidate of candidates) workloads.get(workloadOf(candidate))?.choice.add(revisionOf(candidate));
  const places = new Map([...workloads].map(([key, workload]) => [key, placesOf(workload)]));
  const lowest = lowestOutdated(candidates, places);
  return (candidate) => {
    const key = workloadOf(candidate);
    const found = places.get(key);
    const revision = found?.revisions.get(revisionOf(candidate));
    if (found === undefined || revision === undefined) return ALONE;
    const before = revision.isNewest ? 0 : (ordinalOf(candidate) ?? 0) - (lowest.get(key) ?? 0);
    return { outdatedBy: revision.outdatedBy, size: found.size, before };
  };
}

/** `newest`: by revision, when its newest pod was made. `choice`: revisions that candidates are of. */
type Workload = { size: number; readonly newest: Map<string, number>; readonly choice: Set<string> };

function workloadsOf(members: readonly ObservedPod[]): ReadonlyMap<string, Workload> {
  const workloads = new Map<string, Workload>();
  for (const member of members) {
    if (member.pod.owner === null) continue;
    const key = workloadOf(member);
    const workload = workloads.get(key) ?? { size: 0, newest: new Map(), choice: new Set() };
    workloads.set(key, workload);
    workload.size += 1;
    const revision = revisionOf(member);
    workload.newest.set(revision, Math.max(workload.newest.get(revision) ?? 0, member.pod.createdMs));
  }
  return workloads;
}

/** Pods of more than one revision of a workload are there: it is being rolled out, or a canary is kept. */
export const isRollingOut = (members: readonly ObservedPod[]): boolean =>
  [...workloadsOf(members).values()].some(({ newest }) => newest.size > 1);

type Place = { readonly outdatedBy: number; readonly isNewest: boolean };
type Places = { readonly size: number; readonly revisions: ReadonlyMap<string, Place> };

/** Revisions as new as each other, to the second of a creation time, are equally good. */
function placesOf({ size, newest, choice }: Workload): Places {
  const revisions = new Map<string, Place>();
  const descending = [...newest].toSorted(([, a], [, b]) => b - a);
  const [, newestMs] = descending[0] ?? ['', 0];
  let newer = 0;
  let sameMs = newestMs;
  let same = 0;
  for (const [revision, createdMs] of descending) {
    if (createdMs !== sameMs) {
      newer += same;
      [sameMs, same] = [createdMs, 0];
    }
    revisions.set(revision, { outdatedBy: newer, isNewest: createdMs === newestMs });
    if (choice.has(revision)) same += 1;
  }
  return { size, revisions };
}

function lowestOutdated(
  candidates: readonly ObservedPod[],
  places: ReadonlyMap<string, Places>,
): ReadonlyMap<string, number> {
  const lowest = new Map<string, number>();
  for (const candidate of candidates) {
    const key = workloadOf(candidate);
    const ordinal = ordinalOf(candidate);
    if (ordinal === null || places.get(key)?.revisions.get(revisionOf(candidate))?.isNewest !== false) continue;
    lowest.set(key, Math.min(lowest.get(key) ?? ordinal, ordinal));
  }
  return lowest;
}

/** null: no pod of a StatefulSet. */
function ordinalOf({ pod: { owner, name } }: ObservedPod): number | null {
  if (owner?.kind !== 'StatefulSet' || !name.startsWith(`${owner.name}-`)) return null;
  const rest = name.slice(owner.name.length + 1);
  return /^\d{1,10}$/.test(rest) ? Number(rest) : null;
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
