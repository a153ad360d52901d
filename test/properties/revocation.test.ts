/** A leader that is alive is told to stop, and waited for, before its label goes: it is without a grant before anybody is without a label. */
import { afterEach, describe, expect, it } from 'vitest';
import { CANDIDATE_ANNOTATION } from '../../src/api/names.ts';
import { aPod } from '../kit/fakes/builders.ts';
import { settle } from '../kit/fakes/clock.ts';
import { aModel, type Model } from '../kit/model/model.ts';
import type { Replica } from '../kit/model/replica.ts';
import {
  arrive,
  endLeadersSession,
  lockedFor,
  ownedAtRest,
  seeAndPass,
  stall,
  timeOut,
  tokenOn,
} from '../kit/model/stage.ts';

let model: Model;

const asks = (replica: Replica, name: string) => replica.ask(`uid-of-${name}`).kind;
const terminates = (name: string): void => model.api.foreign.changePod(name, () => ({ deleting: true }));
const ready = (name: string, is: boolean): void => model.api.foreign.changePod(name, () => ({ ready: is }));
const excluded = (name: string, is: boolean): void =>
  model.api.foreign.changePod(name, ({ annotations }) => ({
    annotations: { ...annotations, [CANDIDATE_ANNOTATION]: String(!is) },
  }));
const where = (): readonly [readonly string[], string | undefined] => [model.leaders(), lockedFor(model)?.name];

/** O1 owns, a leads; it has a grant for two seconds, and is to lose the lock. */
async function revoked(how: (name: string) => void = terminates): Promise<Replica> {
  model = aModel({ pods: ['a', 'b'].map((name) => aPod({ name })) });
  const o1 = await ownedAtRest(model);
  expect(asks(o1, 'a')).toBe('grant');
  how('a');
  await seeAndPass(model, o1);
  return o1;
}

/** A pass in which whatever is written to a pod is lost, or the answer to it. */
async function patchMeets(replica: Replica, fate: 'lost' | 'answerLost'): Promise<void> {
  replica.link.decide(({ operation }) => (operation === 'patchPod' ? fate : 'arrives'));
  await model.pass(replica);
  replica.link.decide(() => 'arrives');
}

afterEach(() => {
  expect(model.promises.breaches).toEqual([]);
});

describe('a leader that is alive and is to go', () => {
  it.each([
    ['it terminates', terminates],
    ['it is excluded', (name: string) => excluded(name, true)],
    [
      'it is no member any more',
      (name: string) => model.api.foreign.changePod(name, () => ({ labels: { 'leadergroup.dev/role': 'leader' } })),
    ],
  ])('keeps its label until its last grant is over, and gets no other: %s', async (_, how) => {
    const o1 = await revoked(how);
    expect([...where(), asks(o1, 'a'), asks(o1, 'b')]).toEqual([['a'], 'a', 'revoking', 'no']);
    await model.clock.advance(1999);
    await seeAndPass(model, o1);
    expect([...where(), asks(o1, 'a')]).toEqual([['a'], 'a', 'revoking']);
    await model.clock.advance(1);
    const beforeMs = model.clock.nowMs();
    await seeAndPass(model, o1);
    expect([...where(), asks(o1, 'a'), asks(o1, 'b')]).toEqual([['b'], 'b', 'no', 'grant']);
    expect(model.clock.nowMs()).toBe(beforeMs);
  });

  it('is not waited for when it has never asked', async () => {
    model = aModel({ pods: ['a', 'b'].map((name) => aPod({ name })) });
    const o1 = model.replica('O1');
    await model.own(o1);
    await model.rest(o1);
    terminates('a');
    await seeAndPass(model, o1);
    expect(where()).toEqual([['b'], 'b']);
  });

  it.each([
    ['is not ready any more', (name: string) => ready(name, false)],
    ['has gone', (name: string) => model.api.foreign.removePod(name)],
  ])('is fenced at once when it %s meanwhile, and the lock passes when its grant is over', async (_, how) => {
    const o1 = await revoked();
    how('a');
    await seeAndPass(model, o1);
    expect([...where(), asks(o1, 'a')]).toEqual([[], model.api.pod('a') === null ? undefined : 'a', 'no']);
    await model.clock.advance(2001);
    await model.rest(o1);
    expect(where()).toEqual([['b'], 'b']);
  });

  it.each([
    ['it may stay after all', (name: string) => excluded(name, true), () => excluded('a', false)],
    ['nobody else can lead any more', terminates, () => ready('b', false)],
  ])('gets grants again, with the same token, when %s', async (_, first, then) => {
    const o1 = await revoked(first);
    const token = tokenOn(model, 'a');
    then();
    await seeAndPass(model, o1);
    expect([...where(), asks(o1, 'a'), tokenOn(model, 'a')]).toEqual([['a'], 'a', 'grant', token]);
    expect(o1.counted).toEqual(['revocation begun', 'revocation resumed']);
  });

  it('gets grants again while the API server refuses to take its label off, and is waited for anew', async () => {
    const o1 = await revoked();
    await model.clock.advance(2001);
    await patchMeets(o1, 'lost');
    expect([...where(), asks(o1, 'a')]).toEqual([['a'], 'a', 'grant']);
    await seeAndPass(model, o1);
    expect([...where(), asks(o1, 'a')]).toEqual([['a'], 'a', 'revoking']);
    await model.clock.advance(2001);
    await model.rest(o1);
    expect(where()).toEqual([['b'], 'b']);
  });

  it('that was fenced by a patch of unknown outcome is waited for again before the lock passes', async () => {
    const o1 = await revoked();
    await model.clock.advance(2001);
    await patchMeets(o1, 'answerLost');
    expect([model.leaders(), asks(o1, 'a')]).toEqual([[], 'grant']);
    await seeAndPass(model, o1);
    expect(lockedFor(model)?.name).toBe('a');
    await model.clock.advance(2001);
    await model.rest(o1);
    expect(where()).toEqual([['b'], 'b']);
  });
});

