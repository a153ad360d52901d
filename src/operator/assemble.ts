/** Makes the parts of a replica and ties their knots: everything that wakes a group goes through the one queue. */
import type { LeaderGroup } from '../api/leadergroup.ts';
import { bucketOf, clusterIdentityKey, syntheticNode } from '../election/keys.ts';
import type { LiveReplica } from '../election/replicas.ts';
import type { Gate } from '../ports/gate.ts';
import type { Log } from '../ports/log.ts';
import { createKnownGroups, whileElsewhere } from './cache/known-groups.ts';
import { createRouteWatching, type RouteWatching } from './cache/route-news.ts';
import { createStore, type Store } from './cache/store.ts';
import { createWatchHealth, type WatchHealth } from './cache/watch-health.ts';
import { createClaims } from './claims/claims.ts';
import { type ApiConnectivity, trackConnectivity } from './connectivity/api-connectivity.ts';
import { trackContact } from './connectivity/consul-connectivity.ts';
import { createForeignLists, type ForeignLists } from './execute/foreign-lists.ts';
import { createNamespaceLists } from './execute/namespace-lists.ts';
import { createTurns } from './execute/turns.ts';
import { createAnswers } from './gate/answers.ts';
import { createGate, gateSignature } from './gate/gate.ts';
import { createGrants } from './gate/grants.ts';
import type { Heard } from './gate/heard.ts';
import { createLockWatches, type LockWatches } from './locks/lock-watches.ts';
import { createLocks } from './locks/locks.ts';
import { sweepTombstones, type TombstoneOptions } from './locks/tombstones.ts';
import { ADOPTION_MS } from './observe/lock-deadline.ts';
import { createObserver } from './observe/observe.ts';
import { createOwners } from './observe/owners.ts';
import type { ObserverOptions } from './observe/view.ts';
import type { OperatorOptions } from './options.ts';
import type { Prober } from './probe/prober.ts';
import { createProbing } from './probe/probing.ts';
import { createSight, type Sight } from './probe/sight.ts';
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
  const changedContact = (unreachable: boolean): void => {
    log.warn({}, unreachable ? 'Consul is unreachable' : 'Consul is reachable again');
    store.groupKeys().forEach(wake);
  };
  const contact = trackContact(options.consul, clock, changedContact, {
    ask: ({ readKeys }) => readKeys([clusterIdentityKey(space)], signal),
  });
  const { consul } = contact;
  /** Groups whose status waits for the API server. */
  const owed = new Set<string>();
  const writeOwed = (): void => {
    const keys = [...owed];
    owed.clear();
    keys.forEach(wake);
  };
  const changedReach = (): void => {
    log.warn({}, reach.reaches() ? 'the API server is reachable again' : 'the API server is unreachable');
    ownership.connectivityChanged();
  };
  const reach = trackConnectivity(options.kubernetes, clock, changedReach, writeOwed);
  const { kubernetes } = reach;
  const watchHealth = createWatchHealth(options.watch, clock, reach.watchProblem);
  const stuck = (): string | null =>
    stuckPass(clock.nowMs() - (queue.busySinceMs() ?? clock.nowMs())) ?? watchHealth.stuck();
  const node = syntheticNode(space);
  const sessionManager = createSessionManager({ ...options, consul, kubernetes, node, wake });
  const locks = createLocks(consul, space);
  const watches = createLockWatches({ consul, clock, random, log, locks, space, wake, signal });
  const inBucket = (bucket: number) => inBuckets(new Set([bucket]));
  const inBuckets = (buckets: ReadonlySet<number>) => (key: string) => buckets.has(bucketOfKey(key));
  const ownership = createOwnership({
    ...options,
    consul,
    sessionManager,
    stuck,
    reachesApiServer: reach.reaches,
    holders: () => new Set(locks.entries().flatMap(({ session }) => session ?? [])),
    // Also where the bucket only lapsed: another may have had it since.
    got: (buckets) => store.groupKeys().filter(inBuckets(buckets)).forEach(forget),
    opened: async (buckets) => {
      // Where adoption gets nowhere nothing else wakes it, and a lock that cannot be proven in time counts as unknown.
      for (const key of store.groupKeys().filter(inBuckets(buckets))) queue.addAfter(key, ADOPTION_MS);
      await Promise.all([...buckets].map(watches.openBucket));
    },
    // Also of groups that are gone: their sessions were adopted with the bucket and must be dropped.
    adopted: (buckets) => [...store.groupKeys(), ...sessionManager.keys()].filter(inBuckets(buckets)).forEach(wake),
    closed: (bucket) => {
      watches.closeBucket(bucket);
      for (const key of sessionManager.keys().filter(inBucket(bucket))) sessionManager.leave(key);
      for (const key of store.groupKeys().filter(inBucket(bucket))) {
        watches.unfollow(key);
        forget(key);
        changes.tell(key);
      }
    },
    ownersChanged: (buckets) => store.groupKeys().filter(inBuckets(buckets)).forEach(changes.tell),
    quiet: (bucket) => queue.quiet(inBucket(bucket)),
  });
  const { known, unwatched } = knownGroups(options, ownership);
  const probing = createProbing({
    clock,
    random,
    http: options.httpProber,
    wake,
    sight: sightOf(options, reach, signal),
    ownNode: () => nodeOf(options, store),
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
    writeStatus: createStatusWriter(
      { ...options, kubernetes },
      { answers: reach.answers, owe: (key) => owed.add(key) },
    ),
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
  const parts = { store, sessionManager, ownership, reconciler, queue, peers, reach, watchHealth };
  return { ...parts, routeWatching: reading.routeNews, gate, heard, prober, stuck, sweep };
}

const sweepOf =
  (options: TombstoneOptions) =>
  (until: AbortSignal): Promise<void> =>
    sweepTombstones(options, until);

function knownGroups(
  { groupsIn = () => 'listed', replica, ...options }: OperatorOptions,
  replicas: Pick<BucketOwnership, 'live' | 'unchangedForMs'>,
) {
  const groups = createKnownGroups(groupsIn, replicas, replica.id);
  return { known: groups.known, unwatched: whileElsewhere(options.unwatched, groups) };
}

type Reading = {
  readonly foreignLists: ForeignLists;
  readonly routeNews: RouteWatching;
  readonly olderReplicas: () => readonly string[];
};

function readingRoutes(
  { routing, routeWatch, clock }: OperatorOptions,
  {
    store,
    wake,
    signal,
    live,
  }: Pick<BucketOwnership, 'live'> & {
    readonly store: Store;
    readonly wake: (key: string) => void;
    readonly signal: AbortSignal;
  },
): Reading {
  const foreignLists = createForeignLists(routing, clock, signal);
  const othersChanged = foreignLists.forget;
  const routeNews = createRouteWatching({ watch: routeWatch, store, clock, wake, othersChanged });
  return { foreignLists, routeNews, olderReplicas: () => withoutRoutes(live()) };
}

const givenToExecutor = ({ clock, random, routing, metrics, traces }: OperatorOptions, reading: Reading) => ({
  ...reading,
  turns: createTurns(clock),
  clock,
  random,
  routing,
  repaired: metrics.labelRepaired,
  sliceWritten: metrics.sliceWritten,
  traced: traces != null,
});

const withoutRoutes = (replicas: readonly LiveReplica[]): readonly string[] =>
  replicas.flatMap(({ id, routes }) => (routes ? [] : [id]));

/** The watch of pods says something each minute at least, and much more often where anything happens. */
const sightOf = ({ clock, watch }: OperatorOptions, reach: ApiConnectivity, signal: AbortSignal): Sight =>
  createSight(
    clock,
    reach.reaches,
    () => Math.max(watch.pods.lastContactMs() ?? 0, reach.answeredMs() ?? 0),
    () => reach.kubernetes.clusterUid(signal),
  );

const nodeOf = ({ replica: { pod } }: OperatorOptions, store: Store): string | null =>
  (pod === null ? null : store.pod(pod.namespace, pod.name)?.pod.node) ?? null;

const passFailed =
  (log: Log, signal: AbortSignal) =>
  (key: string, error: unknown): void => {
    if (!signal.aborted) log.error({ group: key, error }, 'reconciling the group failed; please report this bug');
  };

const stuckPass = (oldestMs: number): string | null =>
  oldestMs < STUCK_MS ? null : `a reconcile has made no progress for ${Math.round(oldestMs)} ms`;

function followSharedKey(
  options: OperatorOptions,
  {
    store,
    ownership,
    watches,
  }: { readonly store: Store; readonly ownership: BucketOwnership; readonly watches: LockWatches },
  key: string,
): void {
  const parsed = store.group(key);
  if (parsed?.kind !== 'valid' || problemOf(options, parsed.group) !== null) return;
  if (ownership.of(parsed.group).kind === 'owned') watches.follow(parsed.group);
}

const problemOf = ({ lockKeyProblem }: OperatorOptions, { spec, namespace }: LeaderGroup): string | null =>
  spec.lockKey === null ? null : lockKeyProblem(spec.lockKey, namespace);

/** What this replica may see and use. */
const limitsOf = (options: OperatorOptions): Pick<ObserverOptions, 'nodesReadable' | 'lockKeyProblem'> => ({
  nodesReadable: () => !options.watch.nodes.denied(),
  lockKeyProblem: (group) => problemOf(options, group),
});

function nameOf(key: string): { readonly namespace: string; readonly name: string } {
  const [namespace = '', name = ''] = key.split('/');
  return { namespace, name };
}

function bucketOfKey(key: string): number {
  const { namespace, name } = nameOf(key);
  return bucketOf(namespace, name);
}
