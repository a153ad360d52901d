/** The grants of the gate that somebody may still believe. */
import type { MonotonicMs } from '../../api/clocks.ts';
import type { PodUid } from '../../api/ids.ts';
import { MAX_GRANT_MS } from '../../election/gate.ts';
import type { Clock } from '../../ports/clock.ts';

export type Grants = {
  /** A grant was given to this pod. */
  give(key: string, podUid: PodUid, untilMs: MonotonicMs): void;
  /**
   * Monotonic milliseconds until which a grant may be believed by a pod that is not exempt. The replica that had the bucket before
   * may have said one just then to `holder`, whom the lock's record names (null: nobody knows).
   */
  untilMs(key: string, holder: PodUid | null, exempt: readonly PodUid[]): MonotonicMs;
  /** The group is gone: once the last grant is over nothing is kept of it. */
  dropped(key: string): void;
};

/** `heldSinceMs`: when this replica found that it had got the bucket of a group; null while it has not. */
export function createGrants(clock: Clock, heldSinceMs: (key: string) => number | null): Grants {
  const given = new Map<string, Map<PodUid, number>>();

  function forgetOver(key: string): void {
    const grants = given.get(key);
    if (grants === undefined) return;
    for (const [uid, untilMs] of grants) if (untilMs <= clock.nowMs()) grants.delete(uid);
    if (grants.size === 0) given.delete(key);
  }

  return {
    give: (key, podUid, untilMs) => {
      forgetOver(key);
      const grants = given.get(key) ?? new Map<PodUid, number>();
      grants.set(podUid, Math.max(untilMs, grants.get(podUid) ?? 0));
      given.set(key, grants);
    },
    dropped: (key) => void clock.after(MAX_GRANT_MS, () => forgetOver(key)),
    untilMs: (key, holder, exempt) => {
      forgetOver(key);
      const own = [...(given.get(key) ?? [])].filter(([uid]) => !exempt.includes(uid)).map(([, untilMs]) => untilMs);
      const sinceMs = holder !== null && exempt.includes(holder) ? null : heldSinceMs(key);
      return Math.max(0, ...own, sinceMs === null ? 0 : sinceMs + MAX_GRANT_MS);
    },
  };
}
