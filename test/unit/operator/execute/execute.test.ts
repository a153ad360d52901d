/** The executor: what an action does to the world, and what its failure means. Plans are written by hand. */

import { describe, expect, it } from 'vitest';
import type { Pod } from '../../../../src/api/pod.ts';
import type { Fence, FencingTarget, Moves, Plan } from '../../../../src/election/actions.ts';
import { withFirst } from '../../../../src/election/plans.ts';
import { execute } from '../../../../src/operator/execute/execute.ts';
import { changeLock } from '../../../../src/operator/execute/execute-locks.ts';
import { A_QUESTION, aGroup, aLeader, aPod } from '../../../kit/fakes/builders.ts';
import { FENCE } from '../../../kit/fakes/builders-election.ts';
import { settle } from '../../../kit/fakes/clock.ts';
import { sessionId } from '../../../kit/fakes/ids.ts';
import { aStage, KEYS, looking, NODE } from '../../../kit/model/executing.ts';

const TOKEN = 'token.leadergroup.dev/notifier';
const FENCED = 'fenced.leadergroup.dev/notifier';
const ROLE = 'leadergroup.dev/role';
/** Of a leader, by its promotion. */
const COST = {
  'controller.kubernetes.io/pod-deletion-cost': '1000',
  'cost.leadergroup.dev/notifier': '1000',
};

const fencing = (...fence: readonly Fence[]): Plan => withFirst(fence, looking());

const fence = (pod: Pod, precondition?: FencingTarget['precondition']): Fence => ({
  do: 'fence',
  because: 'move',
  targets: [
    { pod, precondition: precondition ?? { kind: 'at', resourceVersion: pod.resourceVersion }, label: 'remove' },
  ],
});

describe('a plan', () => {
  it('is carried out in its order', async () => {
    const { api, act, lock, elect, a, b } = await aStage(aPod({ name: 'a' }), aLeader(2, { name: 'b' }));
    expect(await act(elect(a, fence(b)))).toEqual({ kind: 'ok' });
    expect(api.pod('b')?.labels[ROLE]).toBeUndefined();
    expect(api.pod('b')?.annotations[FENCED]).toBe('guard-1');
    expect(api.pod('a')).toMatchObject({ labels: { [ROLE]: 'leader' }, annotations: { [TOKEN]: '3' } });
    expect(lock()?.session).not.toBeNull();
  });

  it('times the steps of a change of leader where somebody collects traces, also those that fail, and else nothing', async () => {
    const { clock, link, run, act, elect, a, b } = await aStage(aPod({ name: 'a' }), aLeader(2, { name: 'b' }));
    link.decide(() => {
      clock.stall(3);
      return 'arrives';
    });
    const beganMs = clock.nowMs();
    const traced = { ...run, ports: { ...run.ports, traced: true } };
    expect(await execute(elect(a, fence(b)), traced)).toEqual({ kind: 'ok' });
    expect(
      run.timings.map(({ name, beginMs, endMs, outcome }) => [name, beginMs - beganMs, endMs - beganMs, outcome]),
    ).toEqual([
      ['fence', 0, 3, 'ok'],
      ['transaction', 3, 6, 'ok'],
      ['promotion', 6, 9, 'ok'],
    ]);
    link.decide(() => 'lost');
    await act(fencing(fence(b)));
    expect(run.timings).toHaveLength(3);
    expect((await execute(fencing(fence(b)), traced)).kind).toBe('failed');
    expect(run.timings[3]).toMatchObject({ name: 'fence', outcome: 'failed' });
  });

  it.each([0, 1, 2])('stops at the first action that fails: action %d', async (at) => {
    const { api, link, act, lock, elect, a, b } = await aStage(aPod({ name: 'a' }), aLeader(2, { name: 'b' }));
    let writes = -1;
    link.decide(() => {
      writes += 1;
      return writes === at ? 'lost' : 'arrives';
    });
    expect((await act(elect(a, fence(b)))).kind).toBe('failed');
    const done = [api.pod('b')?.labels[ROLE] === undefined, lock() !== null, api.pod('a')?.labels[ROLE] !== undefined];
    expect(done).toEqual([at > 0, at > 1, false]);
  });

  it.each([200, 403])('gets on with each write that is answered %d, however many there are', async (status) => {
    const pods = Array.from({ length: 50 }, (_, at) => aPod({ name: `p-${at}` }));
    const { api, link, progress, run, act } = await aStage(...pods);
    if (status === 403) api.refusePatches(() => true);
    const targets = run.observation.pods.map(({ pod }) => {
      const precondition = { kind: 'at', resourceVersion: pod.resourceVersion } as const;
      return { pod, precondition, label: 'remove' } as const;
    });
    link.decide(() => (progress.length < 25 ? 'arrives' : 'held'));
    const over = act(fencing({ do: 'fence', because: 'move', targets }));
    await settle();
    expect(progress.length).toBeGreaterThanOrEqual(25);
    expect(new Set(progress)).toEqual(new Set(['default/notifier']));
    for (let held = link.held(); held.length > 0; held = link.held()) {
      for (const request of held) request.deliver();
      await settle();
    }
    await over;
    expect(progress.length).toBeGreaterThanOrEqual(50);
  });

  it('gets on with each session that is opened', async () => {
    const { progress, act, a, b } = await aStage(aPod({ name: 'a' }), aPod({ name: 'b' }));
    expect(await act(looking({ do: 'openSessions', pods: [a, b] }))).toEqual({ kind: 'ok' });
    expect(progress).toHaveLength(3);
  });

  it('promotes no pod whose fencing patch has shown that it has finished: a promotion names a version before its end', async () => {
    const { api, act, elect, a, lock } = await aStage(aPod({ name: 'a' }));
    api.foreign.changePod('a', () => ({ phase: 'Succeeded' }));
    expect(await act(elect(a, fence(a, { kind: 'anyVersion' })))).toEqual({
      kind: 'again',
      reason: 'pod a has finished',
    });
    expect(api.pod('a')?.labels[ROLE]).toBeUndefined();
    expect(lock()?.session).not.toBeNull();
  });

  it('is left where it is when the process is told to stop', async () => {
    const { run, lock, taking, a } = await aStage(aPod({ name: 'a' }));
    const signal = AbortSignal.abort(new Error('stopping'));
    await expect(execute(taking(a), { ...run, signal })).rejects.toThrow('stopping');
    expect(lock()).toBeNull();
  });
});

