/** What claimers did with what they were given: their messages, to a receiver that knows of no position. */
import type { ClaimRequest } from '../../checker/checker.ts';
import type { ClaimerCounts, ClaimerPlan } from './claimers.ts';

export type Acts = {
  /** Somebody acts on this position. */
  note(plan: ClaimerPlan, position: number): void;
  /** In words: positions that were acted on twice (AtMostOnce), or given out and acted on by nobody (AtLeastOnce); and groups in which nobody was ever given anything. */
  breaches(plans: readonly ClaimerPlan[], requests: readonly ClaimRequest[]): readonly string[];
};

export function createActs(counts: Pick<ClaimerCounts, 'acts' | 'twice'>): Acts {
  /** By group, how often each position was acted on. */
  const acts = new Map<string, Map<number, number>>();
  const of = ({ group }: ClaimerPlan): Map<number, number> => {
    const known = acts.get(group) ?? new Map<number, number>();
    acts.set(group, known);
    return known;
  };

  function wrong(plan: ClaimerPlan, requests: readonly ClaimRequest[]): readonly string[] {
    const { group, mode } = plan;
    const given = new Set(
      requests.flatMap((request) =>
        request.group === group && isGiven(request) ? (request.told?.position ?? []) : [],
      ),
    );
    if (given.size === 0) return [`nobody in ${group} was ever given a tick`];
    if (mode === 'AtMostOnce')
      return [...of(plan)].flatMap(([position, times]) =>
        times > 1 ? [`I12: position ${position} of ${group} was acted on ${times} times, ${mode}`] : [],
      );
    return [...given].flatMap((position) =>
      of(plan).has(position) ? [] : [`I13: position ${position} of ${group} was given out, and nobody acted on it`],
    );
  }

  return {
    note: (plan, position) => {
      const times = (of(plan).get(position) ?? 0) + 1;
      of(plan).set(position, times);
      counts.acts += 1;
      if (times === 2 && plan.mode === 'AtLeastOnce') counts.twice += 1;
    },
    breaches: (plans, requests) => plans.flatMap((plan) => wrong(plan, requests)),
  };
}

const isGiven = ({ what, told }: ClaimRequest): boolean => what === 'claim' && told?.status === 201;
