/** Overload makes every member slow: a lead that was moved for a probe is not moved for one again as easily. */
import type { TransitionStatus } from '../api/leadergroup.ts';
import { secondsOf } from '../api/time.ts';
import type { TransitionCause } from '../api/transition-causes.ts';
import { MAX_LEVEL } from './probe.ts';

const UNRESPONSIVE: TransitionCause = 'LeaderUnresponsive';
const QUIET_SECONDS = 600;

/**
 * How often the threshold has doubled: once for each handover because of a probe, until ten minutes have passed without one. `history`: newest
 * first, so that it outlives the replica. A time in the future, by somebody's clock, counts as its distance.
 */
export function probeLevel(history: readonly TransitionStatus[], wallSeconds: number): number {
  const times = history.filter(({ reason }) => reason === UNRESPONSIVE).map(({ time }) => secondsOf(time));
  const quiet = times.findIndex((time, at) => Math.abs((times[at - 1] ?? wallSeconds) - time) >= QUIET_SECONDS);
  return Math.min(quiet === -1 ? times.length : quiet, MAX_LEVEL);
}
