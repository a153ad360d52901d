/**
 * Which sessions are renewed next, where more are due than requests fit: of those that have waited longest in each row the one with the nearest deadline.
 * Without it tens of thousands would wait in one row behind a Consul that is slow, time out there, and ask again each second, all of them.
 */
import type { MonotonicMs } from '../../api/clocks.ts';
import { whenAborted } from '../../common/child-signal.ts';
import type { Clock } from '../../ports/clock.ts';

export type RenewalTurns = {
  /** Resolves when the renewal may be sent: the time spent here is none of Consul's. Rejects with the signal's reason only. */
  take(due: Due, signal: AbortSignal): Promise<Turn>;
};

/** `row`: of sessions that are renewed alike. Of one row who asks first has the nearest deadline. */
export type Due = { readonly row: string; readonly deadlineMs: MonotonicMs };

/** To be ended once, whatever became of the renewal. */
export type Turn = { end(failed: boolean): void };

/** Of the twelve connections for renewals: the others are for the replica's own session, and for sessions that are adopted. */
const AT_ONCE = 8;
/** After a renewal that failed: of a Consul that is away 80 a second are asked for, however many sessions there are. */
const PAUSE_MS = 100;

/** For a session that waits for no other. */
export const AT_ANY_TIME: RenewalTurns = { take: async () => ({ end: () => undefined }) };

type Waiting = Due & { readonly go: () => void };

export function createRenewalTurns(clock: Pick<Clock, 'after'>): RenewalTurns {
  /** By row: only the first of each are compared. */
  const waiting = new Map<string, Set<Waiting>>();
  let running = 0;

  function nearest(): Waiting | null {
    const firsts = [...waiting.values()].flatMap((each) => each.values().next().value ?? []);
    return firsts.reduce<Waiting | null>((a, b) => (a !== null && a.deadlineMs <= b.deadlineMs ? a : b), null);
  }

  function remove(due: Waiting): void {
    const row = waiting.get(due.row);
    row?.delete(due);
    if (row?.size === 0) waiting.delete(due.row);
  }

  function next(): void {
    for (let due = nearest(); due !== null && running < AT_ONCE; due = nearest()) {
      remove(due);
      running += 1;
      due.go();
    }
  }

  function release(): void {
    running -= 1;
    next();
  }

  const turn: Turn = {
    end: (failed) => {
      if (failed) clock.after(PAUSE_MS, release);
      else release();
    },
  };

  return {
    take: async ({ row, deadlineMs }, signal) => {
      signal.throwIfAborted();
      const { promise, resolve, reject } = Promise.withResolvers<Turn>();
      const due: Waiting = { row, deadlineMs, go: () => resolve(turn) };
      waiting.set(row, (waiting.get(row) ?? new Set()).add(due));
      const listening = whenAborted(signal, () => {
        remove(due);
        reject(signal.reason);
      });
      next();
      try {
        return await promise;
      } finally {
        listening[Symbol.dispose]();
      }
    },
  };
}
