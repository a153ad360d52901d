/**
 * Wires the parts of one replica: watches and timers only put keys into the queue; a worker takes a key, and the
 * reconciler does the rest. Nothing here decides anything.
 */
import type { LeaderGroup, ParsedLeaderGroup } from '../api/leadergroup.ts';
import type { ClusterNode, Pod } from '../api/pod.ts';
import { bucketOf, type KeySpace, syntheticNode } from '../election/keys.ts';
import type { Clock, Random } from '../ports/clock.ts';
import type { Consul } from '../ports/consul.ts';
import type { EventSink, Kubernetes, ReflectorHandler } from '../ports/kubernetes.ts';
import type { Log } from '../ports/log.ts';
import type { GroupState, Metrics } from '../ports/metrics.ts';
import { createAnnouncer } from './announce.ts';
import { type ConsulContact, trackContact } from './consul-contact.ts';
import { createLockWatches, type LockWatches } from './lock-watches.ts';
import { createLocks, type Locks } from './locks.ts';
import type { ReplicaIdentity } from './membership.ts';
import { createObserver } from './observe.ts';
import { type BucketOwnership, createOwnership } from './ownership.ts';
import { type Queue, startQueue } from './queue.ts';
import { createReconciler, type Reconciler } from './reconciler.ts';
import { createSessionKeeper, type SessionKeeper } from './sessions.ts';
import { createStatusWriter, writeInvalidStatus } from './status-writer.ts';
import { createStore, type Store } from './store.ts';

export type OperatorOptions = {
  readonly consul: Consul;
  readonly kubernetes: Kubernetes;
  readonly events: EventSink;
  readonly metrics: Metrics;
  readonly log: Log;
  readonly clock: Clock;
  readonly random: Random;
  /** Each starts a watch of one kind that delivers until `signal` aborts, then resolves. */
  readonly watch: {
    readonly pods: Watch<Pod>;
    readonly groups: Watch<ParsedLeaderGroup>;
    readonly nodes: Watch<ClusterNode>;
  };
  readonly space: KeySpace;
  readonly clusterUid: string;
  readonly replica: ReplicaIdentity;
  readonly workers: number;
  readonly marginMs: number;
  /** A sentence that says why this namespace may not use this key; null where it may. */
  readonly lockKeyProblem: (lockKey: string, namespace: string) => string | null;
};

export type Watch<T> = (handler: ReflectorHandler<T>, signal: AbortSignal) => Promise<void>;

export type Operator = {
  /** Runs until `signal` aborts, then gives its buckets up and resolves. Rejects with ForeignClusterError only. */
  run(signal: AbortSignal): Promise<void>;
  /** Kinds whose first list has not arrived; empty when all have. */
  unsynced(): readonly string[];
  /** Why Consul has not been joined; null when it has. */
  consulProblem(): string | null;
  /** Milliseconds that the oldest pass in work has taken; 0 when idle. */
  oldestPassMs(): number;
};

const SAMPLE_MS = 5000;
const SHUTDOWN_GRACE_MS = 1000;
const RELEASE_TIMEOUT_MS = 2000;

type Parts = {
  readonly store: Store;
  readonly contact: ConsulContact;
  readonly locks: Locks;
  readonly keeper: SessionKeeper;
  readonly watches: LockWatches;
  readonly ownership: BucketOwnership;
  readonly reconciler: Reconciler;
  readonly queue: Queue;
};

export function createOperator(options: OperatorOptions): Operator {
  const { clock, log } = options;
  const unsynced = new Set(['pods', 'leadergroups', 'nodes']);
  const allSynced = Promise.withResolvers<void>();
  const stopping = new AbortController();
  const parts = assemble(options, stopping.signal, () => unsynced.size === 0);
  const { store, ownership, queue } = parts;

  function handler<T>(
    kind: string,
    changed: (before: T | null, after: T | null) => readonly string[],
  ): ReflectorHandler<T> {
    return {
      changed: (before, after) => {
        for (const key of changed(before, after)) parts.queue.add(key);
      },
      synced: () => {
        unsynced.delete(kind);
        if (unsynced.size > 0) return;
        for (const key of store.groupKeys()) queue.add(key);
        allSynced.resolve();
      },
    };
  }

  function startWatches(signal: AbortSignal): readonly Promise<void>[] {
    return [
      options.watch.pods(handler('pods', store.podChanged), signal),
      options.watch.groups(handler('leadergroups', store.groupChanged), signal),
      options.watch.nodes(handler('nodes', store.nodeChanged), signal),
    ];
  }

  /** Consul is joined once the caches are full: an owner that sees half of the pods decides wrongly. */
  async function own(signal: AbortSignal): Promise<void> {
    const aborted = new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
    await Promise.race([allSynced.promise, aborted]);
    if (!signal.aborted) await ownership.run(signal);
  }

  async function sample(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      recordGauges(options, parts);
      await clock.sleep(SAMPLE_MS, signal).catch(() => undefined);
    }
  }

  async function shutDown(running: readonly Promise<void>[]): Promise<void> {
    const grace = new AbortController();
    await Promise.race([queue.stop(), clock.sleep(SHUTDOWN_GRACE_MS, grace.signal).catch(() => undefined)]);
    grace.abort();
    stopping.abort(new Error('the operator is stopping'));
    await ownership.release(AbortSignal.timeout(RELEASE_TIMEOUT_MS)).catch((error: unknown) => {
      log.warn({ error }, 'the buckets could not be given up; they expire by themselves');
    });
    for (const key of parts.keeper.keys()) parts.keeper.drop(key);
    await Promise.allSettled(running);
  }

  return {
    run: async (signal) => {
      const failed = new AbortController();
      const either = AbortSignal.any([signal, failed.signal]);
      const owning = own(either).finally(() => failed.abort());
      const running = [...startWatches(either), sample(either)];
      await owning.catch(() => undefined);
      await shutDown(running);
      await owning;
    },
    unsynced: () => [...unsynced],
    consulProblem: ownership.problem,
    oldestPassMs: () => clock.nowMs() - (queue.busySinceMs() ?? clock.nowMs()),
  };
}

