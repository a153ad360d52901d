/** All of the Kubernetes side, put together for main.ts. Nothing is connected before the first request. */
import type { ParsedLeaderGroup } from '../../api/leadergroup.ts';
import type { Clock, Random } from '../../ports/clock.ts';
import type { Kubernetes, RouteWatch, Routing, Watches } from '../../ports/kubernetes.ts';
import type { Log } from '../../ports/log.ts';
import type { TokenIssuer } from '../../ports/tokens.ts';
import { createEventRecorder, type EventRecorder } from '../events/events.ts';
import { createListWatch } from '../reflector/watch-transport.ts';
import { createRouteWatch } from '../route-watch.ts';
import { createWatches } from '../watches.ts';
import type { AccessReader } from './access.ts';
import { createCredentials } from './credentials.ts';
import { kubeconfigFiles } from './kubeconfig-files.ts';
import { createKubernetes } from './kubernetes.ts';
import { createPools } from './pools.ts';
import { createRouting } from './routing.ts';
import { openServiceAccount } from './service-account.ts';
import { createTokenIssuer } from './tokens.ts';
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
  /** After each list of a watch that was not the first. */
  readonly onRelist?: (kind: string) => void;
  /** By default KUBECONFIG, ~/.kube/config or the pod's service account, in this order. */
  readonly openAccess?: () => Promise<AccessReader>;
};

export type ConnectedKubernetes = {
  readonly kubernetes: Kubernetes;
  readonly routing: Routing;
  readonly events: EventRecorder;
  readonly tokens: TokenIssuer;
  readonly watches: Watches;
  readonly routeWatch: RouteWatch;
  /** Cuts every connection: end the watches and close the events first. */
  close(): Promise<void>;
};

/** An address that does not answer is given up after this time, however long the request may take. */
const CONNECT_TIMEOUT_MS = 3_000;

/** Rejects with KubernetesError `refused` when there is no usable configuration of how to reach the API server. */
export async function connectKubernetes(options: ConnectOptions): Promise<ConnectedKubernetes> {
  const {
    clock,
    random,
    log,
    parseGroup,
    instance,
    requestTimeoutMs,
    onRequest,
    onRelist,
    openAccess = openDefault,
  } = options;
  await openAccess();
  const transport: Transport = createTransport({
    credentials: createCredentials({ open: openAccess, clock, log }),
    pools: createPools(CONNECT_TIMEOUT_MS),
    clock,
    ...(onRequest === undefined ? {} : { onRequest }),
  });

  return {
    kubernetes: createKubernetes({ transport, parseGroup, requestTimeoutMs }),
    routing: createRouting({ transport, requestTimeoutMs }),
    tokens: createTokenIssuer(transport, clock, requestTimeoutMs),
    events: createEventRecorder({ transport, clock, random, log, instance }),
    watches: createWatches({
      source: (resource) => createListWatch(transport, resource),
      parseGroup,
      clock,
      random,
      log,
      ...(onRelist === undefined ? {} : { onRelist }),
    }),
    routeWatch: createRouteWatch({
      source: (resource, selection) => createListWatch(transport, resource, selection),
      clock,
      random,
      log,
      ...(onRelist === undefined ? {} : { onRelist }),
    }),
    close: () => transport.close(),
  };
}

/** What reads kubeconfigs is loaded only where there is one, or where it knows best what is missing. */
async function openDefault(): Promise<AccessReader> {
  const ofPod = kubeconfigFiles().length === 0 ? openServiceAccount() : null;
  return ofPod ?? (await import('./kubeconfig.ts')).openKubeConfig();
}
