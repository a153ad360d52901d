/**
 * Which buckets this replica owns, over all its incarnations in Consul. The replicas share the buckets (share-buckets.ts); a bucket counts as
 * owned only after its sessions have been adopted, and only while the replica's own session may be believed.
 */

import type { MonotonicMs } from '../../api/clocks.ts';
import type { SessionId } from '../../api/ids.ts';
import { backoffMs } from '../../common/backoff.ts';
import { bucketKey, bucketName, bucketOf } from '../../election/keys.ts';
import type { Ownership } from '../../election/observation.ts';
import { desiredOwners } from '../../election/placement.ts';
import type { LiveReplica } from '../../election/replicas.ts';
import type { Clock } from '../../ports/clock.ts';
import { aborted } from '../common/aborted.ts';
import { createWakeSignal } from '../common/wake-signal.ts';
import { RETRY_BACKOFF } from '../reconcile/queue.ts';
import { keepRenewed } from '../sessions/renewal.ts';
import { AT_ANY_TIME } from '../sessions/renewal-turns.ts';
import { ALL_BUCKETS, createBucketLocks } from './bucket-locks.ts';
import { createBuckets, type Unproven } from './buckets.ts';
import { beginIncarnation, type Incarnation } from './incarnation.ts';
import { ForeignClusterError, join, REPLICA_TTL_MS } from './membership.ts';
import type { OwnershipOptions } from './options.ts';
import { createRegistry } from './registry.ts';
import { shareBuckets } from './share-buckets.ts';

const nobody = (buckets: readonly number[]): ReadonlyMap<number, null> =>
  new Map(buckets.map((bucket) => [bucket, null]));

type GroupName = { readonly namespace: string; readonly name: string };

export type BucketOwnership = {
  of(group: GroupName): Ownership;
  /** Monotonic milliseconds at which this replica found that it had got the group's bucket; null while it has not. */
  heldSinceMs(group: GroupName): MonotonicMs | null;
  /** Monotonic milliseconds from which the bucket may have been this replica's, whenever it found that; null while it is not. */
  perhapsSinceMs(group: GroupName): MonotonicMs | null;
  /** Since when this replica cannot prove that it still has the bucket; null: it can, or it has not got it. */
  unproven(group: GroupName): Unproven | null;
  /** A transaction failed its check of the bucket: what we believe is looked up before anything else is done. */
  invalidate(): void;
  /** Whether the API server is reached is another now: the others are to know. */
  connectivityChanged(): void;
  owned(): readonly number[];
  /** Why nothing is owned yet; null once Consul has let this replica in. For readiness. */
  problem(): string | null;
  /** Who is there and who has what, as this replica last saw it. */
  overview(): ReplicasOverview;
  /** Who has the group's bucket, as this replica last saw it; null: nobody, or it does not know. */
  ownerOf(group: GroupName): LiveReplica | null;
  /** The replicas that the last incarnation knew. */
  live(): readonly LiveReplica[];
  /** For how many milliseconds the same ones have been there, and have said the same of themselves. */
  unchangedForMs(): number;
  /**
   * Joins Consul and owns its share, until `signal` aborts. Rejects only with ForeignClusterError. What was owned then stays so
   * until `release`, or until the deadline of the session, which is not renewed any more.
   */
  run(signal: AbortSignal): Promise<void>;
  /**
   * Passes every bucket to its next owner, or unlocks it, and ends the replica's session, so that others take over at once. Never
   * rejects, and takes two seconds at most: what Consul does not hear of by then expires by itself.
   */
  release(): Promise<void>;
};

/** For people: GET /replicas. Buckets by their name in the keys, two hexadecimal digits. */
export type ReplicasOverview = {
  readonly self: string;
  readonly replicas: readonly {
    readonly id: string;
    readonly session: SessionId;
    readonly reachesApiServer: boolean;
    readonly buckets: readonly string[];
  }[];
  /** Buckets that nobody has. */
  readonly free: readonly string[];
  /** Where this replica's own stand: adopting, owned, leaving, lapsed. */
  readonly own: Readonly<Record<string, string>>;
};

