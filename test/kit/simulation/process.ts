/**
 * A process of the simulation: an operator replica, or a server. It can be frozen (SIGSTOP: nothing of it runs, what arrives
 * waits), frozen together with its clock (a machine that is suspended), slowed down, and killed.
 */

import { sleepOn } from '../../../src/clock.ts';
import type { Clock } from '../../../src/ports/clock.ts';
import { wallMs } from '../fakes/ids.ts';
import type { Loop } from './loop.ts';

export type Process = {
  readonly name: string;
  readonly clock: Clock;
  /** Something arrives: it happens now, or when the process runs again, in the order of arrival. Never, when it is dead. */
  run(callback: () => void): void;
  /** Also while it is frozen already: from now on its clock stands, or goes on from where it stood. */
  freeze(clockStops: boolean): void;
  thaw(): void;
  /** Everything happens this much later from now on. */
  slow(lagMs: number): void;
  kill(): void;
  alive(): boolean;
  frozen(): boolean;
};

/** After 2026 began: a group that nothing is remembered of counts on from the time. */
export const WALL_OFFSET_MS = Date.UTC(2026, 10, 28);

export function createProcess(name: string, loop: Loop): Process {
  /** What has arrived and has not had its turn yet, in the order of arrival. */
  const waiting: { readonly dueMs: number; readonly callback: () => void }[] = [];
  let alive = true;
  let frozenSinceMs: number | null = null;
  let clockStops = false;
  /** How far its clock is behind. */
  let stoodMs = 0;
  let lagMs = 0;

  const nowMs = (): number => (frozenSinceMs !== null && clockStops ? frozenSinceMs : loop.nowMs()) - stoodMs;

  function noteStood(): void {
    if (frozenSinceMs !== null && clockStops) stoodMs += loop.nowMs() - frozenSinceMs;
  }

  function run(callback: () => void): void {
    if (!alive) return;
    if (frozenSinceMs === null && lagMs === 0 && waiting.length === 0) return callback();
    waiting.push({ dueMs: loop.nowMs() + lagMs, callback });
    if (waiting.length === 1) next();
  }

  /** Sees to the oldest one's turn. */
  function next(): void {
    const [first] = waiting;
    if (first !== undefined && frozenSinceMs === null) loop.after(first.dueMs - loop.nowMs(), turn);
  }

  function turn(): void {
    const [first] = waiting;
    // It has had its turn already, or was frozen meanwhile.
    if (first === undefined || frozenSinceMs !== null || first.dueMs > loop.nowMs() + 1e-6) return;
    waiting.shift();
    next();
    first.callback();
  }

  function after(delayMs: number, callback: () => void): () => void {
    // As Node does: no timer is shorter than a millisecond.
    const dueMs = nowMs() + Math.max(1, delayMs);
    let cancelled = false;
    let cancel: () => void = () => undefined;
    const set = (): void => {
      cancel = loop.after(dueMs - nowMs(), () =>
        run(() => {
          if (cancelled) return;
          // Its clock may have stood meanwhile.
          if (nowMs() < dueMs - 1e-6) set();
          else callback();
        }),
      );
    };
    set();
    return () => {
      cancelled = true;
      cancel();
    };
  }

  return {
    name,
    clock: {
      nowMs,
      wallMs: () => wallMs(WALL_OFFSET_MS + Math.floor(nowMs())),
      after,
      sleep: (delayMs, signal) => sleepOn(after, delayMs, signal),
    },
    run,
    freeze: (stops) => {
      noteStood();
      frozenSinceMs = loop.nowMs();
      clockStops = stops;
    },
    thaw: () => {
      if (frozenSinceMs === null) return;
      noteStood();
      frozenSinceMs = null;
      next();
    },
    slow: (ms) => {
      lagMs = ms;
    },
    kill: () => {
      alive = false;
      waiting.length = 0;
    },
    alive: () => alive,
    frozen: () => frozenSinceMs !== null,
  };
}