describe('a promotion', () => {
  const promote = { do: 'promote', resourceVersion: '1' } as const;

  it('cannot be written down without a transaction of its own plan that gives somebody the lock', async () => {
    const { take } = await aStage(aPod({ name: 'a' }));
    // @ts-expect-error: nothing is promoted by a look.
    looking(promote);
    // @ts-expect-error: a transition has a transaction.
    const without: Moves = { fence: [], after: [promote] };
    const unlock = { do: 'unlock', wait: take(aPod({ name: 'a' })).wait, transaction: null as never } as const;
    // @ts-expect-error: nobody has the lock after it.
    const unlocked: Moves = { fence: [], lock: unlock, after: [promote] };
    expect([without.lock, unlocked.lock]).toEqual([undefined, unlock]);
  });

  it('is of the pod that the transaction has given the lock to, and of no other', async () => {
    const { api, act, elect, b } = await aStage(aPod({ name: 'a' }), aPod({ name: 'b' }));
    expect((await act(elect(b))).kind).toBe('ok');
    expect(api.pods().flatMap(({ name, labels }) => (labels[ROLE] === 'leader' ? [name] : []))).toEqual(['b']);
  });

  it('is not made when the transaction was refused', async () => {
    const { api, consul, act, elect, a } = await aStage(aPod({ name: 'a' }));
    const plan = elect(a);
    consul.foreign.put(KEYS.lock, null, true);
    expect((await act(plan)).kind).toBe('again');
    expect(api.pod('a')?.labels[ROLE]).toBeUndefined();
  });

  it('carries the version that was read before the transaction, whatever has been seen since', async () => {
    const { api, link, run, act, elect, a } = await aStage(aPod({ name: 'a' }));
    link.decide(({ operation }) => (operation === 'txn' ? 'answerHeld' : 'arrives'));
    const running = act(elect(a));
    await settle();
    api.foreign.changePod('a', () => ({ disrupted: true }));
    run.memory.learn({ kind: 'podRead', pod: api.pod('a') ?? a });
    link.held()[0]?.deliver();
    expect((await running).kind).toBe('again');
    expect(api.pod('a')?.labels[ROLE]).toBeUndefined();
    expect(run.memory.now.newerPods.get(a.uid)).toEqual(api.pod('a'));
  });

  it('carries the version that this run’s own fencing patch of the pod has left', async () => {
    const { api, act, elect, a } = await aStage(aPod({ name: 'a' }));
    expect(await act(elect(a, fence(a)))).toEqual({ kind: 'ok' });
    expect(api.pod('a')).toMatchObject({ labels: { [ROLE]: 'leader' } });
    expect(api.pod('a')?.annotations[FENCED]).toBeUndefined();
  });

  it('is not made for an answer of more than thirty seconds ago, as where this process stood still after the transaction', async () => {
    for (const stoodStillMs of [29_000, 30_000]) {
      const { api, clock, link, run, elect, a } = await aStage(aPod({ name: 'a', addresses: ['10.0.0.1'] }));
      const group = aGroup({ spec: { beforePromotion: A_QUESTION } });
      const answers = new Map([[a.uid, { kind: 'passed', askedMs: clock.nowMs() } as const]]);
      const observation = { ...run.observation, group, beforePromotion: { blind: null, answers } };
      link.decide(({ operation }) => (operation === 'txn' ? 'answerHeld' : 'arrives'));
      const running = execute(elect(a), { ...run, observation });
      await clock.advance(stoodStillMs);
      link.held()[0]?.deliver();
      expect((await running).kind).toBe(stoodStillMs < 30_000 ? 'ok' : 'again');
      expect(api.pod('a')?.labels[ROLE]).toBe(stoodStillMs < 30_000 ? 'leader' : undefined);
    }
  });

  it('clears the guard and writes token and time', async () => {
    const fenced = aPod({ name: 'a', annotations: { [FENCED]: 'x', other: 'kept' } });
    const { api, act, elect, a } = await aStage(fenced);
    await act(elect(a));
    expect(api.pod('a')?.annotations).toEqual({
      other: 'kept',
      [TOKEN]: '1',
      'since.leadergroup.dev/notifier': '2023-11-14T22:30:00.000Z',
      ...COST,
    });
  });

  it('that is refused for good makes the pod no candidate for a growing while', async () => {
    const { api, run, clock, act, elect, a } = await aStage(aPod({ name: 'a' }));
    api.refusePatches(() => true);
    expect((await act(elect(a))).kind).toBe('again');
    expect(run.memory.now.promotionRefusals.get(a.uid)).toMatchObject({ count: 1, retryAtMs: clock.nowMs() + 5000 });
    expect((await act(elect(a))).kind).toBe('again');
    expect(run.memory.now.promotionRefusals.get(a.uid)).toMatchObject({ count: 2, retryAtMs: clock.nowMs() + 10_000 });
  });

  it('of a pod that was recreated under its name is not made of the new one, whose uid is another', async () => {
    const { api, run, act, elect, a } = await aStage(aPod({ name: 'a' }));
    api.foreign.removePod('a');
    api.foreign.addPod(aPod({ name: 'a', uid: 'uid-of-the-next-a' }));
    expect((await act(elect(a))).kind).toBe('again');
    expect(api.pod('a')?.labels[ROLE]).toBeUndefined();
    expect([run.memory.now.goneUids.has(a.uid), run.memory.now.newerPods.has(a.uid)]).toEqual([true, false]);
  });

  it('of a pod that is gone is noted', async () => {
    const { api, run, act, elect, a } = await aStage(aPod({ name: 'a' }));
    api.foreign.removePod('a');
    expect((await act(elect(a))).kind).toBe('again');
    expect(run.memory.now.goneUids.has(a.uid)).toBe(true);
  });
});

