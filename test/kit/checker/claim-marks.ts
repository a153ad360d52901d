/** How far each series has come: its marks as a row of states, read here independently of the operator's own parser. */
import type { KeyState } from './history.ts';

export type Mark = {
  readonly series: string;
  readonly position: number;
  readonly mode: string;
  readonly state: string;
  /** Hash of what the call that has it drew. */
  readonly id: string;
  readonly uid: string;
  readonly attempt: number;
  readonly sinceMs: number;
  readonly retryAfterMs: number;
};

/** One write of a mark. `was` null: the first of its series in this incarnation of Consul. */
export type MarkStep = { readonly state: KeyState; readonly was: Mark | null; readonly is: Mark };

/** All marks of one series of a group, in order. */
export type SeriesMarks = {
  /** namespace/name */
  readonly group: string;
  readonly series: string;
  readonly steps: readonly MarkStep[];
};

const TEXTS = ['series', 'mode', 'state', 'id', 'uid'] as const;
const NUMBERS = ['position', 'attempt', 'sinceMs', 'retryAfterMs'] as const;

function readMark(value: string | null): Mark | null {
  try {
    const json = JSON.parse(value ?? 'null');
    const isWhole =
      TEXTS.every((name) => typeof json[name] === 'string') &&
      NUMBERS.every((name) => Number.isSafeInteger(json[name]));
    return isWhole ? json : null;
  } catch {
    return null;
  }
}

export const seriesKey = (group: string, series: string): string => `${group} ${series}`;

/** By `seriesKey`. What was overwritten at once may be missing. */
export function marksOf(states: readonly KeyState[]): ReadonlyMap<string, SeriesMarks> {
  const all = new Map<string, { group: string; series: string; steps: MarkStep[] }>();
  const last = new Map<string, { readonly incarnation: number; readonly mark: Mark | null }>();
  for (const state of states) {
    const is = state.exists ? readMark(state.value) : null;
    const before = last.get(state.key);
    last.set(state.key, { incarnation: state.incarnation, mark: is });
    const group = groupOf(state.key);
    if (is === null || group === null) continue;
    const key = seriesKey(group, is.series);
    const of = all.get(key) ?? { group, series: is.series, steps: [] };
    all.set(key, of);
    of.steps.push({ state, is, was: before?.incarnation === state.incarnation ? before.mark : null });
  }
  return all;
}

/** `<prefix>/<cluster>/claims/<bucket>/<namespace>/<group>/<hash>` */
function groupOf(key: string): string | null {
  const [kind, , namespace, name] = key.split('/').slice(-5);
  return kind === 'claims' ? `${namespace}/${name}` : null;
}

/** Its position was given to somebody, for the first time or again. */
export const isGiven = ({ was, is }: MarkStep): boolean =>
  was === null || was.position !== is.position || was.attempt !== is.attempt;

/** The last step that was made by then; null: none. */
export function stepAt(steps: readonly MarkStep[], atMs: number): number {
  let [low, high] = [0, steps.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((steps[middle]?.state.atMs ?? 0) <= atMs) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}
