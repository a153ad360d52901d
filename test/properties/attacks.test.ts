/**
 * Schedules that broke weaker versions of the protocol. O1 and O2 are replicas, a, b and c members; every write is also
 * checked against the promises while it happens.
 */
import { afterEach, describe, expect, it } from 'vitest';
import { aGroup, aNode, aPod } from '../kit/fakes/builders.ts';
import { settle } from '../kit/fakes/clock.ts';
import { aModel, type Model } from '../kit/model/model.ts';
import type { Replica } from '../kit/model/replica.ts';
import { arrive, endLeadersSession, lockedFor, record, stall, timeOut, tokenOn } from '../kit/model/stage.ts';

let model: Model;

const members = (...names: readonly string[]) => names.map((name) => aPod({ name }));
const unready = (name: string): void => model.api.foreign.changePod(name, () => ({ ready: false }));
const ready = (name: string): void => model.api.foreign.changePod(name, () => ({ ready: true }));

/** A replica that owns the bucket. */
async function owner(name: string): Promise<Replica> {
  const replica = model.replica(name);
  await model.own(replica);
  return replica;
}

/** O1 owns, and a leads with token 1. */
async function ledByA(): Promise<Replica> {
  model = aModel({ pods: members('a', 'b', 'c') });
  const o1 = await owner('O1');
  await model.rest(o1);
  expect(model.leaders()).toEqual(['a']);
  return o1;
}

/** Nobody may promote a for the time being: a webhook says no. */
const refuseToPromote = (name: string | null): void =>
  model.api.refusePatches((pod, patch) => pod.name === name && Object.values(patch.labels).includes('leader'));

afterEach(() => {
  expect(model.promises.breaches).toEqual([]);
});

describe('a replica that stalls between its lock and its promotion (attack 1)', () => {
  it('does not promote with a version of the pod that it read after it locked', async () => {
    model = aModel({ pods: members('a', 'b') });
    const o1 = await owner('O1');
    const answer = await stall(o1, { operation: 'txn' }, 'answerHeld');
    expect(lockedFor(model)?.name).toBe('a');
    unready('a');
    const o2 = await owner('O2');
    endLeadersSession(model);
    await model.rest(o2);
    expect(model.leaders()).toEqual(['b']);
    ready('a');
    o1.see.pods();
    await arrive(answer);
    expect(model.leaders()).toEqual(['b']);
  });

  it('does not promote once the lock was handed on, although it still believes in its bucket', async () => {
    model = aModel({ pods: members('a', 'b') });
    const o1 = await owner('O1');
    const answer = await stall(o1, { operation: 'txn' }, 'answerHeld');
    unready('a');
    const o2 = model.replica('O2');
    await model.own(o2, { unnoticed: true });
    await model.rest(o2);
    ready('a');
    o1.see.pods();
    await arrive(answer);
    expect(model.leaders()).toEqual(['b']);
  });
});

