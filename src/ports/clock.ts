/**
 * Time as the operator sees it. Deadlines use only the monotonic clock: a wall clock may jump, and a node's clock is
 * somebody else's. Tests and the simulation bring their own.
 */
import type { MonotonicMs, WallMs } from '../api/clocks.ts';

export type Clock = {
  /** Monotonic milliseconds since an arbitrary moment; fractional. */
  nowMs(): MonotonicMs;
  /** Epoch milliseconds, for what people read (status, events). Never for deadlines. */
  wallMs(): WallMs;
  /** Calls back once after `delayMs`; the returned function cancels and may be called twice. */
  after(delayMs: number, callback: () => void): () => void;
  /** Resolves after `delayMs`; rejects with the signal's reason when aborted before, leaving no timer behind. */
  sleep(delayMs: number, signal: AbortSignal): Promise<void>;
};

/** Randomness, injected so that one seed makes one history. */
export type Random = {
  /** Uniform in [0, 1). */
  next(): number;
  /** A value never used before, e.g. a UUID. */
  unique(): string;
};
