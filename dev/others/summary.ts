/** Figures of many trials as a Markdown table. Pure. */
import { table } from '../markdown.ts';

export type Trial = {
  readonly alternative: string;
  readonly fault: string;
  /** From the fault to the next one's first sign that it leads. */
  readonly gapMs: number;
  /** How long the old one still worked while the next one led and both ran. */
  readonly overlapMs: number;
};

const header = ['alternative', 'fault', 'times', 'no leader: median', 'min', 'max', 'two leaders: median', 'max'];

/** One row for each alternative and fault, in the order in which they first appear. */
export function summaryTable(trials: readonly Trial[]): string {
  const groups = Map.groupBy(trials, ({ alternative, fault }) => `${alternative}\n${fault}`);
  return table(header, [...groups.values()].map(summaryRow));
}

function summaryRow(trials: readonly Trial[]): readonly string[] {
  const gaps = trials.map(({ gapMs }) => gapMs);
  const overlaps = trials.map(({ overlapMs }) => overlapMs);
  return [
    trials[0]?.alternative ?? '',
    trials[0]?.fault ?? '',
    String(trials.length),
    ...[median(gaps), Math.min(...gaps), Math.max(...gaps), median(overlaps), Math.max(...overlaps)].map(time),
  ];
}

/** Of an even number of values the mean of the middle two. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (index: number): number => sorted[index] ?? Number.NaN;
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? at(middle) : (at(middle - 1) + at(middle)) / 2;
}

/** A time with the precision that it deserves. */
export function time(milliseconds: number): string {
  if (milliseconds === 0) return 'none';
  return milliseconds < 999.5 ? `${Math.round(milliseconds)} ms` : `${(milliseconds / 1000).toFixed(1)} s`;
}