describe('a promotion under way while the lock moves on', () => {
  it('is made void by the fencing patch of a pod that carries no label (attack 2)', async () => {
    model = aModel({ pods: members('a', 'b') });
    const o1 = await owner('O1');
    const promotion = await stall(o1, { operation: 'patchPod', about: 'a' });
    refuseToPromote('a');
    const o2 = await owner('O2');
    await model.rest(o2);
    expect(model.leaders()).toEqual(['b']);
    refuseToPromote(null);
    await arrive(promotion);
    expect(model.leaders()).toEqual(['b']);
  });

  it('is made void although the next owner has never seen the pod (attack 3)', async () => {
    model = aModel({ pods: members('b', 'c') });
    const o1 = await owner('O1');
    await model.rest(o1);
    const o2 = model.replica('O2');
    o2.see.all();
    model.api.foreign.addPod(aPod({ name: 'a', readyTransitionMs: 0 }));
    unready('b');
    unready('c');
    o1.see.all();
    const promotion = await stall(o1, { operation: 'patchPod', about: 'a' });
    expect(lockedFor(model)?.name).toBe('a');
    await model.own(o2, { stale: true });
    await model.pass(o2);
    expect(lockedFor(model)?.name).toBe('a');
    await arrive(promotion);
    expect(model.leaders()).toEqual(['a']);
  });

  it('is taken back when the next owner has not seen it land (attack 3)', async () => {
    const o1 = await ledByA();
    ready('b');
    const o2 = model.replica('O2');
    o2.see.all();
    unready('a');
    o1.see.all();
    const promotion = await stall(o1, { operation: 'patchPod', about: 'b' });
    await arrive(promotion);
    expect(model.leaders()).toEqual(['b']);
    unready('b');
    o2.see.groups();
    o2.see.locks();
    await model.own(o2, { stale: true });
    await model.rest(o2);
    expect(model.leaders()).toEqual(['c']);
  });

  it('is made void when an external holder has deleted the shared key in between (attack 4)', async () => {
    model = aModel({ pods: members('a', 'b'), group: { spec: { lockKey: 'shared/cron' } } });
    const o1 = await owner('O1');
    const promotion = await stall(o1, { operation: 'patchPod', about: 'a' });
    endLeadersSession(model);
    const external = model.consul.foreign.openSession({ node: 'vm', name: 'consul lock', ttlMs: 0, lockDelayMs: 0 });
    model.consul.foreign.lock('shared/cron/.lock', external, null);
    model.consul.foreign.remove('shared/cron/.lock');
    refuseToPromote('a');
    const o2 = await owner('O2');
    await model.rest(o2);
    expect(model.leaders()).toEqual(['b']);
    refuseToPromote(null);
    await arrive(promotion);
    expect(model.leaders()).toEqual(['b']);
  });

  it('is made void when the record has been deleted in between', async () => {
    model = aModel({ pods: members('a', 'b') });
    const o1 = await owner('O1');
    const promotion = await stall(o1, { operation: 'patchPod', about: 'a' });
    const group = model.api.group();
    model.consul.foreign.remove(o1.locks.keysOf(group ?? expect.fail('no group')).lock);
    const o2 = await owner('O2');
    o2.store.nodeChanged(null, aNode({ name: 'node-of-a', cordoned: true }));
    await model.rest(o2);
    expect(model.leaders()).toEqual(['b']);
    await arrive(promotion);
    expect(model.leaders()).toEqual(['b']);
  });
});

describe('a record that is gone, and a cache that is behind', () => {
  const loseRecord = (replica: Replica): void =>
    model.consul.foreign.remove(replica.locks.keysOf(model.api.group() ?? expect.fail('no group')).lock);

  it('makes everyone fenced from a fresh list: the cache lacks whose promotion is under way', async () => {
    model = aModel({ pods: members('b') });
    const o1 = await owner('O1');
    await model.rest(o1);
    const o2 = model.replica('O2');
    o2.see.all();
    model.api.foreign.addPod(aPod({ name: 'a' }));
    unready('b');
    o1.see.all();
    const promotion = await stall(o1, { operation: 'patchPod', about: 'a' });
    ready('b');
    loseRecord(o1);
    await model.own(o2, { stale: true });
    await model.pass(o2);
    await arrive(promotion);
    await model.rest(o2);
    expect(model.leaders()).toHaveLength(1);
  });

  it('finds the leader in a pod recreated under a name that the cache still shows the old pod of', async () => {
    model = aModel({ pods: members('a', 'b') });
    const o2 = model.replica('O2');
    o2.see.all();
    model.api.foreign.removePod('a');
    model.api.foreign.addPod(aPod({ name: 'a', uid: 'uid-of-a-2' }));
    const o1 = await owner('O1');
    await model.rest(o1);
    expect(model.leaders()).toEqual(['a']);
    model.consul.foreign.wipe();
    o2.join();
    await model.own(o2, { stale: true });
    await model.pass(o2);
    expect(model.leaders()).toEqual(['a']);
    await model.rest(o2);
    expect(model.leaders()).toEqual(['a']);
  });
});

