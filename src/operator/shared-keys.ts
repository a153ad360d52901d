/**
 * Shared lock keys beyond those that are watched. Each watch holds a connection, and Consul allows an address 200 of them by default; so
 * most of a large number of keys are looked at in turn, 32 of them with one request. What is found is only a hint: a group whose key has
 * changed has its lock in doubt, and reads it before it does anything.
 */
import type { LeaderGroup } from '../api/leadergroup.ts';
import { groupKeys, type KeySpace } from '../election/keys.ts';
import type { Clock } from '../ports/clock.ts';
import type { Consul, KvEntry } from '../ports/consul.ts';
import { aborted } from './aborted.ts';
import type { Locks } from './locks.ts';
import { groupKey } from './store.ts';

export type SharedKeys = {
  /** Looks at the group's shared key from now on. Cheap to repeat. */
  add(group: LeaderGroup): void;
  remove(key: string): void;
};

/** A change is heard of within this, and the time that the requests take. */
const EVERY_MS = 1000;
/** Two keys of each: the lock and its token. Consul takes 64 operations in one transaction. */
const AT_ONCE = 32;

export function createSharedKeys(options: {
  readonly consul: Pick<Consul, 'readKeys'>;
  readonly clock: Clock;
  readonly locks: Pick<Locks, 'known' | 'now' | 'doubt' | 'ownWrite'>;
  readonly space: KeySpace;
  readonly wake: (key: string) => void;
  readonly signal: AbortSignal;
}): SharedKeys {
  const { consul, clock, locks, space, wake, signal } = options;
  const groups = new Map<string, LeaderGroup>();
  let running = false;

  async function run(): Promise<void> {
    while (groups.size > 0 && !signal.aborted) {
      await clock.sleep(EVERY_MS, signal).catch(() => undefined);
      const all = [...groups.values()];
      for (let at = 0; at < all.length && !aborted(signal); at += AT_ONCE)
        await lookAt(all.slice(at, at + AT_ONCE)).catch(() => undefined);
    }
    running = false;
  }

  /** Throws ConsulError: looked at again with the next turn. */
  async function lookAt(some: readonly LeaderGroup[]): Promise<void> {
    const asked = locks.now();
    const keys = [...new Set(some.flatMap(keysOf))];
    const entries = await consul.readKeys(keys, signal);
    const changed = new Set(keys.filter((key, at) => news(key, entries[at] ?? null, asked)));
    for (const group of some) {
      const key = groupKey(group);
      const concerned = keysOf(group).some((each) => changed.has(each) && !locks.ownWrite(each, key));
      if (!concerned || !groups.has(key)) continue;
      locks.doubt(group);
      wake(key);
    }
  }

  /** Not what was learnt while the answer was on its way. A lock that was never read is read by the next pass anyway. */
  function news(key: string, entry: KvEntry | null, asked: number): boolean {
    const known = locks.known(key);
    if (known === null || known.learnt > asked) return false;
    return known.entry?.modifyIndex !== entry?.modifyIndex || known.entry?.session !== entry?.session;
  }

  function keysOf(group: LeaderGroup): readonly string[] {
    const { lock, token } = groupKeys(space, group, group.spec.lockKey);
    return token === null ? [] : [lock, token];
  }

  return {
    add: (group) => {
      groups.set(groupKey(group), group);
      if (running) return;
      running = true;
      run().catch(() => undefined);
    },
    remove: (key) => void groups.delete(key),
  };
}
