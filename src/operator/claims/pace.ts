/** How fast a group may claim: each claim is an entry in Consul's log. */
import type { Clock } from '../../ports/clock.ts';

export type Pace = {
  /** False: it is too fast, and must wait for a moment. */
  take(key: string): boolean;
};

const PER_SECOND = 50;
/** What has not claimed for a second is as good as new, and is not kept. */
const FULL_MS = 1000;

export function createPace(clock: Pick<Clock, 'nowMs'>): Pace {
  /** Until when each would have to rest if it was to keep to the pace from the beginning; the longest at rest first. */
  const busyUntilMs = new Map<string, number>();
  return {
    take: (key) => {
      const nowMs = clock.nowMs();
      const untilMs = Math.max(busyUntilMs.get(key) ?? 0, nowMs) + FULL_MS / PER_SECOND;
      if (untilMs - nowMs > FULL_MS) return false;
      busyUntilMs.delete(key);
      busyUntilMs.set(key, untilMs);
      for (const [oldest, until] of busyUntilMs) {
        if (until > nowMs) break;
        busyUntilMs.delete(oldest);
      }
      return true;
    },
  };
}
