import { describe, expect, it } from 'vitest';
import { groupKeys } from '../../../src/election/keys.ts';
import { formatRecord, parseRecord } from '../../../src/election/record.ts';
import { sweepOnce, type TombstoneOptions } from '../../../src/operator/tombstones.ts';
import { aGroup } from '../../support/builders.ts';
import { aRecord } from '../../support/builders-election.ts';
import { createFakeRandom } from '../../support/model/fake-clock.ts';
import { aModel } from '../../support/model/model.ts';
import { SPACE } from '../../support/model/replica.ts';
import { noLog } from '../../support/model/sinks.ts';

const DAY_MS = 86_400_000;
const KEY = groupKeys(SPACE, { namespace: 'default', name: 'notifier' }, null).lock;
const signal = new AbortController().signal;

/** A record of a group that is not there, as left by `deleted` (minutes since 1970; null: without Consul). */
async function left(token: number, deletedDaysAgo: number | null, atMs = Date.UTC(2026, 10, 28)) {
  const model = aModel();
  model.api.foreign.changeGroup('notifier', () => ({ finalizers: [] }));
  model.api.foreign.deleteGroup('notifier');
  await model.clock.advance(atMs - model.clock.wallMs());
  const owner = model.replica('owner');
  const deleted = deletedDaysAgo === null ? {} : { deleted: Math.floor((atMs - deletedDaysAgo * DAY_MS) / 60_000) };
  model.consul.foreign.put(KEY, formatRecord(aRecord('a', token, deleted)));
  model.api.foreign.addGroup(aGroup({ name: 'other' }));
  await model.own(owner);
  owner.see.all();
  const session = owner.session() ?? '';
  const options: TombstoneOptions = {
    consul: owner.link.consul,
    kubernetes: owner.link.kubernetes,
    locks: owner.locks,
    store: owner.store,
    ownership: () => ({ kind: 'owned', fence: { key: 'leadergroup/test/buckets/09/.lock', session }, untilMs: 1e15 }),
    space: SPACE,
    clock: model.clock,
    random: createFakeRandom('tombstones'),
    log: noLog,
  };
  model.consul.foreign.lock('leadergroup/test/buckets/09/.lock', session, 'owner');
  owner.locks.snapshot(
    'leadergroup/test/groups/09/',
    { index: 1_000, entries: [model.consul.entry(KEY)].filter((e) => e !== null) },
    false,
  );
  return { model, options, entry: () => model.consul.entry(KEY) };
}

describe('what a deleted group leaves in Consul', () => {
  it('is removed thirty days after the deletion', async () => {
    const { options, entry } = await left(7, 31);
    await sweepOnce(options, signal);
    expect(entry()).toBeNull();
  });

  it('is kept before that', async () => {
    const { options, entry } = await left(7, 29);
    await sweepOnce(options, signal);
    expect(parseRecord(entry()?.value ?? null)?.token).toBe(7);
  });

  it('is kept for as long as a new group would not count on above it', async () => {
    const { options, entry } = await left(900_000, 300);
    await sweepOnce(options, signal);
    expect(parseRecord(entry()?.value ?? null)?.token).toBe(900_000);
  });

  it('by a deletion without Consul is marked with the time first', async () => {
    const { options, entry } = await left(7, null);
    await sweepOnce(options, signal);
    expect(parseRecord(entry()?.value ?? null)).toMatchObject({ token: 7, deleted: Date.UTC(2026, 10, 28) / 60_000 });
  });

  it('stays when the group is there again, which only the API server knows yet', async () => {
    const { model, options, entry } = await left(7, 31);
    model.api.foreign.addGroup(aGroup({ uid: 'second' }));
    await sweepOnce(options, signal);
    expect(entry()).not.toBeNull();
  });

  it('stays when the lock has moved since', async () => {
    const { model, options, entry } = await left(7, 31);
    model.consul.foreign.put(KEY, formatRecord(aRecord('b', 8)));
    await sweepOnce(options, signal);
    expect(parseRecord(entry()?.value ?? null)?.token).toBe(8);
  });
});
