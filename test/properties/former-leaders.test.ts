/** `formerLeader: Evict`: who led before is asked to go once the next one leads, and never one that leads. */
import { afterEach, describe, expect, it } from 'vitest';
import { CANDIDATE_ANNOTATION } from '../../src/api/names.ts';
import { aPod, aService, type GroupOverrides } from '../kit/fakes/builders.ts';
import { WEB_PORT } from '../kit/fakes/builders-route.ts';
import type { Fate, Link } from '../kit/model/link.ts';
import { aModel, type Model } from '../kit/model/model.ts';
import type { Replica } from '../kit/model/replica.ts';
import { arrive, ownedAtRest, stall, timeOut, type Which } from '../kit/model/stage.ts';

let model: Model;

/** The next such request meets this. */
function next(link: Link, fate: Fate, which: Which = { operation: 'replaceSlice' }): void {
  let met = false;
  link.decide(({ operation, about }) => {
    if (met || operation !== which.operation || (which.about ?? about) !== about) return 'arrives';
    met = true;
    return fate;
  });
}

const excluded = (name: string, is: boolean): void =>
  model.api.foreign.changePod(name, ({ annotations }) => ({
    annotations: { ...annotations, [CANDIDATE_ANNOTATION]: String(!is) },
  }));
const goes = (name: string): boolean | undefined => model.api.pod(name)?.deleting;

const asked = ({ link }: Replica): number => link.sent.filter(({ operation }) => operation === 'evict').length;

async function minuteLater(owner: Replica): Promise<void> {
  await model.clock.advance(60_000);
  await model.rest(owner);
}

async function led(spec: GroupOverrides['spec'] = { formerLeader: 'Evict' }): Promise<Replica> {
  model = aModel({ group: { spec }, pods: ['a', 'b'].map((name) => aPod({ name })) });
  return await ownedAtRest(model);
}

afterEach(() => {
  expect(model.promises.breaches).toEqual([]);
});

