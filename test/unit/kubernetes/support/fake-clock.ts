/** A clock that stands still until it is told to move, with the rest of the process caught up before each step. */

import type { Clock, Random } from '../../../../src/ports/clock.ts';
import { wallMs } from '../../../support/ids.ts';

type Timer = { readonly dueMs: number; readonly order: number; readonly callback: () => void };

export type FakeClock = Clock & {
  /** Lets time pass, each timer at its moment, with everything that follows from it. */
  advance(milliseconds: number): Promise<void>;
  /** Timers that wait. */
  waiting(): number;
};

export const WALL_START_MS = 1_700_000_000_000;

export function createFakeClock(): FakeClock {
  let nowMs = 1_000;
  let order = 0;
  const timers = new Set<Timer>();

  const after: Clock['after'] = (delayMs, callback) => {
    order += 1;
    const timer = { dueMs: nowMs + Math.max(0, delayMs), order, callback };
    timers.add(timer);
    return () => void timers.delete(timer);
  };

  const sleep: Clock['sleep'] = async (delayMs, signal) => {
    signal.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const cancel = after(delayMs, resolve);
    const abort = (): void => {
      cancel();
      reject(signal.reason);
    };
    signal.addEventListener('abort', abort, { once: true });
    try {
      await promise;
    } finally {
      signal.removeEventListener('abort', abort);
    }
  };

  const next = (untilMs: number): Timer | undefined =>
    [...timers].filter((timer) => timer.dueMs <= untilMs).sort((a, b) => a.dueMs - b.dueMs || a.order - b.order)[0];

  return {
    nowMs: () => nowMs,
    wallMs: () => wallMs(WALL_START_MS + nowMs),
    after,
    sleep,
    waiting: () => timers.size,
    advance: async (milliseconds) => {
      const untilMs = nowMs + milliseconds;
      await settle();
      for (let timer = next(untilMs); timer !== undefined; timer = next(untilMs)) {
        timers.delete(timer);
        nowMs = timer.dueMs;
        timer.callback();
        await settle();
      }
      nowMs = untilMs;
      await settle();
    },
  };
}

/** Lets everything that needs no time run to its end. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

/** Always the longest pause (next() is 0), and countable unique values. */
export function fixedRandom(next = 0): Random {
  let made = 0;
  return {
    next: () => next,
    unique: () => {
      made += 1;
      return `unique-${made}`;
    },
  };
}
