/**
 * Which prefixes of Consul are followed: one per owned bucket, and the first shared keys, the others being looked at in turn. A group is not woken by
 * what its own transaction wrote: where a promotion fails, that would start the next attempt at once, and its verification the next.
 */
import type { LeaderGroup } from '../api/leadergroup.ts';
import { groupOfKey, groupsPrefix, type KeySpace, sharedLockKey, sharedTokenKey } from '../election/keys.ts';
import type { Clock, Random } from '../ports/clock.ts';
import type { Consul, KvSnapshot } from '../ports/consul.ts';
import type { Log } from '../ports/log.ts';
import { aborted } from './aborted.ts';
import type { Locks } from './locks.ts';
import { watchPrefix } from './prefix-watch.ts';
import { createSharedKeys } from './shared-keys.ts';
import { groupKey } from './store.ts';

export type LockWatches = {
  /**
   * Follows a bucket's locks; resolves when they are known once, or when it is closed before. Rejects with the first
   * error, if that comes first, and goes on. A watch that has delivered is left as it is.
   */
  openBucket(bucket: number): Promise<void>;
  closeBucket(bucket: number): void;
  /** Follows the group's shared key, if it has one. Cheap to repeat. */
  follow(group: LeaderGroup): void;
  unfollow(key: string): void;
};

/** With the 34 reads of buckets and replicas, two replicas stay below Consul's 200 connections of one address. */
const WATCHED_KEYS = 24;

export function createLockWatches(options: {
  readonly consul: Consul;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly locks: Locks;
  readonly space: KeySpace;
  readonly wake: (key: string) => void;
  readonly signal: AbortSignal;
}): LockWatches {
  const { locks, space, wake } = options;
  const watches = new Map<string, AbortController>();
  /** Prefixes whose running watch has delivered. */
  const delivered = new Set<string>();
  const followed = new Map<string, string>();
  /** By what is watched, the groups that follow it. */
  const followers = new Map<string, Set<string>>();
  const tokens = new Map<string, string>();
  const others = createSharedKeys(options);
  /** Shared keys that have a connection of their own. */
  let hot = 0;
  const complaints = new Map<string, { readonly text: string; readonly times: number }>();

  /** Settles with the first snapshot or error; goes on either way. */
  function open(
    prefix: string,
    changed: (keys: readonly string[]) => void,
    beside: (signal: AbortSignal) => Promise<void> = () => Promise.resolve(),
  ): Promise<void> {
    // Asked for again because adoption failed: Consul counts a cut read until its wait ends, and allows a client 200 of them.
    if (delivered.has(prefix)) return Promise.resolve();
    close(prefix);
    const stop = new AbortController();
    watches.set(prefix, stop);
    const signal = AbortSignal.any([options.signal, stop.signal]);
    return new Promise((resolve, reject) => {
      let asked = 0;
      // Compared with what this watch showed last, not with what is known: another group's own write may be known already,
      // and whoever shares the key must still be woken.
      let seen: ReadonlyMap<string, string> = new Map();
      const asking = () => {
        asked = locks.now();
      };
      const onSnapshot = async (snapshot: KvSnapshot, rebuilt: boolean) => {
        await beside(signal);
        if (aborted(signal)) return;
        complaints.delete(prefix);
        delivered.add(prefix);
        const doubted = locks.snapshot(prefix, snapshot, rebuilt, asked);
        const before = seen;
        seen = versionsOf(snapshot);
        changed([...new Set([...differing(before, seen), ...doubted])]);
        resolve();
      };
      const onError = (error: unknown) => {
        complain(prefix, error);
        reject(error);
      };
      watchPrefix(options, prefix, onSnapshot, onError, signal, asking).then(resolve, resolve);
    });
  }

  /** A cut watch is nothing to speak of; one that goes on failing for the same reason is, once. */
  function complain(prefix: string, error: unknown): void {
    const text = error instanceof Error ? error.message : String(error);
    const before = complaints.get(prefix);
    const times = before?.text === text ? before.times + 1 : 1;
    complaints.set(prefix, { text, times });
    if (times === 2) options.log.warn({ prefix, reason: text }, 'locks cannot be watched; trying again');
  }

  function close(prefix: string): void {
    watches.get(prefix)?.abort();
    watches.delete(prefix);
    delivered.delete(prefix);
    locks.forget(prefix);
  }

  function unfollow(key: string): void {
    const prefix = followed.get(key);
    followed.delete(key);
    others.remove(key);
    if (prefix === undefined) return;
    const sharers = followers.get(prefix);
    sharers?.delete(key);
    if (sharers !== undefined && sharers.size > 0) return;
    followers.delete(prefix);
    if (watches.has(prefix)) {
      close(prefix);
      hot -= 1;
    }
    locks.forget(prefix);
    locks.forget(tokens.get(prefix) ?? prefix);
    tokens.delete(prefix);
  }

  /** The token changes with the lock only, so it is read when the lock was. */
  async function readToken(lockKey: string, signal: AbortSignal): Promise<void> {
    const asked = locks.now();
    const key = sharedTokenKey(lockKey);
    locks.snapshot(key, await options.consul.readPrefix(key, { index: 0, waitMs: 0 }, signal), false, asked);
  }

  /** A connection each for the first ones, the others are looked at in turn. */
  function watch(group: LeaderGroup, lockKey: string): void {
    const prefix = sharedLockKey(lockKey);
    if (watches.has(prefix)) return;
    if (hot >= WATCHED_KEYS) return others.add(group);
    others.remove(groupKey(group));
    hot += 1;
    tokens.set(prefix, sharedTokenKey(lockKey));
    open(
      prefix,
      (keys) => wakeFollowers(prefix, keys),
      (signal) => readToken(lockKey, signal),
    ).catch(() => undefined);
  }

  function wakeFollowers(prefix: string, keys: readonly string[]): void {
    for (const group of followers.get(prefix) ?? []) if (keys.some((key) => !locks.ownWrite(key, group))) wake(group);
  }

  return {
    openBucket: (bucket) =>
      open(groupsPrefix(space, bucket), (keys) => {
        const concerned = keys.map((key) => [groupOfKey(space, key), key] as const);
        for (const [group, key] of concerned) if (group !== null && !locks.ownWrite(key, group)) wake(group);
      }),
    closeBucket: (bucket) => close(groupsPrefix(space, bucket)),
    follow: (group) => {
      const { lockKey } = group.spec;
      const prefix = lockKey === null ? undefined : sharedLockKey(lockKey);
      if (followed.get(groupKey(group)) !== prefix) {
        unfollow(groupKey(group));
        if (prefix === undefined) return;
        followed.set(groupKey(group), prefix);
        followers.set(prefix, (followers.get(prefix) ?? new Set()).add(groupKey(group)));
      }
      if (lockKey !== null) watch(group, lockKey);
    },
    unfollow,
  };
}

const versionsOf = ({ entries }: KvSnapshot): ReadonlyMap<string, string> =>
  new Map(entries.map(({ key, modifyIndex, session }) => [key, `${modifyIndex}/${session ?? ''}`]));

const differing = (a: ReadonlyMap<string, string>, b: ReadonlyMap<string, string>): readonly string[] =>
  [...new Set([...a.keys(), ...b.keys()])].filter((key) => a.get(key) !== b.get(key));
