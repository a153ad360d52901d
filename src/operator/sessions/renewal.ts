/** Keeps one Consul session alive, and knows until when it may be believed. */
import type { MonotonicMs } from '../../api/clocks.ts';
import type { SessionId } from '../../api/ids.ts';
import { RENEWAL_RETRY_MS, renewalIntervalMs, sessionDeadlineMs } from '../../election/deadline.ts';
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

/** Starts at once: the next renewal goes out a third of the TTL after `acknowledgedMs`, the time before its creation (or last renewal) was sent. */
export function keepRenewed(
  { consul, clock, random, marginMs, turns }: RenewalPorts,
  { id, ttlMs }: { readonly id: SessionId; readonly ttlMs: number },
  acknowledgedMs: number,
  events: RenewalEvents,
): Renewal {
  const stopping = new AbortController();
  let sentMs = acknowledgedMs;
  let proven = true;
  let cancelDeadline: () => void = () => undefined;
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
    const turn = await turns.take({ ttlMs, deadlineMs: deadlineMs() }, stopping.signal);
    const outcome = await send();
    turn.end(outcome === 'failed' && !aborted(stopping.signal));
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

  async function loop(): Promise<void> {
    let nextMs = sentMs + renewalIntervalMs(ttlMs, random.next());
    while (!stopping.signal.aborted) {
      await clock.sleep(Math.max(0, nextMs - clock.nowMs()), stopping.signal);
      const startedMs = clock.nowMs();
      const outcome = await renew();
      if (aborted(stopping.signal)) return;
      if (outcome === 'lost') return lost();
      nextMs = startedMs + (outcome === 'renewed' ? renewalIntervalMs(ttlMs, random.next()) : RENEWAL_RETRY_MS);
    }
  }

  function lost(): void {
    proven = false;
    stop();
    events.lost();
  }

  function stop(): void {
    cancelDeadline();
    stopping.abort();
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
    stop,
  };
}
