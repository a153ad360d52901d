/** Who may lead, and who should: eligibility and ranking of the members. */
import type { Criterion } from '../api/criteria.ts';
import type { PodUid } from '../api/ids.ts';
import type { IneligibleReason } from '../api/ineligible-reasons.ts';
import type { LeaderGroup } from '../api/leadergroup.ts';
import { CANDIDATE_ANNOTATION, fencedAnnotation, LABEL_KEPT, tokenAnnotation } from '../api/names.ts';
import type { Pod } from '../api/pod.ts';
import { selectorKeys } from '../api/selector.ts';
import type { Observation, ObservedPod } from './observation.ts';
import { failedLast, failsBeforePromotion } from './promotion-answers.ts';
import { deciding, ranked } from './ranking.ts';

/** Why a member may not lead now. `Waiting` ends by itself at `inMs`. */
export type Eligibility =
  | { readonly kind: 'candidate' }
  | { readonly kind: 'waiting'; readonly reason: 'MinReadySeconds'; readonly inMs: number }
  | { readonly kind: 'ineligible'; readonly reason: Exclude<IneligibleReason, 'MinReadySeconds'> };

export const finished = (pod: Pod): boolean => pod.phase === 'Succeeded' || pod.phase === 'Failed';

/** It can never lead again, so a fencing patch of it may go by uid alone. */
export const neverAgain = (pod: Pod): boolean => pod.deleting || finished(pod);

export const excluded = (pod: Pod): boolean => pod.annotations[CANDIDATE_ANNOTATION] === 'false';

export function eligibility(o: Observation, observed: ObservedPod): Eligibility {
  const { pod } = observed;
  if (pod.deleting) return { kind: 'ineligible', reason: 'Terminating' };
  if (excluded(pod)) return { kind: 'ineligible', reason: 'Excluded' };
  if (unaskedJob(o.group, pod)) return { kind: 'ineligible', reason: 'JobPod' };
  if (refused(o, observed)) return { kind: 'ineligible', reason: 'PromotionRefused' };
  if (fencingRefused(o, observed)) return { kind: 'ineligible', reason: 'WriteRefused' };
  if (observed.nodeLost) return { kind: 'ineligible', reason: 'NodeLost' };
  const { lacks, forMs } = observed.candidacy;
  if (lacks !== null) return { kind: 'ineligible', reason: lacks };
  if (!promotedByLabel(o.group, observed) && failsBeforePromotion(o, observed))
    return { kind: 'ineligible', reason: 'BeforePromotionFailed' };
  const inMs = o.group.spec.minReadyMs - forMs;
  return inMs > 0 ? { kind: 'waiting', reason: 'MinReadySeconds', inMs } : { kind: 'candidate' };
}

export const refused = (o: Observation, { promotionRefused }: ObservedPod): boolean =>
  promotionRefused !== null && o.nowMs < promotionRefused.retryAtMs;

/** Who cannot be fenced cannot be promoted either: a promotion writes more. */
export const fencingRefused = (o: Observation, { fencingRefusedUntilMs }: ObservedPod): boolean =>
  fencingRefusedUntilMs !== null && o.nowMs < fencingRefusedUntilMs;

/** Its fencing patch is refused, and not needed: nothing can bring the label to it. */
export const needsNoFencing = (o: Observation, observed: ObservedPod): boolean =>
  observed.neverPromoted && fencingRefused(o, observed) && !labelled(o.group, observed);

export const membersOf = (o: Observation): readonly ObservedPod[] => o.pods.filter(({ member }) => member);

/** Candidates, the best first. */
export function rankedCandidates(o: Observation): readonly ObservedPod[] {
  const members = membersOf(o);
  return failedLast(o, ranked(o.group, candidatesAmong(o, members), members));
}

/**
 * By what `uid` comes before everybody else who could have led instead of it; null: nobody could, or something else decided, as a leader probe does.
 * `former`: whoever the lead is taken from is no choice.
 */
export function chosenBy(o: Observation, uid: PodUid, former: PodUid | null): Criterion | null {
  const members = membersOf(o);
  const choice = candidatesAmong(o, members).filter(({ pod }) => pod.uid === uid || pod.uid !== former);
  return deciding(o.group, uid, choice, members);
}

const candidatesAmong = (o: Observation, members: readonly ObservedPod[]): readonly ObservedPod[] =>
  members.filter((member) => eligibility(o, member).kind === 'candidate');

/** The labels that the Job controller gives to its pods. */
const JOB_LABELS: ReadonlySet<string> = new Set([
  'job-name',
  'controller-uid',
  'batch.kubernetes.io/job-name',
  'batch.kubernetes.io/controller-uid',
  'batch.kubernetes.io/job-completion-index',
]);

/** Charts give the labels of the application to its backup and migration jobs too; who means jobs names them in the selector. */
const unaskedJob = ({ spec: { selector } }: LeaderGroup, { owner }: Pod): boolean =>
  owner?.kind === 'Job' && !selectorKeys(selector).some((key) => JOB_LABELS.has(key));

/** What tells whether a pod leads by this group's label. */
export type LabelView = Pick<ObservedPod, 'pod' | 'member' | 'claimedByOther'>;

/**
 * The pod carries this group's leader label. A pod that another acting group selects, or that is no member, counts only
 * while this group's own promotion stands on it (token set, and no fencing since that took the label off): else the label is somebody
 * else's.
 */
export function labelled(group: LeaderGroup, { pod, member, claimedByOther }: LabelView): boolean {
  if (pod.labels[group.spec.label.key] !== group.spec.label.leader) return false;
  return (member && !claimedByOther) || promotedHere(group, pod);
}

/** It leads, by the label that a promotion of this group has given it. */
export const promotedByLabel = (group: LeaderGroup, observed: LabelView): boolean =>
  labelled(group, observed) && promotedHere(group, observed.pod);

/** This group's own promotion stands on the pod: whoever else claims it, the label is this group's. */
export const promotedHere = ({ name }: LeaderGroup, { annotations }: Pod): boolean =>
  annotations[tokenAnnotation(name)] !== undefined &&
  (annotations[fencedAnnotation(name)] ?? LABEL_KEPT).startsWith(LABEL_KEPT);
