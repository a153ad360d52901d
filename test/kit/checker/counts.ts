/** What a history contains: a test asserts with it that it saw what it meant to. */
import { type ClaimCounts, claimCounts } from './claims.ts';
import { groupKey, type History, type Interval, type ObjectEvent, OPERATOR, type PodChange } from './history.ts';
import type { LockState } from './locks.ts';
import { passings } from './promises.ts';
import { sliceStepsOf } from './slice-steps.ts';
import { type SliceCounts, sliceCounts } from './slices.ts';
import { stepsOf } from './steps.ts';
import type { Trace } from './trace.ts';

export type GroupCounts = {
  readonly group: string;
  /** The label went onto a pod. */
  readonly elections: number;
  /** Elections of another pod than the one elected before. */
  readonly handovers: number;
  readonly promotions: number;
  readonly fencings: number;
  /** Times the lock was seen to go from one member to another. */
  readonly passings: number;
  readonly lockStates: number;
  readonly lastToken: number | null;
};

export type Counts = Omit<GroupCounts, 'group' | 'lastToken'> & {
  readonly podEvents: number;
  readonly slices: SliceCounts;
  readonly claims: ClaimCounts;
  readonly groups: readonly GroupCounts[];
};

export function groupCounts(trace: Trace, locks: readonly LockState[]): GroupCounts {
  const elected = trace.promotions.filter((promotion) => promotion.labelWentOn);
  return {
    group: groupKey(trace.group),
    elections: elected.length,
    handovers: elected.filter(({ pod }, at) => at > 0 && elected[at - 1]?.pod.uid !== pod.uid).length,
    promotions: trace.promotions.length,
    fencings: trace.fencings.length,
    passings: passings({ locks }).length,
    lockStates: locks.length,
    lastToken: trace.promotions.at(-1)?.token ?? null,
  };
}

export function total(history: History, groups: readonly GroupCounts[]): Counts {
  const sum = (pick: (counts: GroupCounts) => number): number => groups.reduce((all, one) => all + pick(one), 0);
  return {
    elections: sum((one) => one.elections),
    handovers: sum((one) => one.handovers),
    promotions: sum((one) => one.promotions),
    fencings: sum((one) => one.fencings),
    passings: sum((one) => one.passings),
    lockStates: sum((one) => one.lockStates),
    podEvents: history.pods.length,
    slices: sliceCounts(sliceStepsOf(history)),
    claims: claimCounts(history),
    groups,
  };
}

export type Write = {
  readonly resource: string;
  readonly namespace: string;
  readonly name: string;
  readonly resourceVersion: string;
  readonly atMs: number;
};

/** Writes by one field manager (default: the operator), for "at rest nothing is written" (I7). */
export function writesBy(history: History, interval?: Interval, manager: string = OPERATOR): readonly Write[] {
  const inside = ({ atMs }: { readonly atMs: number }): boolean =>
    interval === undefined || (atMs > interval.fromMs && atMs <= interval.toMs);
  const steps = stepsOf(history);
  const pods = history.pods.flatMap((event, at): readonly Write[] => {
    if (event.kind === 'list' || !inside(event)) return [];
    const byHim = (event.writer ?? null) === manager || (manager === OPERATOR && byOperator(event, at));
    return byHim ? [write('pods', event.pod, event)] : [];
  });
  const others = (history.others ?? [])
    .filter((event) => event.kind !== 'listed' && inside(event) && event.writers.includes(manager))
    .map((event) => write(event.resource, event, event));
  return [...pods, ...others].sort((a, b) => a.atMs - b.atMs);

  function byOperator(event: PodChange, at: number): boolean {
    return event.foreign !== true && steps[at]?.changes.some((change) => change.by === 'operator') === true;
  }
}

const write = (
  resource: string,
  object: { readonly namespace: string; readonly name: string },
  event: PodChange | ObjectEvent,
): Write => ({
  resource,
  namespace: object.namespace,
  name: object.name,
  resourceVersion: event.resourceVersion,
  atMs: event.atMs,
});
