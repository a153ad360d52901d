/** Which events are the same one again. No I/O. */
import type { MonotonicMs, WallMs } from '../../api/clocks.ts';
import type { Clock } from '../../ports/clock.ts';
import type { KubernetesEvent } from '../../ports/kubernetes.ts';

/** One event and its repetitions: one object in the API. */
export type Series = {
  readonly event: KubernetesEvent;
  /** Never used before; its name is made of it. */
  unique: string;
  /** Epoch milliseconds. */
  firstWallMs: WallMs;
  lastWallMs: WallMs;
  /** Monotonic. */
  lastMs: MonotonicMs;
  count: number;
  /** The object is there: a repetition patches it. */
  created: boolean;
  /** A repetition while it waits or is being written is only counted. */
  state: 'idle' | 'waiting' | 'writing';
};

export type EventSeries = {
  /** Counts the event to its series, or begins one. */
  note(event: KubernetesEvent): Series;
  /** The next such event begins a new series. */
  forget(series: Series): void;
  /** The object is no longer there: the series goes on under another name, from one. */
  renew(series: Series): void;
};

/** An event that comes again later than this after the last time is news. */
const SAME_MS = 600_000;
const MAX_KNOWN = 1_000;

export function createEventSeries(clock: Clock, unique: () => string): EventSeries {
  const known = new Map<string, Series>();

  const begin = (event: KubernetesEvent): Series => {
    const wallMs = clock.wallMs();
    const times = { firstWallMs: wallMs, lastWallMs: wallMs, lastMs: clock.nowMs() };
    return { event, unique: unique(), ...times, count: 1, created: false, state: 'idle' };
  };

  /** Maps keep the order of insertion, so the first is the one that is longest without a repetition. */
  const keep = (key: string, series: Series): void => {
    known.delete(key);
    known.set(key, series);
    if (known.size <= MAX_KNOWN) return;
    for (const oldest of known.keys()) {
      known.delete(oldest);
      return;
    }
  };

  return {
    note: (event) => {
      const key = keyOf(event);
      const before = known.get(key);
      const isSame = before !== undefined && clock.nowMs() - before.lastMs < SAME_MS;
      const series = isSame ? before : begin(event);
      if (isSame) {
        series.count += 1;
        series.lastMs = clock.nowMs();
        series.lastWallMs = clock.wallMs();
      }
      keep(key, series);
      return series;
    },
    forget: (series) => {
      const key = keyOf(series.event);
      if (known.get(key) === series) known.delete(key);
    },
    renew: (series) => {
      series.unique = unique();
      series.created = false;
      series.count = 1;
      series.firstWallMs = series.lastWallMs;
    },
  };
}

const keyOf = ({ regarding, type, reason, message }: KubernetesEvent): string =>
  JSON.stringify([regarding.kind, regarding.uid, type, reason, message]);