describe('a handover under way while the old leader comes back', () => {
  /** a is not ready, has been fenced, and the transaction that gives the lock to b is under way. */
  async function handoverUnderWay(promoted: boolean) {
    model = aModel({ pods: members('a', 'b') });
    const o1 = await owner('O1');
    if (promoted) await model.rest(o1);
    else await timeOut(await stall(o1, { operation: 'patchPod', about: 'a' }, 'lost').catch(noRequestHeld));
    expect(lockedFor(model)?.name).toBe('a');
    unready('a');
    o1.see.all();
    const handover = await stall(o1, { operation: 'txn' });
    await timeOut(handover);
    expect(lockedFor(model)?.name).toBe('a');
    ready('a');
    return { o1, handover };
  }

  const noRequestHeld = () => ({ giveUp: () => undefined }) as unknown as Awaited<ReturnType<typeof stall>>;

  it.each([true, false])(
    'moves no lock from a leader promoted since (attack 5, promoted before: %s)',
    async (before) => {
      const { o1, handover } = await handoverUnderWay(before);
      await model.rest(o1);
      expect(model.leaders()).toEqual(['a']);
      await arrive(handover);
      expect(lockedFor(model)?.name).toBe('a');
      await model.rest(o1);
      expect(model.leaders()).toEqual(['a']);
    },
  );

  it.each([true, false])(
    'moves no lock when the bucket has been away and is back (attack 6, promoted before: %s)',
    async (before) => {
      const { o1, handover } = await handoverUnderWay(before);
      const o2 = await owner('O2');
      await model.rest(o2);
      expect(model.leaders()).toEqual(['a']);
      await model.own(o1);
      await arrive(handover);
      expect(lockedFor(model)?.name).toBe('a');
      await model.rest(o1);
      expect(model.leaders()).toEqual(['a']);
    },
  );

  it('moves no lock at all once the bucket is another’s', async () => {
    const { handover } = await handoverUnderWay(true);
    const o2 = model.replica('O2');
    await model.own(o2, { unnoticed: true });
    await arrive(handover);
    expect(lockedFor(model)?.name).toBe('a');
  });
});

describe('a fencing patch that was made before the lock moved', () => {
  it('does not count afterwards: the pod may have been promoted since', async () => {
    const o1 = await ledByA();
    unready('a');
    o1.see.all();
    await timeOut(await stall(o1, { operation: 'txn' }, 'held'));
    expect(model.leaders()).toEqual([]);
    ready('a');
    const o2 = model.replica('O2');
    await model.own(o2, { unnoticed: true });
    await model.rest(o2);
    expect(model.leaders()).toEqual(['a']);
    await model.own(o1, { stale: true });
    await o1.hear();
    o1.link.decide(() => 'arrives');
    await model.pass(o1);
    expect([model.leaders(), lockedFor(model)?.name]).toEqual([['a'], 'a']);
  });
});

describe('a promotion that meets a conflict', () => {
  it('is not repeated with the token of an earlier holding (attack 7)', async () => {
    model = aModel({ pods: members('a', 'b') });
    const o1 = await owner('O1');
    const promotion = await stall(o1, { operation: 'patchPod', about: 'a' });
    unready('a');
    const o2 = await owner('O2');
    await model.rest(o2);
    expect(model.leaders()).toEqual(['b']);
    ready('a');
    unready('b');
    await model.rest(o2);
    expect([model.leaders(), tokenOn(model, 'a')]).toEqual([['a'], 3]);
    await model.own(o1);
    await arrive(promotion);
    await model.rest(o1);
    expect([model.leaders(), tokenOn(model, 'a')]).toEqual([['a'], 3]);
  });
});

describe('a fencing patch under way', () => {
  it('does not land on the pod once it leads again (attack 8)', async () => {
    const o1 = await ledByA();
    unready('a');
    o1.see.all();
    const fence = await stall(o1, { operation: 'patchPod', about: 'a' });
    await timeOut(fence);
    await model.rest(o1);
    expect(model.leaders()).toEqual(['b']);
    ready('a');
    unready('b');
    unready('c');
    await model.rest(o1);
    expect(model.leaders()).toEqual(['a']);
    await arrive(fence);
    expect(model.leaders()).toEqual(['a']);
  });

  it('does not land on a pod recreated under the same name', async () => {
    const o1 = await ledByA();
    unready('a');
    o1.see.all();
    const fence = await stall(o1, { operation: 'patchPod', about: 'a' });
    model.api.foreign.removePod('a');
    const fresh = model.api.foreign.addPod(aPod({ name: 'a', uid: 'uid-of-a-2' }));
    await arrive(fence);
    expect(model.api.pod('a')).toEqual(fresh);
  });
});

