/**
 * The work queue: keys, not events. A key added ten times is worked on once; a key in work that is added again is
 * worked on once more afterwards, never twice at a time. Failures back off per key.
 */
import type { MonotonicMs } from '../../api/clocks.ts';
import { type Backoff, backoffMs } from '../../common/backoff.ts';
import type { Clock, Random } from '../../ports/clock.ts';

/** What became of one pass over a key. */
export type Next =
  | { readonly kind: 'done' }
  /** Look again after this long, unless something happens before. */
  | { readonly kind: 'after'; readonly delayMs: number }
  /** Something failed that may succeed later: exponential backoff. */
  | { readonly kind: 'retry' };

export type Queue = {
  /** Work on `key` as soon as a worker is free. */
  add(key: string): void;
  /** Work on `key` after `delayMs`; of several moments the earliest counts. */
  addAfter(key: string, delayMs: number): void;
  /** Keys waiting for a worker now (not those waiting for their time). */
  depth(): number;
  /** The pass over `key` gets on: something that it asked for was done. */
  progress(key: string): void;
  /** Monotonic milliseconds at which the pass in work that has got on least lately did so, or began; null when idle. For liveness. */
  busySinceMs(): MonotonicMs | null;
  /** Resolves when no key that `concerns` holds for is in work. */
  quiet(concerns: (key: string) => boolean): Promise<void>;
  /** Stops taking work. Resolves when the passes in work have ended. */
  stop(): Promise<void>;
};

type Pending = { readonly sinceMs: MonotonicMs };

/** 50 ms, 100 ms, ... 5 s, each up to a quarter shorter: after whatever of ours failed and may succeed later. */
export const RETRY_BACKOFF: Backoff = { firstMs: 50, lastMs: 5000, jitter: 1 / 4 };

/** Passes that wait for nothing follow one another without a break; after so long timers and sockets get their turn. */
const TURN_MS = 10;

/**
 * Starts `workers` concurrent workers at once. `handle` gets the key and when the oldest unserved `add` happened; it
 * must not throw (a throw counts as `retry` and is given to `onError`).
 */
export function startQueue(options: {
  readonly clock: Clock;
  readonly random: Random;
  readonly workers: number;
  readonly handle: (key: string, sinceMs: MonotonicMs) => Promise<Next>;
  readonly onError: (key: string, error: unknown) => void;
}): Queue {
  const { clock, random } = options;
  const waiting = new Map<string, Pending>();
  const again = new Map<string, Pending>();
  const working = new Map<string, number>();
  const timers = new Map<string, { atMs: MonotonicMs; cancel: () => void }>();
  const failures = new Map<string, number>();
  const listeners = new Set<() => void>();
  let stopped: (() => void) | null = null;
  let turnMs = clock.nowMs();
  let breaking = false;

  function add(key: string): void {
    if (stopped !== null) return;
    cancelTimer(key);
    if (working.size === 0 && waiting.size === 0) turnMs = clock.nowMs();
    const target = working.has(key) ? again : waiting;
    if (!target.has(key)) target.set(key, { sinceMs: clock.nowMs() });
    dispatch();
  }

  function addAfter(key: string, delayMs: number): void {
    if (delayMs <= 0) return add(key);
    const atMs = clock.nowMs() + delayMs;
    const current = timers.get(key);
    if (stopped !== null || (current !== undefined && current.atMs <= atMs)) return;
    current?.cancel();
    timers.set(key, { atMs, cancel: clock.after(delayMs, () => add(key)) });
  }

  function cancelTimer(key: string): void {
    timers.get(key)?.cancel();
    timers.delete(key);
  }

  function dispatch(): void {
    for (const [key, pending] of waiting) {
      if (working.size >= options.workers || stopped !== null || breaking) return;
      if (clock.nowMs() - turnMs >= TURN_MS) return takeBreak();
      waiting.delete(key);
      working.set(key, clock.nowMs());
      void work(key, pending);
    }
  }

  function takeBreak(): void {
    breaking = true;
    clock.after(0, () => {
      breaking = false;
      turnMs = clock.nowMs();
      dispatch();
    });
  }

  async function work(key: string, pending: Pending): Promise<void> {
    const next = await options.handle(key, pending.sinceMs).catch((error: unknown): Next => {
      options.onError(key, error);
      return { kind: 'retry' };
    });
    working.delete(key);
    scheduleNext(key, next);
    if (stopped !== null && working.size === 0) stopped();
    for (const listener of listeners) listener();
    dispatch();
  }

  function quiet(concerns: (key: string) => boolean): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const look = (): void => {
      if ([...working.keys()].some(concerns)) return;
      listeners.delete(look);
      resolve();
    };
    listeners.add(look);
    look();
    return promise;
  }

  function scheduleNext(key: string, next: Next): void {
    const repeat = again.get(key);
    again.delete(key);
    const failed = next.kind === 'retry' ? (failures.get(key) ?? 0) + 1 : 0;
    if (failed === 0) failures.delete(key);
    else failures.set(key, failed);
    if (repeat !== undefined && stopped === null) waiting.set(key, repeat);
    else if (next.kind === 'after') addAfter(key, next.delayMs);
    else if (next.kind === 'retry') addAfter(key, backoffMs(failed, RETRY_BACKOFF, random.next()));
  }

  return {
    add,
    addAfter,
    depth: () => waiting.size,
    progress: (key) => {
      if (working.has(key)) working.set(key, clock.nowMs());
    },
    busySinceMs: () => (working.size === 0 ? null : Math.min(...working.values())),
    quiet,
    stop: () =>
      new Promise((resolve) => {
        stopped = resolve;
        for (const key of timers.keys()) cancelTimer(key);
        waiting.clear();
        if (working.size === 0) resolve();
      }),
  };
}
