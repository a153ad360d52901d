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
  /** Something is left that can wait for other keys: look again once none waits, or after this long (null: there is no such moment). */
  | { readonly kind: 'whenQuiet'; readonly delayMs: number | null }
  /** Something failed that may succeed later: exponential backoff. */
  | { readonly kind: 'retry' };

/** What a pass knows of its place in the queue. */
export type Turn = {
  /** When the oldest unserved `add` happened. */
  readonly sinceMs: MonotonicMs;
  /** Whether other keys wait, and what can wait is to be left to a later pass. False in the pass that was asked for by `whenQuiet`. */
  readonly othersWait: () => boolean;
};

export type Queue = {
  /** Work on `key` as soon as a worker is free. */
  add(key: string): void;
  /** Work on `key` after `delayMs`; of several moments the earliest counts. */
  addAfter(key: string, delayMs: number): void;
  /** Keys waiting for a worker now, or until no other key does (not those waiting for their time). */
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

/** A key that is woken again and again is always urgent, and never quiet: after so long it is not told to wait any more. */
const PUT_OFF_MS = 5000;

/** Of so many passes one goes to a key that waits for quiet, however many others wait: else it might wait for ever. */
const QUIET_SHARE = 8;

/** 50 ms, 100 ms, ... 5 s, each up to a quarter shorter: after whatever of ours failed and may succeed later. */
export const RETRY_BACKOFF: Backoff = { firstMs: 50, lastMs: 5000, jitter: 1 / 4 };

/** Passes that wait for nothing follow one another without a break; after so long timers and sockets get their turn. */
const TURN_MS = 10;

/**
 * Starts `workers` concurrent workers at once, of which at most half work on keys that waited for quiet. `handle` must not throw (a throw counts
 * as `retry` and is given to `onError`).
 */
export function startQueue(options: {
  readonly clock: Clock;
  readonly random: Random;
  readonly workers: number;
  readonly handle: (key: string, turn: Turn) => Promise<Next>;
  readonly onError: (key: string, error: unknown) => void;
}): Queue {
  const { clock, random } = options;
  const waiting = new Map<string, Pending>();
  const again = new Map<string, Pending>();
  /** Keys that wait until no other does. */
  const quieter = new Map<string, Pending>();
  const workingQuietly = new Set<string>();
  /** Since when something of a key has waited for quiet. */
  const putOffSince = new Map<string, MonotonicMs>();
  const working = new Map<string, number>();
  const timers = new Map<string, { atMs: MonotonicMs; cancel: () => void }>();
  const failures = new Map<string, number>();
  const listeners = new Set<() => void>();
  let stopped: (() => void) | null = null;
  let turnMs = clock.nowMs();
  let breaking = false;
  let passesSinceQuiet = 0;

  function add(key: string): void {
    if (stopped !== null) return;
    cancelTimer(key);
    if (working.size === 0 && waiting.size === 0) turnMs = clock.nowMs();
    quieter.delete(key);
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
    for (let next = nextKey(); next !== null; next = nextKey()) {
      if (working.size >= options.workers || stopped !== null || breaking) return;
      if (clock.nowMs() - turnMs >= TURN_MS) return takeBreak();
      begin(next);
    }
  }

  /** The first that waits, and now and then one that waits for quiet. */
  function nextKey(): { readonly key: string; readonly from: Map<string, Pending> } | null {
    const [urgent] = waiting.keys();
    const [quiet] = workingQuietly.size < options.workers / 2 ? quieter.keys() : [];
    if (quiet !== undefined && (urgent === undefined || passesSinceQuiet >= QUIET_SHARE))
      return { key: quiet, from: quieter };
    return urgent === undefined ? null : { key: urgent, from: waiting };
  }

  function begin({ key, from }: { readonly key: string; readonly from: Map<string, Pending> }): void {
    const pending = from.get(key) ?? { sinceMs: clock.nowMs() };
    const quiet = from === quieter;
    from.delete(key);
    passesSinceQuiet = quiet ? 0 : passesSinceQuiet + 1;
    working.set(key, clock.nowMs());
    if (quiet) workingQuietly.add(key);
    const isPatient = clock.nowMs() - (putOffSince.get(key) ?? clock.nowMs()) < PUT_OFF_MS;
    void work(key, { sinceMs: pending.sinceMs, othersWait: () => !quiet && isPatient && waiting.size > 0 });
  }

  function takeBreak(): void {
    breaking = true;
    clock.after(0, () => {
      breaking = false;
      turnMs = clock.nowMs();
      dispatch();
    });
  }

  async function work(key: string, turn: Turn): Promise<void> {
    const next = await options.handle(key, turn).catch((error: unknown): Next => {
      options.onError(key, error);
      return { kind: 'retry' };
    });
    working.delete(key);
    workingQuietly.delete(key);
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
    if (next.kind !== 'whenQuiet') putOffSince.delete(key);
    else if (!putOffSince.has(key)) putOffSince.set(key, clock.nowMs());
    const failed = next.kind === 'retry' ? (failures.get(key) ?? 0) + 1 : 0;
    if (failed === 0) failures.delete(key);
    else failures.set(key, failed);
    if (repeat !== undefined && stopped === null) waiting.set(key, repeat);
    else if (next.kind === 'after') addAfter(key, next.delayMs);
    else if (next.kind === 'whenQuiet') addWhenQuiet(key, next.delayMs);
    else if (next.kind === 'retry') addAfter(key, backoffMs(failed, RETRY_BACKOFF, random.next()));
  }

  function addWhenQuiet(key: string, delayMs: number | null): void {
    if (stopped !== null) return;
    quieter.set(key, { sinceMs: clock.nowMs() });
    // If its moment is now it is urgent, and may be in work when this returns.
    if (delayMs !== null) addAfter(key, delayMs);
  }

  return {
    add,
    addAfter,
    depth: () => waiting.size + quieter.size,
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
        quieter.clear();
        if (working.size === 0) resolve();
      }),
  };
}
