/**
 * How long a session may be believed. Consul expires one between 1x and 2x its TTL after the last renewal it received;
 * the earliest it can have received a renewal is the moment before we sent it. (Promise I3.)
 */
import type { MonotonicMs } from '../api/clocks.ts';

/**
 * Monotonic milliseconds from which a lock held by the session is `unknown`. `ttlMs` is the SESSION's, not the spec's.
 * `margin` is at least the timeout of a patch: a demotion that starts at the deadline is acknowledged before anyone
 * else can hold the lock.
 */
export const sessionDeadlineMs = (renewalSentMs: MonotonicMs, ttlMs: number, margin: number): MonotonicMs =>
  renewalSentMs + ttlMs - margin;

/** A third of the TTL, up to a tenth earlier (`jitter` in [0, 1)) so that sessions opened together drift apart. */
export const renewalIntervalMs = (ttlMs: number, jitter: number): number => (ttlMs / 3) * (1 - jitter / 10);

/**
 * Of a session that holds no lock: later, since its end would cost no leader, but early enough to be tried again before its deadline. `margin` as
 * above.
 */
export const spareRenewalIntervalMs = (ttlMs: number, margin: number, jitter: number): number =>
  Math.max(renewalIntervalMs(ttlMs, jitter), (((ttlMs - margin) * 2) / 3) * (1 - jitter / 10));

/** One failed renewal must not cost the lead: asked again every second until the deadline. */
export const RENEWAL_RETRY_MS = 1000;
