/**
 * A switchover moves the leader once, whoever writes its annotation again: a GitOps tool that heals, a backup that is restored, a group that is made
 * anew; and whatever is lost or late of it, nobody is left without a leader (promise I14).
 */
import * as fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import type { LeaderGroup } from '../../src/api/leadergroup.ts';
import { parseSwitchover } from '../../src/api/switchover.ts';
import { groupKeys } from '../../src/election/keys.ts';
import { formatRecord } from '../../src/election/record.ts';
import { aGroup, aPod, type GroupOverrides } from '../kit/fakes/builders.ts';
import { switchoverText } from '../kit/fakes/builders-switchover.ts';
import { settle } from '../kit/fakes/clock.ts';
import { aModel, type Model } from '../kit/model/model.ts';
import { type Replica, SPACE } from '../kit/model/replica.ts';
import { trying } from '../kit/model/seed.ts';
import {
  annotateSwitchover,
  endSessionOnFencing,
  giveUpAll,
  INTERRUPTIONS,
  interruptedPass,
  newOwner,
  ownedAtRest,
  record,
  seeAndPass,
  stall,
  untilGone,
  whoLeads,
} from '../kit/model/stage.ts';

let model: Model;

const NAMES = ['a', 'b', 'c'] as const;
const ROLE = 'leadergroup.dev/role';

async function ledByA(group: GroupOverrides = {}): Promise<Replica> {
  model = aModel({ group, pods: NAMES.map((name) => aPod({ name })) });
  const owner = await ownedAtRest(model);
  expect(where()).toEqual([['a'], 'a']);
  return owner;
}

const where = () => whoLeads(model);
const moves = (): readonly string[] => model.promises.promotions.map(({ pod }) => pod);
const annotate = (text: string | null): void => annotateSwitchover(model, text);
/** Asked for so many seconds ago. */
const asks = (to: string, secondsAgo = 1): string => switchoverText(to, -secondsAgo, model.clock.wallMs());
const last = () => model.api.group()?.status?.lastSwitchover;

async function nextOwner(): Promise<Replica> {
  const next = await newOwner(model);
  await model.rest(next, 20);
  return next;
}

afterEach(() => {
  expect(model.promises.breaches).toEqual([]);
});

describe('a switchover', () => {
  it.each([{}, { spec: { lockKey: 'shared/cron' } }])('moves the leader, and says so: %j', async (group) => {
    const owner = await ledByA(group);
    annotate(asks('c'));
    await model.rest(owner);
    expect(where()).toEqual([['c'], 'c']);
    expect(last()).toMatchObject({ to: 'c', result: 'Moved', reason: '' });
    expect(record(model)).toMatchObject({ pinned: true, switchover: { to: 'c' } });
  });

  it('writes nothing more while its annotation stays', async () => {
    const owner = await ledByA();
    annotate(asks('c'));
    await model.rest(owner);
    const written = model.api.writes() + model.consul.writes();
    await model.clock.advance(60_000);
    await model.pass(owner);
    expect(model.api.writes() + model.consul.writes()).toBe(written);
  });

  it('never writes the annotations of the group', async () => {
    const owner = await ledByA();
    const text = asks('c');
    annotate(text);
    await model.rest(owner);
    expect(model.api.group()?.switchover?.text).toBe(text);
  });

  it('that is removed while it is under way goes on', async () => {
    const owner = await ledByA();
    annotate(asks('c'));
    owner.see.all();
    const fencing = await stall(owner, { operation: 'patchPod', about: 'a' });
    annotate(null);
    fencing.deliver();
    await settle();
    await model.rest(owner);
    expect(where()).toEqual([['c'], 'c']);
  });

  it('that is removed before it is begun is not done, though a cache shows it yet', async () => {
    const owner = await ledByA();
    annotate(asks('c'));
    owner.see.all();
    annotate(null);
    await model.pass(owner);
    await model.rest(owner);
    expect(where()).toEqual([['a'], 'a']);
  });

  it('that is removed while Consul is away is not done when it is back, though a cache shows it yet', async () => {
    model = aModel({ pods: NAMES.map((name) => aPod({ name, ready: name !== 'c' })) });
    const owner = await ownedAtRest(model);
    const leads = model.leaders();
    model.api.foreign.changePod('c', () => ({ ready: true }));
    annotate(asks('c'));
    owner.see.all();
    // The group is read; then the next leader needs a session.
    owner.link.decide(({ operation }) => (operation === 'createSession' ? 'lost' : 'arrives'));
    await model.pass(owner);
    annotate(null);
    owner.link.decide(() => 'arrives');
    await model.clock.advance(10_000);
    await model.pass(owner);
    await model.rest(owner);
    expect(model.leaders()).toEqual(leads);
  });

  it('is not done by a cache that does not show yet that it was refused', async () => {
    const owner = await ledByA();
    model.api.foreign.changePod('c', () => ({ ready: false }));
    annotate(asks('c'));
    const second = model.replica('O2');
    second.see.all();
    await model.rest(owner);
    expect(last()?.reason).toBe('NotACandidate');
    model.api.foreign.changePod('c', () => ({ ready: true }));
    for (const other of [owner]) other.giveUp();
    second.join();
    // It sees everything but the group.
    annotate(model.api.group()?.switchover?.text ?? null);
    await model.own(second);
    await model.rest(second);
    expect(where()).toEqual([['a'], 'a']);
  });

  it('waits while Consul is away, and is done if Consul is back in time', async () => {
    const owner = await ledByA();
    owner.link.decide(({ to }) => (to === 'consul' ? 'lost' : 'arrives'));
    annotate(asks('c'));
    owner.see.all();
    await model.pass(owner);
    await model.clock.advance(60_000);
    await model.pass(owner);
    expect([model.leaders(), last()]).toEqual([['a'], undefined]);
    await nextOwner();
    expect(where()).toEqual([['c'], 'c']);
  });

  it('has expired if it is not', async () => {
    const owner = await ledByA();
    owner.link.decide(({ to }) => (to === 'consul' ? 'lost' : 'arrives'));
    annotate(asks('c'));
    owner.see.all();
    await model.pass(owner);
    await model.clock.advance(601_000);
    await nextOwner();
    expect([model.leaders(), last()?.reason]).toEqual([['a'], 'Expired']);
  });
});

