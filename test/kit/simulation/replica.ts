/** One operator replica of the simulation: the real operator and the real reflectors in a process that can be hurt. */
import { parseLeaderGroup } from '../../../src/api/parse.ts';
import { createNamespaces, unwatchedIn } from '../../../src/kubernetes/namespaces.ts';
import { createRouteWatch } from '../../../src/kubernetes/route-watch.ts';
import { createWatches } from '../../../src/kubernetes/watches.ts';
import { createOperator, type Operator } from '../../../src/operator/operator.ts';
import type { ReplicaIdentity } from '../../../src/operator/sharding/membership.ts';
import type { Random } from '../../../src/ports/clock.ts';
import type { Log } from '../../../src/ports/log.ts';
import type { HttpProber } from '../../../src/ports/prober.ts';
import type { PatchRequest } from '../model/link.ts';
import { MARGIN_MS, SPACE } from '../model/replica.ts';
import { noMetrics, registeredEvents } from '../model/sinks.ts';
import type { WorldConsul } from '../model/world-consul.ts';
import type { Meetings } from './coverage.ts';
import type { Loop } from './loop.ts';
import { createWire, type Server, type Wire, type WireCounts } from './network.ts';
import { olderConsul, olderKubernetes, withoutRoute } from './older.ts';
import { consulOver, kubernetesOver, routingOver } from './ports.ts';
import { createProcess, type Process } from './process.ts';
import { stream } from './random.ts';
import { createListWatch, type Kind, type WatchServer, type WatchTrouble } from './watches.ts';

export type SimReplica = {
  readonly identity: ReplicaIdentity;
  readonly process: Process;
  readonly operator: Operator;
  readonly consul: Wire;
  readonly kubernetes: Wire;
  readonly watches: WatchTrouble;
  /** SIGTERM; `ended` follows. */
  stop(): void;
  readonly ended: Promise<void>;
  /** It has listed the groups, and may still read them. */
  reads(): boolean;
  /** How many passes over a group have ended. */
  passes(): number;
  /** When the process began, epoch milliseconds by its node's clock. */
  readonly bornMs: number;
};

export type SimParts = {
  readonly seed: number;
  readonly loop: Loop;
  readonly consulServer: Server;
  readonly consul: WorldConsul;
  readonly watchServer: WatchServer;
  readonly counts: WireCounts;
  readonly patchSent: (request: PatchRequest) => void;
  readonly log: Log;
  /** An event that the registry does not have. */
  readonly refuseEvent: (why: string) => void;
  readonly meetings: Meetings;
  /** false: a version of the operator that ignores `spec.route`, and does not say that it knows of it. */
  readonly knowsRoutes: boolean;
  /** Where it watches some namespaces only; null: it watches all. */
  readonly namespaced: { readonly names: readonly string[]; readonly denied: () => boolean } | null;
  readonly httpProberOf: (process: Process, identity: ReplicaIdentity) => HttpProber;
};

/** `life`: counts the processes of the history, so that each has chance and unique values of its own. */
export function createSimReplica(parts: SimParts, identity: ReplicaIdentity, life: number): SimReplica {
  const { loop, seed, consulServer, watchServer, counts } = parts;
  const name = `${identity.id}#${life}`;
  const process = createProcess(name, loop);
  const chance = (what: string) => stream(`${seed} ${name} ${what}`);
  const consul = createWire(loop, process, consulServer, chance('consul'), counts);
  const kubernetes = createWire(loop, process, watchServer.server, chance('kubernetes'), counts);
  const random = seededRandom(name, chance('own'));
  const cuts = new Set<() => void>();
  const denied = parts.namespaced?.denied ?? (() => false);
  const namespaces = parts.namespaced === null ? null : createNamespaces(parts.namespaced.names, 'ops');
  const watches: WatchTrouble = {
    stalledUntilMs: 0,
    namespaceDenied: denied,
    cut: () => {
      for (const cut of Array.from(cuts)) cut();
    },
  };
  const stopping = new AbortController();
  let passes = 0;

  const ports = {
    consul: consulOver(consul, parts.consul, identity.id),
    kubernetes: kubernetesOver(kubernetes, watchServer.api, identity.id, parts.patchSent),
  };
  const source = ({ plural }: { readonly plural: string }, namespace: string | null) =>
    createListWatch(
      loop,
      process,
      kubernetes,
      watchServer,
      plural as Kind,
      () => watchServer.compactedAt,
      watches,
      cuts,
      namespace,
    );
  const watching = { clock: process.clock, random, log: parts.log, namespaces };
  const operator = createOperator({
    consul: parts.knowsRoutes ? ports.consul : olderConsul(ports.consul),
    kubernetes: parts.knowsRoutes ? ports.kubernetes : olderKubernetes(ports.kubernetes),
    routing: routingOver(kubernetes, watchServer.api, identity.id),
    events: registeredEvents(parts.refuseEvent, (reason) => parts.meetings.met('event', reason)),
    metrics: {
      ...noMetrics,
      reconciled: () => void (passes += 1),
      switchover: (result) => parts.meetings.met('switchover', result),
    },
    log: noting(parts),
    clock: process.clock,
    random,
    routeWatch: createRouteWatch({
      source: (resource, _selection, namespace) => source(resource, namespace),
      ...watching,
    }),
    watch: createWatches({
      source,
      parseGroup: parts.knowsRoutes ? parseLeaderGroup : (raw) => withoutRoute(parseLeaderGroup(raw)),
      ...watching,
    }),
    unwatched: (namespace) => namespaces && unwatchedIn(namespaces, namespace),
    groupsIn: namespaces?.groupsIn ?? (() => 'listed'),
    httpProber: parts.httpProberOf(process, identity),
    space: SPACE,
    clusterUid: 'uid-of-kube-system',
    replica: { ...identity, namespaces: parts.namespaced?.names ?? null },
    workers: 4,
    gateValidityMs: 2000,
    marginMs: MARGIN_MS,
    lockKeyProblem: () => null,
  });
  const bornMs = process.clock.wallMs();
  const ended = operator.run(stopping.signal);
  return {
    identity,
    process,
    operator,
    consul,
    kubernetes,
    watches,
    stop: () => stopping.abort(new Error('SIGTERM')),
    ended,
    reads: () => !denied() && (namespaces === null || namespaces.groupsIn('default') === 'listed'),
    passes: () => passes,
    bornMs,
  };
}

function seededRandom(name: string, chance: ReturnType<typeof stream>): Random {
  let used = 0;
  return {
    next: chance.next,
    unique: () => {
      used += 1;
      return `${name}-${used}`;
    },
  };
}

/** Plans and changes of leader are logged as they happen. */
function noting({ log, meetings }: SimParts): Log {
  return {
    ...log,
    info: ({ reason }, message) => {
      if (message.startsWith('leader ')) meetings.met('cause', String(reason));
    },
    debug: ({ actions }, message) => {
      if (message === 'plan' && Array.isArray(actions))
        for (const each of actions) meetings.met('action', String(each));
    },
  };
}
