/** The leader goes last when its ReplicaSet is scaled down: one pod has the cost, nobody else's is touched, and nothing is written for its sake. */
import { describe, expect, it } from 'vitest';
import { aGroup, aPod, type GroupOverrides } from '../kit/fakes/builders.ts';
import { aModel, type Model } from '../kit/model/model.ts';
import type { Replica } from '../kit/model/replica.ts';
import { giveUpAll, INTERRUPTIONS, interruptedPass, untilGone } from '../kit/model/stage.ts';

const COST = 'controller.kubernetes.io/pod-deletion-cost';

async function led(
  group: GroupOverrides = {},
  theirs: Readonly<Record<string, string>> = {},
): Promise<{ model: Model; owner: Replica }> {
  const pods = ['a', 'b', 'c'].map((name) =>
    aPod({ name, annotations: theirs[name] === undefined ? {} : { [COST]: theirs[name] } }),
  );
  const model = aModel({ pods, group });
  const owner = model.replica('owner');
  await model.own(owner);
  await model.rest(owner);
  return { model, owner };
}

const costs = (model: Model): Readonly<Record<string, string | undefined>> =>
  Object.fromEntries(
    model.api
      .pods()
      .flatMap(({ name, annotations }) => (annotations[COST] === undefined ? [] : [[name, annotations[COST]]])),
  );

const marks = (model: Model): number =>
  model.api.pods().flatMap(({ annotations }) => Object.keys(annotations).filter((key) => key.startsWith('cost.')))
    .length;

async function handOver(model: Model, owner: Replica, from: string): Promise<void> {
  model.api.foreign.changePod(from, () => ({ ready: false }));
  await model.rest(owner);
  model.api.foreign.changePod(from, () => ({ ready: true }));
  await model.rest(owner);
}

describe('the deletion cost', () => {
  it('is the leader’s alone, and passes with the lead', async () => {
    const { model, owner } = await led();
    expect(costs(model)).toEqual({ a: '1000' });
    await handOver(model, owner, 'a');
    expect([model.leaders(), costs(model), marks(model)]).toEqual([['b'], { b: '1000' }, 1]);
    expect(model.promises.breaches).toEqual([]);
  });

  it('passes with the lead after any interruption', async () => {
    for (const fate of INTERRUPTIONS) {
      for (let at = 0, met = true; met; at += 1) {
        const { model, owner } = await led();
        model.api.foreign.changePod('a', () => ({ ready: false }));
        owner.see.all();
        met = await interruptedPass(owner, at, fate);
        await giveUpAll(owner);
        await model.rest(owner);
        expect([costs(model), model.promises.breaches], `${fate} at ${at}`).toEqual([{ b: '1000' }, []]);
      }
    }
  });

  it('of others stays, also of a pod that leads and leads no more', async () => {
    const { model, owner } = await led({}, { a: '7', b: '1000', c: '-1' });
    for (const from of ['a', 'b']) await handOver(model, owner, from);
    expect([costs(model), marks(model), model.promises.breaches]).toEqual([{ a: '7', b: '1000', c: '-1' }, 0, []]);
  });

  it('that somebody changes or takes off is neither repaired nor taken off', async () => {
    for (const theirs of ['5', undefined]) {
      const { model, owner } = await led();
      model.api.foreign.changePod('a', ({ annotations }) => {
        const others = Object.entries(annotations).filter(([key]) => key !== COST);
        return { annotations: Object.fromEntries(theirs === undefined ? others : [...others, [COST, theirs]]) };
      });
      const before = model.api.writes();
      await model.rest(owner);
      expect(model.api.writes()).toBe(before);
      await handOver(model, owner, 'a');
      expect(costs(model)).toEqual(theirs === undefined ? { b: '1000' } : { a: '5', b: '1000' });
      expect([marks(model), model.promises.breaches]).toEqual([1, []]);
    }
  });

  it('is not written where pods may go in any order, and goes with the next handover where it was', async () => {
    const { model, owner } = await led();
    model.api.foreign.changeGroup('notifier', ({ spec }) => ({ spec: { ...spec, scaleDown: 'AnyOrder' } }));
    await model.rest(owner);
    expect(costs(model)).toEqual({ a: '1000' });
    await handOver(model, owner, 'a');
    expect([costs(model), marks(model), model.promises.breaches]).toEqual([{}, 0, []]);
  });

  it('is the older group’s where two have the pods, also where they have other leaders', async () => {
    const { model, owner } = await led({ createdMs: 2000 });
    const key = 'example.com/other';
    model.api.foreign.addGroup(
      aGroup({
        name: 'elder',
        uid: 'elder',
        createdMs: 1000,
        finalizers: [],
        spec: { label: { key, leader: 'leader', follower: null } },
      }),
    );
    await model.own(owner);
    model.api.foreign.changePod('a', () => ({ ready: false }));
    for (let passes = 0; passes < 5; passes += 1) {
      await model.rest(owner);
      await model.pass(owner, 'default/elder');
    }
    const elders = model.api.pods().flatMap(({ name, labels }) => (labels[key] === 'leader' ? [name] : []));
    expect([elders, costs(model), model.leaders()]).toEqual([['b'], { b: '1000' }, ['b']]);
    const both = Object.keys(model.api.pod('b')?.annotations ?? {}).filter((each) => each.startsWith('cost.'));
    expect(both).toEqual(['cost.leadergroup.dev/elder']);
  });

  it('is taken off when the group is deleted', async () => {
    const { model, owner } = await led();
    model.api.foreign.deleteGroup('notifier');
    await untilGone(model, owner);
    expect([costs(model), marks(model), model.promises.breaches]).toEqual([{}, 0, []]);
  });

  it('stays on a leader that keeps its label when the group is deleted, and is the next group’s', async () => {
    const spec = { deletionPolicy: 'Retain' } as const;
    const { model, owner } = await led({ spec });
    model.api.foreign.deleteGroup('notifier');
    await untilGone(model, owner);
    expect(costs(model)).toEqual({ a: '1000' });
    model.api.foreign.addGroup(aGroup({ uid: 'second', finalizers: [], spec }));
    await model.rest(owner);
    const [leader = ''] = model.leaders();
    expect([costs(model), marks(model), model.promises.breaches]).toEqual([{ [leader]: '1000' }, 1, []]);
  });
});
