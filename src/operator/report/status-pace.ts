/** How soon a status that differs may be written: what tools wait for at once, counters every five seconds. Pure. */
import type { MonotonicMs } from '../../api/clocks.ts';
import type { LeaderGroupStatus } from '../../api/leadergroup.ts';

const COUNTERS_MS = 5000;
/** Conditions that go back and forth, as with a pod that flaps, are written at once so often within so long. */
const WRITES_AT_ONCE = 5;
const WINDOW_MS = 10_000;

/**
 * Milliseconds until `next` may follow `written`. `writesMs`: when this replica wrote before, the latest last.
 *
 * A change of leader never waits, nor what became of a switchover, which somebody waits for, nor the loss of Ready: whoever waits for Ready must not be told of a lead that is over. Each such loss
 * needs a gain before it, and gains wait.
 */
export function paceMs(
  next: LeaderGroupStatus,
  written: LeaderGroupStatus | null,
  writesMs: readonly MonotonicMs[],
  nowMs: MonotonicMs,
): number {
  if (!sameLeader(next, written) || losesReady(next, written) || !sameSwitchover(next, written)) return 0;
  const [beforeMs, intervalMs] = sameConditions(next, written)
    ? [writesMs.at(-1), COUNTERS_MS]
    : [writesMs.at(-WRITES_AT_ONCE), WINDOW_MS];
  return beforeMs === undefined ? 0 : Math.max(0, beforeMs + intervalMs - nowMs);
}

/** `writesMs` with one more; older ones than the pace asks for are dropped. */
export const noteWrite = (writesMs: readonly MonotonicMs[], nowMs: MonotonicMs): readonly MonotonicMs[] =>
  [...writesMs, nowMs].slice(-WRITES_AT_ONCE);

/** With the same token: the status may be all that still knows it when Consul is restored from a backup. */
const sameLeader = (a: LeaderGroupStatus, b: LeaderGroupStatus | null): boolean =>
  a.leaders[0]?.uid === b?.leaders[0]?.uid && a.leaders[0]?.token === b?.leaders[0]?.token;

const sameSwitchover = ({ lastSwitchover: a }: LeaderGroupStatus, b: LeaderGroupStatus | null): boolean =>
  a?.at === b?.lastSwitchover?.at && a?.result === b?.lastSwitchover?.result;

const losesReady = (next: LeaderGroupStatus, written: LeaderGroupStatus | null): boolean =>
  isReady(written) && !isReady(next);

const isReady = (status: LeaderGroupStatus | null): boolean =>
  status?.conditions.some((condition) => condition.type === 'Ready' && condition.status === 'True') ?? false;

/** Messages count with the counters: names and numbers in them change as often. */
const sameConditions = (a: LeaderGroupStatus, b: LeaderGroupStatus | null): boolean =>
  a.observedGeneration === b?.observedGeneration && wordsOf(a) === wordsOf(b);

const wordsOf = ({ conditions }: LeaderGroupStatus): string =>
  conditions.map(({ type, status, reason }) => `${type} ${status} ${reason}`).join();