describe('a fencing patch', () => {
  it('changes the pod always, also one without a label: a patch that changes nothing keeps the version', async () => {
    const { api, act, a } = await aStage(aPod({ name: 'a' }));
    for (const guard of ['guard-1', 'guard-2']) {
      const before = api.pod('a') ?? a;
      await act(fencing(fence(before)));
      expect(api.pod('a')?.resourceVersion).not.toBe(before.resourceVersion);
      expect(api.pod('a')?.annotations[FENCED]).toBe(guard);
    }
  });

  it('takes off the deletion cost that the promotion has set, but not by uid alone: it may be another’s by then', async () => {
    for (const precondition of [undefined, { kind: 'anyVersion' }] as const) {
      const { api, act, a } = await aStage(aLeader(2, { name: 'a', annotations: COST }));
      await act(fencing(fence(a, precondition)));
      const { annotations = {} } = api.pod('a') ?? {};
      expect(Object.keys(annotations).filter((key) => key in COST)).toHaveLength(precondition === undefined ? 0 : 2);
    }
  });

  it('that meets a conflict is planned again from what a GET shows', async () => {
    const { api, run, act, lock, taking, a, b } = await aStage(aLeader(2, { name: 'a' }), aPod({ name: 'b' }));
    api.foreign.changePod('a', () => ({ disrupted: true }));
    expect((await act(taking(b, fence(a)))).kind).toBe('again');
    expect(run.memory.now.newerPods.get(a.uid)).toEqual(api.pod('a'));
    expect([run.memory.now.conflicts.get(a.uid), api.pod('a')?.labels[ROLE], lock()]).toEqual([1, 'leader', null]);
  });

  it('that meets a conflict because the pod is another is done: its pod is gone', async () => {
    const { api, run, act, lock, taking, a, b } = await aStage(aLeader(2, { name: 'a' }), aPod({ name: 'b' }));
    api.foreign.removePod('a');
    api.foreign.addPod(aPod({ name: 'a', uid: 'second' }));
    expect((await act(taking(b, fence(a)))).kind).toBe('ok');
    expect(run.memory.now.goneUids.has(a.uid)).toBe(true);
    expect([api.pod('a')?.annotations[FENCED], lock() !== null]).toEqual([undefined, true]);
  });

  it('of a pod that is gone is done', async () => {
    const { api, act, lock, taking, a, b } = await aStage(aLeader(2, { name: 'a' }), aPod({ name: 'b' }));
    api.foreign.removePod('a');
    expect((await act(taking(b, fence(a)))).kind).toBe('ok');
    expect(lock()).not.toBeNull();
  });

  it('without an answer is not done', async () => {
    const { link, act, lock, taking, a, b } = await aStage(aLeader(2, { name: 'a' }), aPod({ name: 'b' }));
    link.decide(({ operation }) => (operation === 'patchPod' ? 'answerLost' : 'arrives'));
    expect((await act(taking(b, fence(a)))).kind).toBe('failed');
    expect(lock()).toBeNull();
  });

  it('that is refused leaves lock and token as they are', async () => {
    const { api, run, act, lock, taking, a, b } = await aStage(aLeader(2, { name: 'a' }), aPod({ name: 'b' }));
    api.refusePatches(({ name }) => name === 'a');
    expect((await act(taking(b, fence(a)))).kind).toBe('again');
    const refusal = run.memory.now.fencingRefusals.get(a.uid);
    expect([lock(), refusal?.count]).toEqual([null, 1]);
    expect(refusal?.message).toContain('removing the label from pod a (403)');
  });

  it('of a pod that no cache knows concludes nothing while the API server has it', async () => {
    const { api, run, act, lock, taking, a, b } = await aStage(aLeader(2, { name: 'a' }), aPod({ name: 'b' }));
    const step = await act(taking(b, fence(a, { kind: 'unknown' })));
    expect(step.kind).toBe('later');
    expect([lock(), api.pod('a')?.labels[ROLE], run.memory.now.goneUids.size]).toEqual([null, 'leader', 0]);
  });

  it('of a pod that no cache knows is done once a GET says that it is gone', async () => {
    const { api, act, lock, taking, a, b } = await aStage(aLeader(2, { name: 'a' }), aPod({ name: 'b' }));
    api.foreign.removePod('a');
    expect((await act(taking(b, fence(a, { kind: 'unknown' })))).kind).toBe('ok');
    expect(lock()).not.toBeNull();
  });

  it('of a pod that no cache knows is not done while the API server does not answer', async () => {
    const { link, act, lock, taking, a, b } = await aStage(aLeader(2, { name: 'a' }), aPod({ name: 'b' }));
    link.decide(({ operation }) => (operation === 'getPod' ? 'lost' : 'arrives'));
    expect((await act(taking(b, fence(a, { kind: 'unknown' })))).kind).toBe('failed');
    expect(lock()).toBeNull();
  });

  it('of several stops the plan when one of them is not done', async () => {
    const { api, act, lock, taking, a, b } = await aStage(
      aLeader(2, { name: 'a' }),
      aPod({ name: 'b' }),
      aPod({ name: 'c' }),
    );
    api.foreign.changePod('b', () => ({ disrupted: true }));
    const at = (pod: Pod): FencingTarget => ({
      pod,
      precondition: { kind: 'at', resourceVersion: pod.resourceVersion },
      label: 'remove',
    });
    const step = await act(taking(a, { do: 'fence', because: 'move', targets: [at(a), at(b)] }));
    expect([step.kind, lock()]).toEqual(['again', null]);
    expect(api.pod('a')?.labels[ROLE]).toBeUndefined();
  });

  it('shows tokens that the next one is above', async () => {
    const { api, act, elect, a, b } = await aStage(aPod({ name: 'a' }), aPod({ name: 'b' }));
    api.foreign.changePod('b', () => ({ annotations: { [TOKEN]: '41' } }));
    await act(elect(a, fence(api.pod('b') ?? b)));
    expect(api.pod('a')?.annotations[TOKEN]).toBe('42');
  });
});

