/**
 * Which buckets this replica owns. One replica takes every free bucket; another one waits. A bucket counts as owned only
 * after its sessions have been adopted, and only while the replica's own session may be believed.
 */
import { BUCKETS, bucketKey, bucketOf, bucketsPrefix, type KeySpace } from '../election/keys.ts';
import type { Ownership } from '../election/observation.ts';
import type { Clock, Random } from '../ports/clock.ts';
import type { Consul, KvEntry } from '../ports/consul.ts';
import type { Log } from '../ports/log.ts';
import type { Metrics } from '../ports/metrics.ts';
import { aborted } from './aborted.ts';
import { lockBuckets, unlockBuckets } from './bucket-locks.ts';
import { inParallel } from './in-parallel.ts';
import { ForeignClusterError, join, listOwnNode, REPLICA_TTL_MS, type ReplicaIdentity } from './membership.ts';
import { watchPrefix } from './prefix-watch.ts';
import { backoffMs } from './queue.ts';
import { keepRenewed, type Renewal } from './renewal.ts';
import type { SessionKeeper } from './sessions.ts';

export type BucketOwnership = {
  of(group: { namespace: string; name: string }): Ownership;
  /** Monotonic milliseconds at which this replica got the group's bucket; null while it has not. */
  heldSinceMs(group: { namespace: string; name: string }): number | null;
  /** A transaction failed its check of the bucket: what we believe is looked up before anything else is done. */
  doubt(): void;
  owned(): readonly number[];
  /** Why nothing is owned yet; null once Consul has been joined. For readiness. */
  problem(): string | null;
  /**
   * Joins Consul and owns what is free, until `signal` aborts. Rejects only with ForeignClusterError. Afterwards
   * nothing is owned; the session and the locks are left as they are (see `release`).
   */
  run(signal: AbortSignal): Promise<void>;
  /** Unlocks every bucket and ends the replica's session, so that others take over at once. */
  release(signal: AbortSignal): Promise<void>;
};

export type OwnershipOptions = {
  readonly consul: Consul;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly keeper: SessionKeeper;
  readonly space: KeySpace;
  readonly replica: ReplicaIdentity;
  readonly clusterUid: string;
  readonly marginMs: number;
  /** The bucket is this replica's: watch its locks. Resolves when they are known once. */
  readonly opened: (bucket: number) => Promise<void>;
  /** Its groups may be worked on. */
  readonly adopted: (bucket: number) => void;
  readonly closed: (bucket: number) => void;
};

const ADOPTIONS_AT_ONCE = 16;

type BucketState = 'adopting' | 'owned' | 'lapsed';

const ALL_BUCKETS: readonly number[] = Array.from({ length: BUCKETS }, (_, bucket) => bucket);

