import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ClaimMode } from '../../../../src/api/claim.ts';
import { claimsPrefix } from '../../../../src/election/keys.ts';
import type { ClaimAnswer } from '../../../../src/ports/claims.ts';
import { aGroup, aPod } from '../../../kit/fakes/builders.ts';
import { settle } from '../../../kit/fakes/clock.ts';
import { uidOf } from '../../../kit/fakes/ids.ts';
import { type Call, type Claiming, claimingIn, GROUP, RETRY_MS, SERIES } from '../../../kit/model/claiming.ts';
import type { Fate, HeldRequest } from '../../../kit/model/link.ts';
import { aModel, type Model } from '../../../kit/model/model.ts';
import { type Replica, SPACE } from '../../../kit/model/replica.ts';
import { ownedAtRest, untilGone } from '../../../kit/model/stage.ts';

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

async function takesOver(owner: Replica): Promise<void> {
  await model.clock.advance(1);
  await model.own(owner);
  owner.gotBucket();
  await model.rest(owner);
}

/** Whoever asks has the lock verified. */
async function answerWhenVerified(call: Call, owner: Replica): Promise<ClaimAnswer | null> {
  void answerTo(call, owner);
  await model.rest(owner);
  return await answerTo(call, owner);
}

const keyOfSeries = (): string =>
  [...model.consul.now().entries.keys()].find((key) => key.startsWith(claimsPrefix(SPACE, GROUP))) ??
  expect.fail('nothing was claimed');

const podOf = ({ pod }: Call) => ({ namespace: 'default', name: pod, uid: uidOf(pod) });

/** Its write is under way and given up, and whatever else it sends is lost: nobody knows what becomes of it. */
async function leftInDoubt(call: Call): Promise<HeldRequest> {
  let sentBefore = 0;
  o1.link.decide(({ operation }) => {
    if (operation !== 'txn') return 'arrives';
    sentBefore += 1;
    return sentBefore === 1 ? 'held' : 'lost';
  });
  void claiming.claim(o1, call);
  await settle();
  const late = o1.link.held()[0] ?? expect.fail('nothing was sent');
  late.giveUp();
  await model.clock.advance(200);
  expect(call.answer).toMatchObject({ kind: 'unknown' });
  return late;
}

/** Its write finds a lock that was written anew meanwhile, and its caller has gone by then. */
async function refusedByTheLock(call: Call): Promise<void> {
  theNext('txn', 'held');
  const gone = new AbortController();
  const left = claiming.claim(o1, call, gone.signal).catch(() => undefined);
  await settle();
  const { lock } = o1.locks.keysOf(model.api.group() ?? aGroup());
  model.consul.foreign.put(lock, model.consul.entry(lock)?.value ?? null, true);
  gone.abort(new Error('gone'));
  await left;
  o1.link.held().at(-1)?.deliver();
  await model.clock.advance(200);
}

