/** What faults cost the users of a leader-only Service and of a schedule, in a table. Pure. */
import type { History, Interval } from '../../checker/history.ts';
import { stepsOf } from '../../checker/steps.ts';
import { median } from '../faults/samples.ts';
import type { Handover } from './handover.ts';
import type { Reign } from './routing.ts';

/** What one fault cost: the Service's longest silence by kind of connection, and the schedule's ticks. */
export type Cost = {
  readonly kind: string;
  /** Of the story that it befell. */
  readonly namespace: string;
  /** How the leader is probed. */
  readonly setting: string;
  readonly freshGapMs: number;
  readonly keptGapMs: number;
  /** The longest that the operator took from the event that showed a loss to the next promotion; null: the leader stayed. */
  readonly handOverMs: number | null;
  readonly ticksMissed: number;
  /** null: nobody has begun to lead since. */
  readonly handover: Handover | null;
  /** From the choice of a leader for it until it was undone: whoever is moved in it is moved for it. */
  readonly during: Interval;
};

/** A moment at which a pod was seen not to be ready. */
export type Unready = { readonly uid: string; readonly atMs: number };

export const unreadyIn = (history: History): readonly Unready[] =>
  stepsOf(history).flatMap(({ atMs, changes }) =>
    changes.flatMap(({ pod, after }) => (after?.ready === false ? [{ uid: pod.uid, atMs }] : [])),
  );

/**
 * Reigns that began without any reason: not the first, in no fault's time, and after a leader that had been ready all the time. (On a busy machine
 * a container may miss its own readiness probe, and the operator is right to move the lead then.)
 */
export const withoutReason = (
  reigns: readonly Reign[],
  costs: readonly Cost[],
  unready: readonly Unready[],
): readonly Reign[] =>
  reigns.slice(1).filter(({ fromMs }, before) => {
    const former = reigns[before];
    const failed = unready.some(({ uid, atMs }) => uid === former?.uid && former.fromMs <= atMs && atMs <= fromMs);
    return !failed && !costs.some(({ during }) => during.fromMs <= fromMs && fromMs <= during.toMs);
  });

/** A table in Markdown: for each kind of fault the longest gaps, each the median and the longest, and the ticks missed by each. */
export function tableOf(costs: readonly Cost[], tickMs: number): string {
  const row = ({ kind, setting }: Cost): string => `${kind} | ${setting}`;
  const rows = [...new Set(costs.map(row))].map((kind) => {
    const own = costs.filter((cost) => row(cost) === kind);
    const gaps = (some: readonly number[]): string => {
      const words = (ms: number): string => `${(ms / 1000).toFixed(2)} s`;
      return some.length === 1 ? words(median(some)) : `${words(median(some))} (${words(Math.max(...some))})`;
    };
    const missed = own.map(({ ticksMissed }) => ticksMissed).join(', ');
    const [fresh, kept] = [own.map(({ freshGapMs }) => freshGapMs), own.map(({ keptGapMs }) => keptGapMs)];
    const handOvers = own.flatMap(({ handOverMs }) => handOverMs ?? []);
    const ours = handOvers.length === 0 ? '' : gaps(handOvers);
    return `| ${kind} | ${own.length} | ${gaps(fresh)} | ${gaps(kept)} | ${ours} | ${missed} |`;
  });
  return [
    `| fault | leader probe | times | Service, new connections: longest gap | Service, kept connection | of it the hand-over, from the event that showed the loss | ticks of ${tickMs} ms missed |`,
    '| --- | --- | --- | --- | --- | --- | --- |',
    ...rows,
  ].join('\n');
}
