import { describe, expect, it } from 'vitest';
import { createLockWatches } from '../../../src/operator/lock-watches.ts';
import { createLocks } from '../../../src/operator/locks.ts';
import { groupKey } from '../../../src/operator/store.ts';
import type { Consul } from '../../../src/ports/consul.ts';
import { aGroup } from '../../support/builders.ts';
import { createFakeClock, createFakeRandom, settle } from '../../support/model/fake-clock.ts';
import { createLink } from '../../support/model/link.ts';
import { SPACE } from '../../support/model/replica.ts';
import { noLog } from '../../support/model/sinks.ts';
import { createWorldApiServer } from '../../support/model/world-api-server.ts';
import { createWorldConsul } from '../../support/model/world-consul.ts';

const sharing = (at: number) => aGroup({ name: `g${at}`, spec: { lockKey: `jobs/k${at}` } });

async function following(count: number) {
  const clock = createFakeClock();
  const world = createWorldConsul(clock);
  const link = createLink('replica', createWorldApiServer(), world, () => undefined);
  const stop = new AbortController();
  let blocking = 0;
  let most = 0;
  const consul: Consul = {
    ...link.consul,
    readPrefix: async (...args) => {
      if (args[1].index > 0) most = Math.max(most, (blocking += 1));
      return await link.consul.readPrefix(...args).finally(() => {
        if (args[1].index > 0) blocking -= 1;
      });
    },
  };
  const locks = createLocks(consul, SPACE);
  const woken: string[] = [];
  const watches = createLockWatches({
    consul,
    clock,
    random: createFakeRandom('shared'),
    log: noLog,
    locks,
    space: SPACE,
    wake: (key) => woken.push(key),
    signal: stop.signal,
  });
  const groups = Array.from({ length: count }, (_, at) => sharing(at));
  for (const group of groups) {
    watches.follow(group);
    // As the first pass over a group does.
    await locks.read(group, stop.signal);
  }
  await settle();
  await clock.advance(2000);
  woken.length = 0;
  return { clock, world, link, locks, watches, groups, woken, stop, mostBlocking: () => most };
}

describe('any number of shared keys', () => {
  it.each([3, 300])('of %i each is heard of when it changes, by a bounded number of connections', async (count) => {
    const { clock, world, woken, groups, stop, mostBlocking } = await following(count);
    for (const [at] of groups.entries()) world.foreign.put(`jobs/k${at}/.lock`, 'x', true);
    await clock.advance(2000);
    expect(new Set(woken)).toEqual(new Set(groups.map(groupKey)));
    expect(mostBlocking()).toBeLessThanOrEqual(24);
    stop.abort();
  });

  it('are read a few dozen at a time, whatever their number', async () => {
    const { clock, link, stop } = await following(300);
    const before = link.sent.filter(({ operation }) => operation === 'readKeys').length;
    await clock.advance(10_000);
    const reads = link.sent.filter(({ operation }) => operation === 'readKeys').length - before;
    expect(reads).toBeLessThanOrEqual(10 * Math.ceil(276 / 32));
    stop.abort();
  });

  it('leave nothing behind when they are followed no more', async () => {
    const { clock, link, watches, groups, stop } = await following(60);
    for (const group of groups) watches.unfollow(groupKey(group));
    await clock.advance(5000);
    const before = link.sent.length;
    await clock.advance(60_000);
    expect(link.sent.length).toBe(before);
    stop.abort();
  });
});

it('what others keep below a lock key, or beside it, is not read', async () => {
  const { clock, world, link, locks, groups, stop } = await following(1);
  const [group] = groups;
  world.foreign.put('jobs/k0/team/config', 'x');
  world.foreign.put('jobs/other/.lock', 'x', true);
  await clock.advance(30_000);
  const read = link.sent.filter(({ operation }) => operation === 'readPrefix').map(({ about }) => about);
  expect(new Set(read)).toEqual(new Set(['jobs/k0/.lock', 'jobs/k0/.token']));
  expect([
    locks.known('jobs/k0/team/config')?.entry ?? null,
    group !== undefined && locks.view(group) !== null,
  ]).toEqual([null, true]);
  stop.abort();
});
