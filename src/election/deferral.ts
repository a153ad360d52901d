/**
 * Who has lost the lead by failing, and until when others go first. It is read from the history of the group, which the status keeps: so it outlives
 * a restart of the container and the replica that saw it, costs no write, and takes no more memory than the history.
 */
import type { MonotonicMs } from '../api/clocks.ts';
import type { LeaderGroup, TransitionStatus } from '../api/leadergroup.ts';
import { secondsOf } from '../api/time.ts';
import type { TransitionCause } from '../api/transition-causes.ts';

/** `failures`: in a row. `untilMs`: monotonic milliseconds. */
export type Deferral = { readonly failures: number; readonly untilMs: MonotonicMs };

/** The pod failed, or its node: no drain, deletion, edit or resignation. What a pod is refused by others is no failure of it. */
const FAILURES: ReadonlySet<string> = new Set<TransitionCause>([
  'LeaderNotReady',
  'LeaderUnresponsive',
  'LeaderNodeLost',
]);

export const isFailure = (reason: string): boolean => FAILURES.has(reason);

const FIRST_SECONDS = 30;
const MOST_SECONDS = 600;
/** Without a failure for so long after the last deferral the next one is the first again. */
const FORGOTTEN_SECONDS = 600;

/** The group's changes of leader, newest first: those that the status does not show yet, oldest first, count as well. */
export const historyOf = (
  { status }: Pick<LeaderGroup, 'status'>,
  unreported: readonly TransitionStatus[],
): readonly TransitionStatus[] => [...unshownIn(status, unreported).toReversed(), ...(status?.recentTransitions ?? [])];

/** The answer to the status that shows them may have been lost: each counts once. */
export const unshownIn = (
  status: LeaderGroup['status'],
  unreported: readonly TransitionStatus[],
): readonly TransitionStatus[] =>
  unreported.filter((news) => status?.recentTransitions.some((shown) => isSameTransition(news, shown)) !== true);

/** No two promotions have one token. The uid is dropped by a CRD of an earlier version. */
export const isSameTransition = (a: TransitionStatus, b: TransitionStatus): boolean =>
  a.token === b.token && a.to === b.to && a.from === b.from && a.time === b.time;

/** The clocks of now. */
export type Clocks = { readonly nowMs: MonotonicMs; readonly wallSeconds: number };

/**
 * By uid of the pod, whoever is deferred now. After a failure for 30 s, twice as long after each next one, ten minutes at most. `history`: newest first. A time
 * in the future, by the clock of another replica, counts as now.
 */
export function deferrals(history: readonly TransitionStatus[], now: Clocks): ReadonlyMap<string, Deferral> {
  const found = new Map<string, { readonly failures: number; readonly untilSeconds: number }>();
  for (const { fromUID, reason, time } of history.toReversed()) {
    const seconds = Math.min(secondsOf(time), now.wallSeconds);
    if (fromUID === '' || !isFailure(reason) || Number.isNaN(seconds)) continue;
    const before = found.get(fromUID);
    const again = before !== undefined && seconds - before.untilSeconds < FORGOTTEN_SECONDS;
    const failures = again ? before.failures + 1 : 1;
    found.set(fromUID, { failures, untilSeconds: seconds + deferredForSeconds(failures) });
  }
  const still = [...found].filter(([, { untilSeconds }]) => untilSeconds > now.wallSeconds);
  return new Map(
    still.map(([uid, { failures, untilSeconds }]) => [
      uid,
      { failures, untilMs: now.nowMs + (untilSeconds - now.wallSeconds) * 1000 },
    ]),
  );
}

/** After so many failures in a row. */
export const deferredForSeconds = (failures: number): number =>
  Math.min(FIRST_SECONDS * 2 ** (failures - 1), MOST_SECONDS);