describe('a grant of the gate that must be waited for', () => {
  it.each([true, false])(
    'is no failure of the handover, however often the group is looked at meanwhile: ready %s',
    async (ready) => {
      const owner = await ledByA({ spec: { failoverDelayMs: 30_000 } });
      expect(owner.ask('uid-of-a').kind).toBe('grant');
      model.api.foreign.changePod('a', () => ({ ready }));
      await seeAndPass(model, owner);
      annotate(asks('c'));
      for (let passes = 0; passes < 12; passes += 1) {
        await seeAndPass(model, owner);
        await model.clock.advance(50);
      }
      await model.clock.advance(2000);
      await model.rest(owner);
      expect([where(), last()?.result]).toEqual([[['c'], 'c'], 'Moved']);
    },
  );
});

it('is done while the leader is not ready, and somebody has taken its label off: nobody waits for it to come back', async () => {
  const owner = await ledByA({ spec: { failoverDelayMs: 60_000 } });
  model.api.foreign.changePod('a', ({ labels: { [ROLE]: _gone, ...labels } }) => ({ ready: false, labels }));
  await model.rest(owner);
  expect(model.leaders()).toEqual([]);
  annotate(asks('c'));
  await model.rest(owner);
  expect([where(), last()?.result]).toEqual([[['c'], 'c'], 'Moved']);
});

describe('a target that fails', () => {
  it.each(['handed', 'fenced'])('while it is %s over leaves the lead to another one', async (when) => {
    const owner = await ledByA();
    annotate(asks('c'));
    owner.see.all();
    const held = await stall(owner, { operation: 'patchPod', about: when === 'fenced' ? 'a' : 'c' });
    model.api.foreign.changePod('c', () => ({ ready: false }));
    held.deliver();
    await settle();
    await model.rest(owner, 20);
    expect(where()[0]).toHaveLength(1);
    expect(where()[0]).not.toContain('c');
  });

  it('as its label is refused leaves the lead to another one', async () => {
    const owner = await ledByA();
    model.api.refusePatches(({ name }, { labels }) => name === 'c' && labels[ROLE] === 'leader');
    annotate(asks('c'));
    await model.rest(owner, 20);
    expect(where()[0]).toHaveLength(1);
    expect(where()[0]).not.toContain('c');
    expect(last()).toMatchObject({ to: 'c', result: 'Moved' });
  });

  it('whose session is lost again and again is given up, and the leader is put back', async () => {
    const owner = await ledByA();
    endSessionOnFencing(model, 'a', 'c');
    annotate(asks('c'));
    await model.rest(owner, 20);
    expect(where()).toEqual([['a'], 'a']);
    expect(last()).toMatchObject({ result: 'Refused', reason: 'HandoverFailed' });
  });
});

