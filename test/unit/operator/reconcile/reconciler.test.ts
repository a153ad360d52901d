/** A pass over a group, in a whole world: what it leaves for people to read, and that it ends. */
import { describe, expect, it } from 'vitest';
import type { LeaderGroupStatus } from '../../../../src/api/leadergroup.ts';
import type { Ownership } from '../../../../src/election/observation.ts';
import { aPod, type GroupOverrides } from '../../../kit/fakes/builders.ts';
import { aModel } from '../../../kit/model/model.ts';
import type { Replica } from '../../../kit/model/replica.ts';
import { tokenOn } from '../../../kit/model/stage.ts';

async function led(group: GroupOverrides = {}) {
  const model = aModel({ pods: ['a', 'b', 'c'].map((name) => aPod({ name })), group });
  const owner = model.replica('owner');
  await model.own(owner);
  await model.rest(owner);
  const pass = async (): Promise<LeaderGroupStatus> => {
    owner.see.all();
    await model.pass(owner);
    return model.api.group()?.status ?? expect.fail('no status');
  };
  return { model, owner, pass };
}

const statusWrites = ({ link }: Replica): number =>
  link.sent.filter(({ operation }) => operation === 'replaceStatus').length;

const readyOf = (status: LeaderGroupStatus) =>
  status.conditions.find(({ type }) => type === 'Ready') ?? expect.fail('no condition Ready');

describe('a pass', () => {
  it('tells in the status what it has brought, at once', async () => {
    const { model, pass } = await led();
    model.api.foreign.changePod('a', () => ({ ready: false }));
    const status = await pass();
    expect(status).toMatchObject({ leader: 'b', leaderTransitions: 2, candidates: 2 });
    expect(status.recentTransitions[0]).toMatchObject({ from: 'a', to: 'b', reason: 'LeaderNotReady', token: 2 });
  });

  it('tells of a leader that is gone without a successor, and who follows then comes from nobody', async () => {
    const { model, pass } = await led();
    for (const name of ['b', 'c']) model.api.foreign.changePod(name, () => ({ ready: false }));
    await pass();
    model.api.foreign.removePod('a');
    expect((await pass()).recentTransitions[0]).toMatchObject({ from: 'a', to: '', reason: 'LeaderGone' });
    model.api.foreign.changePod('b', () => ({ ready: true }));
    expect((await pass()).recentTransitions[0]).toMatchObject({ from: '', to: 'b' });
  });

  it('tells of a new token at once, also of the same leader: the status may be all that still knows it', async () => {
    const { model, pass } = await led();
    model.api.foreign.changeGroup('notifier', ({ spec }) => ({ spec: { ...spec, sessionTtlMs: 60_000 } }));
    const status = await pass();
    expect(tokenOn(model, 'a')).toBe(2);
    expect(status.leaders[0]?.token).toBe(2);
  });

  it('writes the status once in five seconds while the leader stays', async () => {
    const { model, owner, pass } = await led();
    model.api.foreign.changePod('c', () => ({ ready: false }));
    expect((await pass()).candidates).toBe(3);
    expect(owner.next()?.kind).toBe('after');
    await model.clock.advance(5000);
    expect((await pass()).candidates).toBe(2);
  });

  it('says that nobody can lead at once, also just after another write', async () => {
    const { model, pass } = await led();
    for (const name of ['a', 'b', 'c']) model.api.foreign.removePod(name);
    expect(readyOf(await pass())).toMatchObject({ status: 'True', reason: 'ScaledToZero' });
    model.api.foreign.addPod(aPod({ name: 'd', ready: false }));
    expect(readyOf(await pass())).toMatchObject({ status: 'False', reason: 'NoCandidate' });
  });

  it('never leaves Ready standing while a pod that flaps cannot lead, and writes seldom all the same', async () => {
    const { model, owner, pass } = await led();
    for (const name of ['b', 'c']) model.api.foreign.changePod(name, () => ({ ready: false }));
    await pass();
    const before = statusWrites(owner);
    for (let i = 0; i < 50; i += 1) {
      model.api.foreign.changePod('a', () => ({ ready: i % 2 === 1 }));
      const { status } = readyOf(await pass());
      if (i % 2 === 0) expect(status).toBe('False');
      await model.clock.advance(100);
    }
    expect(statusWrites(owner) - before).toBeLessThanOrEqual(7);
  });

  it('does not let Ready stand on a leader that is gone while what should follow fails', async () => {
    const { model, owner, pass } = await led();
    for (const name of ['b', 'c']) model.api.foreign.removePod(name);
    expect(readyOf(await pass()).status).toBe('True');
    model.api.foreign.removePod('a');
    model.api.foreign.addPod(aPod({ name: 'd' }));
    owner.link.decide(({ operation }) => (operation === 'createSession' ? 'lost' : 'arrives'));
    const status = await pass();
    expect(readyOf(status)).toMatchObject({ status: 'False', reason: 'Electing' });
    expect(status.leader).toBe('');
  });

  it('at rest writes nothing, however often it is made', async () => {
    const { model, owner, pass } = await led();
    await model.clock.advance(10_000);
    await pass();
    const before = [model.api.writes(), model.consul.writes()];
    for (let i = 0; i < 5; i += 1) await pass();
    expect([model.api.writes(), model.consul.writes()]).toEqual(before);
    expect(owner.next()).toEqual({ kind: 'done' });
  });

  it('sends no request at rest', async () => {
    const { owner, pass } = await led();
    await pass();
    const before = owner.link.sent.length;
    await pass();
    expect(owner.link.sent).toHaveLength(before);
  });

  it('ends when a human must act, and says so', async () => {
    const { model, owner, pass } = await led();
    await model.clock.advance(5000);
    model.api.refusePatches((pod) => pod.name === 'a');
    model.api.foreign.changePod('a', () => ({ ready: false }));
    await pass();
    const status = await pass();
    const stalled = status.conditions.find(({ type }) => type === 'Stalled');
    expect(stalled).toMatchObject({ status: 'True', reason: 'PermissionDenied' });
    expect([owner.next()?.kind, model.leaders()]).toEqual(['after', ['a']]);
  });

  it.each([String(Number.MAX_SAFE_INTEGER), '999999999999999', '1000000000000000', '4503599627370496'])(
    'comes to rest although a pod carries the token %s',
    async (most) => {
      const { model, owner } = await led();
      model.api.foreign.changePod('b', () => ({ annotations: { 'token.leadergroup.dev/notifier': most } }));
      await model.rest(owner);
      expect(model.leaders()).toHaveLength(1);
    },
  );
});