export function createOwnership(options: OwnershipOptions): BucketOwnership {
  const { consul, clock, random, log, space } = options;
  const buckets = new Map<number, BucketState>();
  const heldSince = new Map<number, number>();
  let renewal: Renewal | null = null;
  let everJoined = false;
  let problem: string | null = 'Consul has not been joined yet';
  let interrupt: () => void = () => undefined;

  function of(group: { namespace: string; name: string }): Ownership {
    const bucket = bucketOf(group.namespace, group.name);
    const state = buckets.get(bucket);
    if (state === 'owned' && renewal?.proven() === true) {
      return { kind: 'owned', fence: { key: bucketKey(space, bucket), session: renewal.id } };
    }
    if (state !== undefined) return { kind: 'lapsed' };
    return everJoined ? { kind: 'notOwned' } : { kind: 'neverKnown' };
  }

  /** One life of the replica's session: from join to its loss. */
  async function live(signal: AbortSignal): Promise<void> {
    const membership = await join(options, space, options.replica, options.clusterUid, signal);
    const life = new AbortController();
    const own = keepRenewed(options, { id: membership.session, ttlMs: REPLICA_TTL_MS }, membership.acknowledgedMs, {
      lost: () => life.abort(new Error('Consul has lost the session of this replica')),
      deadline: () =>
        log.warn({}, "Consul has not acknowledged this replica's session within its deadline; buckets are on hold"),
      recovered: () => interrupt(),
      attempted: options.metrics.renewal,
    });
    renewal = own;
    everJoined = true;
    problem = null;
    log.info({ session: own.id, cluster: space.cluster }, 'joined Consul');
    try {
      await follow(own, AbortSignal.any([signal, life.signal]));
    } finally {
      own.stop();
      lapseAll();
    }
  }

  /** Follows the bucket locks; `interrupt` starts the watch over, which reads at once. */
  async function follow(own: Renewal, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const round = new AbortController();
      interrupt = () => round.abort();
      const both = AbortSignal.any([signal, round.signal]);
      const settle = ({ entries }: { entries: readonly KvEntry[] }) => settleBuckets(own, entries, both);
      await watchPrefix(options, bucketsPrefix(space), settle, complain, both);
    }
  }

  async function settleBuckets(own: Renewal, entries: readonly KvEntry[], signal: AbortSignal): Promise<void> {
    const holders = new Map(entries.map((entry) => [entry.key, entry.session]));
    const holderOf = (bucket: number) => holders.get(bucketKey(space, bucket)) ?? null;
    const free = ALL_BUCKETS.filter((bucket) => holderOf(bucket) === null);
    const taken = new Set(await lockBuckets(consul, space, options.replica.id, own.id, free, signal));
    const mine = ALL_BUCKETS.filter((bucket) => taken.has(bucket) || holderOf(bucket) === own.id);
    for (const bucket of buckets.keys()) if (!mine.includes(bucket)) close(bucket);
    const believed = own.proven();
    if (mine.length > 0) own.prove();
    await openBuckets(
      own,
      mine.filter((bucket) => buckets.get(bucket) !== 'owned'),
      signal,
    );
    if (!believed) for (const bucket of mine) options.adopted(bucket);
    problem = null;
  }

  /** Once per problem, not per attempt. */
  function complain(error: unknown): void {
    const text = error instanceof Error ? error.message : String(error);
    if (problem !== text) log.warn({ error: text }, 'Consul does not let this replica own its buckets; trying again');
    problem = text;
  }

  async function openBuckets(own: Renewal, some: readonly number[], signal: AbortSignal): Promise<void> {
    if (some.length === 0) return;
    for (const bucket of some) {
      buckets.set(bucket, 'adopting');
      if (!heldSince.has(bucket)) heldSince.set(bucket, clock.nowMs());
    }
    await Promise.all(some.map((bucket) => options.opened(bucket)));
    await adoptSessions(own, new Set(some), signal);
    for (const bucket of some) buckets.set(bucket, 'owned');
    for (const bucket of some) options.adopted(bucket);
    log.info({ buckets: some.length, sessions: options.keeper.count() }, 'took buckets and adopted their sessions');
  }

  /** Listed after the buckets are ours: whoever owned them before cannot open or lock with another one since. */
  async function adoptSessions(own: Renewal, some: ReadonlySet<number>, signal: AbortSignal): Promise<void> {
    const sessions = await listOwnNode(consul, space, own.id, signal);
    const ours = sessions.filter(({ name }) => {
      const [namespace, group] = name.split('/');
      return group !== undefined && some.has(bucketOf(namespace ?? '', group));
    });
    await inParallel(ours, ADOPTIONS_AT_ONCE, (session) => options.keeper.adopt(session, signal));
  }

  function close(bucket: number): void {
    buckets.delete(bucket);
    heldSince.delete(bucket);
    options.closed(bucket);
  }

  function lapseAll(): void {
    for (const [bucket, state] of buckets) {
      if (state === 'adopting') close(bucket);
      else buckets.set(bucket, 'lapsed');
    }
  }

  async function run(signal: AbortSignal): Promise<void> {
    for (let failures = 1; !signal.aborted; failures += 1) {
      try {
        await live(signal);
        failures = 1;
      } catch (error) {
        if (aborted(signal)) return;
        if (error instanceof ForeignClusterError) throw error;
        complain(error);
      }
      await clock.sleep(backoffMs(failures + 2, random.next()), signal).catch(() => undefined);
    }
  }

  async function release(signal: AbortSignal): Promise<void> {
    const own = renewal;
    if (own === null) return;
    const mine = [...buckets.keys()];
    buckets.clear();
    own.stop();
    if (mine.length > 0) await unlockBuckets(consul, space, own.id, mine, signal);
    await consul.destroySession(own.id, signal);
  }

  return {
    of,
    heldSinceMs: ({ namespace, name }) => heldSince.get(bucketOf(namespace, name)) ?? null,
    doubt: () => interrupt(),
    owned: () => [...buckets].filter(([, state]) => state === 'owned').map(([bucket]) => bucket),
    problem: () => problem,
    run,
    release,
  };
}
