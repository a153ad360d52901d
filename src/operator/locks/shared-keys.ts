/**
 * Follows the shared lock keys, however many there are, with a bounded number of connections: the first are watched, each by a blocking
 * read of the one key; the others are looked at in turn. Either only tells that it is worth looking: what is believed of a lock and its
 * token is read of both together, consistently. Other keys below or beside them are never read.
 */
import type { MonotonicMs } from '../../api/clocks.ts';
import type { LeaderGroup } from '../../api/leadergroup.ts';
import { backoffMs } from '../../common/backoff.ts';
import { sharedLockKey, sharedTokenKey } from '../../election/keys.ts';
import type { Clock, Random } from '../../ports/clock.ts';
import { type Consul, ConsulError, type KvEntry } from '../../ports/consul.ts';
import type { Log } from '../../ports/log.ts';
import { groupKey } from '../cache/store.ts';
import { aborted } from '../common/aborted.ts';
import { createWarnings } from '../common/warnings.ts';
import { RETRY_BACKOFF } from '../reconcile/queue.ts';
import type { Locks } from './locks.ts';
import { WAIT_MS } from './prefix-watch.ts';

export type SharedKeys = {
  /** Wakes the group with every change of its shared key that is not its own. Cheap to repeat. */
  follow(group: LeaderGroup): void;
  unfollow(group: string): void;
};

/** With the 34 blocking reads of buckets and replicas they fit into the connections of two replicas behind one address (agents.ts). */
const WATCHED = 24;
/** A change of a key that is not watched is heard of within this, and the time that the requests take. */
const EVERY_MS = 1000;
/** Two keys of each; Consul takes 64 operations in one transaction. */
const AT_ONCE = 32;
/** A key that Consul does not let us read is left alone for so long. */
const REFUSED_MS = 30_000;

type Shared = {
  readonly lockKey: string;
  readonly followers: Set<string>;
  /** Versions that its followers have been woken for; null: it has not been read. */
  shown: readonly [string, string] | null;
  refusedUntilMs: MonotonicMs;
};

