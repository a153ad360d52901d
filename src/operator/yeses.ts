/** The yeses of the gate that somebody may still believe. */
import { MAX_YES_MS } from '../election/gate.ts';
import type { Clock } from '../ports/clock.ts';

export type Yeses = {
  /** A yes was given to this pod. */
  give(key: string, podUid: string, untilMs: number): void;
  /**
   * Monotonic milliseconds until which a yes may be believed by a pod that is not exempt. The replica that had the bucket before
   * may have said one just then to `holder`, whom the lock's record names (null: nobody knows).
   */
  untilMs(key: string, holder: string | null, exempt: readonly string[]): number;
  /** The group is gone: once the last yes is over nothing is kept of it. */
  dropped(key: string): void;
};

/** `heldSinceMs`: when this replica found that it had got the bucket of a group; null while it has not. */
export function createYeses(clock: Clock, heldSinceMs: (key: string) => number | null): Yeses {
  const given = new Map<string, Map<string, number>>();

  function forgetOver(key: string): void {
    const yeses = given.get(key);
    if (yeses === undefined) return;
    for (const [uid, untilMs] of yeses) if (untilMs <= clock.nowMs()) yeses.delete(uid);
    if (yeses.size === 0) given.delete(key);
  }

  return {
    give: (key, podUid, untilMs) => {
      forgetOver(key);
      const yeses = given.get(key) ?? new Map<string, number>();
      yeses.set(podUid, Math.max(untilMs, yeses.get(podUid) ?? 0));
      given.set(key, yeses);
    },
    dropped: (key) => void clock.after(MAX_YES_MS, () => forgetOver(key)),
    untilMs: (key, holder, exempt) => {
      forgetOver(key);
      const own = [...(given.get(key) ?? [])].filter(([uid]) => !exempt.includes(uid)).map(([, untilMs]) => untilMs);
      const sinceMs = holder !== null && exempt.includes(holder) ? null : heldSinceMs(key);
      return Math.max(0, ...own, sinceMs === null ? 0 : sinceMs + MAX_YES_MS);
    },
  };
}
