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
  /**
   * The deadline that has passed, or of a lost one the time of its last acknowledgement where that is earlier; null while it is proven. It does not move
   * until it is proven again.
   */
  unprovenSinceMs(): MonotonicMs | null;
  /** A transaction that named the session was committed. Ignored past the deadline. */
  prove(): void;
  /** Whether it holds a lock, as far as is known: whoever gets one is renewed soon, in case this replica dies. */
  hold(holding: boolean): void;
  /** No more renewals; the session is left to itself. May be called twice. */
  stop(): void;
};

/** Told of every session alike. */
export type RenewalEvents = {
  /** Consul says that there is no such session. Nothing follows. */
  lost(id: SessionId): void;
  /** The deadline has passed without an acknowledgement. */
  deadline(id: SessionId): void;
  /** The first acknowledgement after a deadline. */
  recovered(id: SessionId): void;
  /** Each attempt, for metrics. */
  attempted(outcome: Outcome): void;
};

export type RenewalPorts = {
  readonly consul: Consul;
  readonly clock: Clock;
  readonly random: Random;
  readonly marginMs: number;
  readonly turns: RenewalTurns;
};

/** `spare`: it is known to hold no lock. */
export type RenewedSession = { readonly id: SessionId; readonly ttlMs: number; readonly spare?: boolean };

type Outcome = 'renewed' | 'lost' | 'failed';

/** Renewals go out together, up to so much early: a Consul that is awake already costs a third of one that each renewal has to wake. */
const TOGETHER_MS = 250;

/**
 * Starts at once: the next renewal goes out a third of the TTL after `acknowledgedMs`, the time before its creation (or last renewal) was sent; of one
 * that is known to hold no lock, later.
 */
export function keepRenewed(
  ports: RenewalPorts,
  session: RenewedSession,
  acknowledgedMs: MonotonicMs,
  events: RenewalEvents,
): Renewal {
  return new SessionRenewal(ports, session, acknowledgedMs, events);
}

/** A class with one timer, where everything else here is functions in a closure: a replica has tens of thousands, and this takes a quarter of the memory. */
class SessionRenewal implements Renewal {
  readonly id: SessionId;
  readonly ttlMs: number;
  readonly #ports: RenewalPorts;
  readonly #events: RenewalEvents;
  #sentMs: MonotonicMs;
  #nextMs: MonotonicMs;
  /** As `unprovenSinceMs`, once it has been noticed. */
  #unprovenMs: MonotonicMs | null = null;
  /** The deadline has passed, and been told, since the last acknowledgement. */
  #passed = false;
  #spare: boolean;
  #failed = false;
  #stopped = false;
  /** Of a renewal that is under way or waits for its turn. */
  #sending: AbortController | null = null;
  #cancelTimer: (() => void) | null = null;

  constructor(
    ports: RenewalPorts,
    { id, ttlMs, spare = false }: RenewedSession,
    sentMs: number,
    events: RenewalEvents,
  ) {
    this.id = id;
    this.ttlMs = ttlMs;
    this.#ports = ports;
    this.#events = events;
    this.#spare = spare;
    this.#sentMs = sentMs;
    this.#nextMs = together(sentMs + this.#intervalMs());
    this.#wait();
  }

  deadlineMs(): MonotonicMs {
    return sessionDeadlineMs(this.#sentMs, this.ttlMs, this.#ports.marginMs);
  }

  proven(): boolean {
    return this.#unprovenMs === null && this.#ports.clock.nowMs() < this.deadlineMs();
  }

  unprovenSinceMs(): MonotonicMs | null {
    return this.proven() ? null : (this.#unprovenMs ?? this.deadlineMs());
  }

  prove(): void {
    if (!this.#stopped && this.#ports.clock.nowMs() < this.deadlineMs()) this.#unprovenMs = null;
  }

  hold(holding: boolean): void {
    this.#spare = !holding;
    const dueMs = together(this.#sentMs + renewalIntervalMs(this.ttlMs, 0));
    // One that has failed is tried again soon anyway, and this is told with each pass.
    if (!holding || this.#failed || dueMs >= this.#nextMs) return;
    this.#nextMs = dueMs;
    this.#wait();
  }

  stop(): void {
    this.#stopped = true;
    this.#cancelTimer?.();
    this.#sending?.abort();
  }

  /** Until the next renewal is due, or the deadline comes. */
  #wait(): void {
    this.#cancelTimer?.();
    if (this.#stopped) return;
    const renewMs = this.#sending === null ? this.#nextMs : Infinity;
    const untilMs = Math.min(renewMs, this.#passed ? Infinity : this.deadlineMs());
    if (untilMs === Infinity) return;
    const { clock } = this.#ports;
    this.#cancelTimer = clock.after(Math.max(0, untilMs - clock.nowMs()), () => this.#look());
  }

  #look(): void {
    const nowMs = this.#ports.clock.nowMs();
    if (!this.#passed && nowMs >= this.deadlineMs()) {
      this.#passed = true;
      this.#unprovenMs ??= this.deadlineMs();
      this.#events.deadline(this.id);
    }
    if (this.#sending === null && nowMs >= this.#nextMs) this.#renew().catch(() => undefined);
    this.#wait();
  }

  async #renew(): Promise<void> {
    const startedMs = this.#ports.clock.nowMs();
    this.#sending = new AbortController();
    const outcome = await this.#inTurn(this.#sending.signal);
    this.#sending = null;
    if (this.#stopped) return;
    if (outcome === 'lost') return this.#lost();
    this.#nextMs = outcome === 'renewed' ? together(startedMs + this.#intervalMs()) : startedMs + RENEWAL_RETRY_MS;
    this.#wait();
  }

  async #inTurn(signal: AbortSignal): Promise<Outcome> {
    const row = `${this.ttlMs} ${this.#spare} ${this.#failed}`;
    const turn = await this.#ports.turns.take({ row, deadlineMs: this.deadlineMs() }, signal);
    const outcome = await this.#send(signal);
    this.#failed = outcome === 'failed';
    turn.end(this.#failed && !aborted(signal));
    return outcome;
  }

  async #send(signal: AbortSignal): Promise<Outcome> {
    const { consul, clock } = this.#ports;
    const beforeMs = clock.nowMs();
    const outcome = await consul.renewSession(this.id, signal).catch(() => 'failed' as const);
    if (aborted(signal)) return outcome;
    this.#events.attempted(outcome);
    if (outcome === 'renewed') this.#acknowledged(beforeMs);
    return outcome;
  }

  #acknowledged(beforeMs: MonotonicMs): void {
    const late = this.#ports.clock.nowMs() >= this.deadlineMs();
    if (late) this.#unprovenMs ??= this.deadlineMs();
    this.#sentMs = beforeMs;
    if (!late) return;
    this.#passed = false;
    this.#events.recovered(this.id);
  }

  #lost(): void {
    const passed = this.#ports.clock.nowMs() >= this.deadlineMs();
    this.#unprovenMs ??= passed ? this.deadlineMs() : this.#sentMs;
    this.stop();
    this.#events.lost(this.id);
  }

  #intervalMs(): number {
    const { random, marginMs } = this.#ports;
    return this.#spare
      ? spareRenewalIntervalMs(this.ttlMs, marginMs, random.next())
      : renewalIntervalMs(this.ttlMs, random.next());
  }
}

const together = (atMs: MonotonicMs): MonotonicMs => Math.floor(atMs / TOGETHER_MS) * TOGETHER_MS;
