/**
 * Asks pods before one of them is promoted, and keeps what they have answered. It decides nothing: src/election/before-promotion.ts does. What one replica has
 * learnt is lost with it; the next owner of the group asks anew. At rest nobody is asked.
 */
import type { BeforePromotion } from '../../api/before-promotion.ts';
import type { MonotonicMs } from '../../api/clocks.ts';
import type { PodUid } from '../../api/ids.ts';
import type { Pod } from '../../api/pod.ts';
import type { Observation } from '../../election/observation.ts';
import { type FailedAnswer, lifeOf, type PromotionAnswer, type PromotionView } from '../../election/promotion-view.ts';
import type { Clock } from '../../ports/clock.ts';
import type { PromotionOutcome } from '../../ports/metrics.ts';
import type { HttpProbeResult } from '../../ports/prober.ts';
import { groupKey } from '../cache/store.ts';
import { type Refusal, refusedAgain } from '../observe/memory.ts';
import { type Answered, isSameSpec, type Question } from './questions.ts';
import type { Sight } from './sight.ts';

export type PromotionAsker = {
  /** What these pods have answered in their present lives. */
  view(key: string, spec: BeforePromotion, pods: readonly Pod[]): PromotionView;
  /** Begins to ask these pods, the best first. The group is looked at once one has passed and those before it have answered. False: they cannot be asked now. */
  ask(key: string, spec: BeforePromotion, pods: readonly Pod[]): boolean;
  /** A pass has seen the group like this. */
  seen(o: Observation): void;
  /** The group is not this replica's, or gone. */
  drop(key: string): void;
};

export type PromotionAskerParts = {
  readonly clock: Pick<Clock, 'nowMs'>;
  readonly sight: Pick<Sight, 'blind' | 'blindToAddresses'>;
  readonly questionOf: (key: string, spec: BeforePromotion) => Question & Disposable;
  readonly wake: (key: string) => void;
  /** A pod was asked, for metrics. */
  readonly answered: (outcome: PromotionOutcome) => void;
};

/** Of one life of a pod. `refusal`: how often it has failed in a row, and until when it waits. */
type Known = { readonly life: string; answer: PromotionAnswer; refusal: Refusal | null };
type Group = { readonly spec: BeforePromotion; readonly pods: Map<PodUid, Known>; readonly ending: AbortController };

/** For something of this replica's own: no failure of the pod, and soon over. */
const NOT_ASKED_MS = 1000;
const NOBODY: ReadonlyMap<PodUid, PromotionAnswer> = new Map();

export function createPromotionAsker(parts: PromotionAskerParts): PromotionAsker {
  const { clock, sight, questionOf, wake, answered } = parts;
  const groups = new Map<string, Group>();

  function drop(key: string): void {
    groups.get(key)?.ending.abort(new Error('the group is not asked any more'));
    groups.delete(key);
  }

  function groupOf(key: string, spec: BeforePromotion): Group {
    const known = groups.get(key);
    if (known !== undefined && isSameSpec(known.spec, spec)) return known;
    drop(key);
    const group: Group = { spec, pods: new Map(), ending: new AbortController() };
    groups.set(key, group);
    return group;
  }

  async function askAll(key: string, group: Group, pods: readonly Pod[]): Promise<void> {
    using question = questionOf(key, group.spec);
    const all = pods.map((pod) => askOne(group, question, pod));
    for (const passes of all) if (await passes) break;
    if (groups.get(key) === group) wake(key);
    await Promise.all(all);
  }

  /** Whether it passes. */
  async function askOne(group: Group, question: Question, pod: Pod): Promise<boolean> {
    const [address = ''] = pod.addresses;
    const own = begun(group.pods.get(pod.uid), lifeOf(pod));
    group.pods.set(pod.uid, own);
    const found = await question(group.spec.by, address, group.ending.signal);
    answered(outcomeOf(found.result));
    own.refusal = refusalAfter(own.refusal, found.result, clock.nowMs());
    own.answer = answerOf(found, own.refusal);
    return own.answer.kind === 'passed';
  }

  return {
    view: (key, spec, pods) => {
      const group = groups.get(key);
      const isKnown = group !== undefined && isSameSpec(group.spec, spec);
      return { blind: sight.blind(), answers: isKnown ? answersOf(group, pods) : NOBODY };
    },
    ask: (key, spec, pods) => {
      if (sight.blindToAddresses() !== null) return false;
      void askAll(key, groupOf(key, spec), pods);
      return true;
    },
    seen: (o) => {
      const key = groupKey(o.group);
      const group = groups.get(key);
      if (group === undefined) return;
      if (o.group.spec.beforePromotion === null || o.group.deleting || o.ownership.kind !== 'owned') return drop(key);
      const shown = new Set(o.pods.map(({ pod }) => pod.uid));
      for (const uid of group.pods.keys()) if (!shown.has(uid)) group.pods.delete(uid);
    },
    drop,
  };
}

/** What was answered in an earlier life of the pod is nobody's any more, nor is what is still to be answered to a question of then. */
function begun(before: Known | undefined, life: string): Known {
  const same = before?.life === life ? before : null;
  return {
    life,
    answer: { kind: 'asking', failed: same === null ? null : failedBefore(same.answer) },
    refusal: same?.refusal ?? null,
  };
}

function failedBefore(answer: PromotionAnswer): FailedAnswer | null {
  if (answer.kind === 'asking') return answer.failed;
  return answer.kind === 'failed' ? answer : null;
}

function refusalAfter(before: Refusal | null, result: HttpProbeResult, nowMs: MonotonicMs): Refusal | null {
  if (result === null) return null;
  if (typeof result === 'string') return refusedAgain(before, result, nowMs);
  return { message: result.notAsked, count: before?.count ?? 0, retryAtMs: nowMs + NOT_ASKED_MS };
}

const answerOf = ({ askedMs }: Answered, refusal: Refusal | null): PromotionAnswer =>
  refusal === null
    ? { kind: 'passed', askedMs }
    : { kind: 'failed', askedMs, failure: refusal.message, retryAtMs: refusal.retryAtMs };

function outcomeOf(result: HttpProbeResult): PromotionOutcome {
  if (result === null) return 'passed';
  return typeof result === 'string' ? result : 'notAsked';
}

function answersOf(group: Group, pods: readonly Pod[]): ReadonlyMap<PodUid, PromotionAnswer> {
  const answers = new Map<PodUid, PromotionAnswer>();
  for (const pod of pods) {
    const known = group.pods.get(pod.uid);
    if (known?.life === lifeOf(pod)) answers.set(pod.uid, known.answer);
  }
  return answers;
}
