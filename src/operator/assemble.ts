/** Makes the parts of a replica and ties their knots: everything that wakes a group goes through the one queue. */
import { syntheticNode } from '../election/keys.ts';
import type { Diagnostics } from '../ports/diagnostics.ts';
import type { Gate } from '../ports/gate.ts';
import type { Log } from '../ports/log.ts';
import { bucketNews } from './assembly/bucket-news.ts';
import { nameOf } from './assembly/keys.ts';
import { followSharedKey, knownGroups, limitsOf, nodeOf, sightOf } from './assembly/limits.ts';
import { trackReachability } from './assembly/reachability.ts';
import { type RouteReading, readingRoutes } from './assembly/reading-routes.ts';
import type { RouteWatching } from './cache/route-news.ts';
import { createStore, type Store } from './cache/store.ts';
import type { WatchHealth } from './cache/watch-health.ts';
import { createClaims } from './claims/claims.ts';
import type { ApiConnectivity } from './connectivity/api-connectivity.ts';
import { createDiagnostics } from './diagnostics/diagnostics.ts';
import { createNamespaceLists } from './execute/namespace-lists.ts';
import { createTurns } from './execute/turns.ts';
import { createAnswers } from './gate/answers.ts';
import { createGate, gateSignature } from './gate/gate.ts';
import { createGrants } from './gate/grants.ts';
import type { Heard } from './gate/heard.ts';
import { createLockWatches } from './locks/lock-watches.ts';
import { createLocks } from './locks/locks.ts';
import { sweepTombstones, type TombstoneOptions } from './locks/tombstones.ts';
import { createObserver } from './observe/observe.ts';
import { createOwners } from './observe/owners.ts';
import type { OperatorOptions } from './options.ts';
import type { Prober } from './probe/prober.ts';
import { createProbing } from './probe/probing.ts';
import { createChanges } from './reconcile/changes.ts';
import { type Queue, startQueue } from './reconcile/queue.ts';
import { createReconciler, type Reconciler } from './reconcile/reconciler.ts';
import { createAnnouncer } from './report/announce.ts';
import { createStatusWriter, writeInvalidStatus } from './report/status-writer.ts';
import { createSessionManager, type SessionManager } from './sessions/sessions.ts';
import { type BucketOwnership, createOwnership } from './sharding/ownership.ts';
import { createPeers, type Peers } from './sharding/peers.ts';

export type Parts = {
  readonly store: Store;
  readonly sessionManager: SessionManager;
  readonly ownership: BucketOwnership;
  readonly reconciler: Reconciler;
  readonly queue: Queue;
  readonly peers: Peers;
  readonly reach: ApiConnectivity;
  readonly watchHealth: WatchHealth;
  readonly routeWatching: RouteWatching;
  readonly gate: Gate;
  readonly heard: Heard;
  readonly prober: Prober;
  /** What it tells of itself; `unsynced`: of what the first list has not arrived. */
  readonly diagnosticsOf: (unsynced: () => readonly string[]) => Diagnostics;
  readonly stuck: () => string | null;
  /** Ends what deleted groups left in Consul, until the signal aborts. */
  readonly sweep: (signal: AbortSignal) => Promise<void>;
};

/** A pass over one group that has not got on for so long is stuck: a restart helps. */
const STUCK_MS = 60_000;