describe('a group that is gone', () => {
  it('is forgotten, and its sessions are left alone', async () => {
    const { model, owner } = await led({ finalizers: [], spec: { paused: true } });
    model.api.foreign.deleteGroup('notifier');
    owner.see.groups();
    await model.pass(owner);
    expect([owner.sessionManager.count(), owner.next()]).toEqual([0, { kind: 'done' }]);
  });
});

describe('a group that cannot be acted on and is being deleted', () => {
  async function ending(belief: Ownership['kind'], silent: boolean) {
    const model = aModel();
    model.api.foreign.deleteGroup('notifier');
    const replica = model.replica('replica');
    const group = { ...(model.api.group() ?? expect.fail('no group')), problems: ['selector is missing'] };
    replica.store.groupChanged(null, { kind: 'invalid', group });
    replica.believe(belief);
    replica.link.decide(({ to }) => (silent && to === 'consul' ? 'lost' : 'arrives'));
    await replica.hear();
    const goneAfter = async (ms: number) => {
      await model.clock.advance(ms);
      await model.pass(replica);
      return model.api.group() === null;
    };
    return [await goneAfter(0), await goneAfter(29_000), await goneAfter(1000)];
  }

  it('is let go by its owner at once', async () => {
    expect((await ending('owned', false))[0]).toBe(true);
  });

  it.each(['notOwned', 'lapsed', 'neverKnown'] as const)(
    'is let go in the end while Consul does not answer (%s): a namespace would hang',
    async (belief) => {
      expect(await ending(belief, true)).toEqual([false, false, true]);
    },
  );

  it('is left to its owner while Consul answers', async () => {
    expect(await ending('notOwned', false)).toEqual([false, false, false]);
  });
});
