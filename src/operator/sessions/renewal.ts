/** Keeps one Consul session alive, and knows until when it may be believed. */
import type { MonotonicMs } from '../../api/clocks.ts';
import type { SessionId } from '../../api/ids.ts';
import {
  RENEWAL_RETRY_MS,
  renewalIntervalMs,
  sessionDeadlineMs,
  spareRenewalIntervalMs,
} from '../../election/deadline.ts';
import type { Clock, Random } from '../../ports/clock.ts';
import type { Consul } from '../../ports/consul.ts';
import { aborted } from '../common/aborted.ts';
import type { RenewalTurns } from './renewal-turns.ts';

export type Renewal = {
  readonly id: SessionId;
  readonly ttlMs: number;
  /** Monotonic milliseconds: time BEFORE the last acknowledged renewal was sent + TTL - margin. */
  deadlineMs(): MonotonicMs;
  /** False from the deadline on, whatever is acknowledged later, until `prove`. */
  proven(): boolean;
  /** A transaction that named the session was committed. Ignored past the deadline. */
  prove(): void;
  /** Whether it holds a lock, as far as is known: whoever gets one is renewed soon, in case this replica dies. */
  hold(holding: boolean): void;
  /** No more renewals; the session is left to itself. May be called twice. */
  stop(): void;
};

export type RenewalEvents = {
  /** Consul says that there is no such session. Nothing follows. */
  lost(): void;
  /** The deadline has passed without an acknowledgement. */
  deadline(): void;
  /** The first acknowledgement after a deadline. */
  recovered(): void;
  /** Each attempt, for metrics. */
  attempted(outcome: 'renewed' | 'lost' | 'failed'): void;
};

export type RenewalPorts = {
  readonly consul: Consul;
  readonly clock: Clock;
  readonly random: Random;
  readonly marginMs: number;
  readonly turns: RenewalTurns;
};

/**
 * Starts at once: the next renewal goes out a third of the TTL after `acknowledgedMs`, the time before its creation (or last renewal) was sent; of one
 * that is known to hold no lock, later.
 */
export function keepRenewed(
  { consul, clock, random, marginMs, turns }: RenewalPorts,
  {
    id,
    ttlMs,
    spare: spareAtFirst = false,
  }: { readonly id: SessionId; readonly ttlMs: number; readonly spare?: boolean },
  acknowledgedMs: number,
  events: RenewalEvents,
): Renewal {
  const stopping = new AbortController();
  let sentMs = acknowledgedMs;
  let proven = true;
  let spare = spareAtFirst;
  let failed = false;
  let nextMs = sentMs + intervalMs();
  let cancelDeadline: () => void = () => undefined;
  let rouse: () => void = () => undefined;
  const deadlineMs = (): number => sessionDeadlineMs(sentMs, ttlMs, marginMs);

  function watchDeadline(): void {
    const leftMs = deadlineMs() - clock.nowMs();
    cancelDeadline = clock.after(Math.max(0, leftMs), () => {
      if (clock.nowMs() < deadlineMs()) return watchDeadline();
      proven = false;
      events.deadline();
    });
  }

  async function renew(): Promise<'renewed' | 'lost' | 'failed'> {
    const turn = await turns.take({ row: `${ttlMs} ${spare} ${failed}`, deadlineMs: deadlineMs() }, stopping.signal);
    const outcome = await send();
    failed = outcome === 'failed';
    turn.end(failed && !aborted(stopping.signal));
    return outcome;
  }

  async function send(): Promise<'renewed' | 'lost' | 'failed'> {
    const beforeMs = clock.nowMs();
    const outcome = await consul.renewSession(id, stopping.signal).catch(() => 'failed' as const);
    if (stopping.signal.aborted) return outcome;
    events.attempted(outcome);
    if (outcome === 'renewed') acknowledged(beforeMs);
    return outcome;
  }

  function acknowledged(beforeMs: number): void {
    const late = clock.nowMs() >= deadlineMs();
    sentMs = beforeMs;
    if (!late) return;
    proven = false;
    cancelDeadline();
    watchDeadline();
    events.recovered();
  }

  function intervalMs(): number {
    return spare ? spareRenewalIntervalMs(ttlMs, marginMs, random.next()) : renewalIntervalMs(ttlMs, random.next());
  }

  /** Until the next renewal is due, or something about that has changed. */
  function pause(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const cancel = clock.after(Math.max(0, nextMs - clock.nowMs()), resolve);
    rouse = () => {
      cancel();
      resolve();
    };
    return promise;
  }

  async function loop(): Promise<void> {
    for (;;) {
      do await pause();
      while (clock.nowMs() < nextMs && !aborted(stopping.signal));
      if (aborted(stopping.signal)) return;
      const startedMs = clock.nowMs();
      const outcome = await renew();
      if (aborted(stopping.signal)) return;
      if (outcome === 'lost') return lost();
      nextMs = startedMs + (outcome === 'renewed' ? intervalMs() : RENEWAL_RETRY_MS);
    }
  }

  function hold(holding: boolean): void {
    spare = !holding;
    const dueMs = sentMs + renewalIntervalMs(ttlMs, 0);
    if (!holding || dueMs >= nextMs) return;
    nextMs = dueMs;
    rouse();
  }

  function lost(): void {
    proven = false;
    stop();
    events.lost();
  }

  function stop(): void {
    cancelDeadline();
    stopping.abort();
    rouse();
  }

  watchDeadline();
  loop().catch(() => undefined);
  return {
    id,
    ttlMs,
    deadlineMs,
    proven: () => proven && clock.nowMs() < deadlineMs(),
    prove: () => {
      if (!stopping.signal.aborted && clock.nowMs() < deadlineMs()) proven = true;
    },
    hold,
    stop,
  };
}
