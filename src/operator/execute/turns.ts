/**
 * Of the groups of one replica whose leaders are to be preempted one begins each second: where a zone comes back, its leaders come back one after the other.
 * Each group has a moment of its own, so that no more than one wakes for it.
 */
import type { MonotonicMs } from '../../api/clocks.ts';
import type { Clock } from '../../ports/clock.ts';

/** Milliseconds until it is the group's turn, which is kept for it; 0: now, and the next time it is to wait for another one. */
export type Turns = { take(group: string): number };

const APART_MS = 1000;

export function createTurns(clock: Pick<Clock, 'nowMs'>): Turns {
  const kept = new Map<string, MonotonicMs>();
  let nextMs: MonotonicMs = Number.NEGATIVE_INFINITY;

  /** A group that did not come when it was its turn has another one: two that are late must not go together. */
  function keep(group: string, nowMs: MonotonicMs): MonotonicMs {
    for (const [other, atMs] of kept) {
      // In the order of their moments.
      if (nowMs - atMs < APART_MS) break;
      kept.delete(other);
    }
    const known = kept.get(group);
    if (known !== undefined) return known;
    const atMs = Math.max(nowMs, nextMs);
    nextMs = atMs + APART_MS;
    kept.set(group, atMs);
    return atMs;
  }

  return {
    take: (group) => {
      const nowMs = clock.nowMs();
      const leftMs = keep(group, nowMs) - nowMs;
      if (leftMs > 0) return leftMs;
      kept.delete(group);
      return 0;
    },
  };
}
