/** A group that is deleted and made anew under its name, and caches that have not heard of it. */
import { describe, expect, it } from 'vitest';
import { aGroup, aPod } from '../kit/fakes/builders.ts';
import { aModel, type Model } from '../kit/model/model.ts';
import { bucketsOf, type Replica } from '../kit/model/replica.ts';
import { lockedFor, tokenOn } from '../kit/model/stage.ts';

const members = ['a', 'b'] as const;
const highest = (model: Model): number => Math.max(...members.map((name) => tokenOn(model, name)));

/** Led, after some changes of leader: its token is 5. */
async function ledForAWhile(lockKey: string | null = null): Promise<{ model: Model; owner: Replica }> {
  const model = aModel({ pods: members.map((name) => aPod({ name })), group: { spec: { lockKey } } });
  const owner = model.replica('owner');
  await model.own(owner);
  await model.rest(owner);
  for (const name of ['a', 'b', 'a', 'b']) {
    model.api.foreign.changePod(name, () => ({ ready: false }));
    await model.rest(owner);
    model.api.foreign.changePod(name, () => ({ ready: true }));
    await model.rest(owner);
  }
  return { model, owner };
}

async function deleteAndMakeAnew(model: Model, owner: Replica, lockKey: string | null = null): Promise<void> {
  model.api.foreign.deleteGroup('notifier');
  await model.rest(owner);
  expect(model.api.group()).toBeNull();
  model.api.foreign.addGroup(aGroup({ uid: 'second', finalizers: [], spec: { lockKey } }));
  await model.rest(owner);
}

describe('a group that is deleted and made anew', () => {
  it.each([null, 'shared/cron'])('goes on with higher tokens (lockKey %s)', async (lockKey) => {
    const { model, owner } = await ledForAWhile(lockKey);
    const before = highest(model);
    expect(before).toBe(5);
    await deleteAndMakeAnew(model, owner, lockKey);
    expect(highest(model)).toBeGreaterThan(before);
  });

  it.each([
    [null, 'shared/cron'],
    ['shared/cron', null],
    ['shared/cron', 'shared/other'],
  ])('goes on with higher tokens with another lockKey (%s, then %s)', async (first, second) => {
    const { model, owner } = await ledForAWhile(first);
    for (const lockKey of [second, first, second]) {
      const before = highest(model);
      await deleteAndMakeAnew(model, owner, lockKey);
      expect(highest(model)).toBeGreaterThan(before);
    }
  });

  it('goes on with higher tokens when all its pods are made anew with it', async () => {
    const { model, owner } = await ledForAWhile();
    model.api.foreign.deleteGroup('notifier');
    for (const name of members) model.api.foreign.removePod(name);
    await model.rest(owner);
    for (const name of members) model.api.foreign.addPod(aPod({ name, uid: `second-${name}` }));
    model.api.foreign.addGroup(aGroup({ uid: 'second', finalizers: [] }));
    await model.rest(owner);
    expect(highest(model)).toBeGreaterThan(5);
  });

  it('goes on with higher tokens time and again', async () => {
    const { model, owner } = await ledForAWhile();
    for (let life = 0; life < 3; life += 1) {
      const before = highest(model);
      model.api.foreign.deleteGroup('notifier');
      await model.rest(owner);
      model.api.foreign.addGroup(aGroup({ uid: `life-${life}`, finalizers: [] }));
      await model.rest(owner);
      expect(highest(model)).toBeGreaterThan(before);
    }
  });

  it.each([5, 600])(
    'goes on with higher tokens when Consul is wiped as well: what is forgotten counts from the time (%i s)',
    async (seconds) => {
      const model = aModel({ pods: members.map((name) => aPod({ name })), group: { finalizers: [] } });
      await model.clock.advance(Date.UTC(2026, 10, 28) - model.clock.wallMs());
      const owner = model.replica('owner');
      await model.own(owner);
      await model.rest(owner);
      model.api.foreign.changePod('a', () => ({ ready: false }));
      await model.rest(owner);
      const before = highest(model);
      model.api.foreign.changePod('a', () => ({ ready: true }));
      model.api.foreign.deleteGroup('notifier');
      await model.rest(owner);
      model.consul.foreign.wipe();
      owner.kill();
      await model.clock.advance(seconds * 1000);
      model.api.foreign.addGroup(aGroup({ uid: 'second', finalizers: [] }));
      const next = model.replica('next');
      await model.own(next);
      await model.rest(next);
      expect(highest(model)).toBeGreaterThan(before);
    },
  );
});

/** As model.own, but for the watch of groups, which hears nothing. */
async function ownWithoutGroups(model: Model, taker: Replica, buckets = bucketsOf(model.api)): Promise<void> {
  for (const other of model.replicas) if (other !== taker) other.giveUp();
  for (const bucket of buckets) {
    const holder = model.consul.entry(bucket)?.session ?? null;
    if (holder !== null) model.consul.foreign.unlock(bucket, holder);
    model.consul.foreign.lock(bucket, taker.session() ?? '', taker.name);
  }
  taker.see.locks();
  taker.see.pods();
  await taker.adopt();
  taker.believe('owned');
}

async function pass(model: Model, replica: Replica, times: number): Promise<void> {
  for (let i = 0; i < times; i += 1) {
    replica.see.pods();
    replica.see.locks();
    await model.pass(replica);
    const next = replica.next();
    if (next?.kind === 'after') await model.clock.advance(Math.min(next.delayMs, 5000));
  }
}

