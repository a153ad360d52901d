/** A group that is deleted and retains its leader: whatever interrupts it, one pod keeps the label, and the next group of the name has one leader at every moment. */
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { aGroup, aPod, type GroupOverrides } from '../kit/fakes/builders.ts';
import { ofTier, PREEMPTING } from '../kit/fakes/builders-preemption.ts';
import { settle } from '../kit/fakes/clock.ts';
import { aModel, type Model } from '../kit/model/model.ts';
import type { Replica } from '../kit/model/replica.ts';
import { trying } from '../kit/model/seed.ts';
import { giveUpAll, INTERRUPTIONS, interruptedPass, tokenOn, untilGone } from '../kit/model/stage.ts';
import { actsOn, groupOn, walk } from '../kit/model/walk.ts';

const RETAIN: GroupOverrides = {
  spec: { deletionPolicy: 'Retain', label: { key: 'leadergroup.dev/role', leader: 'leader', follower: 'follower' } },
};

async function led(): Promise<{ model: Model; owner: Replica }> {
  const model = aModel({ pods: ['a', 'b', 'c'].map((name) => aPod({ name })), group: RETAIN });
  const owner = model.replica('owner');
  await model.own(owner);
  await model.rest(owner);
  return { model, owner };
}

const roles = (model: Model): readonly string[] =>
  model.api.pods().map(({ name, labels }) => `${name} ${labels['leadergroup.dev/role'] ?? 'none'}`);

async function lateArrivals(model: Model): Promise<void> {
  for (const { link } of model.replicas) for (const held of link.held()) held.deliver();
  await settle();
}

describe('a group that retains its leader', () => {
  it('leaves each pod its label and the leader its token after any interruption, and the next group has one leader', async () => {
    for (const fate of INTERRUPTIONS) {
      for (let at = 0, met = true; met; at += 1) {
        const { model, owner } = await led();
        model.api.foreign.deleteGroup('notifier');
        owner.see.all();
        met = await interruptedPass(owner, at, fate);
        await giveUpAll(owner);
        if (model.api.group() !== null) await untilGone(model, owner);
        await lateArrivals(model);
        const where = `${fate} at ${at}`;
        expect(roles(model), where).toEqual(['a leader', 'b follower', 'c follower']);
        expect(tokenOn(model, 'a'), where).toBe(1);
        model.api.foreign.addGroup(aGroup({ uid: 'second', finalizers: [], ...RETAIN }));
        await model.rest(owner);
        expect([model.leaders().length, model.promises.breaches], where).toEqual([1, []]);
        expect(Math.max(...['a', 'b', 'c'].map((name) => tokenOn(model, name))), where).toBeGreaterThan(1);
      }
    }
  });

  it('leaves one labelled pod at most, whatever happened before, and so does the next group', async () => {
    await fc.assert(
      fc.asyncProperty(groupOn('own lock'), actsOn('own lock'), async (group, acts) => {
        const retaining = { ...group, spec: { ...group.spec, deletionPolicy: 'Retain' } } as const;
        const { model } = await walk(retaining, acts);
        await lateArrivals(model);
        for (const other of model.replicas) other.kill();
        const last = model.replica('last');
        await model.own(last);
        model.api.foreign.deleteGroup('notifier');
        await untilGone(model, last);
        expect(model.leaders().length).toBeLessThanOrEqual(1);
        model.api.foreign.addGroup(aGroup({ uid: 'second', finalizers: [], spec: retaining.spec }));
        await model.rest(last, 30);
        expect(model.leaders().length).toBeLessThanOrEqual(1);
        expect(model.promises.breaches).toEqual([]);
      }),
      trying(60),
    );
  });

  it('keeps the label while Consul does not answer', async () => {
    const { model, owner } = await led();
    owner.link.decide(({ to }) => (to === 'consul' ? 'lost' : 'arrives'));
    model.api.foreign.deleteGroup('notifier');
    await untilGone(model, owner);
    expect(model.leaders()).toEqual(['a']);
  });

  it('keeps the label whoever deletes it, also a replica that does not know that another has moved the lock (attack 21)', async () => {
    const { model, owner } = await led();
    owner.link.decide(({ to }) => (to === 'consul' ? 'lost' : 'arrives'));
    const next = model.replica('next');
    await model.own(next, { unnoticed: true });
    owner.believe('lapsed');
    model.api.foreign.changePod('a', () => ({ ready: false }));
    await model.rest(next);
    expect(model.leaders()).toEqual(['b']);
    model.api.foreign.deleteGroup('notifier');
    for (let seconds = 0; model.api.group() !== null && seconds < 40; seconds += 1) {
      owner.see.pods();
      owner.see.groups();
      await owner.hear();
      await model.pass(owner);
      await model.clock.advance(1000);
    }
    expect([model.api.group(), model.leaders()]).toEqual([null, ['b']]);
  });

  it('is fenced before the next group of its name has a leader, also where Consul was wiped and no watch of pods has told of its label (attack 22)', async () => {
    const preferring = {
      finalizers: [],
      spec: { deletionPolicy: 'Retain', preferences: PREEMPTING.preferences ?? [] },
    } as const;
    const retaining = { finalizers: [], spec: { deletionPolicy: 'Retain' } } as const;
    const preferred = aPod({ name: 'b', ...ofTier('large') });
    const model = aModel({ pods: [aPod({ name: 'a' }), preferred], group: retaining });
    const owner = model.replica('owner');
    const passes = async (): Promise<void> => {
      for (let count = 0; count < 8; count += 1) {
        owner.see.groups();
        owner.see.locks();
        await owner.hear();
        await model.pass(owner);
        await model.clock.advance(300);
      }
    };
    await model.own(owner);
    await passes();
    model.api.foreign.deleteGroup('notifier');
    await passes();
    expect([model.api.group(), model.leaders()]).toEqual([null, ['a']]);
    model.consul.foreign.wipe();
    owner.join();
    model.api.foreign.addGroup(aGroup({ uid: 'second', ...preferring }));
    owner.see.groups();
    await model.own(owner, { stale: true });
    await passes();
    expect([model.leaders().length, model.promises.breaches]).toEqual([1, []]);
  });

  it('takes the label off where it was told to before the deletion', async () => {
    const { model, owner } = await led();
    model.api.foreign.changeGroup('notifier', ({ spec }) => ({ spec: { ...spec, deletionPolicy: 'Demote' } }));
    model.api.foreign.deleteGroup('notifier');
    await untilGone(model, owner);
    expect(roles(model)).toEqual(['a none', 'b none', 'c none']);
  });
});
