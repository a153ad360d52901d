/** How the watches of the API server are: what they warn of, and whether one hears nothing without knowing it. */
import type { Clock } from '../../ports/clock.ts';

export type WatchHealth = {
  /** What one watch says: a problem, or null when it works again. */
  problem(kind: string, problem: string | null): void;
  problems(): readonly string[];
  /** A watch that has heard nothing for SILENT_MS and knows of no reason; null: none. */
  stuck(): string | null;
};

/**
 * A watch gives a server up that sends nothing for a minute and a half, and says so. One that has received nothing for twice that and says nothing is
 * wedged: no other watch will help it.
 */
const STALLED_MS = 180_000;

export function createWatchHealth(
  watches: Readonly<Record<string, { lastContactMs(): number | null }>>,
  clock: Clock,
  report: (kind: string, problem: string | null) => void,
): WatchHealth {
  const problems = new Map<string, string>();
  return {
    problem: (kind, problem) => {
      if (problem === null) problems.delete(kind);
      else problems.set(kind, problem);
      report(kind, problem);
    },
    problems: () => [...problems.values()],
    stuck: () => {
      if (problems.size > 0) return null;
      const stalled = Object.entries(watches).find(([, watch]) => {
        const contactMs = watch.lastContactMs();
        return contactMs !== null && clock.nowMs() - contactMs >= STALLED_MS;
      });
      return stalled === undefined
        ? null
        : `the watch of ${stalled[0]} has received nothing for ${STALLED_MS / 1000} s and has not reported a problem`;
    },
  };
}