describe('a transaction on the lock', () => {
  it('is known at once from its answer', async () => {
    const { run, take, a } = await aStage(aPod({ name: 'a' }));
    const locked = await changeLock(run, take(a).transaction);
    expect(locked).toMatchObject({ kind: 'ok', proof: { pod: { uid: a.uid }, token: 1 } });
    expect(run.ports.locks.view(run.group)).toMatchObject({ record: { token: 1, holder: { pod: 'a' } } });
  });

  it('with an unknown outcome leaves the lock unknown', async () => {
    const { api, link, run, act, elect, a } = await aStage(aPod({ name: 'a' }));
    link.decide(() => 'answerLost');
    expect((await act(elect(a))).kind).toBe('failed');
    expect([run.ports.locks.view(run.group), api.pod('a')?.labels[ROLE]]).toEqual([null, undefined]);
  });

  it('that was refused for the bucket invalidates its ownership, and nothing more is tried', async () => {
    const { consul, session, act, lock, invalidated, elect, a } = await aStage(aPod({ name: 'a' }));
    consul.foreign.unlock(FENCE.key, session);
    const step = await act(elect(a));
    expect([step.kind, invalidated, lock()]).toEqual(['later', ['bucket'], null]);
  });

  it('that was refused for the member’s session makes that forgotten', async () => {
    const { consul, sessionManager, act, taking, a } = await aStage(aPod({ name: 'a' }));
    const planned = taking(a);
    consul.foreign.endSession(sessionManager.of('default/notifier')[0]?.id ?? '');
    expect((await act(planned)).kind).toBe('again');
    expect(sessionManager.of('default/notifier')).toEqual([]);
  });

  it('that was refused because the lock has changed leaves it unknown', async () => {
    const { consul, run, act, taking, lock, a } = await aStage(aPod({ name: 'a' }));
    const planned = taking(a);
    consul.foreign.put(KEYS.lock, null, true);
    expect((await act(planned)).kind).toBe('again');
    expect([run.ports.locks.view(run.group), lock()?.session]).toEqual([null, null]);
  });

  it('that Consul keeps closed is tried again by one timer in one to two seconds', async () => {
    const { clock, consul, run, act, taking, a } = await aStage(aPod({ name: 'a' }));
    const short = consul.foreign.openSession({ node: NODE, name: 'x', ttlMs: 0, lockDelayMs: 9000 });
    consul.foreign.lock(KEYS.lock, short, null);
    consul.foreign.endSession(short);
    await run.ports.locks.read(run.group, run.signal);
    expect((await act(taking(a))).kind).toBe('again');
    expect(run.memory.now.lockDelayedUntilMs).toBe(clock.nowMs() + 1500);
  });
});

