/** All of the Kubernetes side, put together for main.ts. Nothing is connected before the first request. */

import type { ParsedLeaderGroup } from '../../api/leadergroup.ts';
import { putNewest } from '../../common/bounded-map.ts';
import type { Clock, Random } from '../../ports/clock.ts';
import type { Kubernetes, RouteWatch, Routing, Watches } from '../../ports/kubernetes.ts';
import type { Log } from '../../ports/log.ts';
import type { TokenIssuer } from '../../ports/tokens.ts';
import { createEventRecorder, type EventRecorder } from '../events/events.ts';
import { createNamespaces, type Namespaces } from '../namespaces.ts';
import { createListWatch } from '../reflector/watch-transport.ts';
import { createRouteWatch } from '../route-watch.ts';
import { createWatches } from '../watches.ts';
import type { AccessReader } from './access.ts';
import { authoritiesOf } from './authorities.ts';
import { createCredentials } from './credentials.ts';
import { kubeconfigFiles } from './kubeconfig-files.ts';
import { createKubernetes, type MissingRight } from './kubernetes.ts';
import { createPools } from './pools.ts';
import { createRouting } from './routing.ts';
import { openServiceAccount } from './service-account.ts';
import { createTokenIssuer } from './tokens.ts';
import { createTransport, type RequestReport, type Transport, type Warned } from './transport.ts';

export type ConnectOptions = {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly parseGroup: (raw: unknown) => ParsedLeaderGroup | null;
  /** Which replica speaks in events: the pod's name. */
  readonly instance: string;
  /** For one patch or get. */
  readonly requestTimeoutMs: number;
  /** The namespaces that are watched, and the operator's own; null: all are watched. */
  readonly namespaces: { readonly watched: readonly string[]; readonly home: string } | null;
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
  /** null: all are watched. */
  readonly namespaces: Namespaces | null;
  /** By which certificates the API server is believed now: see `authoritiesOf`. Empty before the first request. */
  authorities(): readonly string[];
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
  const namespaces =
    options.namespaces === null ? null : createNamespaces(options.namespaces.watched, options.namespaces.home);
  const relisted = onRelist === undefined ? {} : { onRelist };
  const watching = { clock, random, log, namespaces, ...relisted };
  await openAccess();
  const credentials = createCredentials({ open: openAccess, clock, log });
  const transport: Transport = createTransport({
    credentials,
    pools: createPools(CONNECT_TIMEOUT_MS),
    clock,
    onWarning: oncePerWarning(log, clock),
    ...(onRequest === undefined ? {} : { onRequest }),
  });

  return {
    kubernetes: createKubernetes({
      transport,
      parseGroup,
      requestTimeoutMs,
      onMissing: oncePerRight(log),
      ...(namespaces === null ? {} : { identityNamespace: namespaces.home }),
    }),
    routing: createRouting({ transport, requestTimeoutMs }),
    tokens: createTokenIssuer(transport, clock, requestTimeoutMs),
    events: createEventRecorder({ transport, clock, random, log, instance }),
    watches: createWatches({
      source: (resource, namespace) => createListWatch(transport, resource, { namespace }),
      parseGroup,
      ...watching,
    }),
    routeWatch: createRouteWatch({
      source: (resource, selection, namespace) => createListWatch(transport, resource, { ...selection, namespace }),
      ...watching,
    }),
    namespaces,
    authorities: () => {
      const access = credentials.latest();
      return access === null ? [] : authoritiesOf(access);
    },
    close: () => transport.close(),
  };
}

/** They are a few, and each is met again with every group. */
function oncePerRight(log: Log): (missing: MissingRight) => void {
  const told = new Set<string>();
  return ({ right, ...missing }) => {
    if (told.has(right)) return;
    told.add(right);
    log.warn({ right, ...missing }, 'the operator does without a right');
  };
}

/** Names of objects are in some, so that there may be any number of them: who reads the log learns nothing from more than so many an hour. */
const WARNINGS_PER_HOUR = 100;
const HOUR_MS = 3_600_000;
/** Texts that were met longest ago are forgotten. */
const REMEMBERED = 1000;

/** Whether a Service has an object of that kind is asked because others still write them: nobody who reads the log can do anything about it. */
const EXPECTED = /^v1 Endpoints is deprecated/;

/** Each text once: the same write is made again and again. One that comes when there were too many is told with the next hour. */
export function oncePerWarning(log: Log, { nowMs }: Pick<Clock, 'nowMs'>): (warned: Warned) => void {
  const told = new Map<string, boolean>();
  let hour = { sinceMs: Number.NEGATIVE_INFINITY, lines: 0 };
  return ({ warning, verb, resource }) => {
    if (EXPECTED.test(warning)) return;
    const isNew = !told.has(warning);
    if (nowMs() - hour.sinceMs >= HOUR_MS) hour = { sinceMs: nowMs(), lines: 0 };
    if (isNew && hour.lines >= WARNINGS_PER_HOUR) return;
    putNewest(told, warning, true, REMEMBERED);
    if (!isNew) return;
    hour.lines += 1;
    log.warn({ request: `${verb} ${resource}`, warning }, 'the API server warns of a request');
  };
}

/** What reads kubeconfigs is loaded only where there is one, or where it knows best what is missing. */
async function openDefault(): Promise<AccessReader> {
  const ofPod = kubeconfigFiles().length === 0 ? openServiceAccount() : null;
  return ofPod ?? (await import('./kubeconfig.ts')).openKubeConfig();
}