describe('a former leader', () => {
  it('is evicted once the next one leads', async () => {
    const owner = await led();
    excluded('a', true);
    owner.see.all();
    const eviction = await stall(owner, { operation: 'evict' });
    expect([model.leaders(), goes('a')]).toEqual([['b'], false]);
    await arrive(eviction);
    expect([goes('a'), goes('b')]).toEqual([true, false]);
  });

  describe('whose successor’s label', () => {
    const ofB = { operation: 'patchPod', about: 'b' } as const;
    const touched = (name: string): void =>
      model.api.foreign.changePod(name, ({ annotations }) => ({ annotations: { ...annotations, x: 'y' } }));

    const refuseLabelOf = (pod: string): void =>
      model.api.refusePatches(({ name }, { labels }) => name === pod && Object.values(labels).includes('leader'));

    async function conflict(owner: Replica): Promise<void> {
      const label = await stall(owner, ofB);
      touched('b');
      await arrive(label);
    }

    /** Of three; b is to be followed itself by then. */
    async function withoutAnswerToB(): Promise<Replica> {
      const owner = await led();
      model.api.foreign.addPod(aPod({ name: 'c' }));
      await model.rest(owner);
      excluded('a', true);
      owner.see.all();
      const label = await stall(owner, ofB, 'answerHeld');
      excluded('b', true);
      await timeOut(label);
      return owner;
    }

    it.each<[string, (owner: Replica) => void | Promise<void>]>([
      ['met a conflict', conflict],
      ['was lost', ({ link }) => next(link, 'lost', ofB)],
      ['arrived, and its answer was lost', ({ link }) => next(link, 'answerLost', ofB)],
    ])('%s is evicted once it is on, and once', async (_, happens) => {
      const owner = await led();
      excluded('a', true);
      owner.see.all();
      await happens(owner);
      await model.rest(owner);
      expect([model.leaders(), goes('a'), asked(owner)]).toEqual([['b'], true, 1]);
      await minuteLater(owner);
      expect([model.leaders(), asked(owner), goes('b')]).toEqual([['b'], 1, false]);
    });

    it('met a conflict is not asked for again where the eviction was lost', async () => {
      const owner = await led();
      excluded('a', true);
      owner.see.all();
      const label = await stall(owner, ofB);
      touched('b');
      next(owner.link, 'lost', { operation: 'evict' });
      await arrive(label);
      await model.rest(owner);
      await minuteLater(owner);
      expect([model.leaders(), asked(owner), goes('a')]).toEqual([['b'], 1, false]);
    });

    it('was refused is evicted once another one leads in its place', async () => {
      const owner = await led();
      model.api.foreign.addPod(aPod({ name: 'c' }));
      await model.rest(owner);
      refuseLabelOf('b');
      excluded('a', true);
      await model.rest(owner);
      expect([model.leaders(), goes('a'), goes('b'), asked(owner)]).toEqual([['c'], true, false, 1]);
    });

    it('was refused, and led long before, is the one that is evicted once another one leads', async () => {
      const owner = await led();
      model.api.routing.forbid(true);
      excluded('a', true);
      await model.rest(owner);
      excluded('a', false);
      excluded('b', true);
      await model.rest(owner);
      model.api.routing.forbid(false);
      excluded('b', false);
      model.api.foreign.addPod(aPod({ name: 'c' }));
      await minuteLater(owner);
      expect([model.leaders(), goes('a'), goes('b')]).toEqual([['a'], false, false]);
      refuseLabelOf('b');
      excluded('a', true);
      await model.rest(owner);
      expect([model.leaders(), goes('a'), goes('b')]).toEqual([['c'], true, false]);
    });

    it('had no answer, and that is followed by another one before it is asked for, is evicted, and so is the successor', async () => {
      const owner = await withoutAnswerToB();
      await model.rest(owner);
      expect([model.leaders(), goes('a'), goes('b'), asked(owner)]).toEqual([['c'], true, true, 2]);
    });

    it.each<[string, boolean, readonly [string, boolean | undefined, boolean | undefined]]>([
      ['follows', true, ['c', true, true]],
      ['is to follow, and does not', false, ['b', true, false]],
    ])(
      'had no answer is evicted also where another one %s, and the first transaction for that is lost',
      async (_, follows, expected) => {
        const owner = await withoutAnswerToB();
        next(owner.link, 'lost', { operation: 'txn' });
        owner.see.all();
        await model.pass(owner);
        excluded('b', follows);
        await model.rest(owner);
        expect([model.leaders()[0], goes('a'), goes('b')]).toEqual(expected);
      },
    );

    it('had no answer is evicted also where the successor is not ready by then, and stays for want of another', async () => {
      const owner = await led();
      excluded('a', true);
      owner.see.all();
      const label = await stall(owner, ofB, 'answerHeld');
      model.api.foreign.changePod('b', () => ({ ready: false }));
      await timeOut(label);
      await model.rest(owner);
      expect([model.leaders(), goes('a'), asked(owner)]).toEqual([['b'], true, 1]);
    });

    it('was refused is kept where another one leads in its place after more than a minute', async () => {
      const owner = await led();
      model.api.foreign.addPod(aPod({ name: 'c', ready: false }));
      refuseLabelOf('b');
      excluded('a', true);
      await model.rest(owner);
      await minuteLater(owner);
      model.api.foreign.changePod('c', () => ({ ready: true }));
      await model.rest(owner);
      expect([model.leaders(), goes('a'), asked(owner)]).toEqual([['c'], false, 0]);
    });

    it('was put on after more than a minute is kept', async () => {
      const owner = await led();
      refuseLabelOf('b');
      excluded('a', true);
      await model.rest(owner);
      await minuteLater(owner);
      expect([model.leaders(), goes('a')]).toEqual([[], false]);
      model.api.refusePatches(() => false);
      await minuteLater(owner);
      expect([model.leaders(), goes('a'), asked(owner)]).toEqual([['b'], false, 0]);
    });

    it('met a conflict is kept where it has come back by then', async () => {
      const owner = await led();
      excluded('a', true);
      owner.see.all();
      touched('b');
      const label = await stall(owner, ofB);
      excluded('a', false);
      model.api.foreign.removePod('b');
      await arrive(label);
      await model.rest(owner);
      expect([model.leaders(), goes('a'), asked(owner)]).toEqual([['a'], false, 0]);
    });
  });

  describe('of a group with a route', () => {
    const SLICE = 'notifier-leader-leadergroup-ipv4';
    const shown = () => model.api.routing.slice(SLICE)?.endpoint?.pod.name;

    async function routed(): Promise<Replica> {
      const spec = { formerLeader: 'Evict', route: { serviceName: 'notifier-leader' } } as const;
      const pods = ['a', 'b'].map((name) =>
        aPod({ name, addresses: [`10.0.0.${name.charCodeAt(0)}`], namedPorts: [WEB_PORT] }),
      );
      model = aModel({ group: { spec }, pods });
      model.api.routing.foreign.putService(aService());
      const owner = await ownedAtRest(model);
      expect(shown()).toBe('a');
      return owner;
    }

    it.each<[string, (owner: Replica) => void]>([
      ['met a conflict', () => model.api.routing.foreign.editSlice(SLICE, () => ({ altered: false }))],
      ['was lost', ({ link }) => next(link, 'lost')],
      ['arrived, and its answer was lost', ({ link }) => next(link, 'answerLost')],
    ])('is evicted, once, though the write of the slice %s', async (_, happens) => {
      const owner = await routed();
      excluded('a', true);
      owner.see.all();
      happens(owner);
      await model.rest(owner);
      expect([model.leaders(), goes('a'), asked(owner)]).toEqual([['b'], true, 1]);
      await minuteLater(owner);
      await minuteLater(owner);
      expect([shown(), asked(owner), goes('b')]).toEqual(['b', 1, false]);
    });

    it('is not asked to go before the next one has its label, whatever the slice shows', async () => {
      const owner = await routed();
      excluded('a', true);
      owner.see.all();
      const label = await stall(owner, { operation: 'patchPod', about: 'b' });
      expect([shown(), asked(owner)]).toEqual(['b', 0]);
      const led: (readonly string[])[] = [];
      model.api.routing.onEviction(() => void led.push(model.leaders()));
      model.api.foreign.changePod('b', ({ annotations }) => ({ annotations: { ...annotations, x: 'y' } }));
      await arrive(label);
      expect(led).toEqual([['b']]);
    });
  });

  it('is kept where the group does not say so', async () => {
    const owner = await led({});
    excluded('a', true);
    await model.rest(owner);
    expect([model.leaders(), goes('a')]).toEqual([['b'], false]);
  });

  it('is not evicted by a request that is late, once it leads again', async () => {
    const o1 = await led();
    excluded('a', true);
    o1.see.all();
    const late = await stall(o1, { operation: 'evict' });
    const o2 = model.replica('O2');
    await model.own(o2, { unnoticed: true });
    excluded('a', false);
    model.api.foreign.removePod('b');
    await model.rest(o2);
    expect(model.leaders()).toEqual(['a']);
    await arrive(late);
    expect([model.leaders(), goes('a')]).toEqual([['a'], false]);
  });

  it('that its kubelet has said something of since is evicted all the same', async () => {
    const owner = await led();
    excluded('a', true);
    owner.see.all();
    const eviction = await stall(owner, { operation: 'evict' });
    model.api.foreign.changePod('a', () => ({ ready: false }));
    await arrive(eviction);
    expect(goes('a')).toBe(true);
  });

  it('that may not be evicted is kept, and the next one leads', async () => {
    const owner = await led();
    model.api.routing.forbid(true);
    excluded('a', true);
    await model.rest(owner);
    expect([model.leaders(), goes('a')]).toEqual([['b'], false]);
  });
});
