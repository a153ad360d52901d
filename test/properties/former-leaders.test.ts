/** `formerLeader: Evict`: who led before is asked to go once the next one leads, and never one that leads. */
import { afterEach, describe, expect, it } from 'vitest';
import { CANDIDATE_ANNOTATION } from '../../src/api/names.ts';
import { aPod, type GroupOverrides } from '../kit/fakes/builders.ts';
import { aModel, type Model } from '../kit/model/model.ts';
import type { Replica } from '../kit/model/replica.ts';
import { arrive, ownedAtRest, stall } from '../kit/model/stage.ts';

let model: Model;

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
