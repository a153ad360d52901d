/** All of the Kubernetes side, put together for main.ts. Nothing is connected before the first request. */
import type { ParsedLeaderGroup } from '../../api/leadergroup.ts';
import type { ClusterNode, Pod } from '../../api/pod.ts';
import type { Clock, Random } from '../../ports/clock.ts';
import type { Kubernetes, ReflectorHandler } from '../../ports/kubernetes.ts';
import type { Log } from '../../ports/log.ts';
import { createEventRecorder, type EventRecorder } from '../events/events.ts';
import { projectNode } from '../objects/node.ts';
import { projectPod } from '../objects/pod.ts';
import { LEADER_GROUPS, NODES, PODS, type Resource } from '../objects/resources.ts';
import { createReflector, type Reflector, type ReflectorOptions } from '../reflector/reflector.ts';
import { createListWatch } from '../reflector/watch-transport.ts';
import type { AccessReader } from './access.ts';
import { createCredentials } from './credentials.ts';
import { openKubeConfig } from './kubeconfig.ts';
import { createKubernetes } from './kubernetes.ts';
import { createPools } from './pools.ts';
import { createTransport, type RequestReport, type Transport } from './transport.ts';

export type ConnectOptions = {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly parseGroup: (raw: unknown) => ParsedLeaderGroup | null;
  /** Which replica speaks in events: the pod's name. */
  readonly instance: string;
  /** For one patch or get. */
  readonly requestTimeoutMs: number;
  /** After each request but watches. */
  readonly onRequest?: (report: RequestReport) => void;
  /** By default KUBECONFIG, ~/.kube/config or the pod's service account, in this order. */
  readonly openAccess?: () => AccessReader;
};

/** What may be wished of a reflector besides its handler. */
type FollowOptions<T> = Pick<ReflectorOptions<T>, 'onProblem' | 'onRelist' | 'limits'>;

/** Makes a reflector that tells this handler. */
export type Follow<T> = (handler: ReflectorHandler<T>, options?: FollowOptions<T>) => Reflector;

export type ConnectedKubernetes = {
  readonly kubernetes: Kubernetes;
  readonly events: EventRecorder;
  /** Each makes a reflector over all namespaces; it begins with start(). */
  readonly followPods: Follow<Pod>;
  readonly followGroups: Follow<ParsedLeaderGroup>;
  readonly followNodes: Follow<ClusterNode>;
  /** Cuts every connection: stop the reflectors and close the events first. */
  close(): Promise<void>;
};

/** An address that does not answer is given up after this time, however long the request may take. */
const CONNECT_TIMEOUT_MS = 3_000;

/** Throws KubernetesError `refused` when there is no usable configuration of how to reach the API server. */
export function connectKubernetes(options: ConnectOptions): ConnectedKubernetes {
  const {
    clock,
    random,
    log,
    parseGroup,
    instance,
    requestTimeoutMs,
    onRequest,
    openAccess = openKubeConfig,
  } = options;
  openAccess();
  const transport: Transport = createTransport({
    credentials: createCredentials({ open: openAccess, clock, log }),
    pools: createPools(CONNECT_TIMEOUT_MS),
    clock,
    ...(onRequest === undefined ? {} : { onRequest }),
  });

  const follow =
    <T>(resource: Resource, project: (raw: unknown) => T | null): Follow<T> =>
    (handler, more = {}) => {
      const source = createListWatch(transport, resource);
      return createReflector({ kind: resource.plural, source, project, handler, clock, random, log, ...more });
    };

  return {
    kubernetes: createKubernetes({ transport, parseGroup, requestTimeoutMs }),
    events: createEventRecorder({ transport, clock, random, log, instance }),
    followPods: follow(PODS, projectPod),
    followGroups: follow(LEADER_GROUPS, parseGroup),
    followNodes: follow(NODES, projectNode),
    close: () => transport.close(),
  };
}
