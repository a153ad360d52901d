/** The members of a group with what keeps each from leading, as far as pods and status show it. Pure. */
import { READY } from '../api/candidate-condition.ts';
import { INELIGIBLE_REASONS, type IneligibleReason } from '../api/ineligible-reasons.ts';
import type { LeaderGroup } from '../api/leadergroup.ts';
import { CANDIDATE_ANNOTATION, sinceAnnotation, tokenAnnotation } from '../api/names.ts';
import type { Pod } from '../api/pod.ts';
import { matches, selectorKeys } from '../api/selector.ts';

export type Member = {
  readonly pod: string;
  readonly node: string;
  readonly ready: boolean;
  /** It carries the group's leader label. */
  readonly leads: boolean;
  /** null: it can lead. */
  readonly whyNot: string | null;
  /** Of its last promotion; null: it has not led. */
  readonly token: string | null;
  /** When it was last promoted, RFC 3339; null: it has not led. */
  readonly since: string | null;
};

/** As `status.members` counts them: without finished pods and mirrors of static ones. Leaders first, then by name. */
export function membersOf(group: LeaderGroup, pods: readonly Pod[], nowMs: number): readonly Member[] {
  const { selector, label } = group.spec;
  return pods
    .filter((pod) => !pod.mirror && !['Succeeded', 'Failed'].includes(pod.phase) && matches(selector, pod.labels))
    .map((pod) => ({
      pod: pod.name,
      node: pod.node ?? '',
      ready: pod.ready,
      leads: pod.labels[label.key] === label.leader,
      whyNot: whyNot(group, pod, nowMs),
      token: pod.annotations[tokenAnnotation(group.name)] ?? null,
      since: pod.annotations[sinceAnnotation(group.name)] ?? null,
    }))
    .toSorted((one, other) => Number(other.leads) - Number(one.leads) || (one.pod < other.pod ? -1 : 1));
}

/** What the operator alone knows stands in its status, which names three pods for each reason. */
const OPERATORS_OWN: readonly IneligibleReason[] = ['PromotionRefused', 'WriteRefused', 'NodeLost', 'NodeNotReady'];

function whyNot(group: LeaderGroup, pod: Pod, nowMs: number): string | null {
  if (pod.deleting) return 'Terminating';
  if (pod.annotations[CANDIDATE_ANNOTATION] === 'false') return 'Excluded';
  if (isJobPod(group, pod)) return 'JobPod';
  const told = toldOf(group, pod);
  if (told !== null) return told;
  if (!isCandidateByCondition(group, pod)) return 'NotReady';
  if (group.spec.candidateCondition !== READY && pod.runningSinceMs === null) return 'ContainerNotRunning';
  return isTooYoung(group, pod, nowMs) ? 'MinReadySeconds' : null;
}

function isCandidateByCondition({ spec }: LeaderGroup, pod: Pod): boolean {
  if (spec.candidateCondition === READY) return pod.ready;
  return pod.conditions.some(({ type, isTrue }) => type === spec.candidateCondition && isTrue);
}

const readySinceMs = ({ spec }: LeaderGroup, pod: Pod): number | null =>
  spec.candidateCondition === READY
    ? pod.readyTransitionMs
    : (pod.conditions.find(({ type }) => type === spec.candidateCondition)?.transitionMs ?? null);

/** Unless the selector names a label that Jobs give to their pods. */
const isJobPod = ({ spec }: LeaderGroup, { owner }: Pod): boolean =>
  owner?.kind === 'Job' &&
  !selectorKeys(spec.selector).some((key) => /^(?:batch\.kubernetes\.io\/)?(?:job-|controller-uid$)/.test(key));

const toldOf = ({ status }: LeaderGroup, { name }: Pod): string | null =>
  (status?.ineligible ?? []).find(
    ({ reason, examples }) => OPERATORS_OWN.some((own) => own === reason) && examples.includes(name),
  )?.reason ?? null;

/** The leader may lead on however short it has been ready. */
function isTooYoung(group: LeaderGroup, pod: Pod, nowMs: number): boolean {
  const { spec, status } = group;
  const sinceMs = readySinceMs(group, pod);
  if (status?.leaders.some(({ uid }) => uid === pod.uid) === true || sinceMs === null) return false;
  return nowMs - sinceMs < spec.minReadyMs;
}

/** In words; the reason itself for one that this version does not know. */
export function explained(reason: string): string {
  const known: Readonly<Record<string, { readonly meaning: string }>> = INELIGIBLE_REASONS;
  return known[reason] === undefined ? reason : `${reason}: ${known[reason].meaning}`;
}