describe('a switchover is done once', () => {
  it.each([
    ['its annotation is taken off and put back', () => Promise.resolve()],
    [
      'a backup brings back the group as it was, without a status',
      () => Promise.resolve(model.api.foreign.changeGroup('notifier', () => ({ status: null }))),
    ],
    ['the time of its request comes back later', () => model.clock.advance(5000)],
  ])('though %s', async (_, what) => {
    const owner = await ledByA();
    const text = asks('c');
    annotate(text);
    await model.rest(owner);
    model.api.foreign.changePod('c', () => ({ ready: false }));
    await model.rest(owner);
    model.api.foreign.changePod('c', () => ({ ready: true }));
    await model.rest(owner);
    const before = moves();
    annotate(null);
    await model.rest(owner);
    await what();
    annotate(text);
    await model.rest(owner);
    await model.rest(await nextOwner());
    expect(moves()).toEqual(before);
  });

  it('though the group is deleted and made anew with it', async () => {
    const owner = await ledByA();
    const text = asks('c');
    annotate(text);
    await model.rest(owner);
    await again(owner, text);
    const [leader] = model.leaders();
    const before = moves();
    await model.clock.advance(100);
    await model.rest(await nextOwner());
    expect([model.leaders(), moves()]).toEqual([[leader], before]);
  });

  it('though the record has lost it to an older version of the operator, and the status too', async () => {
    const owner = await ledByA();
    const text = asks('c');
    annotate(text);
    await model.rest(owner);
    olderVersionWrites();
    model.api.foreign.changePod('c', () => ({ ready: false }));
    await model.rest(owner, 20);
    model.api.foreign.changePod('c', () => ({ ready: true }));
    const before = moves();
    await model.rest(await nextOwner());
    expect(moves()).toEqual(before);
  });

  it.each(['restored from a backup that does not know it', 'wiped'])('though Consul is %s', async (how) => {
    const owner = await ledByA();
    const backup = model.consul.foreign.backup();
    const text = asks('c');
    annotate(text);
    await model.rest(owner);
    if (how === 'wiped') model.consul.foreign.wipe();
    else model.consul.foreign.restore(backup);
    model.promises.restored();
    for (const other of model.replicas) other.giveUp();
    for (const other of model.replicas) other.join();
    model.api.foreign.changeGroup('notifier', () => ({ status: null }));
    const next = await nextOwner();
    await model.rest(next, 20);
    expect(record(model)?.switchover?.to ?? null).toBeNull();
    expect(last()).toMatchObject({ result: 'Refused', reason: 'Replayed' });
  });

  it.each(INTERRUPTIONS)('whatever is %s of it, though the bucket gets another owner meanwhile', async (fate) => {
    let met = true;
    for (let at = 0; met; at += 1) {
      const owner = await ledByA();
      annotate(asks('c'));
      owner.see.all();
      met = await interruptedPass(owner, at, fate);
      await giveUpAll(owner);
      const next = await nextOwner();
      for (const held of owner.link.held()) held.deliver();
      await settle();
      await model.rest(next, 20);
      expect([at, ...where()]).toEqual([at, ['c'], 'c']);
      expect(moves().filter((name) => name === 'c').length).toBeLessThanOrEqual(2);
      expect(last()).toMatchObject({ to: 'c', result: 'Moved' });
      expect(model.promises.breaches).toEqual([]);
    }
  });

  it.each(INTERRUPTIONS)('whatever is %s of it, and the leader, which is not ready, has time yet', async (fate) => {
    let met = true;
    for (let at = 0; met; at += 1) {
      const owner = await ledByA({ spec: { failoverDelayMs: 300_000 } });
      model.api.foreign.changePod('a', () => ({ ready: false }));
      await model.rest(owner);
      annotate(asks('c'));
      owner.see.all();
      met = await interruptedPass(owner, at, fate);
      await giveUpAll(owner);
      await model.rest(await nextOwner(), 20);
      expect([at, ...where()]).toEqual([at, ['c'], 'c']);
    }
  });

  it('nor at all, once it was refused for its time, though its annotation is put back when that has come', async () => {
    const owner = await ledByA();
    const text = asks('c', -90);
    annotate(text);
    await model.rest(owner);
    expect(last()?.reason).toBe('Future');
    annotate(null);
    await model.rest(owner);
    await model.clock.advance(60_000);
    const next = await nextOwner();
    annotate(text);
    await model.rest(next);
    expect([where(), last()?.reason]).toEqual([[['a'], 'a'], 'Future']);
  });

  it('and withdrawn half-way by the death of the owner leaves nobody without a leader', async () => {
    const owner = await ledByA({ spec: { failoverDelayMs: 300_000 } });
    model.api.foreign.changePod('a', () => ({ ready: false }));
    await model.rest(owner);
    annotate(asks('c'));
    owner.see.all();
    await stall(owner, { operation: 'patchPod', about: 'a' }, 'answerLost').catch(() => undefined);
    annotate(null);
    owner.kill();
    await model.rest(await nextOwner(), 20);
    expect(where()[0]).toHaveLength(1);
  });

  it('though two replicas believe that they own the bucket', async () => {
    const first = await ledByA();
    annotate(asks('c'));
    first.see.all();
    const fencing = await stall(first, { operation: 'patchPod', about: 'a' }, 'answerHeld');
    const second = model.replica('O2');
    await model.own(second, { unnoticed: true });
    await model.rest(second, 20);
    fencing.deliver();
    await settle();
    await model.rest(second, 20);
    expect(where()).toEqual([['c'], 'c']);
    expect(moves().filter((name) => name === 'c')).toHaveLength(1);
  });
});

