import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ClaimMode } from '../../../../src/api/claim.ts';
import { claimsPrefix } from '../../../../src/election/keys.ts';
import type { ClaimAnswer } from '../../../../src/ports/claims.ts';
import { aGroup, aPod } from '../../../kit/fakes/builders.ts';
import { settle } from '../../../kit/fakes/clock.ts';
import { type Call, type Claiming, claimingIn, GROUP, RETRY_MS, SERIES } from '../../../kit/model/claiming.ts';
import type { Fate } from '../../../kit/model/link.ts';
import { aModel, type Model } from '../../../kit/model/model.ts';
import { type Replica, SPACE } from '../../../kit/model/replica.ts';
import { ownedAtRest } from '../../../kit/model/stage.ts';

let model: Model;
let claiming: Claiming;
let o1: Replica;

/** O1 owns, a leads, nothing was claimed. */
beforeEach(async () => {
  model = aModel({ pods: ['a', 'b'].map((name) => aPod({ name })) });
  claiming = claimingIn(model);
  o1 = await ownedAtRest(model);
});

afterEach(() => {
  expect([...claiming.breaches, ...model.promises.breaches]).toEqual([]);
});

const ask = (pod: string, position: number, mode: ClaimMode = 'AtMostOnce'): Call =>
  claiming.call(pod, { position, mode });

/** All that needs no more than a moment happens. */
async function answerTo(call: Call, to: Replica = o1): Promise<ClaimAnswer | null> {
  void claiming.claim(to, call);
  await model.clock.advance(200);
  return call.answer;
}

function theNext(operation: string, fate: Fate): void {
  let met = false;
  o1.link.decide((request) => {
    if (met || request.operation !== operation) return 'arrives';
    met = true;
    return fate;
  });
}

async function handOver(to: string): Promise<void> {
  for (const { name } of model.api.pods()) model.api.foreign.changePod(name, () => ({ ready: name === to }));
  await model.rest(o1);
  expect(model.leaders()).toEqual([to]);
}

const sent = (operation: string): number => o1.link.sent.filter((request) => request.operation === operation).length;

describe('a claim', () => {
  it('is given to the leader, with its token, and to nobody else', async () => {
    expect(await answerTo(ask('b', 1))).toMatchObject({ kind: 'notLeader', leader: { pod: 'a' } });
    expect(await answerTo(ask('a', 1))).toMatchObject({
      kind: 'claimed',
      claim: { position: 1, pod: 'a', token: 1, attempt: 1 },
    });
  });

  it('of a position that was given out is refused to every call, also after a handover', async () => {
    await answerTo(ask('a', 5));
    expect(await answerTo(ask('a', 5))).toMatchObject({ kind: 'refused', reason: 'Passed', mark: { pod: 'a' } });
    await handOver('b');
    expect(await answerTo(ask('b', 5))).toMatchObject({ kind: 'refused', reason: 'Passed', mark: { pod: 'a' } });
    expect(await answerTo(ask('b', 6))).toMatchObject({ kind: 'claimed', claim: { pod: 'b' } });
  });

  it('is told once more to the call that has it, which leads no more', async () => {
    const call = ask('a', 5);
    await answerTo(call);
    await handOver('b');
    call.answer = null;
    expect(await answerTo(call)).toMatchObject({ kind: 'claimed', claim: { position: 5 } });
  });

  it('whose answer was lost is found to have been made', async () => {
    theNext('txn', 'answerLost');
    expect(await answerTo(ask('a', 1))).toMatchObject({ kind: 'claimed' });
  });

  it('that was lost is made again', async () => {
    theNext('txn', 'lost');
    expect(await answerTo(ask('a', 1))).toMatchObject({ kind: 'claimed' });
  });

  it('that may arrive yet is not refused by the handover that goes on meanwhile', async () => {
    theNext('txn', 'held');
    const call = ask('a', 1);
    await answerTo(call);
    model.api.foreign.changePod('a', () => ({ ready: false }));
    o1.see.all();
    theNext('txn', 'held');
    o1.pass();
    await settle();
    const [claim] = o1.link.held();
    claim?.giveUp();
    await model.clock.advance(200);
    expect(call.answer).toMatchObject({ kind: 'unknown' });
    claim?.deliver();
    for (const held of o1.link.held()) held.deliver();
    await settle();
    expect(await answerTo(call)).toMatchObject({ kind: 'claimed' });
  });

  it('that arrives late changes nothing', async () => {
    theNext('txn', 'held');
    const first = ask('a', 1);
    await answerTo(first);
    const [late] = o1.link.held();
    late?.giveUp();
    await model.clock.advance(200);
    await answerTo(ask('a', 2));
    late?.deliver();
    expect(await answerTo(ask('a', 2))).toMatchObject({ kind: 'refused', mark: { position: 2 } });
    expect(first.answer?.kind).toBe('claimed');
  });

  it('goes on when the lock has only been written anew', async () => {
    theNext('txn', 'held');
    const call = ask('a', 1);
    await answerTo(call);
    const { lock } = o1.locks.keysOf(model.api.group() ?? aGroup());
    model.consul.foreign.put(lock, model.consul.entry(lock)?.value ?? null, true);
    o1.see.all();
    await model.pass(o1);
    for (const held of o1.link.held()) held.deliver();
    await model.clock.advance(200);
    expect(call.answer?.kind).toBe('claimed');
  });

  it('is given by nobody who does not own the bucket', async () => {
    const o2 = model.replica('O2');
    o2.see.all();
    expect(await answerTo(ask('a', 1), o2)).toMatchObject({ kind: 'unknown' });
    await model.own(o2, { unnoticed: true });
    expect(await answerTo(ask('a', 1))).toMatchObject({ kind: 'unknown' });
  });

  it('goes on where it stood for the next owner, and the next group of the name', async () => {
    await answerTo(ask('a', 5));
    const o2 = model.replica('O2');
    await model.own(o2);
    o2.gotBucket();
    await model.rest(o2);
    void answerTo(ask('a', 6), o2);
    await model.rest(o2);
    expect(await answerTo(ask('a', 5), o2)).toMatchObject({ kind: 'refused', reason: 'Passed' });
    expect(await answerTo(ask('a', 7), o2)).toMatchObject({ kind: 'claimed' });
  });

  it('is refused where the lock is shared with others', async () => {
    model.api.foreign.changeGroup('notifier', (group) => ({ spec: { ...group.spec, lockKey: 'shared/notifier' } }));
    o1.see.all();
    expect(await answerTo(ask('a', 1))).toEqual({ kind: 'sharedLock' });
  });

  it('never overwrites what this version cannot read', async () => {
    await answerTo(ask('a', 1));
    const key = [...model.consul.now().entries.keys()].find((name) => name.startsWith(claimsPrefix(SPACE, GROUP)));
    model.consul.foreign.put(key ?? '', '{"v":2}');
    expect(await answerTo(ask('a', 2))).toMatchObject({ kind: 'unknown' });
    expect(await answerTo(ask('a', 2))).toMatchObject({ kind: 'unknown', reason: expect.stringContaining(key ?? '-') });
    expect(model.consul.entry(key ?? '')?.value).toBe('{"v":2}');
  });
});

