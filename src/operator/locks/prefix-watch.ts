/** Follows everything below one Consul prefix by blocking reads. */

import { backoffMs } from '../../common/backoff.ts';
import type { Clock, Random } from '../../ports/clock.ts';
import type { Consul, KvSnapshot } from '../../ports/consul.ts';
import { aborted } from '../common/aborted.ts';
import { RETRY_BACKOFF } from '../reconcile/queue.ts';

/** Safe with every Consul version and usual load balancers (some cut requests after 30 s). */
export const WAIT_MS = 20_000;

/**
 * Of a prefix that keeps changing so many entries are read a second, in reads that count as at least LEAST_ENTRIES; what changes meanwhile is
 * read together. Each read returns the whole prefix: while many groups are elected, one read per change would grow with their square.
 */
const ENTRIES_PER_SECOND = 1000;
const LEAST_ENTRIES = 100;

export type PrefixWatcher = {
  readonly onSnapshot: (snapshot: KvSnapshot, rebuilt: boolean) => void | Promise<void>;
  readonly onError: (error: unknown) => void;
  readonly asking?: () => void;
  readonly waitMs?: number;
};

/**
 * Calls `onSnapshot` with every state that a read returns, `rebuilt` when Consul's index fell back (what was known is
 * void), until `signal` aborts; then resolves. States in between may be skipped: a change is read at once, but of many a second several
 * are read together. After an error it starts over with a
 * read that does not block, so that a rebuilt Consul is noticed at once. `asking` is called before each read is sent.
 */
export async function watchPrefix(
  ports: { readonly consul: Consul; readonly clock: Clock; readonly random: Random },
  prefix: string,
  { onSnapshot, onError, asking = () => undefined, waitMs = WAIT_MS }: PrefixWatcher,
  signal: AbortSignal,
): Promise<void> {
  let index = 0;
  let highest = 0;
  let failures = 0;
  const pace = createPace(ports.clock);
  while (!signal.aborted) {
    try {
      asking();
      const snapshot = await ports.consul.readPrefix(prefix, { index, waitMs }, signal);
      if (aborted(signal)) return;
      failures = 0;
      const rebuilt = snapshot.index < highest;
      index = snapshot.index < index ? 0 : snapshot.index;
      highest = snapshot.index;
      await onSnapshot(snapshot, rebuilt);
      await pause(ports, pace.afterReading(snapshot.entries.length), signal);
    } catch (error) {
      if (aborted(signal)) return;
      onError(error);
      index = 0;
      failures += 1;
      await pause(ports, backoffMs(failures + 1, RETRY_BACKOFF, ports.random.next()), signal);
    }
  }
}

/** Resolves early, and never rejects, when aborted. */
async function pause({ clock }: { readonly clock: Clock }, delayMs: number, signal: AbortSignal): Promise<void> {
  if (delayMs <= 0) return;
  await clock.sleep(delayMs, signal).catch(() => undefined);
}

/** Milliseconds to wait after a read of so many entries; 0 until a second's worth has been read in a row. */
function createPace(clock: Clock): { afterReading(entries: number): number } {
  let credit = ENTRIES_PER_SECOND;
  let atMs = clock.nowMs();
  return {
    afterReading: (entries) => {
      const nowMs = clock.nowMs();
      credit = Math.min(ENTRIES_PER_SECOND, credit + ((nowMs - atMs) / 1000) * ENTRIES_PER_SECOND);
      atMs = nowMs;
      credit -= Math.max(entries, LEAST_ENTRIES);
      return credit >= 0 ? 0 : Math.ceil((-credit / ENTRIES_PER_SECOND) * 1000);
    },
  };
}