describe('a replica whose watch of groups hangs', () => {
  it('does not delete the next group of a name for the deletion of the earlier one', async () => {
    const model = aModel({ pods: ['a', 'b', 'c'].map((name) => aPod({ name })) });
    const late = model.replica('late');
    const owner = model.replica('owner');
    await model.own(owner);
    await model.rest(owner);
    model.api.foreign.deleteGroup('notifier');
    late.see.all();
    await model.rest(owner);
    model.api.foreign.addGroup(aGroup({ uid: 'second', createdMs: 1_699_999_999_000, finalizers: [] }));
    await model.rest(owner);
    const before = { leaders: model.leaders(), token: tokenOn(model, 'a') };
    expect(before.leaders).toEqual(['a']);
    await ownWithoutGroups(model, late);
    await pass(model, late, 3);
    expect({ leaders: model.leaders(), token: tokenOn(model, 'a') }).toEqual(before);
  });

  it.each([
    [null, 'there'],
    ['shared/cron', 'there'],
    [null, 'away'],
    ['shared/cron', 'away'],
  ] as const)(
    'gives no label for a group that is gone (lockKey %s, Consul %s at the deletion)',
    async (lockKey, consul) => {
      const model = aModel({ pods: members.map((name) => aPod({ name })), group: { spec: { lockKey } } });
      const late = model.replica('late');
      const owner = model.replica('owner');
      await model.own(owner);
      await model.rest(owner);
      late.see.all();
      const buckets = bucketsOf(model.api);
      model.api.foreign.deleteGroup('notifier');
      if (consul === 'away') owner.link.decide(({ to }) => (to === 'consul' ? 'lost' : 'arrives'));
      for (let passes = 0; model.api.group() !== null && passes < 30; passes += 1) {
        owner.see.all();
        await owner.hear();
        await model.pass(owner);
        await model.clock.advance(1000);
      }
      expect(model.api.group()).toBeNull();
      await ownWithoutGroups(model, late, buckets);
      await pass(model, late, 3);
      expect(model.leaders()).toEqual([]);
      model.api.foreign.addGroup(aGroup({ uid: 'second', finalizers: [], spec: { lockKey } }));
      await pass(model, late, 3);
      expect([model.leaders(), tokenOn(model, 'a')]).toEqual([[], 0]);
      late.see.groups();
      await model.rest(late);
      expect(model.leaders()).toHaveLength(1);
    },
  );

  it('does nothing more for a group once its watch shows another of the name', async () => {
    const group = { spec: { onConsulLoss: 'Demote' } } as const;
    const model = aModel({ pods: members.map((name) => aPod({ name })), group });
    const [late, owner] = [model.replica('late'), model.replica('owner')];
    await model.own(late);
    await model.rest(late);
    await model.own(owner);
    await model.rest(owner);
    model.api.foreign.deleteGroup('notifier');
    await model.rest(owner);
    model.api.foreign.addGroup(aGroup({ uid: 'second', finalizers: [], ...group }));
    await model.rest(owner);
    model.api.foreign.changePod('a', () => ({ ready: false, phase: 'Failed' }));
    late.believe('lapsed');
    await model.clock.advance(60_000);
    late.link.decide(({ operation }) => {
      if (operation === 'getPod') late.see.all();
      return 'arrives';
    });
    await model.pass(late);
    const about = late.link.sent.filter(({ operation }) => operation === 'getPod');
    expect([about.length, model.api.pod('a')?.annotations['fenced.leadergroup.dev/notifier']]).toEqual([1, undefined]);
  });

  it('does not stand down for an older group that is gone', async () => {
    const model = aModel({ pods: members.map((name) => aPod({ name })) });
    const older = model.api.foreign.addGroup(aGroup({ name: 'older', createdMs: 1, finalizers: [] }));
    const late = model.replica('late');
    const owner = model.replica('owner');
    late.see.all();
    model.api.foreign.deleteGroup(older.name);
    await model.own(owner);
    await model.rest(owner);
    await ownWithoutGroups(model, late);
    await pass(model, late, 3);
    const fenced = model.api.pod('a')?.annotations['fenced.leadergroup.dev/notifier'] ?? null;
    expect([model.leaders(), lockedFor(model)?.name ?? null, fenced]).toEqual([['a'], 'a', null]);
  });
});

describe('groups that overlap in a chain', () => {
  it('the youngest leads where the middle one, which an older one keeps from acting, leads nobody', async () => {
    const selector = (key: string) => ({ matchLabels: { [key]: 'y' }, matchExpressions: [] });
    const model = aModel({
      group: { name: 'notifier', createdMs: 3, spec: { selector: selector('c') } },
      pods: [
        aPod({ name: 'x', labels: { a: 'y', b: 'y' } }),
        aPod({ name: 'y', labels: { b: 'y', c: 'y' } }),
        aPod({ name: 'z', labels: { c: 'y' } }),
      ],
    });
    model.api.foreign.addGroup(aGroup({ name: 'oldest', uid: 'u1', createdMs: 1, spec: { selector: selector('a') } }));
    model.api.foreign.addGroup(aGroup({ name: 'middle', uid: 'u2', createdMs: 2, spec: { selector: selector('b') } }));
    const owner = model.replica('owner');
    await model.own(owner);
    for (let i = 0; i < 4; i += 1)
      for (const key of ['default/oldest', 'default/middle', 'default/notifier']) {
        owner.see.all();
        await owner.hear();
        await model.pass(owner, key);
      }
    const reasonOf = (name: string) =>
      model.api.group(name)?.status?.conditions.find(({ type }) => type === 'Ready')?.reason;
    expect(['oldest', 'middle', 'notifier'].map(reasonOf)).toEqual(['Led', 'SelectorOverlap', 'Led']);
  });
});
