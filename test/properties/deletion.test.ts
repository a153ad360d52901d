/** A deleted group leaves nothing behind that is its own, whatever interrupts it, and never hangs. */
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MAX_GRANT_MS } from '../../src/election/gate.ts';
import { groupKeys } from '../../src/election/keys.ts';
import { parseRecord } from '../../src/election/record.ts';
import { aGroup, aPod, type GroupOverrides } from '../kit/fakes/builders.ts';
import { settle } from '../kit/fakes/clock.ts';
import { aModel, type Model } from '../kit/model/model.ts';
import { type Replica, SPACE } from '../kit/model/replica.ts';
import { trying } from '../kit/model/seed.ts';
import { giveUpAll, INTERRUPTIONS, interruptedPass, stall, untilGone } from '../kit/model/stage.ts';
import { actsOn, groupOn, walk } from '../kit/model/walk.ts';

async function led(group: GroupOverrides = {}): Promise<{ model: Model; owner: Replica }> {
  const model = aModel({ pods: ['a', 'b', 'c'].map((name) => aPod({ name })), group });
  const owner = model.replica('owner');
  await model.own(owner);
  await model.rest(owner);
  return { model, owner };
}

function traces(model: Model): readonly string[] {
  return model.api
    .pods()
    .flatMap((pod) => [
      ...Object.keys(pod.labels).filter((key) => key === 'leadergroup.dev/role'),
      ...Object.keys(pod.annotations).filter((key) => key.endsWith('.leadergroup.dev/notifier')),
    ]);
}

const sharing = (lockKey: string | null): GroupOverrides => ({
  spec: { lockKey, label: { key: 'leadergroup.dev/role', leader: 'leader', follower: 'follower' } },
});