/** `signal` ends the passes in work. `synced`: the caches are full; before that no pass does anything. */
export function assemble(options: OperatorOptions, signal: AbortSignal, synced: () => boolean): Parts {
  const { clock, random, log, metrics, space, marginMs } = options;
  const wake = (key: string): void => queue.add(key);
  const store = createStore(clock);
  const changes = createChanges(clock);
  const { contact, reach, watchHealth, owe } = trackReachability(options, {
    groupKeys: store.groupKeys,
    wake,
    reachChanged: () => ownership.connectivityChanged(),
    signal,
  });
  const { consul } = contact;
  const { kubernetes } = reach;
  const stuck = (): string | null =>
    stuckPass(clock.nowMs() - (queue.busySinceMs() ?? clock.nowMs())) ?? watchHealth.stuck();
  const node = syntheticNode(space);
  const sessionManager = createSessionManager({ ...options, consul, kubernetes, node, wake });
  const locks = createLocks(consul, space);
  const watches = createLockWatches({ consul, clock, random, log, locks, space, wake, signal });
  const ownership = createOwnership({
    ...options,
    consul,
    sessionManager,
    stuck,
    reachesApiServer: reach.reaches,
    ...bucketNews({
      store,
      sessionManager,
      locks,
      watches,
      changes,
      wake,
      queue: () => queue,
      forget: (key) => forget(key),
    }),
  });
  const { known, unwatched } = knownGroups(options, ownership);
  const probing = createProbing({
    clock,
    random,
    http: options.httpProber,
    wake,
    sight: sightOf(options, reach, signal),
    ownNode: () => nodeOf(options, store),
    metrics,
  });
  const { heard, prober } = probing;
  const forget = (key: string): void => {
    reconciler.forget(key);
    probing.forget(key);
  };
  const owners = createOwners(kubernetes, clock);
  const reading = readingRoutes(options, { store, wake, signal, live: ownership.live });
  const startedMs = clock.nowMs();
  const observe = createObserver({
    clock,
    store,
    locks,
    sessionManager,
    marginMs,
    owners,
    ownership: ownership.of,
    contact,
    ...limitsOf(options),
    aloneSinceMs: (group) => Math.max(startedMs, ownership.perhapsSinceMs(group) ?? 0),
    heldSinceMs: ownership.heldSinceMs,
    unproven: ownership.unproven,
    prober,
    ...reading,
  });
  const grants = createGrants(clock, (key) => ownership.heldSinceMs(nameOf(key)));
  const reconciler: Reconciler = createReconciler({
    store,
    observe,
    executor: {
      consul,
      kubernetes,
      listPods: createNamespaceLists(kubernetes, signal),
      ...givenToExecutor(options, reading),
      sessionManager,
      locks,
      invalidateOwnership: ownership.invalidate,
      syntheticNode: node,
      grants,
      revoked: changes.tell,
      revoking: metrics.gateRevocation,
      owners,
      prober,
      progress: (key) => queue.progress(key),
    },
    wake,
    announcer: createAnnouncer(options),
    writeStatus: createStatusWriter({ ...options, kubernetes }, { answers: reach.answers, owe }),
    writeInvalid: (group, until) => writeInvalidStatus({ ...options, kubernetes }, group, until),
    ownership: (group) => ownership.of(group).kind,
    consulUnreachable: () => contact.outageSinceMs() !== null,
    clock,
    metrics,
    log,
    signal,
    synced,
    known,
    observed: prober.seen,
    began: (key) => followSharedKey(options, { store, ownership, watches }, key),
    ended: (key) => changes.notifyNews(key, () => gateSignature(reconciler, key)),
    dropped: (key) => {
      sessionManager.drop(key);
      watches.unfollow(key);
      locks.dropped(key);
      grants.dropped(key);
      probing.forget(key);
      changes.forget(key);
    },
  });
  const queue = startQueue({ ...options, handle: reconciler.reconcile, onError: passFailed(log, signal) });
  const self = options.replica.id;
  const sweep = sweepOf({ ...options, consul, kubernetes, locks, store, known, ownership: ownership.of });
  const peers = createPeers({ ...options, consul, kubernetes, signal, self, replicas: ownership.live });
  const { heldSinceMs, invalidate: invalidateOwnership } = ownership;
  const claims = createClaims({ ...options, reconciler, consul, heldSinceMs, invalidateOwnership, signal });
  const asked = { claims, store, ownership, changes, heard, synced, getPod: kubernetes.getPod, self };
  const gate = createGate({ ...asked, ...createAnswers(reconciler, grants, { ...options, unwatched }, wake) });
  const { version = 'unknown', tokenLife = () => null } = options;
  const told = { ...options, version, tokenLife, store, ownership, reconciler, contact, reach, watchHealth };
  const diagnosticsOf = (unsynced: () => readonly string[]) => createDiagnostics({ ...told, unsynced });
  const parts = { store, sessionManager, ownership, reconciler, queue, peers, reach, watchHealth };
  return { ...parts, routeWatching: reading.routeNews, gate, heard, prober, diagnosticsOf, stuck, sweep };
}

const sweepOf =
  (options: TombstoneOptions) =>
  (until: AbortSignal): Promise<void> =>
    sweepTombstones(options, until);

const givenToExecutor = ({ clock, random, routing, metrics, traces }: OperatorOptions, reading: RouteReading) => ({
  ...reading,
  turns: createTurns(clock),
  clock,
  random,
  routing,
  repaired: metrics.labelRepaired,
  sliceWritten: metrics.sliceWritten,
  traced: traces != null,
});

const passFailed =
  (log: Log, signal: AbortSignal) =>
  (key: string, error: unknown): void => {
    if (!signal.aborted) log.error({ group: key, error }, 'reconciling the group failed; please report this bug');
  };

const stuckPass = (oldestMs: number): string | null =>
  oldestMs < STUCK_MS ? null : `a reconcile has made no progress for ${Math.round(oldestMs)} ms`;
