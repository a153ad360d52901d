/** What holds a write up: somebody refuses it, or undoes it again and again. */
import type { MonotonicMs } from '../api/clocks.ts';

/** Why something is refused, in the refuser's own words, and when it is tried again, in monotonic milliseconds. */
export type RefusedFor = { readonly message: string; readonly retryAtMs: MonotonicMs };

/** A label that is repaired again and again. */
export type Contest = {
  /** Monotonic milliseconds before which it is not repaired again. */
  readonly notBeforeMs: MonotonicMs;
  /** Monotonic milliseconds at which it is over, unless it is repaired again. */
  readonly overAtMs: MonotonicMs;
  /** Who else writes it, for people; null: not asked yet. */
  readonly by: string | null;
};