describe('a cache that is behind', () => {
  it('makes no leader gone that the API server still has (attack 9)', async () => {
    model = aModel({ pods: members('b') });
    const o1 = await owner('O1');
    const o2 = model.replica('O2');
    o2.see.all();
    model.api.foreign.addPod(aPod({ name: 'a' }));
    unready('b');
    await model.rest(o1);
    expect(model.leaders()).toEqual(['a']);
    await model.own(o2, { stale: true });
    await model.pass(o2);
    expect([model.leaders(), lockedFor(model)?.name]).toEqual([['a'], 'a']);
    await model.rest(o2);
    expect(model.leaders()).toEqual(['a']);
    expect(model.promises.demotions).toEqual([]);
  });

  it('takes the label from no leader that is ready again', async () => {
    const o1 = await ledByA();
    unready('a');
    const o2 = model.replica('O2');
    o2.see.all();
    ready('a');
    o1.see.all();
    await model.own(o2, { stale: true });
    await model.pass(o2);
    expect(model.promises.demotions).toEqual([]);
    await model.rest(o2);
    expect([model.leaders(), tokenOn(model, 'a')]).toEqual([['a'], 1]);
  });
});

describe('a Consul restored from a backup (attack 10)', () => {
  it('gives no lower token than the pods know, and keeps the leader', async () => {
    const o1 = await ledByA();
    const backup = model.consul.foreign.backup();
    unready('a');
    await model.rest(o1);
    expect([model.leaders(), tokenOn(model, 'b')]).toEqual([['b'], 2]);
    ready('a');
    model.consul.foreign.restore(backup);
    expect(record(model)?.holder.pod).toBe('a');
    o1.join();
    await model.own(o1);
    await model.rest(o1);
    expect(model.leaders()).toEqual(['b']);
    expect(lockedFor(model)?.name).toBe('b');
    expect(record(model)?.token).toBe(3);
    expect(model.promises.demotions).toEqual(['a']);
  });
});

describe('a Consul whose data is gone', () => {
  it('makes everyone fenced before another leads: a promotion may be under way', async () => {
    const o1 = await ledByA();
    unready('a');
    o1.see.all();
    const promotion = await stall(o1, { operation: 'patchPod', about: 'b' });
    await timeOut(promotion);
    model.consul.foreign.wipe();
    ready('a');
    o1.join();
    const o2 = model.replica('O2');
    o2.store.nodeChanged(null, aNode({ name: 'node-of-b', cordoned: true }));
    await model.own(o2);
    await model.rest(o2);
    const [leader] = model.leaders();
    expect(leader).not.toBe('b');
    await arrive(promotion);
    await model.rest(o2);
    expect(model.leaders()).toEqual([leader]);
  });

  it('moves no leader, and the next token is higher', async () => {
    const o1 = await ledByA();
    model.consul.foreign.wipe();
    o1.join();
    await model.own(o1);
    await model.rest(o1);
    expect([model.leaders(), model.promises.demotions, tokenOn(model, 'a')]).toEqual([['a'], [], 2]);
    expect(lockedFor(model)?.name).toBe('a');
  });
});

describe('a first lock under way while the lock is used and given up (attack 11)', () => {
  it.each([null, 'shared/cron'])('does not lock again with a used token (lockKey %s)', async (lockKey) => {
    model = aModel({ pods: members('a', 'b'), group: { spec: { lockKey } } });
    const o1 = await owner('O1');
    const first = await stall(o1, { operation: 'txn' });
    await timeOut(first);
    await model.rest(o1);
    expect(model.leaders()).toEqual(['a']);
    unready('b');
    model.api.foreign.changePod('a', () => ({ annotations: { 'leadergroup.dev/candidate': 'false' } }));
    await model.rest(o1);
    expect([model.leaders(), lockedFor(model)]).toEqual([[], null]);
    if (lockKey !== null) {
      const external = model.consul.foreign.openSession({ node: 'vm', name: 'consul lock', ttlMs: 0, lockDelayMs: 0 });
      model.consul.foreign.lock('shared/cron/.lock', external, null);
      model.consul.foreign.remove('shared/cron/.lock');
    }
    await arrive(first);
    expect(lockedFor(model)).toBeNull();
  });
});

describe('an edit of the session’s TTL (attack 15)', () => {
  it('lets no session die that was opened under the shorter one', async () => {
    await ledByA();
    model.api.foreign.changeGroup('notifier', ({ spec }) => ({
      spec: { ...spec, sessionTtlMs: 300_000, paused: true },
    }));
    const o2 = await owner('O2');
    await model.rest(o2);
    await model.clock.advance(200_000);
    expect(lockedFor(model)?.name).toBe('a');
    model.api.foreign.changeGroup('notifier', ({ spec }) => ({ spec: { ...spec, paused: false } }));
    await model.rest(o2);
    expect([model.leaders(), model.promises.demotions]).toEqual([['a'], []]);
  });

  it('changes the session of the leader under a higher token, and leaves its label alone', async () => {
    const o1 = await ledByA();
    const before = model.consul.sessions();
    model.api.foreign.changeGroup('notifier', ({ spec }) => ({ spec: { ...spec, sessionTtlMs: 120_000 } }));
    await model.rest(o1);
    expect([model.leaders(), model.promises.demotions, tokenOn(model, 'a')]).toEqual([['a'], [], 2]);
    const opened = model.consul.sessions().filter(({ id }) => !before.some((session) => session.id === id));
    expect(opened.map(({ ttlMs }) => ttlMs)).toEqual([120_000, 120_000, 120_000]);
  });
});

