/** A client that ends its term makes the handover shorter, and nothing else: whatever is lost, late or repeated of it (promise I10). */
import { afterEach, describe, expect, it } from 'vitest';
import { aPod } from '../kit/fakes/builders.ts';
import { aModel, type Model } from '../kit/model/model.ts';
import type { Replica } from '../kit/model/replica.ts';
import { lockedFor, ownedAtRest, seeAndPass } from '../kit/model/stage.ts';

let model: Model;

const asks = (replica: Replica, name: string, secret: string | null = null) =>
  replica.ask(`uid-of-${name}`, secret).kind;
const ends = (replica: Replica, name: string, secret: string, resign = false) =>
  replica.release(`uid-of-${name}`, secret, resign);
const terminates = (name: string): void => model.api.foreign.changePod(name, () => ({ deleting: true }));
const unready = (name: string): void => model.api.foreign.changePod(name, () => ({ ready: false }));
const where = (): readonly [readonly string[], string | undefined] => [model.leaders(), lockedFor(model)?.name];

async function ledByA(): Promise<Replica> {
  model = aModel({ pods: ['a', 'b'].map((name) => aPod({ name })) });
  return await ownedAtRest(model);
}

afterEach(() => {
  expect(model.promises.breaches).toEqual([]);
});

describe('a term that is released', () => {
  it.each([
    ['a leader that is alive', terminates, ['a']],
    ['a leader that is not ready', unready, []],
  ])('is not waited for: %s', async (_, how, labelled) => {
    const o1 = await ledByA();
    asks(o1, 'a', 's1');
    how('a');
    await seeAndPass(model, o1);
    expect(where()).toEqual([labelled, 'a']);
    expect(ends(o1, 'a', 's1')).toEqual({ kind: 'released', resigned: false });
    const beforeMs = model.clock.nowMs();
    await seeAndPass(model, o1);
    expect([...where(), model.clock.nowMs()]).toEqual([['b'], 'b', beforeMs]);
    expect(o1.counted).toContain('release voided 2000');
  });

  it('is counted with the time by which it shortens the wait: none while another grant of the pod lasts as long', async () => {
    const o1 = await ledByA();
    asks(o1, 'a', 's1');
    asks(o1, 'a', 's2');
    await model.clock.advance(500);
    for (const secret of ['s1', 's2', 's2']) ends(o1, 'a', secret);
    expect(o1.counted).toEqual(['release voided 0', 'release voided 1500', 'release nothing 0']);
  });

  it('leaves the grants of another process of the pod, and those without a secret, as they are', async () => {
    const o1 = await ledByA();
    asks(o1, 'a', 's1');
    await model.clock.advance(300);
    asks(o1, 'a', 's2');
    await model.clock.advance(300);
    asks(o1, 'a');
    terminates('a');
    ends(o1, 'a', 's1');
    await model.clock.advance(1700);
    await seeAndPass(model, o1);
    expect(where()).toEqual([['a'], 'a']);
    await model.clock.advance(300);
    await seeAndPass(model, o1);
    expect(where()).toEqual([['b'], 'b']);
  });

  it('gets no grant when a question of it arrives late', async () => {
    const o1 = await ledByA();
    ends(o1, 'a', 's1');
    expect([asks(o1, 'a', 's1'), asks(o1, 'a', 's2')]).toEqual(['released', 'grant']);
  });

  it('does not end the next one, however often it is released', async () => {
    const o1 = await ledByA();
    asks(o1, 'a', 's1');
    ends(o1, 'a', 's1');
    asks(o1, 'a', 's2');
    ends(o1, 'a', 's1', true);
    terminates('a');
    await model.clock.advance(1999);
    await seeAndPass(model, o1);
    expect(where()).toEqual([['a'], 'a']);
  });

  it('of a pod that is made anew under its name leaves the new one’s grants as they are', async () => {
    const o1 = await ledByA();
    asks(o1, 'a', 's1');
    expect(o1.release('uid-of-an-earlier-a', 's1')).toEqual({ kind: 'released', resigned: false });
    unready('a');
    await seeAndPass(model, o1);
    expect(where()).toEqual([[], 'a']);
  });

  it('does not shorten the two seconds of a new owner', async () => {
    const o1 = await ledByA();
    asks(o1, 'a', 's1');
    const o2 = model.replica('O2');
    await model.own(o2);
    o2.gotBucket();
    await model.rest(o2);
    asks(o2, 'a', 's1');
    expect(ends(o2, 'a', 's1')).toEqual({ kind: 'released', resigned: false });
    terminates('a');
    await seeAndPass(model, o2);
    expect(where()).toEqual([['a'], 'a']);
    await model.clock.advance(2001);
    await model.rest(o2);
    expect(where()).toEqual([['b'], 'b']);
  });

  it('is not known to a replica that has given the bucket up', async () => {
    const o1 = await ledByA();
    asks(o1, 'a', 's1');
    await model.own(model.replica('O2'));
    expect(ends(o1, 'a', 's1').kind).toBe('unknown');
  });
});

describe('a leader that resigns', () => {
  it('passes the lead on, and leads again only if nobody else can', async () => {
    const o1 = await ledByA();
    asks(o1, 'a', 's1');
    expect(ends(o1, 'a', 's1', true)).toEqual({ kind: 'released', resigned: true });
    await model.rest(o1);
    expect(where()).toEqual([['b'], 'b']);
    expect(o1.counted).toEqual(['release voided 2000', 'resignation heeded', 'revocation begun']);
    model.api.foreign.addPod(aPod({ name: 'c' }));
    await model.rest(o1);
    unready('b');
    await model.rest(o1);
    expect(where()).toEqual([['c'], 'c']);
    unready('c');
    await model.rest(o1);
    expect(where()).toEqual([['a'], 'a']);
  });

  it('stays where nobody else can lead, also when somebody can later', async () => {
    const o1 = await ledByA();
    unready('b');
    await model.rest(o1);
    asks(o1, 'a', 's1');
    ends(o1, 'a', 's1', true);
    await model.rest(o1);
    model.api.foreign.changePod('b', () => ({ ready: true }));
    await model.rest(o1);
    expect(where()).toEqual([['a'], 'a']);
  });

  it.each([
    ['without a grant', (): void => undefined],
    ['with the grant of another term', (o1: Replica): void => void asks(o1, 'a', 's2')],
  ])('is not heeded %s', async (_, first) => {
    const o1 = await ledByA();
    first(o1);
    expect(ends(o1, 'a', 's1', true)).toEqual({ kind: 'released', resigned: false });
    expect(o1.counted).toEqual(['release nothing 0', 'resignation notHeeded']);
    await model.rest(o1);
    expect(where()).toEqual([['a'], 'a']);
  });

  it('is not heeded with a grant that is over', async () => {
    const o1 = await ledByA();
    asks(o1, 'a', 's1');
    await model.clock.advance(2001);
    expect(ends(o1, 'a', 's1', true)).toEqual({ kind: 'released', resigned: false });
  });
});
