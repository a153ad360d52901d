import { describe, expect, it } from 'vitest';
import { groupKey } from '../../../../src/operator/cache/store.ts';
import { createLockWatches } from '../../../../src/operator/locks/lock-watches.ts';
import { createLocks } from '../../../../src/operator/locks/locks.ts';
import { type Consul, ConsulError } from '../../../../src/ports/consul.ts';
import { aGroup } from '../../../kit/fakes/builders.ts';
import { createFakeClock, createFakeRandom, settle } from '../../../kit/fakes/clock.ts';
import { createLink } from '../../../kit/model/link.ts';
import { SPACE } from '../../../kit/model/replica.ts';
import { noLog } from '../../../kit/model/sinks.ts';
import { createWorldApiServer } from '../../../kit/model/world-api-server.ts';
import { createWorldConsul } from '../../../kit/model/world-consul.ts';

const sharing = (at: number) => aGroup({ name: `g${at}`, spec: { lockKey: `jobs/k${at}` } });

async function following(count: number) {
  const clock = createFakeClock();
  const world = createWorldConsul(clock);
  const link = createLink('replica', createWorldApiServer(), world, () => undefined);
  const stop = new AbortController();
  let blocking = 0;
  let most = 0;
  let cut = 0;
  const denied = new Set<string>();
  const consul: Consul = {
    ...link.consul,
    // Until Consul answers, whatever becomes of the client: its connection counts.
    readKey: async (key, block, signal) => {
      if (denied.has(key)) throw new ConsulError('denied', `may not read ${key}`);
      if (block.index > 0) most = Math.max(most, (blocking += 1));
      return await link.consul.readKey(key, block, signal).finally(() => {
        if (block.index > 0) blocking -= 1;
        if (signal.aborted) cut += 1;
      });
    },
    readKeys: async (keys, signal) => {
      if (keys.some((key) => denied.has(key))) throw new ConsulError('denied', 'may not read one of them');
      return await link.consul.readKeys(keys, signal);
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
  return { clock, world, link, locks, watches, groups, woken, denied, stop, mostBlocking: () => most, cut: () => cut };
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
    const { clock, world, link, locks, watches, groups, stop } = await following(60);
    for (const [at] of groups.entries()) world.foreign.put(`jobs/k${at}/.lock`, 'x', true);
    await clock.advance(2000);
    expect(locks.entries()).toHaveLength(60);
    for (const group of groups) watches.unfollow(groupKey(group));
    await clock.advance(25_000);
    expect(locks.entries()).toEqual([]);
    const before = link.sent.length;
    await clock.advance(60_000);
    expect(link.sent.length).toBe(before);
    stop.abort();
  });

  it('that come and go cut no read, whose connection Consul would go on counting, and take no more of them', async () => {
    const { clock, world, watches, groups, woken, stop, mostBlocking, cut } = await following(30);
    for (let round = 0; round < 100; round += 1) {
      for (const group of groups) watches.unfollow(groupKey(group));
      for (const group of groups) watches.follow(group);
      await clock.advance(100);
    }
    expect([mostBlocking(), cut()]).toEqual([24, 0]);
    await clock.advance(25_000);
    woken.length = 0;
    for (const [at] of groups.entries()) world.foreign.put(`jobs/k${at}/.lock`, 'x', true);
    await clock.advance(2000);
    expect(new Set(woken)).toEqual(new Set(groups.map(groupKey)));
    stop.abort();
  });

  it('are heard of also beside some that may not be read, watched or not', async () => {
    const { clock, world, woken, denied, groups, stop } = await following(150);
    const hidden = [0, 1, 60, 61, 149];
    for (const at of hidden) denied.add(`jobs/k${at}/.lock`);
    for (const [at] of groups.entries()) world.foreign.put(`jobs/k${at}/.lock`, 'x', true);
    await clock.advance(3000);
    const others = groups.filter((_, at) => !hidden.includes(at)).map(groupKey);
    expect(woken).toEqual(expect.arrayContaining(others));
    woken.length = 0;
    denied.clear();
    await clock.advance(60_000);
    expect(new Set(woken)).toEqual(new Set(hidden.map((at) => `default/g${at}`)));
    stop.abort();
  });

  it('are looked at no more once it ends, also where one that may not be read is due again just then', async () => {
    const { clock, denied, watches, stop } = await following(0);
    for (const at of [0, 1]) {
      denied.add(`jobs/k${at}/.lock`);
      watches.follow(sharing(at));
      await clock.advance(500);
    }
    await clock.advance(29_600);
    const { nowMs } = clock;
    let looks = 0;
    clock.nowMs = () => {
      looks += 1;
      if (looks > 1000) throw new Error('it goes round and round');
      return nowMs();
    };
    stop.abort();
    await settle();
    expect(looks).toBeLessThan(10);
  });

  it('stay known when what was asked for whoever followed them before is answered last', async () => {
    const { clock, world, link, locks, watches, groups, stop } = await following(1);
    const [group] = groups;
    if (group === undefined) throw new Error('no group');
    link.decide(({ operation }) => (operation === 'readKeys' ? 'held' : 'arrives'));
    world.foreign.put('jobs/k0/.lock', 'x', true);
    await settle();
    const [late] = link.held();
    watches.unfollow(groupKey(group));
    watches.follow(group);
    link.decide(() => 'arrives');
    await clock.advance(2000);
    expect(locks.entries()).toHaveLength(1);
    late?.deliver();
    await clock.advance(60_000);
    expect(locks.entries()).toHaveLength(1);
    stop.abort();
  });

  it('are read at once with every change of one that is watched, whatever else is learnt meanwhile', async () => {
    const { clock, world, link, locks, groups, woken, stop } = await following(1);
    const [group] = groups;
    if (group === undefined) throw new Error('no group');
    link.decide(({ operation }) => (operation === 'readKeys' ? 'held' : 'arrives'));
    world.foreign.put('jobs/k0/.lock', 'x', true);
    await settle();
    locks.invalidate(group);
    link.decide(() => 'arrives');
    for (const request of link.held()) request.deliver();
    await clock.advance(100);
    expect(woken).toEqual(['default/g0']);
    stop.abort();
  });
});

it('what others keep below a lock key, or beside it, is not read', async () => {
  const { clock, world, link, locks, groups, stop } = await following(1);
  const [group] = groups;
  world.foreign.put('jobs/k0/team/config', 'x');
  world.foreign.put('jobs/other/.lock', 'x', true);
  await clock.advance(30_000);
  world.foreign.put('jobs/k0/.lock/below', 'x');
  await clock.advance(30_000);
  const read = link.sent.filter(({ operation }) => operation === 'readPrefix' || operation === 'readKey');
  expect(new Set(read.map(({ operation, about }) => `${operation} ${about}`))).toEqual(
    new Set(['readKey jobs/k0/.lock']),
  );
  expect([locks.entries(), group !== undefined && locks.view(group) !== null]).toEqual([[], true]);
  stop.abort();
});
