/** What a handover took from its cause to the first answer of the next leader, and where the time went. Pure. */
import type { History } from '../../checker/history.ts';
import { median } from '../faults/samples.ts';
import type { Cost } from './costs.ts';
import type { Reign } from './routing.ts';
import type { Answer } from './service-client.ts';
import type { ShownEndpoints } from './slices.ts';

/** Milliseconds since the cause, each step as the observer saw it; undefined: it did not see that. */
export type Handover = {
  /** The last leader's label was gone: whatever noticed the cause had noticed it, and a leader that is alive had released its grant. */
  readonly labelOffMs: number | undefined;
  readonly labelOnMs: number;
  /** An EndpointSlice of the Service had the next leader. */
  readonly slicedMs: number | undefined;
  /** A new connection reached it. */
  readonly answeredMs: number | undefined;
  /** Answers of the last leader that were asked for after that. */
  readonly staleAnswers: number;
};

export type Seen = {
  readonly reigns: readonly Reign[];
  readonly shown: readonly ShownEndpoints[];
  readonly answers: readonly Answer[];
};

/** The first one after the cause; null: nobody has begun to lead since. */
export function handoverAfter(causeMs: number, { reigns, shown, answers }: Seen): Handover | null {
  // As it was seen, like the cause: after a watch was cut off both may have happened at any moment since.
  const at = reigns.findIndex(({ seenMs }) => seenMs > causeMs);
  const next = reigns[at];
  if (next === undefined) return null;
  const last = reigns.slice(0, at).findLast(({ untilMs }) => untilMs > causeMs);
  // A pod that leads again had been shown, and had answered, before.
  const sinceMs = next.pod === last?.pod ? last.untilMs : causeMs;
  const first = answers.find(({ pod, sentMs }) => pod === next.pod && sentMs > sinceMs);
  const slice = shown.find(({ pods, atMs }) => pods.includes(next.pod) && atMs > sinceMs);
  const since = (ms: number | undefined): number | undefined => (ms === undefined ? undefined : ms - causeMs);
  return {
    labelOffMs: since(last?.untilMs),
    labelOnMs: next.seenMs - causeMs,
    slicedMs: since(slice?.atMs),
    answeredMs: since(first?.atMs),
    staleAnswers: answers.filter(
      ({ pod, sentMs }) =>
        first !== undefined && pod === last?.pod && pod !== next.pod && sentMs > first.atMs && sentMs < next.untilMs,
    ).length,
  };
}

/** When the pod was first seen as terminating; undefined: not since. */
export function seenDeletingMs({ pods }: History, uid: string, sinceMs: number): number | undefined {
  return pods.find(
    (event) => event.kind !== 'list' && event.pod.uid === uid && event.pod.deleting && event.atMs >= sinceMs,
  )?.atMs;
}

/** When an annotation of the pod was first seen with this value; undefined: not since. */
export function seenAnnotatedMs(
  { pods }: History,
  uid: string,
  [key, value]: readonly [string, string],
  sinceMs: number,
): number | undefined {
  return pods.find(
    (event) =>
      event.kind !== 'list' && event.pod.uid === uid && event.pod.annotations[key] === value && event.atMs >= sinceMs,
  )?.atMs;
}

/** What is wanted, and what a Lease in the application costs (`npm run bench:others`). */
export type Goal = { readonly kind: string; readonly goal: string; readonly lease: string };

/** A table in Markdown: for each kind of fault and setting the median and the longest. */
export function handoverTable(costs: readonly Cost[], goals: readonly Goal[]): string {
  const measured = costs.flatMap(({ kind, setting, handover }) =>
    handover === null ? [] : [{ kind, setting, ...handover }],
  );
  const kinds = [...new Set(measured.map(({ kind, setting }) => `${kind} | ${setting}`))];
  const rows = kinds.map((row) => {
    const own = measured.filter(({ kind, setting }) => `${kind} | ${setting}` === row);
    const known = goals.find(({ kind }) => kind === own[0]?.kind);
    const span = (from: Step | null, to: Step): string => words(own.flatMap((each) => between(each, from, to) ?? []));
    const parts = [
      span(null, 'answeredMs'),
      span(null, 'labelOffMs'),
      span('labelOffMs', 'labelOnMs'),
      span('labelOnMs', 'slicedMs'),
      span('slicedMs', 'answeredMs'),
    ];
    return `| ${row} | ${own.length} | ${parts.join(' | ')} | ${known?.goal ?? ''} | ${known?.lease ?? ''} |`;
  });
  return [
    '| fault | leader probe | times | first answer of the next leader | until the label is off | until it is on | until an EndpointSlice has it | until a connection reaches it | goal | Lease |',
    `|${' --- |'.repeat(10)}`,
    ...rows,
  ].join('\n');
}

type Step = Exclude<keyof Handover, 'staleAnswers'>;

function between(each: Handover, from: Step | null, to: Step): number | null {
  const [start, end] = [from === null ? 0 : each[from], each[to]];
  return start === undefined || end === undefined ? null : end - start;
}

const words = (some: readonly number[]): string =>
  some.length === 0 ? '' : `${(median(some) / 1000).toFixed(2)} s (${(Math.max(...some) / 1000).toFixed(2)} s)`;
