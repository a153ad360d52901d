import { describe, expect, it } from 'vitest';
import { claimsPrefix, groupKeys } from '../../../../src/election/keys.ts';
import { formatRecord, parseRecord } from '../../../../src/election/record.ts';
import { sweepOnce, type TombstoneOptions } from '../../../../src/operator/locks/tombstones.ts';
import { KubernetesError } from '../../../../src/ports/kubernetes.ts';
import { aGroup } from '../../../kit/fakes/builders.ts';
import { aRecord } from '../../../kit/fakes/builders-election.ts';
import { createFakeRandom } from '../../../kit/fakes/clock.ts';
import { sessionId } from '../../../kit/fakes/ids.ts';
import { aModel } from '../../../kit/model/model.ts';
import { SPACE } from '../../../kit/model/replica.ts';
import { noLog } from '../../../kit/model/sinks.ts';
import { snapshotOf } from '../../../kit/model/world-consul.ts';

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
  const session = sessionId(owner.session() ?? '');
  const options: TombstoneOptions = {
    consul: owner.link.consul,
    kubernetes: owner.link.kubernetes,
    locks: owner.locks,
    store: owner.store,
    known: () => true,
    ownership: () => ({ kind: 'owned', guard: { key: 'leadergroup/test/buckets/09/.lock', session }, untilMs: 1e15 }),
    space: SPACE,
    clock: model.clock,
    random: createFakeRandom('tombstones'),
    log: noLog,
  };
  model.consul.foreign.lock('leadergroup/test/buckets/09/.lock', session, 'owner');
  const see = () => {
    const prefix = 'leadergroup/test/groups/09/';
    owner.locks.snapshot(prefix, snapshotOf(model.consul.log.at(-1) ?? expect.fail('no state'), prefix), false);
  };
  see();
  return { model, owner, options, see, entry: () => model.consul.entry(KEY) };
}