/** Deleted, and made again with the annotation as it stands in Git. */
async function again(owner: Replica, text: string): Promise<void> {
  model.api.foreign.deleteGroup('notifier');
  await untilGone(model, owner);
  const createdMs = model.clock.wallMs();
  model.api.foreign.addGroup(aGroup({ uid: 'second', finalizers: [], createdMs, switchover: parseSwitchover(text) }));
  await nextOwner();
}

/** What it does not know is not in what it writes: into the record, and into the status. */
function olderVersionWrites(): void {
  const group = model.api.group() as LeaderGroup;
  const { switchover: _handled, pinned: _pinned, ...known } = record(model) ?? ({} as never);
  model.consul.foreign.put(groupKeys(SPACE, group, null).lock, formatRecord(known), true);
  model.api.foreign.changeGroup('notifier', ({ status }) => {
    const { lastSwitchover: _last, ...others } = status ?? ({} as never);
    return { status: others };
  });
}

type Act =
  | { readonly act: 'ask'; readonly to: string; readonly secondsAgo: number }
  | { readonly act: 'replay'; readonly which: number }
  | { readonly act: 'remove' | 'loseStatus' | 'older' | 'own' | 'remake' }
  | { readonly act: 'unready' | 'ready'; readonly pod: number }
  | { readonly act: 'wait'; readonly seconds: number };

const pod = fc.nat({ max: NAMES.length - 1 });
const anAct: fc.Arbitrary<Act> = fc.oneof(
  fc.record({
    act: fc.constant('ask' as const),
    to: fc.constantFrom('a', 'b', 'c', 'any', 'nobody'),
    secondsAgo: fc.integer({ min: -70, max: 660 }),
  }),
  fc.record({ act: fc.constant('replay' as const), which: fc.nat({ max: 9 }) }),
  fc.record({ act: fc.constantFrom('remove', 'loseStatus', 'older', 'own', 'remake') }) as fc.Arbitrary<Act>,
  fc.record({ act: fc.constantFrom('unready', 'ready', 'ready'), pod }) as fc.Arbitrary<Act>,
  fc.record({ act: fc.constant('wait' as const), seconds: fc.integer({ min: 1, max: 120 }) }),
);

describe('whoever writes which annotation, and whatever is lost', () => {
  it('no time is handled twice, none moves to who was not asked for, and the group is led', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(anAct, { minLength: 3, maxLength: 14 }), async (acts) => {
        let owner = await ledByA();
        const written: string[] = [];
        for (const act of acts) {
          owner = await take(act, owner, written);
          await model.rest(owner, 25);
        }
        for (const name of NAMES) model.api.foreign.changePod(name, () => ({ ready: true }));
        await model.rest(owner, 25);
        expect(model.promises.breaches).toEqual([]);
        expect(model.leaders()).toHaveLength(1);
        for (const left of model.replicas) left.kill();
      }),
      trying(60),
    );
  });

  async function take(act: Act, owner: Replica, written: string[]): Promise<Replica> {
    switch (act.act) {
      case 'ask':
        written.push(asks(act.to, act.secondsAgo));
        annotate(written.at(-1) ?? null);
        return owner;
      case 'replay':
        annotate(written[act.which % Math.max(1, written.length)] ?? null);
        return owner;
      case 'remove':
        annotate(null);
        return owner;
      case 'loseStatus':
        model.api.foreign.changeGroup('notifier', () => ({ status: null }));
        return owner;
      case 'older':
        if (model.api.group() !== null && record(model) !== null) olderVersionWrites();
        return owner;
      case 'own':
        return await nextOwner();
      case 'remake': {
        const text = written.at(-1) ?? '';
        await again(owner, text);
        return model.replicas.at(-1) ?? owner;
      }
      case 'unready':
      case 'ready':
        model.api.foreign.changePod(NAMES[act.pod] ?? 'a', () => ({ ready: act.act === 'ready' }));
        return owner;
      case 'wait':
        await model.clock.advance(act.seconds * 1000);
        return owner;
    }
  }
});
