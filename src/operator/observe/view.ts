/** What an observation rests on: the parts it is put together from, and what is known of a group without looking at its members. */

import type { MonotonicMs } from '../../api/clocks.ts';
import type { LeaderGroup } from '../../api/leadergroup.ts';
import type { Pod } from '../../api/pod.ts';
import type { LockView, Ownership } from '../../election/observation.ts';
import type { Clock } from '../../ports/clock.ts';
import type { RouteWatching } from '../cache/route-news.ts';
import type { Store } from '../cache/store.ts';
import type { ConsulContact } from '../connectivity/consul-connectivity.ts';
import type { Locks } from '../locks/locks.ts';
import type { Prober } from '../probe/prober.ts';
import type { SessionManager } from '../sessions/sessions.ts';
import type { Unproven } from '../sharding/buckets.ts';
import { type GroupMemory, newer } from './memory.ts';
import type { Owners } from './owners.ts';
import type { Rivals } from './rivals.ts';

export type ObserverOptions = {
  readonly clock: Clock;
  readonly store: Store;
  readonly locks: Locks;
  readonly sessionManager: SessionManager;
  readonly ownership: (group: LeaderGroup) => Ownership;
  readonly contact: Pick<ConsulContact, 'outageSinceMs' | 'deniesAll'>;
  /** Whether this replica may watch nodes, and does. */
  readonly nodesReadable: () => boolean;
  /** A sentence, or null where the configuration allows the key. */
  readonly lockKeyProblem: (group: LeaderGroup) => string | null;
  /**
   * Monotonic milliseconds from which nobody but this process may have renewed the group's sessions: its start, or the last moment
   * at which Consul showed the bucket to be another's.
   */
  readonly aloneSinceMs: (group: LeaderGroup) => MonotonicMs;
  /** Monotonic milliseconds at which this replica found that it has the bucket; null while it has not. */
  readonly heldSinceMs: (group: LeaderGroup) => MonotonicMs | null;
  /** Since when this replica cannot prove that it still has the bucket, and when it noticed; null: it can, or it has not got it. */
  readonly unproven: (group: LeaderGroup) => Unproven | null;
  readonly marginMs: number;
  readonly owners: Pick<Owners, 'of' | 'selecting'>;
  readonly prober: Pick<Prober, 'view'> & { readonly promotions: Pick<Prober['promotions'], 'view'> };
  /** Ids of live replicas that know no routes. */
  readonly olderReplicas: () => readonly string[];
  readonly routeNews: Pick<RouteWatching, 'of' | 'state'>;
};

/** What is known without looking at the members. */
export type View = {
  readonly nowMs: MonotonicMs;
  readonly group: LeaderGroup;
  readonly ownership: Ownership;
  readonly lock: LockView | null;
  readonly outageSinceMs: MonotonicMs | null;
};

/** The answer to our own write or GET while it is newer than what the watch delivered. */
export function newest(memory: GroupMemory, cached: Pod): Pod {
  const remembered = memory.newerPods.get(cached.uid);
  return remembered !== undefined && newer(remembered, cached) ? remembered : cached;
}

export const claimantsOf = (rivals: Rivals, pod: Pod, member: boolean): readonly LeaderGroup[] =>
  member ? rivals.olderActing(pod) : rivals.acting(pod);
