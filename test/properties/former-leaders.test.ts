/** `formerLeader: Evict`: who led before is asked to go once the next one leads, and never one that leads. */
import { afterEach, describe, expect, it } from 'vitest';
import { CANDIDATE_ANNOTATION } from '../../src/api/names.ts';
import { aPod, aService, type GroupOverrides } from '../kit/fakes/builders.ts';
import { WEB_PORT } from '../kit/fakes/builders-route.ts';
import type { Fate, Link } from '../kit/model/link.ts';
import { aModel, type Model } from '../kit/model/model.ts';
import type { Replica } from '../kit/model/replica.ts';
import { arrive, ownedAtRest, stall } from '../kit/model/stage.ts';

let model: Model;

/** The next write of a slice meets this. */
function next(link: Link, fate: Fate): void {
  let met = false;
  link.decide(({ operation }) => {
    if (met || operation !== 'replaceSlice') return 'arrives';
    met = true;
    return fate;
  });
}

const excluded = (name: string, is: boolean): void =>
  model.api.foreign.changePod(name, ({ annotations }) => ({
    annotations: { ...annotations, [CANDIDATE_ANNOTATION]: String(!is) },
  }));
const goes = (name: string): boolean | undefined => model.api.pod(name)?.deleting;

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

  describe('of a group with a route', () => {
    const SLICE = 'notifier-leader-leadergroup-ipv4';
    const shown = () => model.api.routing.slice(SLICE)?.endpoint?.pod.name;
    const asked = ({ link }: Replica): number => link.sent.filter(({ operation }) => operation === 'evict').length;

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
      for (let minutes = 0; minutes < 2; minutes += 1) {
        await model.clock.advance(60_000);
        await model.rest(owner);
      }
      expect([shown(), asked(owner), goes('b')]).toEqual(['b', 1, false]);
    });

    it('is not asked to go before the next one has its label, whatever the slice shows', async () => {
      const owner = await routed();
      excluded('a', true);
      owner.see.all();
      const label = await stall(owner, { operation: 'patchPod', about: 'b' });
      expect([shown(), asked(owner)]).toEqual(['b', 0]);
      model.api.foreign.changePod('b', ({ annotations }) => ({ annotations: { ...annotations, x: 'y' } }));
      await arrive(label);
      expect([asked(owner), goes('a')]).toEqual([0, false]);
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