describe('a deleted group', () => {
  it.each([null, 'shared/cron'])(
    'is gone but for its last token after any interruption (lockKey %s)',
    async (lockKey) => {
      for (const fate of INTERRUPTIONS) {
        for (let at = 0, met = true; met; at += 1) {
          const { model, owner } = await led(sharing(lockKey));
          model.api.foreign.deleteGroup('notifier');
          owner.see.all();
          met = await interruptedPass(owner, at, fate);
          await giveUpAll(owner);
          if (model.api.group() !== null) await untilGone(model, owner);
          for (const held of owner.link.held()) held.deliver();
          await settle();
          expect([traces(model), model.promises.breaches], `${fate} at ${at}`).toEqual([[], []]);
          const keys = groupKeys(SPACE, { namespace: 'default', name: 'notifier' }, lockKey);
          // Its last token, so that a group of this name goes on above it.
          const left = parseRecord(model.consul.entry(keys.record ?? keys.lock)?.value ?? null);
          expect(left === null || left.deleted !== undefined, `${fate} at ${at}`).toBe(true);
          expect(model.consul.entry(keys.lock)?.session ?? null).toBeNull();
        }
      }
    },
  );

  it.each(['own lock', 'shared lock'] as const)('is gone whatever happened before: %s', async (terrain) => {
    await fc.assert(
      fc.asyncProperty(groupOn(terrain), actsOn(terrain), async (group, acts) => {
        const { model } = await walk(group, acts);
        for (const { link } of model.replicas) for (const held of link.held()) held.deliver();
        await settle();
        for (const other of model.replicas) other.kill();
        const last = model.replica('last');
        await model.own(last);
        model.api.foreign.deleteGroup('notifier');
        await untilGone(model, last);
        expect([traces(model), model.promises.breaches]).toEqual([[], []]);
      }),
      trying(100),
    );
  });

  it('is remembered from its own deletion on, also where it never led and another of its name did', async () => {
    const { model, owner } = await led();
    model.api.foreign.deleteGroup('notifier');
    await untilGone(model, owner);
    for (const { name } of model.api.pods()) model.api.foreign.removePod(name);
    model.api.foreign.addGroup(aGroup({ uid: 'second' }));
    await model.rest(owner);
    await model.clock.advance(300_000);
    model.api.foreign.deleteGroup('notifier');
    await untilGone(model, owner);
    const { lock } = groupKeys(SPACE, { namespace: 'default', name: 'notifier' }, null);
    const left = parseRecord(model.consul.entry(lock)?.value ?? null);
    expect(left).toMatchObject({ token: 1 });
    expect(model.clock.wallMs() / 60_000 - (left?.deleted ?? 0)).toBeLessThan(2);
  });

  it('leaves the keys alone that it shares with others', async () => {
    const { model, owner } = await led(sharing('shared/cron'));
    model.api.foreign.deleteGroup('notifier');
    await untilGone(model, owner);
    expect(model.consul.entry('shared/cron/.token')?.value).toBe('1');
  });

  it('is gone within 15 s while Consul does not answer: labels first, then its traces', async () => {
    const { model, owner } = await led();
    const startMs = model.clock.nowMs();
    owner.link.decide(({ to }) => (to === 'consul' ? 'lost' : 'arrives'));
    model.api.foreign.deleteGroup('notifier');
    owner.see.all();
    await owner.hear();
    await model.pass(owner);
    expect(model.leaders()).toEqual([]);
    await untilGone(model, owner);
    expect(model.clock.nowMs() - startMs).toBeLessThan(15_000);
    expect(traces(model)).toEqual([]);
  });

  it('leaves no label behind because the API server was away for a minute', async () => {
    const { model, owner } = await led();
    model.api.foreign.deleteGroup('notifier');
    owner.see.all();
    for (const kubernetes of ['lost', 'arrives', 'lost'] as const) {
      owner.link.decide(({ to, operation }) => {
        if (operation === 'patchPod') return 'lost';
        return to === 'kubernetes' ? kubernetes : 'arrives';
      });
      await owner.hear();
      await model.pass(owner);
      if (kubernetes === 'lost') await model.clock.advance(60_000);
    }
    owner.link.decide(() => 'arrives');
    await untilGone(model, owner);
    expect(traces(model)).toEqual([]);
  });

  it('is gone within a minute when its owner goes while Consul does not answer', async () => {
    const { model, owner } = await led();
    const other = model.replica('other');
    other.believe('notOwned');
    other.see.all();
    for (const { link } of [owner, other]) link.decide(({ to }) => (to === 'consul' ? 'lost' : 'arrives'));
    owner.kill();
    model.api.foreign.deleteGroup('notifier');
    const startMs = model.clock.nowMs();
    await untilGone(model, other, 90);
    expect(model.clock.nowMs() - startMs).toBeLessThan(60_000);
    expect(traces(model)).toEqual([]);
  });

  it('is gone within a minute also where each write to one of its many pods hangs', async () => {
    const pods = Array.from({ length: 200 }, (_, at) => aPod({ name: `pod-${at}` }));
    const model = aModel({ pods, group: sharing(null) });
    const owner = model.replica('owner');
    await model.own(owner);
    await model.rest(owner);
    for (const name of model.leaders()) model.api.foreign.removePod(name);
    model.api.foreign.deleteGroup('notifier');
    owner.link.decide(({ operation }) => (operation === 'patchPod' ? 'held' : 'arrives'));
    const startMs = model.clock.nowMs();
    while (model.api.group() !== null && model.clock.nowMs() - startMs < 600_000) {
      owner.see.all();
      owner.pass();
      await settle();
      while (owner.busy()) {
        await model.clock.advance(2000);
        for (const held of owner.link.held()) held.giveUp();
        await settle();
      }
      await model.clock.advance(1000);
    }
    expect(model.clock.nowMs() - startMs).toBeLessThan(60_000);
  });

  it('that has been made anew keeps its leader, though another replica deletes the old one still', async () => {
    const { model, owner } = await led();
    const late = model.replica('late');
    late.believe('notOwned');
    late.see.all();
    late.link.decide(({ to }) => (to === 'consul' ? 'lost' : 'arrives'));
    model.api.foreign.deleteGroup('notifier');
    late.see.all();
    await late.hear();
    for (let at = 0; at < 60 && model.leaders().length > 0; at += 1) {
      await model.pass(late);
      await model.clock.advance(1000);
    }
    expect(model.leaders()).toEqual([]);
    await model.pass(late);
    expect(model.api.group()?.deleting).toBe(true);

    await model.rest(owner);
    model.api.foreign.addGroup(aGroup({ uid: 'second', finalizers: [] }));
    await model.rest(owner);
    const written = late.link.sent.filter(({ operation }) => operation === 'patchPod').length;
    for (let at = 0; at < 10; at += 1) {
      late.see.pods();
      await model.pass(late);
      await model.rest(owner);
    }
    expect(late.link.sent.filter(({ operation }) => operation === 'patchPod')).toHaveLength(written);
    expect(model.leaders()).toHaveLength(1);
  });

  it('is left to its owner by a replica that Consul answers', async () => {
    const { model, owner } = await led();
    const other = model.replica('other');
    other.believe('notOwned');
    other.see.all();
    owner.kill();
    model.api.foreign.deleteGroup('notifier');
    await other.hear();
    for (let at = 0; at < 60; at += 1) {
      other.see.all();
      await other.hear();
      await model.pass(other);
      await model.clock.advance(1000);
    }
    expect(model.leaders()).toEqual(['a']);
  });

  it.each(['paused', 'stalled'] as const)('does not hang while it is %s', async (how) => {
    const { model, owner } = await led();
    if (how === 'paused') {
      model.api.foreign.changeGroup('notifier', ({ spec }) => ({ spec: { ...spec, paused: true } }));
    } else {
      model.api.refusePatches(({ name }) => name === 'a');
      model.api.foreign.changePod('a', () => ({ ready: false }));
      await model.rest(owner);
      model.api.refusePatches(null);
    }
    model.api.foreign.deleteGroup('notifier');
    await untilGone(model, owner);
    expect(traces(model)).toEqual([]);
  });

  it('that comes back under the same name does not believe what the old one left in Consul', async () => {
    const { model, owner } = await led();
    owner.link.decide(({ to }) => (to === 'consul' ? 'lost' : 'arrives'));
    model.api.foreign.deleteGroup('notifier');
    await untilGone(model, owner);
    owner.kill();
    model.api.foreign.addGroup(aGroup({ uid: 'uid-of-the-second' }));
    const next = model.replica('next');
    await model.own(next);
    await model.rest(next);
    expect(model.leaders()).toHaveLength(1);
    expect(model.promises.promotions.at(-1)?.token).toBeGreaterThan(1);
    expect(model.promises.breaches).toEqual([]);
  });

  it.each([null, 'shared/other'])(
    'does not keep its shared lock by a next group whose lockKey is %s',
    async (lockKey) => {
      const { model, owner } = await led({ spec: { lockKey: 'shared/cron' } });
      owner.link.decide(({ to }) => (to === 'consul' ? 'lost' : 'arrives'));
      model.api.foreign.deleteGroup('notifier');
      await untilGone(model, owner);
      expect(model.consul.entry('shared/cron/.lock')?.session).not.toBeNull();
      model.api.foreign.addGroup(aGroup({ uid: 'second', finalizers: [], spec: { lockKey } }));
      owner.link.decide(() => 'arrives');
      await model.rest(owner);
      await model.clock.advance(120_000);
      await model.rest(owner);
      expect(model.leaders()).toHaveLength(1);
      expect(model.consul.entry('shared/cron/.lock')?.session).toBeNull();
    },
  );

  it.each([
    ['setFinalizers', 'answerHeld'],
    ['createSession', 'held'],
  ] as const)(
    'does not keep its shared lock by the next owner of its bucket either, where this one ends at its %s',
    async (operation, fate) => {
      const { model, owner } = await led({ spec: { lockKey: 'shared/cron' } });
      owner.link.decide(({ to }) => (to === 'consul' ? 'lost' : 'arrives'));
      model.api.foreign.deleteGroup('notifier');
      await untilGone(model, owner);
      model.api.foreign.addGroup(aGroup({ uid: 'second', finalizers: [], spec: { lockKey: 'shared/other' } }));
      owner.see.all();
      owner.link.decide(() => 'arrives');
      await owner.hear();
      await stall(owner, { operation }, fate);
      owner.kill();
      const next = model.replica('next');
      await model.own(next);
      await model.rest(next);
      for (const ms of [60_000, 60_000]) {
        await model.clock.advance(ms);
        await model.rest(next);
      }
      expect(model.leaders()).toHaveLength(1);
      expect(model.consul.entry('shared/cron/.lock')?.session).toBeNull();
    },
  );

  it('whose finalizer is taken off by hand does not free its shared lock before its last grant is over', async () => {
    const { model, owner } = await led({ spec: { lockKey: 'shared/cron' } });
    owner.ask('uid-of-a');
    await model.rest(owner);
    expect(owner.ask('uid-of-a').kind).toBe('grant');
    const untilMs = model.clock.nowMs() + MAX_GRANT_MS;
    model.api.foreign.changeGroup('notifier', () => ({ finalizers: [] }));
    model.api.foreign.deleteGroup('notifier');
    model.api.foreign.addGroup(aGroup({ uid: 'second', finalizers: [], spec: { lockKey: 'shared/other' } }));
    while (model.clock.nowMs() < untilMs) {
      owner.see.all();
      await model.pass(owner);
      expect(model.consul.entry('shared/cron/.lock')?.session).not.toBeNull();
      await model.clock.advance(500);
    }
    await model.rest(owner);
    expect(model.consul.entry('shared/cron/.lock')?.session).toBeNull();
    expect(model.leaders()).toHaveLength(1);
  });
});

