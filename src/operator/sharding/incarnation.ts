/** What one incarnation of a replica in Consul consists of: from its session's opening to that session's end. */
import type { LiveReplica } from '../../election/replicas.ts';
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
  reported: Pick<LiveReplica, 'reachesApiServer' | 'authorities'> | null;
  /** Monotonic milliseconds at which each free bucket was first seen free. */
  readonly freeSince: Map<number, number>;
  /** Monotonic milliseconds before the last read was sent that showed the bucket not to be this replica's. By bucket. */
  readonly shownElsewhere: Map<number, number>;
  /** Ends this incarnation: what it holds lapses, and the replica joins anew. */
  readonly end: (reason: Error) => void;
};

type Begun = Omit<Incarnation, 'seen' | 'reported' | 'freeSince' | 'shownElsewhere'>;

/** Nothing has been read or reported yet. */
export const beginIncarnation = (parts: Begun): Incarnation => ({
  ...parts,
  seen: new Map(),
  reported: null,
  freeSince: new Map(),
  shownElsewhere: new Map(),
});
