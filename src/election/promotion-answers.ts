/** What pods have answered when they were asked before a promotion (spec.beforePromotion). Pure; src/operator/probe asks. */
import type { Observation, ObservedPod } from './observation.ts';
import { ANSWER_MS, type FailedAnswer } from './promotion-view.ts';

const NO_ADDRESS = 'it has no address of its own to be asked at';

/** Of a pod that did not pass when it was asked last, or that cannot be asked; null: it has not failed. */
export function failedAnswer({ beforePromotion: view }: Observation, { pod }: ObservedPod): FailedAnswer | null {
  if (view === null) return null;
  if (pod.addresses.length === 0)
    return { kind: 'failed', askedMs: Infinity, failure: NO_ADDRESS, retryAtMs: Infinity };
  const answer = view.answers.get(pod.uid);
  if (answer?.kind === 'asking') return answer.failed;
  return answer?.kind === 'failed' ? answer : null;
}

/** It waits until it may be asked again. With `Promote` nobody does. */
export function failsBeforePromotion(o: Observation, observed: ObservedPod): boolean {
  if (o.group.spec.beforePromotion?.onFailure !== 'NextCandidate') return false;
  const failed = failedAnswer(o, observed);
  return failed !== null && o.nowMs < failed.retryAtMs;
}

/**
 * Of these, who counts as failed in what people are told: who waits until it may be asked again, and all that have failed while somebody is asked, or, where one is
 * preferred to the leader, from one delay to the next. Else the status were written with every question and every answer, for as long as nobody passes.
 */
export function shownAsFailed(o: Observation): (observed: ObservedPod) => boolean {
  const { beforePromotion: view, preemption } = o;
  if (view === null || o.group.spec.beforePromotion?.onFailure !== 'NextCandidate') return () => false;
  const isAsking = [...view.answers.values()].some(({ kind }) => kind === 'asking');
  return (observed) =>
    failsBeforePromotion(o, observed) ||
    ((isAsking || preemption.preferred?.since.get(observed.pod.uid)?.failed === true) &&
      failedAnswer(o, observed) !== null);
}

/** Those who have not failed come first: else a few that hang were asked again and again, and nobody else. Of the others who was asked last comes last. */
export function failedLast(o: Observation, ranked: readonly ObservedPod[]): readonly ObservedPod[] {
  if (o.group.spec.beforePromotion?.onFailure !== 'NextCandidate') return ranked;
  const askedMs = (observed: ObservedPod): number => failedAnswer(o, observed)?.askedMs ?? Number.NEGATIVE_INFINITY;
  return ranked.toSorted((a, b) => (askedMs(a) === askedMs(b) ? 0 : askedMs(a) - askedMs(b)));
}

/** It has answered lately, in its present life, and may be promoted for what it said. */
export function mayBePromoted(o: Observation, observed: ObservedPod): boolean {
  const { beforePromotion: view } = o;
  const spec = o.group.spec.beforePromotion;
  if (view === null || spec === null) return true;
  const answer = view.answers.get(observed.pod.uid);
  if (answer?.kind === 'passed') return o.nowMs - answer.askedMs < ANSWER_MS;
  if (spec.onFailure !== 'Promote') return false;
  const failed = failedAnswer(o, observed);
  return failed !== null && (failed.askedMs === Infinity || o.nowMs - failed.askedMs < ANSWER_MS);
}

/** It is being asked. */
export const isAsked = ({ beforePromotion: view }: Observation, { pod }: ObservedPod): boolean =>
  view?.answers.get(pod.uid)?.kind === 'asking';

const EXAMPLES = 3;

/** For people: who did not pass, and how; null: nobody is waited for. */
export function failuresInWords(o: Observation, among: readonly ObservedPod[]): string | null {
  const failed = among.filter((each) => failsBeforePromotion(o, each));
  if (failed.length === 0) return null;
  const named = failed.slice(0, EXAMPLES).map((each) => `${each.pod.name}: ${failedAnswer(o, each)?.failure ?? ''}`);
  const by = o.group.spec.beforePromotion?.by;
  const where = by === undefined ? '' : ` (asked at port ${by.port}, path ${by.path}, and again within 30 s)`;
  return `spec.beforePromotion: ${named.join(', ')}${failed.length > EXAMPLES ? ', …' : ''}${where}`;
}
