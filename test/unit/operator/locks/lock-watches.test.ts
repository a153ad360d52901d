import { afterEach, describe, expect, it } from 'vitest';
import { bucketOf, groupKeys, groupsPrefix } from '../../../../src/election/keys.ts';
import { createLockWatches } from '../../../../src/operator/locks/lock-watches.ts';
import { createLocks } from '../../../../src/operator/locks/locks.ts';
import { aGroup } from '../../../kit/fakes/builders.ts';
import { createFakeClock, createFakeRandom, settle } from '../../../kit/fakes/clock.ts';
import { createLink } from '../../../kit/model/link.ts';
import { SPACE } from '../../../kit/model/replica.ts';
import { noLog } from '../../../kit/model/sinks.ts';
import { createWorldApiServer } from '../../../kit/model/world-api-server.ts';
import { createWorldConsul } from '../../../kit/model/world-consul.ts';

let stop: AbortController;
afterEach(() => stop.abort());

const anEligible = (name: string, lockKey: string) => aGroup({ name, uid: name, spec: { lockKey } });

function aWatch() {
  stop = new AbortController();
  const { signal } = stop;
  const clock = createFakeClock();
  const world = createWorldConsul(clock);
  const { consul } = createLink('watcher', createWorldApiServer(), world, () => undefined);
  const locks = createLocks(consul, SPACE);
  const woken = new Set<string>();
  const random = createFakeRandom('watcher');
  const watches = createLockWatches({
    consul,
    clock,
    random,
    log: noLog,
    locks,
    space: SPACE,
    wake: (key) => woken.add(key),
    signal,
  });
  world.requests.registerNode('node');
  const session = world.requests.createSession({ node: 'node', name: 's', ttlMs: 0, lockDelayMs: 0 });
  const change = async (verb: 'lock' | 'unlock', key: string) => {
    woken.clear();
    const result = await consul.txn([{ verb, key, session, value: verb }], signal);
    return result.kind === 'committed' ? result.entries : [];
  };
  return { clock, locks, watches, woken, change };
}

describe('a group', () => {
  it('is not woken by what its own transaction wrote, whichever of answer and watch is first, and by every other change', async () => {
    const { locks, watches, woken, change } = aWatch();
    const group = aGroup();
    const key = groupKeys(SPACE, group, null).lock;
    await watches.openBucket(bucketOf(group.namespace, group.name));
    const answered = await change('lock', key);
    locks.applied(group, answered);
    await settle();
    expect([...woken]).toEqual([]);
    const over = locks.writing(group);
    const late = await change('unlock', key);
    await settle();
    locks.applied(group, late);
    over();
    await settle();
    expect([...woken]).toEqual([]);
    await change('lock', key);
    await settle();
    expect([...woken]).toEqual(['default/notifier']);
  });
});

describe('a group whose own last write a restored Consul has lost', () => {
  it('is woken, for what it knows is invalidated', async () => {
    const { locks, watches, woken, change } = aWatch();
    const group = aGroup();
    const bucket = bucketOf(group.namespace, group.name);
    const { lock } = groupKeys(SPACE, group, null);
    const other = groupKeys(SPACE, aGroup({ name: 'other' }), null).lock;
    const beside = `${groupsPrefix(SPACE, bucket)}${other.slice(groupsPrefix(SPACE, bucketOf('default', 'other')).length)}`;
    await watches.openBucket(bucket);
    const [held] = await change('lock', lock);
    if (held === undefined) throw new Error('the lock was not taken');
    await settle();
    locks.applied(group, [{ ...held, modifyIndex: 1000 }]);
    // The first answer was asked for before, and may be late.
    for (const verb of ['lock', 'unlock'] as const) {
      await change(verb, beside);
      await settle();
    }
    expect([locks.view(group), [...woken]]).toEqual([null, expect.arrayContaining(['default/notifier'])]);
  });
});

describe('groups that share a lock key', () => {
  it('wake each other, also when the change was known here already by the own answer of one of them', async () => {
    const { locks, watches, woken, change } = aWatch();
    const [a, b] = [anEligible('a', 'jobs'), anEligible('b', 'jobs')];
    watches.follow(a);
    watches.follow(b);
    await settle();
    locks.applied(a, await change('lock', 'jobs/.lock'));
    await settle();
    expect(woken).toContain('default/b');
    locks.applied(a, await change('unlock', 'jobs/.lock'));
    await settle();
    expect(woken).toContain('default/b');
  });

  it('are woken when a key that lies below another shared one changes', async () => {
    const { watches, woken, change } = aWatch();
    watches.follow(anEligible('outer', 'jobs'));
    watches.follow(anEligible('inner', 'jobs/etl'));
    await settle();
    await change('lock', 'jobs/etl/.lock');
    await settle();
    expect(woken).toContain('default/inner');
  });

  it('are not woken any more once they have gone', async () => {
    const { watches, woken, change } = aWatch();
    watches.follow(anEligible('a', 'jobs'));
    watches.follow(anEligible('b', 'jobs'));
    await settle();
    watches.unfollow('default/a');
    await change('lock', 'jobs/.lock');
    await settle();
    expect([...woken]).toEqual(['default/b']);
  });
});
