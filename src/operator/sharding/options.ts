/** What a replica's sharing of the buckets is given. */
import type { KeySpace } from '../../election/keys.ts';
import type { Clock, Random } from '../../ports/clock.ts';
import type { Consul } from '../../ports/consul.ts';
import type { Log } from '../../ports/log.ts';
import type { Metrics } from '../../ports/metrics.ts';
import type { SessionManager } from '../sessions/sessions.ts';
import type { ReplicaIdentity } from './membership.ts';

export type OwnershipOptions = {
  readonly consul: Consul;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly sessionManager: SessionManager;
  readonly space: KeySpace;
  readonly replica: ReplicaIdentity;
  readonly clusterUid: string;
  /** By which certificates this replica knows its API server now, as LiveReplica has them. Absent or empty: it does not say. */
  readonly authorities?: () => readonly string[];
  readonly marginMs: number;
  /** Whether this replica can act: one that cannot gives its buckets to those that can. */
  readonly reachesApiServer: () => boolean;
  /** Why this replica had better be restarted; null while it works. It gives everything up first. */
  readonly stuck: () => string | null;
  /** Just got, or got back: what was learnt before belongs to an earlier ownership. Not called again where adoption is begun again. */
  readonly got: (buckets: ReadonlySet<number>) => void;
  /** These are this replica's: watch their locks. Resolves when all are known once. */
  readonly opened: (buckets: ReadonlySet<number>) => Promise<void>;
  /** Ids of the sessions that hold locks, as far as is known: those of the buckets that were opened. */
  readonly holders: () => ReadonlySet<string>;
  /** Their groups may be worked on. */
  readonly adopted: (buckets: ReadonlySet<number>) => void;
  readonly closed: (bucket: number) => void;
  /** Whose these buckets are is another now, as far as is seen: this replica, another one, or nobody. */
  readonly ownersChanged: (buckets: ReadonlySet<number>) => void;
  /** Resolves when no pass over a group of the bucket is in work. */
  readonly quiet: (bucket: number) => Promise<void>;
};
