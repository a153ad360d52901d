/** Who may lead, and who should: eligibility and ranking of the members. */
import type { LeaderGroup } from '../api/leadergroup.ts';
import { CANDIDATE_ANNOTATION, fencedAnnotation, tokenAnnotation } from '../api/names.ts';
import type { Pod } from '../api/pod.ts';
import type { Observation, ObservedPod } from './observation.ts';

/** Why a member may not lead now. `Waiting` ends by itself at `inMs`. */
export type Eligibility =
  | { readonly kind: 'candidate' }
  | { readonly kind: 'waiting'; readonly reason: 'MinReadySeconds'; readonly inMs: number }
  | { readonly kind: 'ineligible'; readonly reason: IneligibleReason };

export type IneligibleReason = 'NotReady' | 'Terminating' | 'Excluded' | 'PromotionRefused';

export const finished = (pod: Pod): boolean => pod.phase === 'Succeeded' || pod.phase === 'Failed';

/** It can never lead again, so a write-off of it may go by uid alone. */
export const neverAgain = (pod: Pod): boolean => pod.deleting || finished(pod);

export const excluded = (pod: Pod): boolean => pod.annotations[CANDIDATE_ANNOTATION] === 'false';

export function eligibility(o: Observation, observed: ObservedPod): Eligibility {
  const { pod } = observed;
  if (pod.deleting) return { kind: 'ineligible', reason: 'Terminating' };
  if (excluded(pod)) return { kind: 'ineligible', reason: 'Excluded' };
  if (refused(o, observed)) return { kind: 'ineligible', reason: 'PromotionRefused' };
  if (!pod.ready) return { kind: 'ineligible', reason: 'NotReady' };
  const inMs = o.group.spec.minReadyMs - observed.readyForMs;
  return inMs > 0 ? { kind: 'waiting', reason: 'MinReadySeconds', inMs } : { kind: 'candidate' };
}

export const refused = (o: Observation, { refusedUntilMs }: ObservedPod): boolean =>
  refusedUntilMs !== null && o.nowMs < refusedUntilMs;

export const membersOf = (o: Observation): readonly ObservedPod[] => o.pods.filter(({ member }) => member);

/** Candidates, the best first. */
export function rankedCandidates(o: Observation): readonly ObservedPod[] {
  const members = membersOf(o);
  const revisions = newestByOwner(members);
  return members
    .filter((member) => eligibility(o, member).kind === 'candidate')
    .toSorted((a, b) => compare(rank(a, revisions), rank(b, revisions)));
}

/**
 * Not on a cordoned node and not about to be evicted; then the newest pod revision, so that a rolling update moves the
 * leader once; then the longest ready; then the name, so that every replica chooses alike.
 */
const rank = (candidate: ObservedPod, revisions: ReadonlyMap<string, number>): readonly (number | string)[] => [
  candidate.cordoned || candidate.pod.disrupted ? 1 : 0,
  -(revisions.get(candidate.pod.ownerUid ?? '') ?? 0),
  candidate.pod.readyTransitionMs ?? Number.MAX_SAFE_INTEGER,
  candidate.pod.name,
];

/** A revision (an owner: a ReplicaSet of a Deployment) is as new as its newest pod. */
function newestByOwner(members: readonly ObservedPod[]): ReadonlyMap<string, number> {
  const newest = new Map<string, number>();
  for (const { pod } of members) {
    const owner = pod.ownerUid ?? '';
    newest.set(owner, Math.max(newest.get(owner) ?? 0, pod.createdMs));
  }
  return newest;
}

function compare(a: readonly (number | string)[], b: readonly (number | string)[]): number {
  for (const [i, left] of a.entries()) {
    const right = b[i] ?? left;
    if (left !== right) return left < right ? -1 : 1;
  }
  return 0;
}

/**
 * The pod carries this group's leader label. A pod that another acting group selects, or that is no member, counts only
 * while this group's own promotion stands on it (token set, not fenced since): else the label is somebody else's.
 */
export function labelled(group: LeaderGroup, { pod, member, claimedByOther }: ObservedPod): boolean {
  if (pod.labels[group.spec.label.key] !== group.spec.label.leader) return false;
  return (member && !claimedByOther) || promotedHere(group, pod);
}

const promotedHere = (group: LeaderGroup, pod: Pod): boolean =>
  pod.annotations[tokenAnnotation(group.name)] !== undefined &&
  pod.annotations[fencedAnnotation(group.name)] === undefined;
