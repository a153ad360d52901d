/** No two members hold a grant that has not run out (promise I10), whatever happens between a question and a hand-over. */
import { afterEach, describe, expect, it } from 'vitest';
import { aPod } from '../kit/fakes/builders.ts';
import { settle } from '../kit/fakes/clock.ts';
import { aModel, type Model } from '../kit/model/model.ts';
import type { Replica } from '../kit/model/replica.ts';
import { arrive, endLeadersSession, lockedFor, ownedAtRest, stall } from '../kit/model/stage.ts';

let model: Model;

const unready = (name: string): void => model.api.foreign.changePod(name, () => ({ ready: false }));
const asks = (replica: Replica, name: string) => replica.ask(`uid-of-${name}`);

/** Longer than any grant may be believed. */
const OVER_MS = 2001;

/** O1 owns, a leads; no grant has been given. */
async function ledByA(): Promise<Replica> {
  model = aModel({ pods: ['a', 'b'].map((name) => aPod({ name })) });
  return await ownedAtRest(model);
}

/** The replica takes over from whoever had the bucket, and may be asked about the lock. */
async function takesOver(name: string, options: { readonly unnoticed?: boolean } = {}): Promise<Replica> {
  const replica = model.replica(name);
  await model.own(replica, options);
  replica.gotBucket();
  return replica;
}

afterEach(() => {
  expect(model.promises.breaches).toEqual([]);
});

describe('a grant', () => {
  it('is waited for before the lock passes to another', async () => {
    const o1 = await ledByA();
    expect(asks(o1, 'a')).toMatchObject({ kind: 'grant', validForMs: 2000 });
    unready('a');
    o1.see.all();
    await model.pass(o1);
    expect([model.leaders(), lockedFor(model)?.name, asks(o1, 'a').kind]).toEqual([[], 'a', 'no']);
    await model.clock.advance(1999);
    await model.pass(o1);
    expect(lockedFor(model)?.name).toBe('a');
    await model.clock.advance(1);
    await model.rest(o1);
    expect([model.leaders(), asks(o1, 'b').kind]).toEqual([['b'], 'grant']);
  });

  it('that nobody asked for costs a hand-over nothing', async () => {
    const o1 = await ledByA();
    unready('a');
    o1.see.all();
    const beforeMs = model.clock.nowMs();
    await model.pass(o1);
    expect([model.leaders(), model.clock.nowMs()]).toEqual([['b'], beforeMs]);
  });

  it('given while the fencing patch was under way is waited for as well', async () => {
    const o1 = await ledByA();
    unready('a');
    o1.see.all();
    const fence = await stall(o1, { operation: 'patchPod', about: 'a' });
    expect(asks(o1, 'a').kind).toBe('grant');
    await arrive(fence);
    expect([model.leaders(), lockedFor(model)?.name]).toEqual([[], 'a']);
    await model.clock.advance(OVER_MS);
    await model.rest(o1);
    expect(model.leaders()).toEqual(['b']);
  });

  it('is waited for before a lock that its session lost passes to another', async () => {
    const o1 = await ledByA();
    asks(o1, 'a');
    unready('a');
    endLeadersSession(model);
    o1.see.all();
    await model.pass(o1);
    expect(lockedFor(model)).toBeNull();
    await model.clock.advance(OVER_MS);
    await model.rest(o1);
    expect(model.leaders()).toEqual(['b']);
  });

  it('does not keep the leader itself from coming back', async () => {
    const o1 = await ledByA();
    asks(o1, 'a');
    endLeadersSession(model);
    o1.see.all();
    await settle();
    const beforeMs = model.clock.nowMs();
    await model.rest(o1, 3);
    expect([model.leaders(), model.clock.nowMs() - beforeMs < 2000]).toEqual([['a'], true]);
  });
});

describe('a new owner', () => {
  it('hands over only after every grant of the one before has run out (attack 12)', async () => {
    const o1 = await ledByA();
    expect(asks(o1, 'a').kind).toBe('grant');
    const o2 = await takesOver('O2');
    unready('a');
    o2.see.all();
    await model.pass(o2);
    expect([model.leaders(), lockedFor(model)?.name]).toEqual([[], 'a']);
    await model.clock.advance(1999);
    await model.pass(o2);
    expect(lockedFor(model)?.name).toBe('a');
    await model.clock.advance(1);
    await model.rest(o2);
    expect(model.leaders()).toEqual(['b']);
  });

  it('says no grant before it has verified the lock, and then does', async () => {
    await ledByA();
    const o2 = await takesOver('O2');
    expect(asks(o2, 'a')).toEqual({ kind: 'unknown', reason: 'the lock has not been verified yet' });
    await model.rest(o2);
    expect(asks(o2, 'a').kind).toBe('grant');
  });

  it('verifies again what it verified when it had the bucket before', async () => {
    const o1 = await ledByA();
    const o2 = await takesOver('O2');
    await model.rest(o2);
    await model.own(o1);
    expect(asks(o1, 'a').kind).not.toBe('grant');
  });
});

describe('a replica that has given the bucket up', () => {
  it('says no more grant', async () => {
    const o1 = await ledByA();
    await takesOver('O2');
    expect(asks(o1, 'a').kind).toBe('unknown');
  });
});
