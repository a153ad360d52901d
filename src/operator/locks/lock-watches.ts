/**
 * What is followed of Consul: one prefix per owned bucket, and the shared keys (shared-keys.ts). A group is not woken by what its own
 * transaction wrote: where a promotion fails, that would start the next attempt at once, and its verification the next.
 */
import type { LeaderGroup } from '../../api/leadergroup.ts';
import { groupOfKey, groupsPrefix, type KeySpace } from '../../election/keys.ts';
import type { Clock, Random } from '../../ports/clock.ts';
import type { Consul, KvSnapshot } from '../../ports/consul.ts';
import type { Log } from '../../ports/log.ts';
import { createWarnings } from '../common/warnings.ts';
import type { Locks } from './locks.ts';
import { watchPrefix } from './prefix-watch.ts';
import { createSharedKeys } from './shared-keys.ts';

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
  const shared = createSharedKeys(options);
  const warnings = createWarnings((prefix, reason) =>
    options.log.warn({ prefix, reason }, 'watching locks failed; retrying'),
  );

  /** Settles with the first snapshot or error; goes on either way. */
  function openWatch(prefix: string, changed: (keys: readonly string[]) => void): Promise<void> {
    // Asked for again because adoption failed: Consul counts a cut read until its wait ends, and allows a client 200 of them.
    if (delivered.has(prefix)) return Promise.resolve();
    closeWatch(prefix);
    const stop = new AbortController();
    watches.set(prefix, stop);
    const signal = AbortSignal.any([options.signal, stop.signal]);
    return new Promise((resolve, reject) => {
      let asked = 0;
      let seen: ReadonlyMap<string, string> = new Map();
      const asking = () => {
        asked = locks.now();
      };
      const onSnapshot = (snapshot: KvSnapshot, rebuilt: boolean) => {
        warnings.worked(prefix);
        delivered.add(prefix);
        const invalidated = locks.snapshot(prefix, snapshot, rebuilt, asked);
        const before = seen;
        seen = versionsOf(snapshot);
        changed([...new Set([...differing(before, seen), ...invalidated])]);
        resolve();
      };
      const onError = (error: unknown) => {
        warnings.failed(prefix, error);
        reject(error);
      };
      watchPrefix(options, prefix, { onSnapshot, onError, asking }, signal).then(resolve, resolve);
    });
  }

  function closeWatch(prefix: string): void {
    watches.get(prefix)?.abort();
    watches.delete(prefix);
    delivered.delete(prefix);
    locks.forget(prefix);
  }

  return {
    openBucket: (bucket) =>
      openWatch(groupsPrefix(space, bucket), (keys) => {
        const concerned = keys.map((key) => [groupOfKey(space, key), key] as const);
        for (const [group, key] of concerned) if (group !== null && !locks.ownWrite(key, group)) wake(group);
      }),
    closeBucket: (bucket) => closeWatch(groupsPrefix(space, bucket)),
    follow: shared.follow,
    unfollow: shared.unfollow,
  };
}

const versionsOf = ({ entries }: KvSnapshot): ReadonlyMap<string, string> =>
  new Map(entries.map(({ key, modifyIndex, session }) => [key, `${modifyIndex}/${session ?? ''}`]));

const differing = (a: ReadonlyMap<string, string>, b: ReadonlyMap<string, string>): readonly string[] =>
  [...new Set([...a.keys(), ...b.keys()])].filter((key) => a.get(key) !== b.get(key));
