/**
 * What this replica believes of each bucket. Believing is not owning: the lock in Consul is the truth, and every transaction
 * checks it.
 *
 * | state    | entered when                                        | leaves when |
 * |----------|-----------------------------------------------------|-------------|
 * | adopting | its lock is this replica's                          | its locks are known and its sessions adopted: owned |
 * | owned    |                                                     | a move begins: leaving; the session ends: lapsed |
 * | leaving  | a move begins; nothing is planned for its groups    | moved, or its outcome unknown: none; refused: owned |
 * | lapsed   | the replica's session has ended                     | locked again: adopting; another's: none |
 */
import type { MonotonicMs } from '../../api/clocks.ts';
import type { Clock } from '../../ports/clock.ts';

export type BucketState = 'adopting' | 'owned' | 'leaving' | 'lapsed';

/** A replica cannot prove any more that a bucket is its own: another may have had it since. */
export type Unproven = {
  /** Until then it was this replica's, which renewed all sessions; null: it had not come to renewing them. */
  readonly sinceMs: MonotonicMs | null;
  /** Later where this replica stood still. */
  readonly noticedMs: MonotonicMs;
};

export type Buckets = {
  state(bucket: number): BucketState | null;
  /** Monotonic milliseconds at which this replica found that it had got the bucket; null while it has not. */
  heldSinceMs(bucket: number): MonotonicMs | null;
  /** Monotonic milliseconds from which it may have been this replica's, whenever that was found; null while it is not. */
  perhapsSinceMs(bucket: number): MonotonicMs | null;
  inState(state: BucketState): readonly number[];
  all(): readonly number[];
  /** Just got: adoption begins. `perhapsSinceMs`: a read sent then was the last that showed it not to be this replica's. */
  adopt(bucket: number, perhapsSinceMs: MonotonicMs): void;
  set(bucket: number, state: 'owned' | 'leaving'): void;
  /** Not this replica's any more. */
  close(bucket: number): void;
  /** Of one that has lapsed; null: it has not. */
  lapsed(bucket: number): Unproven | null;
  /** The session is over: what was owned may be got back, with its sessions still kept alive; the rest was not finished. */
  lapse(unproven: Unproven): void;
};

/** `closed` is called for each bucket that is not this replica's any more. */
export function createBuckets(clock: Clock, closed: (bucket: number) => void): Buckets {
  const states = new Map<number, BucketState>();
  const since = new Map<number, { readonly heldMs: number; readonly perhapsMs: number }>();
  const lapsed = new Map<number, Unproven>();

  function close(bucket: number): void {
    if (!states.delete(bucket)) return;
    since.delete(bucket);
    lapsed.delete(bucket);
    closed(bucket);
  }

  return {
    state: (bucket) => states.get(bucket) ?? null,
    heldSinceMs: (bucket) => since.get(bucket)?.heldMs ?? null,
    perhapsSinceMs: (bucket) => since.get(bucket)?.perhapsMs ?? null,
    inState: (wanted) => [...states].filter(([, state]) => state === wanted).map(([bucket]) => bucket),
    all: () => [...states.keys()],
    adopt: (bucket, perhapsMs) => {
      // A failed adoption is begun again; the bucket has been ours all the while.
      if (states.get(bucket) !== 'adopting') since.set(bucket, { heldMs: clock.nowMs(), perhapsMs });
      states.set(bucket, 'adopting');
      lapsed.delete(bucket);
    },
    set: (bucket, state) => void states.set(bucket, state),
    close,
    lapsed: (bucket) => lapsed.get(bucket) ?? null,
    lapse: (unproven) => {
      for (const [bucket, state] of states) {
        // One that has lapsed before has been another's to have since then.
        if (state === 'lapsed') continue;
        if (state !== 'owned') {
          close(bucket);
          continue;
        }
        states.set(bucket, 'lapsed');
        lapsed.set(bucket, unproven);
      }
    },
  };
}