describe('an owner that does not know the session that holds the lock (attack 16)', () => {
  it('asks whose it is before it takes its pod for an external holder', async () => {
    await ledByA();
    const o2 = model.replica('O2');
    o2.link.decide(({ operation }) => (operation === 'listSessions' ? 'lost' : 'arrives'));
    await expect(model.own(o2)).rejects.toThrow('no answer');
    o2.see.all();
    o2.believe('owned');
    await model.rest(o2);
    expect([model.leaders(), model.promises.demotions, tokenOn(model, 'a')]).toEqual([['a'], [], 1]);
    expect(model.api.group()?.status?.lockedBy).toBe('');
  });
});

describe('a session that another has replaced (attack 18)', () => {
  it('is not destroyed while its pod lives: the lock may be back at it when the destroy arrives', async () => {
    const o1 = await ledByA();
    o1.link.decide(({ operation }) => (operation === 'destroySession' ? 'held' : 'arrives'));
    const edit = (sessionTtlMs: number): void =>
      model.api.foreign.changeGroup('notifier', ({ spec }) => ({ spec: { ...spec, sessionTtlMs } }));
    edit(40_000);
    o1.see.all();
    o1.pass();
    await settle();
    for (const request of o1.link.held()) await timeOut(request);
    edit(30_000);
    const o2 = await owner('O2');
    await model.rest(o2);
    for (const request of o1.link.held()) await arrive(request);
    expect(lockedFor(model)?.name).toBe('a');
    expect([model.leaders(), model.promises.demotions]).toEqual([['a'], []]);
  });

  it('is destroyed when its pod is gone for good', async () => {
    const o1 = await ledByA();
    model.api.foreign.removePod('c');
    await model.rest(o1);
    expect(model.consul.sessions().map(({ name }) => name)).not.toContain('default/notifier/uid-of-c');
  });
});

describe('a long gap without any operator (attack 20)', () => {
  it('takes the label from no healthy leader whose session has expired meanwhile', async () => {
    const o1 = await ledByA();
    o1.kill();
    await model.clock.advance(61_000);
    expect(lockedFor(model)).toBeNull();
    const o2 = await owner('O2');
    await model.rest(o2);
    expect([model.leaders(), model.promises.demotions]).toEqual([['a'], []]);
    expect([lockedFor(model)?.name, tokenOn(model, 'a')]).toEqual(['a', 2]);
  });

  it('takes it off first where an external holder may take the lock at any moment', async () => {
    model = aModel({ pods: members('a', 'b'), group: { spec: { lockKey: 'shared/cron' } } });
    const o1 = await owner('O1');
    await model.rest(o1);
    endLeadersSession(model);
    await model.rest(o1);
    expect([model.promises.demotions, model.leaders()]).toEqual([['a'], ['a']]);
    expect(tokenOn(model, 'a')).toBe(2);
  });
});

describe('two groups over the same pods (attack 14)', () => {
  it('come to rest: the older acts, the younger is stalled and writes nothing', async () => {
    model = aModel({ pods: members('a', 'b') });
    model.api.foreign.addGroup(aGroup({ name: 'younger', createdMs: 1_800_000_000_000 }));
    const o1 = await owner('O1');
    await model.rest(o1);
    const before = model.api.podLog.length;
    for (const key of ['default/younger', 'default/notifier', 'default/younger']) {
      o1.see.all();
      await model.pass(o1, key);
    }
    expect(model.api.podLog).toHaveLength(before);
    expect(model.leaders()).toEqual(['a']);
    const stalled = model.api.group('younger')?.status?.conditions.find(({ type }) => type === 'Stalled');
    expect(stalled).toMatchObject({ status: 'True', reason: 'SelectorOverlap' });
  });
});