describe('what it costs', () => {
  it('one transaction for a claim, and nothing for a refusal', async () => {
    await answerTo(ask('a', 1));
    const before = [sent('txn'), sent('readKeys')];
    for (const pod of ['a', 'b']) await answerTo(ask(pod, 1));
    expect([sent('txn'), sent('readKeys')]).toEqual(before);
    await answerTo(ask('a', 2));
    expect([sent('txn'), sent('readKeys')]).toEqual([(before[0] ?? 0) + 1, before[1]]);
  });

  it('fifty claims in a second, and no more', async () => {
    const calls = Array.from({ length: 52 }, (_, at) => ask('a', at + 1));
    for (const call of calls) void claiming.claim(o1, call);
    await settle();
    await settle();
    expect(calls.map(({ answer }) => answer?.kind).filter((kind) => kind === 'claimed')).toHaveLength(50);
    expect(calls.at(-1)?.answer?.kind).toBe('tooFast');
    await model.clock.advance(1000);
    expect(await answerTo(ask('a', 100))).toMatchObject({ kind: 'claimed' });
  });

  it('no more than a thousand series of a group', async () => {
    for (let at = 0; at < 1000; at += 1) model.consul.foreign.put(`${claimsPrefix(SPACE, GROUP)}series-${at}`, '');
    expect(await answerTo(ask('a', 1))).toEqual({ kind: 'tooManySeries' });
  });
});

describe('AtLeastOnce', () => {
  it('gives a position out until it is done', async () => {
    const first = ask('a', 1, 'AtLeastOnce');
    await answerTo(first);
    expect(await answerTo(ask('a', 2, 'AtLeastOnce'))).toMatchObject({ kind: 'refused', reason: 'Pending' });
    await model.clock.advance(RETRY_MS);
    await model.rest(o1);
    const second = ask('a', 2, 'AtLeastOnce');
    expect(await answerTo(second)).toMatchObject({ kind: 'claimed', claim: { position: 1, attempt: 2 } });
    await claiming.report(o1, first, 'done');
    expect(await answerTo(ask('a', 3, 'AtLeastOnce'))).toMatchObject({ reason: 'Pending' });
    await claiming.report(o1, second, 'done');
    expect(await answerTo(ask('a', 3, 'AtLeastOnce'))).toMatchObject({ kind: 'claimed', claim: { position: 3 } });
  });

  it('waits for whoever says that it is not done yet', async () => {
    const call = ask('a', 1, 'AtLeastOnce');
    await answerTo(call);
    await model.clock.advance(RETRY_MS - 1000);
    await claiming.report(o1, call, 'renew');
    await model.clock.advance(2000);
    expect(await answerTo(ask('a', 2, 'AtLeastOnce'))).toMatchObject({ reason: 'Pending' });
  });

  it('hears that it is done from whoever leads no more', async () => {
    const call = ask('a', 1, 'AtLeastOnce');
    await answerTo(call);
    await handOver('b');
    await claiming.report(o1, call, 'done');
    expect(await answerTo(ask('b', 2, 'AtLeastOnce'))).toMatchObject({ kind: 'claimed', claim: { position: 2 } });
  });
});

describe('whoever waits for a series', () => {
  it('is woken by a claim of it', async () => {
    using watch = o1.claims.watch(GROUP, SERIES);
    using other = o1.claims.watch(GROUP, 'another');
    let woken = '';
    void watch.changed.then(() => (woken += 'this'));
    void other.changed.then(() => (woken += 'other'));
    await answerTo(ask('a', 1));
    expect(woken).toBe('this');
  });
});