describe('what a deleted group leaves in Consul', () => {
  it('is removed thirty days after the deletion', async () => {
    const { options, entry } = await left(7, 31);
    await sweepOnce(options, signal);
    expect(entry()).toBeNull();
  });

  it.each([31, null])(
    'is left as it is where no list has shown whether the group is gone (deleted %s days ago)',
    async (days) => {
      const { options, entry } = await left(7, days);
      const before = entry();
      const asked: string[] = [];
      const getGroup = async (_: string, name: string) => {
        asked.push(name);
        return null;
      };
      await sweepOnce({ ...options, known: () => false, kubernetes: { getGroup } }, signal);
      expect([entry(), asked]).toEqual([before, []]);
    },
  );

  it('is kept before that', async () => {
    const { options, entry } = await left(7, 29);
    await sweepOnce(options, signal);
    expect(parseRecord(entry()?.value ?? null)?.token).toBe(7);
  });

  it('is kept for as long as a new group would not count on above it', async () => {
    const { options, entry } = await left(50_000_000, 300);
    await sweepOnce(options, signal);
    expect(parseRecord(entry()?.value ?? null)?.token).toBe(50_000_000);
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

  it.each([1, 3])('is removed although the API server fails to answer for %i others', async (count) => {
    const { model, options, see } = await left(7, 31);
    const names = ['notifier', ...Array.from({ length: count }, (_, at) => `other-${at}`)];
    const keys = names.map((name) => KEY.replace('notifier', name));
    for (const key of keys) model.consul.foreign.put(key, model.consul.entry(KEY)?.value ?? '');
    see();
    const getGroup: TombstoneOptions['kubernetes']['getGroup'] = (namespace, name, until) =>
      names.indexOf(name) < count
        ? Promise.reject(new KubernetesError('unreachable', 'no answer'))
        : options.kubernetes.getGroup(namespace, name, until);
    for (let sweeps = 0; sweeps <= count; sweeps += 1) {
      const random = { ...options.random, next: () => sweeps / (count + 1) };
      await sweepOnce({ ...options, random, kubernetes: { getGroup } }, signal).catch(() => undefined);
    }
    const exist = keys.map((key) => model.consul.entry(key) !== null);
    expect(exist).toEqual(keys.map((_, at) => at < count));
  });

  it('is not looked for any further once the API server has failed three times in a row', async () => {
    const { model, options, see } = await left(7, 31);
    for (let at = 0; at < 9; at += 1)
      model.consul.foreign.put(KEY.replace('notifier', `other-${at}`), formatRecord(aRecord('a', 7)));
    see();
    let asked = 0;
    const getGroup = () => {
      asked += 1;
      return Promise.reject(new KubernetesError('unreachable', 'no answer'));
    };
    await expect(sweepOnce({ ...options, kubernetes: { getGroup } }, signal)).rejects.toThrow('no answer');
    expect(asked).toBe(3);
  });

  it('has its thirty days counted anew where the mark is of a clock that was ahead', async () => {
    const { options, entry } = await left(7, -400);
    await sweepOnce(options, signal);
    expect(parseRecord(entry()?.value ?? null)?.deleted).toBe(Date.UTC(2026, 10, 28) / 60_000);
  });

  describe('under the key of the earlier lockKey, where a group of the name is there', () => {
    const RECORD = KEY.replace('.lock', '.record');
    async function succeededBy(token: number) {
      const made = await left(7, 0);
      made.model.api.foreign.addGroup(aGroup({ uid: 'second', spec: { lockKey: 'shared/cron' } }));
      made.model.consul.foreign.put(RECORD, formatRecord(aRecord('a', token, { groupUid: 'second' })));
      made.owner.see.all();
      made.see();
      return made;
    }

    it('is removed once the record of that one is above it', async () => {
      const { options, entry } = await succeededBy(8);
      await sweepOnce(options, signal);
      expect(entry()).toBeNull();
    });

    it('is kept before that', async () => {
      const { options, entry } = await succeededBy(7);
      await sweepOnce(options, signal);
      expect(entry()).not.toBeNull();
    });

    it('is kept when the record has moved since', async () => {
      const { model, options, entry } = await succeededBy(8);
      model.consul.foreign.put(RECORD, formatRecord(aRecord('a', 1, { groupUid: 'second' })));
      await sweepOnce(options, signal);
      expect(entry()).not.toBeNull();
    });
  });
});

describe('what was claimed in the groups of a name', () => {
  const GROUP = { namespace: 'default', name: 'notifier' };
  const claimed = (model: Awaited<ReturnType<typeof left>>['model']): number =>
    [...model.consul.now().entries.keys()].filter((key) => key.startsWith(claimsPrefix(SPACE, GROUP))).length;

  async function leftWithClaims(days: number, claims = 150) {
    const stage = await left(7, days);
    for (let at = 0; at < claims; at += 1)
      stage.model.consul.foreign.put(`${claimsPrefix(SPACE, GROUP)}series-${at}`, '');
    stage.model.consul.foreign.put(`${claimsPrefix(SPACE, { ...GROUP, name: 'notifier-2' })}series`, '');
    return stage;
  }

  it('is removed with the last that is known of the name, and nothing of another', async () => {
    const { model, options, entry } = await leftWithClaims(31);
    await sweepOnce(options, signal);
    expect([claimed(model), entry()]).toEqual([0, null]);
    expect(model.consul.entry(`${claimsPrefix(SPACE, { ...GROUP, name: 'notifier-2' })}series`)).not.toBeNull();
  });

  it('is kept for as long as the record is', async () => {
    const { model, options } = await leftWithClaims(29);
    await sweepOnce(options, signal);
    expect(claimed(model)).toBe(150);
  });

  it('is kept for as long as there is another record of the name', async () => {
    const { model, options, see, entry } = await leftWithClaims(31);
    const beside = groupKeys(SPACE, GROUP, 'shared/notifier').record ?? expect.fail('no record beside');
    const deleted = Date.UTC(2026, 10, 28) / 60_000;
    model.consul.foreign.put(beside, formatRecord(aRecord('b', 6, { deleted })));
    see();
    await sweepOnce(options, signal);
    expect([claimed(model), entry()]).toEqual([150, null]);
  });

  it('is kept when the group is there again, and when the lock has moved since', async () => {
    const again = await leftWithClaims(31);
    again.model.api.foreign.addGroup(aGroup({ uid: 'second' }));
    await sweepOnce(again.options, signal);
    expect(claimed(again.model)).toBe(150);
    const moved = await leftWithClaims(31);
    moved.model.consul.foreign.put(KEY, formatRecord(aRecord('b', 8)));
    await sweepOnce(moved.options, signal);
    expect(claimed(moved.model)).toBe(150);
  });

  it('goes with the next sweep where Consul has stopped answering half-way, and the record stays until then', async () => {
    const { model, owner, options, entry } = await leftWithClaims(31);
    let sent = 0;
    owner.link.decide(({ operation }) => (operation === 'txn' && (sent += 1) === 2 ? 'lost' : 'arrives'));
    await sweepOnce(options, signal).catch(() => undefined);
    expect(claimed(model)).toBe(90);
    expect(entry()).not.toBeNull();
    await sweepOnce(options, signal);
    expect([claimed(model), entry()]).toEqual([0, null]);
  });
});
