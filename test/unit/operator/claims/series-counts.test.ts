import { describe, expect, it } from 'vitest';
import { claimsPrefix, claimsPrefixOf } from '../../../../src/election/keys.ts';
import { createSeriesCounts, type Room } from '../../../../src/operator/claims/series-counts.ts';
import { ConsulError } from '../../../../src/ports/consul.ts';
import { createFakeClock, settle } from '../../../kit/fakes/clock.ts';
import { SPACE } from '../../../kit/model/replica.ts';

const GROUP = { namespace: 'default', name: 'notifier' };
const HOUR_MS = 3_600_000;

/** `ofGroup`: series of the group; `ofOthers`: of bucket 00 besides. */
function aCount(series: { ofGroup?: number; ofOthers?: number } = {}) {
  const clock = createFakeClock();
  const told: number[] = [];
  const asked: string[] = [];
  let reachable = true;
  const counts = createSeriesCounts({
    consul: {
      listKeys: async (prefix) => {
        asked.push(prefix);
        await Promise.resolve();
        if (!reachable) throw new ConsulError('unreachable', 'cut');
        if (prefix === claimsPrefix(SPACE, GROUP)) return Array.from({ length: series.ofGroup ?? 0 }, String);
        return prefix === claimsPrefixOf(SPACE, 0) ? Array.from({ length: series.ofOthers ?? 0 }, String) : [];
      },
    },
    clock,
    space: SPACE,
    counted: (count) => told.push(count),
    signal: new AbortController().signal,
  });
  return {
    clock,
    counts,
    series,
    asked,
    last: () => told.at(-1),
    reachable: (is: boolean) => void (reachable = is),
    reserve: (tenure = 't') => counts.reserve(GROUP, tenure),
    counted: async () => {
      counts.used();
      await settle();
    },
  };
}

const roomOf = (room: Room): Extract<Room, { readonly kind: 'room' }> =>
  room.kind === 'room' ? room : expect.fail(`no room: ${room.of} is full`);

describe('the series of a group', () => {
  it('are a thousand, however many begin at once', async () => {
    const { reserve } = aCount({ ofGroup: 998 });
    const rooms = await Promise.all([reserve(), reserve(), reserve()]);
    expect(rooms.map(({ kind }) => kind)).toEqual(['room', 'room', 'full']);
  });

  it('are one less where one was not made, and read again where nobody knows', async () => {
    const { reserve, asked, series } = aCount({ ofGroup: 999 });
    roomOf(await reserve()).settle('notMade');
    const made = await reserve();
    expect(asked).toHaveLength(1);
    series.ofGroup = 1000;
    roomOf(made).settle('unknown');
    expect(await reserve()).toEqual({ kind: 'full', of: 'group' });
    expect(asked).toHaveLength(2);
  });

  it('are read again by whoever has the bucket next, and a minute after they were found to be too many', async () => {
    const { reserve, asked, series, clock } = aCount({ ofGroup: 1000 });
    for (let at = 0; at < 3; at += 1) expect(await reserve()).toEqual({ kind: 'full', of: 'group' });
    expect(asked).toHaveLength(1);
    await clock.advance(60_000);
    series.ofGroup = 999;
    roomOf(await reserve()).settle('made');
    expect(await reserve()).toMatchObject({ kind: 'full' });
    expect(asked).toHaveLength(2);
    expect(await reserve('another')).toMatchObject({ kind: 'room' });
  });
});

describe('the series of the cluster', () => {
  it('are counted where something is claimed, once an hour at most, and not waited for', async () => {
    const { counted, asked, last, clock } = aCount({ ofOthers: 700 });
    await counted();
    expect([last(), asked.length]).toEqual([700, 32]);
    await counted();
    await clock.advance(HOUR_MS);
    expect(asked).toHaveLength(32);
    await counted();
    expect(asked).toHaveLength(64);
  });

  it('are a hundred thousand: then no group begins another, until they are found to be less', async () => {
    const { counted, reserve, series, last, clock } = aCount({ ofOthers: 99_999 });
    await counted();
    roomOf(await reserve()).settle('made');
    expect(last()).toBe(100_000);
    expect(await reserve()).toEqual({ kind: 'full', of: 'cluster' });
    series.ofOthers = 50_000;
    await clock.advance(60_000);
    await counted();
    expect(await reserve()).toMatchObject({ kind: 'room' });
  });

  it('are counted again within a minute where Consul did not answer', async () => {
    const { counted, last, clock, reachable } = aCount({ ofOthers: 700 });
    reachable(false);
    await counted();
    expect(last()).toBeUndefined();
    reachable(true);
    await clock.advance(60_000);
    await counted();
    expect(last()).toBe(700);
  });
});
