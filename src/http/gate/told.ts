/**
 * Whom a waiting question was told lately that it gets no grant, and why: at once the first time, for its client is to stop; and when it asks again
 * and waits, only after a while or when that is over. Else whoever asks again as soon as it is answered would do so thousands of times a second.
 */
import type { Clock } from '../../ports/clock.ts';

export type Told = {
  /** For how long the same need not be said again; 0: it may be. */
  leftMs(what: string): number;
  note(what: string): void;
};

/** What a client is told to wait before it asks again, and what it is made to wait if it does not. */
export const RETELL_MS = 1000;

export function createTold({ nowMs }: Pick<Clock, 'nowMs'>): Told {
  /** Until when; the oldest first. */
  const told = new Map<string, number>();
  return {
    leftMs: (what) => Math.max(0, (told.get(what) ?? 0) - nowMs()),
    note: (what) => {
      for (const [earlier, untilMs] of told) {
        if (untilMs > nowMs()) break;
        told.delete(earlier);
      }
      told.delete(what);
      told.set(what, nowMs() + RETELL_MS);
    },
  };
}
