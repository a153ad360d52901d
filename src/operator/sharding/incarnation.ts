/** What one incarnation of a replica in Consul consists of: from its session's opening to that session's end. */
import type { WakeSignal } from '../common/wake-signal.ts';
import type { Renewal } from '../sessions/renewal.ts';
import type { BucketEntry, BucketLocks } from './bucket-locks.ts';
import type { Buckets } from './buckets.ts';
import type { Membership } from './membership.ts';
import type { Registry } from './registry.ts';

export type Incarnation = {
  readonly own: Renewal;
  readonly membership: Membership;
  readonly registry: Registry;
  readonly locks: BucketLocks;
  readonly buckets: Buckets;
  readonly wakeSignal: WakeSignal;
  /** What the last round read. */
  seen: ReadonlyMap<number, BucketEntry>;
  /** What this replica last reported to the others about the API server; null: nothing yet. */
  reported: boolean | null;
  /** Monotonic milliseconds at which each free bucket was first seen free. */
  readonly freeSince: Map<number, number>;
  /** Monotonic milliseconds before the last read was sent that showed the bucket not to be this replica's. By bucket. */
  readonly shownElsewhere: Map<number, number>;
};