describe('a transaction of unknown outcome', () => {
  it('keeps the leader from grants although the plan is dropped, until it is void', async () => {
    const o1 = await revoked((name) => excluded(name, true));
    await model.clock.advance(2001);
    const move = await stall(o1, { operation: 'txn' });
    expect(asks(o1, 'a')).not.toBe('grant');
    await timeOut(move);
    excluded('a', false);
    o1.see.all();
    expect(asks(o1, 'a')).not.toBe('grant');
    await model.rest(o1);
    expect([...where(), asks(o1, 'a')]).toEqual([['a'], 'a', 'grant']);
    await arrive(move);
    expect([...where(), asks(o1, 'a')]).toEqual([['a'], 'a', 'grant']);
  });

  it('that has arrived leaves no grant to the one before', async () => {
    const o1 = await revoked();
    await model.clock.advance(2001);
    const move = await stall(o1, { operation: 'txn' }, 'answerHeld');
    await timeOut(move);
    expect(asks(o1, 'a')).not.toBe('grant');
    await model.rest(o1);
    expect([...where(), asks(o1, 'a'), asks(o1, 'b')]).toEqual([['b'], 'b', 'no', 'grant']);
  });
});

describe('a new owner', () => {
  it('waits two seconds before it fences a leader that is alive, whatever was revoked before', async () => {
    await revoked();
    const o2 = model.replica('O2');
    await model.own(o2);
    o2.gotBucket();
    await seeAndPass(model, o2);
    expect([...where(), asks(o2, 'a')]).toEqual([['a'], 'a', 'unknown']);
    await model.clock.advance(1999);
    await seeAndPass(model, o2);
    expect(where()).toEqual([['a'], 'a']);
    await model.clock.advance(1);
    await seeAndPass(model, o2);
    expect(where()).toEqual([['b'], 'b']);
  });

  it('is not held up by what one that is not the owner any more goes on with', async () => {
    const o1 = await revoked();
    const o2 = model.replica('O2');
    await model.own(o2, { unnoticed: true });
    o2.gotBucket();
    await model.clock.advance(2001);
    await seeAndPass(model, o1);
    await model.rest(o2);
    expect(where()).toEqual([['b'], 'b']);
  });
});

it('a session that ends while its leader is waited for costs nobody a grant', async () => {
  const o1 = await revoked();
  endLeadersSession(model);
  o1.see.all();
  await settle();
  await model.pass(o1);
  expect(model.leaders()).not.toContain('b');
  await model.clock.advance(2001);
  await model.rest(o1);
  expect(where()).toEqual([['b'], 'b']);
});