describe('a wait for a grant', () => {
  it('ends the pass for whole milliseconds: a timer cannot wait for less, and would come back at the same moment', async () => {
    const { run, clock, taking, lock, a } = await aStage(aPod({ name: 'a' }));
    const ports = { ...run.ports, grants: { untilMs: () => clock.nowMs() + 0.25 } };
    expect(await execute(taking(a), { ...run, ports })).toMatchObject({ kind: 'later', delayMs: 1 });
    expect(lock()).toBeNull();
  });

  it('is none when nothing was given', async () => {
    const { act, taking, lock, a } = await aStage(aPod({ name: 'a' }));
    expect((await act(taking(a))).kind).toBe('ok');
    expect(lock()).not.toBeNull();
  });
});

describe('a group read or listed anew', () => {
  it('is planned with as the API server has it: its status may hold a token that no cache shows', async () => {
    const { api, run, act } = await aStage(aPod({ name: 'a' }));
    api.foreign.addGroup(run.group);
    api.foreign.changeGroup('notifier', () => ({ finalizers: ['another'] }));
    expect(await act(looking({ do: 'readGroup' }))).toEqual({ kind: 'ok' });
    expect(run.memory.now.newerGroup?.finalizers).toEqual(['another']);
  });

  it('confirms the cached one only if nothing about it is newer', async () => {
    const { api, run, act } = await aStage();
    expect((await act(looking({ do: 'readGroup' }))).kind).toBe('ok');
    expect(run.memory.now.groupConfirmedAt).not.toBeNull();
    api.foreign.changeGroup('notifier', ({ spec }) => ({ spec }));
    expect((await act(looking({ do: 'readGroup' }))).kind).toBe('later');
  });

  it('has the list of its pods noted with the version of the lock', async () => {
    const { api, run, act } = await aStage(aPod({ name: 'a' }));
    await act(looking({ do: 'listPods' }));
    expect(run.memory.now.listed).toEqual({ version: '0/0', pods: [api.pod('a')] });
  });
});