const RELEASE_TIMEOUT_MS = 2000;
const LOOK_AFTER_MS = 1000;

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

export function createOwnership(options: OwnershipOptions): BucketOwnership {
  const { consul, clock, random, log, space, replica } = options;
  const buckets = createBuckets(clock, options.closed);
  const locks = createBucketLocks(options, space, replica.id);
  const wakeSignal = createWakeSignal(clock);
  let incarnation: Incarnation | null = null;
  let everJoined = false;
  const notice = createNotice(clock);
  let problem: string | null = 'this replica has not registered in Consul yet';

  function of({ namespace, name }: GroupName): Ownership {
    const bucket = bucketOf(namespace, name);
    const state = buckets.state(bucket);
    if (state === 'owned' && incarnation?.own.proven() === true) {
      const { own } = incarnation;
      return { kind: 'owned', guard: { key: bucketKey(space, bucket), session: own.id }, untilMs: own.deadlineMs() };
    }
    if (state === 'leaving') return { kind: 'notOwned' };
    if (state !== null) return { kind: 'lapsed' };
    return everJoined ? { kind: 'notOwned' } : { kind: 'neverKnown' };
  }

  function unproven({ namespace, name }: GroupName): Unproven | null {
    const bucket = bucketOf(namespace, name);
    const state = buckets.state(bucket);
    if (state === 'lapsed') return buckets.lapsed(bucket);
    const sinceMs = incarnation?.own.unprovenSinceMs() ?? null;
    if (sinceMs === null || state === null) return null;
    return state === 'adopting' ? { ...notice(sinceMs), sinceMs: null } : notice(sinceMs);
  }

  /** From join to the loss of the session. */
  async function live(signal: AbortSignal): Promise<void> {
    const membership = await join(options, options, signal);
    const ending = new AbortController();
    const own = keepRenewed(
      { ...options, turns: AT_ANY_TIME },
      { id: membership.session, ttlMs: REPLICA_TTL_MS },
      membership.acknowledgedMs,
      {
        lost: () => ending.abort(new Error('Consul has lost the session of this replica')),
        deadline: () =>
          log.warn({}, "Consul has not acknowledged this replica's session within its deadline; buckets are on hold"),
        recovered: wakeSignal.ring,
        attempted: options.metrics.renewal,
      },
    );
    const registry = createRegistry(clock, space);
    const end = (reason: Error): void => ending.abort(reason);
    incarnation = beginIncarnation({ own, membership, registry, locks, buckets, wakeSignal, end });
    everJoined = true;
    log.info({ session: own.id, cluster: space.cluster }, 'registered this replica in Consul');
    const both = AbortSignal.any([signal, ending.signal]);
    lookAfter(ending, both).catch(() => undefined);
    try {
      await shareBuckets(options, incarnation, noteProblem, both);
    } finally {
      own.stop();
      // When this replica ends, what it owns stays its own until `release` passes it on.
      if (!signal.aborted) {
        if (options.stuck() !== null) await release();
        buckets.lapse(notice(own.unprovenSinceMs() ?? clock.nowMs()));
      }
    }
  }

  /**
   * A replica that is stuck is not left to keep its buckets until somebody restarts it. It is looked at twice: to a process that stood still for
   * long everything under way seems stuck when it wakes up, until the answers that wait for it have been read.
   */
  async function lookAfter(ending: AbortController, signal: AbortSignal): Promise<void> {
    for (let looks = 0; looks < 2; looks = options.stuck() === null ? 0 : looks + 1)
      await clock.sleep(LOOK_AFTER_MS, signal);
    log.error({ reason: options.stuck() }, 'this replica is stuck; releasing its buckets');
    ending.abort(new Error('this replica is stuck'));
  }

  async function release(): Promise<void> {
    const limit = new AbortController();
    const cancel = clock.after(RELEASE_TIMEOUT_MS, () => limit.abort(new Error('Consul did not answer in time')));
    await giveUp(limit.signal)
      .catch((error: unknown) => log.warn({ error }, 'releasing the buckets failed; they expire with their session'))
      .finally(cancel);
  }

  /** Once per problem, not per attempt. null: there is none any more. */
  function noteProblem(error: unknown): void {
    const text = error === null ? null : messageOf(error);
    if (text !== null && problem !== text) log.warn({ error: text }, 'this replica cannot own buckets; retrying');
    problem = text;
  }

  async function run(signal: AbortSignal): Promise<void> {
    for (let failures = 1; !signal.aborted; failures += 1) {
      try {
        if (options.stuck() === null) {
          await live(signal);
          failures = 1;
        }
      } catch (error) {
        if (aborted(signal)) return;
        if (error instanceof ForeignClusterError) throw error;
        noteProblem(error);
      }
      await clock.sleep(backoffMs(failures + 2, RETRY_BACKOFF, random.next()), signal).catch(() => undefined);
    }
  }

  async function giveUp(signal: AbortSignal): Promise<void> {
    const leaving = incarnation;
    if (leaving === null) return;
    const { own, registry } = leaving;
    const mine = buckets.all().filter((bucket) => buckets.state(bucket) !== 'lapsed');
    for (const bucket of mine) buckets.close(bucket);
    own.stop();
    const owners = desiredOwners(registry.live().filter(({ id }) => id !== replica.id));
    const moves = new Map(mine.map((bucket) => [bucket, owners.get(bucket) ?? null]));
    incarnation = null;
    // Whom the watch still shows may be gone, and then nothing of it was done; ending the session frees whatever is left.
    const passed = await locks.leave(own.id, replica.id, moves, signal).catch(() => false);
    if (!passed) await locks.leave(own.id, replica.id, nobody(mine), signal).catch(() => false);
    await consul.destroySession(own.id, signal);
  }

  function overview(): ReplicasOverview {
    const held = (session: SessionId | null): readonly string[] =>
      ALL_BUCKETS.filter((bucket) => (incarnation?.seen.get(bucket)?.session ?? null) === session).map(bucketName);
    const own = buckets.all().map((bucket) => [bucketName(bucket), buckets.state(bucket) ?? '']);
    const replicas = (incarnation?.registry.live() ?? []).map(({ id, session, reachesApiServer }) => ({
      id,
      session,
      reachesApiServer,
      buckets: held(session),
    }));
    return { self: replica.id, replicas, free: held(null), own: Object.fromEntries(own) };
  }

  function ownerOf({ namespace, name }: GroupName): LiveReplica | null {
    const session = incarnation?.seen.get(bucketOf(namespace, name))?.session ?? null;
    return incarnation?.registry.live().find((replica) => replica.session === session) ?? null;
  }

  return {
    of,
    ownerOf,
    heldSinceMs: ({ namespace, name }) => buckets.heldSinceMs(bucketOf(namespace, name)),
    perhapsSinceMs: ({ namespace, name }) => buckets.perhapsSinceMs(bucketOf(namespace, name)),
    unproven,
    invalidate: wakeSignal.ring,
    connectivityChanged: wakeSignal.ring,
    owned: () => buckets.inState('owned'),
    problem: () => problem,
    overview,
    live: () => incarnation?.registry.live() ?? [],
    unchangedForMs: () => (incarnation === null ? 0 : clock.nowMs() - incarnation.registry.unchangedSinceMs()),
    run,
    release,
  };
}

/** When this replica first looked at what it could not prove since then. */
function createNotice({ nowMs }: Clock): (sinceMs: MonotonicMs) => Unproven {
  let noticed: Unproven | null = null;
  return (sinceMs) => {
    if (noticed?.sinceMs !== sinceMs) noticed = { sinceMs, noticedMs: nowMs() };
    return noticed;
  };
}