describe('a paused group', () => {
  it.each(['own lock', 'shared lock'] as const)(
    'has no pod and no lock written, whatever happens: %s',
    async (terrain) => {
      await fc.assert(
        fc.asyncProperty(groupOn(terrain), actsOn(terrain), async (group, acts) => {
          const paused = { ...group, spec: { ...group.spec, paused: true } };
          const { model } = await walk(paused, acts);
          expect([model.promises.promotions, model.promises.demotions]).toEqual([[], []]);
          const { lock } = groupKeys(SPACE, { namespace: 'default', name: 'notifier' }, group.spec?.lockKey ?? null);
          const holder = model.consul.entry(lock)?.session ?? null;
          expect(holder === null || model.consul.nameOf(holder) === 'consul lock').toBe(true);
          for (const other of model.replicas) other.kill();
        }),
        trying(60),
      );
    },
  );

  it('keeps its leader, and its sessions alive', async () => {
    const { model, owner } = await led();
    model.api.foreign.changeGroup('notifier', ({ spec }) => ({ spec: { ...spec, paused: true } }));
    model.api.foreign.changePod('a', () => ({ ready: false }));
    await model.rest(owner);
    await model.clock.advance(120_000);
    expect([model.leaders(), model.consul.sessions().length]).toEqual([['a'], 4]);
  });
});
