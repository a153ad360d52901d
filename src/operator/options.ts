/** What a replica is given. */
import type { SelfReport } from '../api/diagnostics.ts';
import type { KeySpace } from '../election/keys.ts';
import type { Clock, Random } from '../ports/clock.ts';
import type { Consul } from '../ports/consul.ts';
import type { Gate } from '../ports/gate.ts';
import type { EventSink, GroupsShown, Kubernetes, RouteWatch, Routing, Watches } from '../ports/kubernetes.ts';
import type { Log } from '../ports/log.ts';
import type { Metrics } from '../ports/metrics.ts';
import type { HttpProber } from '../ports/prober.ts';
import type { Traces } from '../ports/traces.ts';
import type { ReplicaIdentity } from './sharding/membership.ts';

export type OperatorOptions = {
  readonly consul: Consul;
  readonly kubernetes: Kubernetes;
  /** Not counted among what says whether the API server is in reach: a webhook for slices may hang. */
  readonly routing: Routing;
  readonly events: EventSink;
  readonly metrics: Metrics;
  /** null: nobody collects them. Default: null. */
  readonly traces?: Traces | null;
  readonly log: Log;
  readonly clock: Clock;
  readonly random: Random;
  readonly watch: Watches;
  /** Runs while a group has a route; what keeps it from its work is said by the condition Routed, and keeps nothing else from its own. */
  readonly routeWatch: RouteWatch;
  readonly httpProber: HttpProber;
  readonly space: KeySpace;
  readonly clusterUid: string;
  /** By which certificates the API server is known: see LiveReplica. By default nothing is said of it. */
  readonly authorities?: () => readonly string[];
  readonly replica: ReplicaIdentity;
  /** Of this program, for diagnostics. Default: unknown. */
  readonly version?: string;
  /** Of Consul's token, for diagnostics; null: it has no end, or nobody has told. Default: null. */
  readonly tokenLife?: () => SelfReport['consul']['token'];
  readonly workers: number;
  /** Figures of so many single groups are measured. Default: of none. */
  readonly measuredGroups?: number;
  /** By default all namespaces are watched. */
  readonly unwatched?: Gate['unwatched'];
  readonly groupsIn?: (namespace: string) => GroupsShown;
  readonly marginMs: number;
  /** A grant of the gate is good for so long at most. */
  readonly gateValidityMs: number;
  /** A sentence that says why this namespace may not use this key; null where it may. */
  readonly lockKeyProblem: (lockKey: string, namespace: string) => string | null;
};