/** As the HTTP API does: some steps lie between the news and the next question. */
async function whenTold(steps: number): Promise<void> {
  using watch = o1.claims.watch(GROUP, SERIES);
  await watch.changed;
  for (let step = 0; step < steps; step += 1) await Promise.resolve();
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

  describe('that arrived after the mark was read and before the lock moved on is not denied', () => {
    it.each<[string, (given: Call) => Promise<void>]>([
      ['at once', () => Promise.resolve()],
      ['after a report in doubt', (given) => claiming.report(o1, given, 'done')],
      ['after the bucket was got again', () => model.clock.advance(1000).then(o1.gotBucket)],
    ])('%s', async (_, meanwhile) => {
      const before = ask('a', 1);
      await answerTo(before);
      const call = ask('a', 2);
      const late = await leftInDoubt(call);
      await Promise.all([meanwhile(before), model.clock.advance(200)]);
      theNext('readKeys', 'answerHeld');
      void claiming.claim(o1, call);
      await settle();
      late.deliver();
      await handOver('b');
      for (const held of o1.link.held()) held.deliver();
      await model.clock.advance(200);
      expect(call.answer).toMatchObject({ kind: 'unknown' });
      expect(await answerTo(call)).toMatchObject({ kind: 'claimed', claim: { position: 2 } });
    });
  });

  it('is told once more to the call that has it, also after a later position was given', async () => {
    const call = ask('a', 5);
    await answerTo(call);
    await answerTo(ask('a', 6));
    call.answer = null;
    expect(await answerTo(call)).toMatchObject({ kind: 'claimed', claim: { position: 5 } });
    expect(await answerTo(ask('a', 5))).toMatchObject({ kind: 'refused', reason: 'Passed' });
  });

  it('goes before those of later positions that wait as well', async () => {
    theNext('txn', 'held');
    const calls = [1, 4, 3, 2].map((position) => ask('a', position));
    for (const call of calls) void claiming.claim(o1, call);
    await settle();
    for (const held of o1.link.held()) held.deliver();
    await model.clock.advance(200);
    expect(calls.map(({ answer }) => answer?.kind)).toEqual(['claimed', 'claimed', 'claimed', 'claimed']);
  });

  it('whose caller has gone is not begun', async () => {
    theNext('txn', 'held');
    void claiming.claim(o1, ask('a', 1));
    const gone = new AbortController();
    const second = ask('a', 2);
    const answer = o1.claims.claim(GROUP, podOf(second), second.asked, gone.signal);
    await settle();
    gone.abort(new Error('gone'));
    await expect(answer).rejects.toThrow('gone');
    for (const held of o1.link.held()) held.deliver();
    await settle();
    expect(await o1.claims.mark(GROUP, SERIES)).toMatchObject({ kind: 'mark', mark: { position: 1 } });
  });

  it('whose caller goes while the lock moves is not tried again', async () => {
    theNext('txn', 'held');
    const call = ask('a', 1);
    const gone = new AbortController();
    const answer = o1.claims.claim(GROUP, podOf(call), call.asked, gone.signal);
    await settle();
    const { lock } = o1.locks.keysOf(model.api.group() ?? aGroup());
    model.consul.foreign.put(lock, model.consul.entry(lock)?.value ?? null, true);
    o1.see.all();
    await model.pass(o1);
    gone.abort(new Error('gone'));
    await expect(answer).rejects.toThrow('gone');
    for (const held of o1.link.held()) held.deliver();
    await model.clock.advance(200);
    expect(await o1.claims.mark(GROUP, SERIES)).toEqual({ kind: 'mark', mark: null });
  });

  it('is not answered with a failure by a replica that stops between two tries', async () => {
    o1.link.decide(({ operation }) => (operation === 'txn' ? 'lost' : 'arrives'));
    const call = ask('a', 1);
    const answer = o1.claims.claim(GROUP, podOf(call), call.asked, new AbortController().signal);
    await settle();
    o1.kill();
    expect(await answer).toMatchObject({ kind: 'unknown' });
  });

  it('is for whoever leads next, where nobody leads', async () => {
    for (const { name } of model.api.pods()) model.api.foreign.removePod(name);
    await model.rest(o1);
    expect(await answerTo(ask('b', 1))).toEqual({ kind: 'unknown', reason: 'nobody leads the group now' });
  });

  it('is for whoever leads next, where the lead is about to pass', async () => {
    model.api.foreign.changePod('a', ({ annotations }) => ({
      annotations: { ...annotations, 'leadergroup.dev/candidate': 'false' },
    }));
    o1.see.all();
    theNext('patchPod', 'held');
    o1.pass();
    await settle();
    expect(o1.link.held()).toHaveLength(1);
    for (const pod of ['a', 'b']) expect(await answerTo(ask(pod, 1))).toMatchObject({ kind: 'unknown' });
    for (const held of o1.link.held()) held.deliver();
    await settle();
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
    expect(o1.believes()).toBe('notOwned');
  });

  it('goes on where it stood in a group that was deleted and made again', async () => {
    await answerTo(ask('a', 5));
    model.api.foreign.deleteGroup('notifier');
    await untilGone(model, o1);
    model.api.foreign.addGroup(aGroup({ uid: 'second' }));
    await model.rest(o1);
    expect(await answerTo(ask('a', 5))).toMatchObject({ kind: 'refused', reason: 'Passed' });
    expect(await answerTo(ask('a', 6))).toMatchObject({ kind: 'claimed' });
  });

  it('begins a series anew a minute after somebody has deleted its key', async () => {
    await answerTo(ask('a', 5));
    model.consul.foreign.remove(keyOfSeries());
    expect(await answerTo(ask('a', 4))).toMatchObject({ kind: 'refused' });
    await model.clock.advance(60_000);
    await model.rest(o1);
    expect(await answerTo(ask('a', 4))).toMatchObject({ kind: 'claimed' });
  });

  it('is made again where Consul was restored from a backup that does not know it', async () => {
    const backup = model.consul.foreign.backup();
    await answerTo(ask('a', 5));
    model.consul.foreign.restore(backup);
    await model.clock.advance(60_000);
    await model.rest(o1);
    expect(await answerTo(ask('a', 5))).toMatchObject({ kind: 'claimed' });
    expect((claiming.breaches as string[]).splice(0)).toEqual(['position 5 was given to two calls (I12)']);
  });

  it('stands at a key that can be found by hand (docs/claims.md)', async () => {
    await answerTo(ask('a', 1));
    // printf %s daily-report | openssl dgst -sha256 -binary | basenc --base64url | tr -d =
    expect(keyOfSeries()).toBe(`${claimsPrefix(SPACE, GROUP)}6RvwvXJtmNzX1Epl6oO7euwxCKnnRhiNC4n1_ofpV9k`);
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

  it('is judged by what stands in Consul where the bucket was another’s meanwhile', async () => {
    const [first, second, third] = [1, 2, 3].map((position) => ask('a', position, 'AtLeastOnce')) as [Call, Call, Call];
    await answerTo(first);
    const o2 = model.replica('O2');
    await takesOver(o2);
    await claiming.report(o2, first, 'done');
    expect(await answerWhenVerified(second, o2)).toMatchObject({ kind: 'claimed', claim: { position: 2 } });
    await takesOver(o1);
    await claiming.report(o1, second, 'done');
    expect(await answerWhenVerified(third, o1)).toMatchObject({ kind: 'claimed', claim: { position: 3 } });
  });

  it('is known to whoever has it, also where a look at the series that began before it is answered late', async () => {
    await answerTo(ask('a', 1));
    await model.clock.advance(60_000);
    await model.rest(o1);
    theNext('readKeys', 'answerHeld');
    const look = o1.claims.mark(GROUP, SERIES);
    await settle();
    const call = ask('a', 2, 'AtLeastOnce');
    expect(await answerTo(call)).toMatchObject({ kind: 'claimed', claim: { position: 2 } });
    const [late] = o1.link.held();
    await refusedByTheLock(ask('a', 3));
    late?.deliver();
    expect(await look).toMatchObject({ kind: 'mark', mark: { position: 1 } });
    await claiming.report(o1, call, 'done');
    expect(await o1.claims.mark(GROUP, SERIES)).toMatchObject({ mark: { position: 2, state: 'Done' } });
  });

  it('is refused where the lock is shared with others', async () => {
    model.api.foreign.changeGroup('notifier', (group) => ({ spec: { ...group.spec, lockKey: 'shared/notifier' } }));
    o1.see.all();
    expect(await answerTo(ask('a', 1))).toEqual({ kind: 'sharedLock' });
  });

  it('never overwrites what this version cannot read', async () => {
    await answerTo(ask('a', 1));
    const key = keyOfSeries();
    model.consul.foreign.put(key, '{"v":2}');
    expect(await answerTo(ask('a', 2))).toMatchObject({ kind: 'unknown' });
    expect(await answerTo(ask('a', 2))).toMatchObject({ kind: 'unknown', reason: expect.stringContaining(key) });
    expect(model.consul.entry(key)?.value).toBe('{"v":2}');
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
    expect(await answerTo(ask('a', 1))).toEqual({ kind: 'tooManySeries', of: 'group' });
  });

  it('no claim where a report is made: what is given may be said to be done', async () => {
    const calls = Array.from({ length: 51 }, (_, at) => ask('a', at + 1));
    for (const call of calls) void claiming.claim(o1, call);
    await settle();
    await settle();
    expect(calls.at(-1)?.answer?.kind).toBe('tooFast');
    await claiming.report(o1, calls[49] ?? expect.fail('no such call'), 'done');
    expect(await o1.claims.mark(GROUP, SERIES)).toMatchObject({ mark: { position: 50, state: 'Done' } });
  });

  it('fifty renewals in a second, and no more', async () => {
    const call = ask('a', 1, 'AtLeastOnce');
    await answerTo(call);
    const renew = { series: SERIES, position: 1, id: call.asked.id, what: 'renew' } as const;
    const kinds: string[] = [];
    for (let at = 0; at < 60; at += 1) {
      await model.clock.advance(1);
      kinds.push((await o1.claims.report(GROUP, podOf(call), renew)).kind);
    }
    expect([kinds[0], kinds.at(-1)]).toEqual(['noted', 'tooFast']);
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

  it('gives it out anew to its own call once it is overdue, and only where that leads', async () => {
    const call = ask('a', 1, 'AtLeastOnce');
    await answerTo(call);
    await model.clock.advance(RETRY_MS);
    await model.rest(o1);
    call.answer = null;
    expect(await answerTo(call)).toMatchObject({ kind: 'claimed', claim: { position: 1, attempt: 2 } });
    await handOver('b');
    await model.clock.advance(RETRY_MS);
    await model.rest(o1);
    expect(await o1.claims.claim(GROUP, podOf(call), call.asked)).toMatchObject({ kind: 'notLeader' });
  });

  it('gives the earliest position next of those that wait for one that is done', async () => {
    const first = ask('a', 1, 'AtLeastOnce');
    await answerTo(first);
    const waiting = [4, 2, 3].map((position) => ask('a', position, 'AtLeastOnce'));
    for (const call of waiting) void whenTold(50).then(() => claiming.claim(o1, call));
    void claiming.report(o1, first, 'done');
    await model.clock.advance(200);
    expect(waiting.map(({ answer }) => answer?.kind)).toEqual(['refused', 'claimed', 'refused']);
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