/** Makes the parts and ties their knots: everything that wakes a group goes through the one queue. */
function assemble(options: OperatorOptions, signal: AbortSignal, synced: () => boolean): Parts {
  const { clock, random, log, metrics, space, marginMs } = options;
  const wake = (key: string): void => queue.add(key);
  const wakeAll = (): void => store.groupKeys().forEach(wake);
  const store = createStore(clock);
  const contact = trackContact(options.consul, clock, (silent) => {
    log.warn({}, silent ? 'Consul does not answer' : 'Consul answers again');
    wakeAll();
  });
  const { consul } = contact;
  const node = syntheticNode(space);
  const keeper = createSessionKeeper({ ...options, consul, node, wake });
  const locks = createLocks(consul, space);
  const watches = createLockWatches({ consul, clock, random, log, locks, space, wake, signal });
  const inBucket = (bucket: number) => (key: string) => bucketOfKey(key) === bucket;
  const ownership = createOwnership({
    ...options,
    consul,
    keeper,
    opened: watches.openBucket,
    // Also of groups that are gone: their sessions were adopted with the bucket and must be dropped.
    adopted: (bucket) => [...store.groupKeys(), ...keeper.keys()].filter(inBucket(bucket)).forEach(wake),
    closed: (bucket) => {
      watches.closeBucket(bucket);
      for (const key of keeper.keys().filter(inBucket(bucket))) keeper.drop(key);
      for (const key of store.groupKeys().filter(inBucket(bucket))) {
        watches.unfollow(key);
        reconciler.forget(key);
      }
    },
  });
  const startedMs = clock.nowMs();
  const observe = createObserver({
    clock,
    store,
    locks,
    keeper,
    marginMs,
    ownership: ownership.of,
    silentSinceMs: contact.silentSinceMs,
    lockKeyProblem: (group) => problemOf(options, group),
    aloneSinceMs: (group) => Math.max(startedMs, ownership.heldSinceMs(group) ?? 0),
  });
  const reconciler = createReconciler({
    store,
    observe,
    executor: {
      consul,
      kubernetes: options.kubernetes,
      clock,
      random,
      keeper,
      locks,
      doubtOwnership: ownership.doubt,
      syntheticNode: node,
    },
    announcer: createAnnouncer(options),
    writeStatus: createStatusWriter(options),
    writeInvalid: (group, until) => writeInvalidStatus(options, group, until),
    owned: (group) => ownership.of(group).kind === 'owned',
    metrics,
    log,
    signal,
    dropped: (key) => {
      keeper.drop(key);
      watches.unfollow(key);
    },
  });
  const queue = startQueue({
    clock,
    random,
    workers: options.workers,
    handle: async (key, sinceMs) => {
      if (!synced()) return { kind: 'done' };
      followSharedKey(options, { store, ownership, watches }, key);
      return await measured(options, () => reconciler.reconcile(key, sinceMs));
    },
    onError: (key, error) => {
      if (!signal.aborted) log.error({ group: key, error }, 'a pass over the group failed; this is a defect');
    },
  });
  return { store, contact, locks, keeper, watches, ownership, reconciler, queue };
}

async function measured<T>({ clock, metrics }: OperatorOptions, pass: () => Promise<T>): Promise<T> {
  const startedMs = clock.nowMs();
  let outcome: 'done' | 'failed' = 'failed';
  try {
    const result = await pass();
    outcome = 'done';
    return result;
  } finally {
    metrics.reconciled(outcome, clock.nowMs() - startedMs);
  }
}

function followSharedKey(
  options: OperatorOptions,
  { store, ownership, watches }: Pick<Parts, 'store' | 'ownership' | 'watches'>,
  key: string,
): void {
  const parsed = store.group(key);
  if (parsed?.kind !== 'valid' || problemOf(options, parsed.group) !== null) return;
  if (ownership.of(parsed.group).kind === 'owned') watches.follow(parsed.group);
}

const problemOf = ({ lockKeyProblem }: OperatorOptions, { spec, namespace }: LeaderGroup): string | null =>
  spec.lockKey === null ? null : lockKeyProblem(spec.lockKey, namespace);

function bucketOfKey(key: string): number {
  const [namespace = '', name = ''] = key.split('/');
  return bucketOf(namespace, name);
}

function recordGauges({ metrics, clock }: OperatorOptions, { reconciler, keeper, ownership, queue }: Parts): void {
  const counts: Partial<Record<GroupState, number>> = {};
  for (const state of reconciler.states().values()) counts[state] = (counts[state] ?? 0) + 1;
  metrics.groups(counts);
  metrics.sessions(keeper.count());
  metrics.bucketsOwned(ownership.owned().length);
  metrics.queueDepth(queue.depth());
  const nearestMs = keeper.nearestDeadlineMs();
  metrics.deadlineMilliseconds(nearestMs === null ? null : nearestMs - clock.nowMs());
}
