/** Time that passes only when a test says so, and chance that repeats itself. */

import { sleepOn } from '../../../src/clock.ts';
import type { Clock, Random } from '../../../src/ports/clock.ts';
import { wallMs } from './ids.ts';

export type FakeClock = Clock & {
  /** Lets everything happen that is due within `ms`, in its order; whatever a timer sets off is done before the next. */
  advance(ms: number): Promise<void>;
  /** The process stands still: time passes, and nothing happens before it goes on. */
  stall(ms: number): void;
  /** Timers that wait; a stopped part leaves none behind. */
  pending(): number;
};

type Timer = { readonly atMs: number; readonly order: number; readonly callback: () => void };

export const WALL_START_MS = 1_700_000_000_000;

/** Lets everything run that waits for no time: promises, and what follows from them. */
export const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

export function createFakeClock(startMs = 1_000_000): FakeClock {
  const timers = new Set<Timer>();
  let nowMs = startMs;
  let order = 0;

  const after: Clock['after'] = (delayMs, callback) => {
    order += 1;
    const timer = { atMs: nowMs + Math.max(0, delayMs), order, callback };
    timers.add(timer);
    return () => void timers.delete(timer);
  };

  function nextDue(untilMs: number): Timer | undefined {
    return [...timers].filter(({ atMs }) => atMs <= untilMs).sort((a, b) => a.atMs - b.atMs || a.order - b.order)[0];
  }

  return {
    nowMs: () => nowMs,
    wallMs: () => wallMs(WALL_START_MS + nowMs),
    after,
    sleep: (delayMs, signal) => sleepOn(after, delayMs, signal),
    advance: async (ms) => {
      const untilMs = nowMs + ms;
      await settle();
      for (let timer = nextDue(untilMs); timer !== undefined; timer = nextDue(untilMs)) {
        timers.delete(timer);
        nowMs = Math.max(nowMs, timer.atMs);
        timer.callback();
        await settle();
      }
      nowMs = untilMs;
    },
    stall: (ms) => {
      nowMs += ms;
    },
    pending: () => timers.size,
  };
}

/** Values never used before, named so that a failure reads well; `next` is always the same. */
export function createFakeRandom(name: string, next = 0.5): Random {
  let used = 0;
  return {
    next: () => next,
    unique: () => {
      used += 1;
      return `${name}-${used}`;
    },
  };
}