describe('the finalizer', () => {
  it('is added to those of others, under the version that was read', async () => {
    const { api, run, act } = await aStage();
    api.foreign.changeGroup('notifier', () => ({ finalizers: ['theirs'] }));
    const group = api.group() ?? run.group;
    const observation = { ...run.observation, group };
    expect(await execute(looking({ do: 'addFinalizer' }), { ...run, observation })).toEqual({
      kind: 'ok',
    });
    expect(api.group()?.finalizers).toEqual(['theirs', 'leadergroup.dev/finalizer']);
    expect((await act(looking({ do: 'removeFinalizer' }))).kind).toBe('again');
    expect(api.group()?.finalizers).toHaveLength(2);
  });
});

describe('who holds the lock', () => {
  const holder = (session: string): Plan => looking({ do: 'readHolderSession', session: sessionId(session) });

  it('is one of ours from a previous incarnation: adopted', async () => {
    const { consul, sessionManager, run, act } = await aStage();
    const name = 'default/notifier/uid-of-a';
    const id = consul.foreign.openSession({ node: NODE, name, ttlMs: 30_000, lockDelayMs: 0 });
    await act(holder(id));
    expect(sessionManager.of('default/notifier')).toMatchObject([{ id, podUid: 'uid-of-a' }]);
    expect(run.memory.now.externalHolders.size).toBe(0);
  });

  it.each([
    ['consul lock', 'vm-1', 30_000],
    ['default/other/uid-of-a', NODE, 30_000],
    ['default/notifier/uid-of-a', 'another-node', 30_000],
    // Made by hand: it never ends by itself, and nobody can say until when it may be believed.
    ['default/notifier/uid-of-a', NODE, 0],
  ])('is an external holder: %s on %s with a TTL of %i', async (name, node, ttlMs) => {
    const { consul, sessionManager, run, act } = await aStage();
    const id = consul.foreign.openSession({ node, name, ttlMs, lockDelayMs: 0 });
    await act(holder(id));
    expect(run.memory.now.externalHolders.get(id)).toEqual({ kind: 'external', name, node });
    expect(sessionManager.count()).toBe(0);
  });

  it('is nobody any more', async () => {
    const { run, act } = await aStage();
    await act(holder('long-gone'));
    expect(run.memory.now.externalHolders.get(sessionId('long-gone'))).toEqual({ kind: 'gone' });
  });
});

describe('cleaning up', () => {
  it('takes this group’s traces off its pods and nothing else', async () => {
    const annotations = {
      [TOKEN]: '3',
      [FENCED]: 'x',
      'token.leadergroup.dev/other': '9',
      'leadergroup.dev/candidate': 'x',
    };
    const labels = { app: 'notifier', [ROLE]: 'follower' };
    const { api, act, a, b } = await aStage(
      aPod({ name: 'a', labels, annotations }),
      aPod({ name: 'b', labels, annotations }),
    );
    const pods = [
      { pod: a, label: 'remove' as const },
      { pod: b, label: 'keep' as const },
    ];
    expect((await act(looking({ do: 'cleanUp', pods }))).kind).toBe('ok');
    const left = { 'token.leadergroup.dev/other': '9', 'leadergroup.dev/candidate': 'x' };
    expect(api.pod('a')).toMatchObject({ labels: { app: 'notifier' }, annotations: left });
    expect([Object.keys(api.pod('a')?.annotations ?? {}).length, api.pod('a')?.labels[ROLE]]).toEqual([2, undefined]);
    expect(api.pod('b')?.labels[ROLE]).toBe('follower');
  });
});