export function createSharedKeys(options: {
  readonly consul: Pick<Consul, 'readKey'>;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly locks: Pick<Locks, 'look' | 'ownWrite' | 'forgetKeys'>;
  readonly wake: (key: string) => void;
  readonly signal: AbortSignal;
}): SharedKeys {
  const { consul, clock, random, locks, wake, signal } = options;
  const byLockKey = new Map<string, Shared>();
  const byGroup = new Map<string, Shared>();
  /** Those that no blocking read is under way for. */
  const unwatched = new Set<Shared>();
  const warnings = createWarnings((lockKey, reason) =>
    options.log.warn({ lockKey, reason }, 'watching a shared lock failed; retrying'),
  );
  let watching = 0;
  let looking = false;

  const wanted = (shared: Shared): boolean => !aborted(signal) && byLockKey.get(shared.lockKey) === shared;

  function follow(group: LeaderGroup): void {
    const { lockKey } = group.spec;
    const key = groupKey(group);
    if ((byGroup.get(key)?.lockKey ?? null) === lockKey) return;
    unfollow(key);
    if (lockKey === null) return;
    const shared = byLockKey.get(lockKey) ?? begin(lockKey);
    shared.followers.add(key);
    byGroup.set(key, shared);
  }

  function begin(lockKey: string): Shared {
    const shared: Shared = { lockKey, followers: new Set(), shown: null, refusedUntilMs: 0 };
    byLockKey.set(lockKey, shared);
    place(shared);
    return shared;
  }

  /** A connection for it if one is free, else its turn among the others. */
  function place(shared: Shared): void {
    unwatched.add(shared);
    fill();
    if (unwatched.size > 0 && !looking) void lookInTurn();
  }

  function fill(): void {
    while (watching < WATCHED && allowed().length > 0) void watchOneAfterTheOther();
  }

  /** The blocking read of a key that nobody follows any more is not cut: Consul counts its connection until its wait is over. */
  function unfollow(group: string): void {
    const shared = byGroup.get(group);
    if (shared === undefined) return;
    byGroup.delete(group);
    shared.followers.delete(group);
    if (shared.followers.size > 0) return;
    byLockKey.delete(shared.lockKey);
    unwatched.delete(shared);
    warnings.worked(shared.lockKey);
    locks.forgetKeys(keysOf(shared));
  }

  /** Nothing once it ends: whoever fills the connections would go on for ever, since none is taken any more. */
  const allowed = (): readonly Shared[] =>
    aborted(signal) ? [] : [...unwatched].filter(({ refusedUntilMs }) => refusedUntilMs <= clock.nowMs());

  async function watchOneAfterTheOther(): Promise<void> {
    watching += 1;
    for (let [next] = allowed(); next !== undefined; [next] = allowed()) {
      unwatched.delete(next);
      await watch(next);
    }
    watching -= 1;
    if (unwatched.size > 0 && !looking) void lookInTurn();
  }

  /** Until nobody follows it, or Consul does not let us read it. */
  async function watch(shared: Shared): Promise<void> {
    const [lock] = keysOf(shared);
    let index = 0;
    for (let failures = 0; wanted(shared); ) {
      try {
        const found = await consul.readKey(lock, { index, waitMs: WAIT_MS }, signal);
        failures = 0;
        if (!wanted(shared)) return;
        const news = shared.shown?.[0] !== versionOf(found.entry);
        const settled = !news || (await look([shared]));
        index = settled && found.index >= index ? found.index : 0;
      } catch (error) {
        if (!wanted(shared)) return;
        warnings.failed(shared.lockKey, error);
        if (isRefusal(error)) return refuse(shared);
        failures += 1;
        index = 0;
        await clock.sleep(backoffMs(failures + 1, RETRY_BACKOFF, random.next()), signal).catch(() => undefined);
      }
    }
  }

  async function lookInTurn(): Promise<void> {
    looking = true;
    while (unwatched.size > 0 && !aborted(signal)) {
      await clock.sleep(EVERY_MS, signal).catch(() => undefined);
      fill();
      const all = allowed();
      for (let at = 0; at < all.length && !aborted(signal); at += AT_ONCE) await lookAt(all.slice(at, at + AT_ONCE));
    }
    looking = false;
  }

  /** One key that may not be read must not hide the others: they are read in two halves then. */
  async function lookAt(some: readonly Shared[]): Promise<void> {
    try {
      await look(some);
    } catch (error) {
      const [first] = some;
      if (aborted(signal) || first === undefined) return;
      if (some.length > 1 && isRefusal(error)) {
        const half = Math.ceil(some.length / 2);
        await lookAt(some.slice(0, half));
        return await lookAt(some.slice(half));
      }
      warnings.failed(first.lockKey, error);
      if (isRefusal(error)) first.refusedUntilMs = clock.nowMs() + REFUSED_MS;
    }
  }

  function refuse(shared: Shared): void {
    shared.refusedUntilMs = clock.nowMs() + REFUSED_MS;
    place(shared);
  }

  /** Whether all of it could be believed: what else is learnt meanwhile may be later. Throws ConsulError. */
  async function look(some: readonly Shared[]): Promise<boolean> {
    const read = await locks.look(some.flatMap(keysOf), signal);
    return some.map((shared) => show(shared, read)).every(Boolean);
  }

  function show(shared: Shared, read: ReadonlyMap<string, KvEntry | null>): boolean {
    const keys = keysOf(shared);
    if (!wanted(shared)) {
      // Somebody may follow the key again by now, and has been told of it already.
      if (!byLockKey.has(shared.lockKey)) locks.forgetKeys(keys);
      return true;
    }
    warnings.worked(shared.lockKey);
    const [lock, token] = keys.map((key) => read.get(key));
    if (lock === undefined || token === undefined) return false;
    const before = shared.shown;
    const shown = [versionOf(lock), versionOf(token)] as const;
    shared.shown = shown;
    const changed = keys.filter((_, at) => before?.[at] !== shown[at]);
    for (const group of shared.followers) if (changed.some((key) => !locks.ownWrite(key, group))) wake(group);
    return true;
  }

  return { follow, unfollow };
}

const keysOf = ({ lockKey }: Shared): readonly [string, string] => [sharedLockKey(lockKey), sharedTokenKey(lockKey)];

/** A rebuilt Consul may use an index again, hence the session. */
const versionOf = (entry: KvEntry | null): string => `${entry?.modifyIndex ?? 0}/${entry?.session ?? ''}`;

const isRefusal = (error: unknown): boolean =>
  error instanceof ConsulError && (error.kind === 'denied' || error.kind === 'refused');
