import { describe, expect, it } from 'vitest';
import { createForward, REPLICA } from '../../../../src/http/gate/forward.ts';
import type { ClaimAnswer } from '../../../../src/ports/claims.ts';
import { aClaim } from '../../../kit/fakes/claims.ts';
import { createFakeClock, settle } from '../../../kit/fakes/clock.ts';
import { type Asking, aGate, leader, MEMBER, said } from '../../../kit/fakes/gate.ts';
import { uidOf } from '../../../kit/fakes/ids.ts';

const CLAIMS = `${MEMBER}/claims`;
const UID = `uid=${uidOf('a')}`;
const ID = '0123456789abcdef0123456789abcdef';
const TICK = { series: 'daily-report', position: 10, id: ID };

const claimed: ClaimAnswer = { kind: 'claimed', claim: aClaim() };
const passed: ClaimAnswer = { kind: 'refused', reason: 'Passed', mark: aClaim({ pod: 'b', uid: uidOf('b') }) };
const notLeader: ClaimAnswer = { kind: 'notLeader', leader: leader(4, 'b') };

type FakeGate = ReturnType<typeof aGate>;

function aGateSaying(answer: ClaimAnswer): FakeGate {
  const gate = aGate();
  gate.claims.answer = answer;
  return gate;
}

const claims = (gate: FakeGate, query = UID, asking: Asking = {}) =>
  gate.ask(`${CLAIMS}?${query}`, { method: 'POST', body: TICK, ...asking });

describe('POST .../claims', () => {
  it('says 201 to whom the tick is given, with the token and the attempt', async () => {
    const gate = aGateSaying(claimed);
    expect(said(await claims(gate))).toEqual([
      201,
      { claimed: true, series: 'daily-report', position: 10, token: 7, attempt: 1 },
    ]);
    const [{ pod, asked } = { pod: null, asked: null }] = gate.claims.asked;
    expect(pod).toEqual({ namespace: 'default', name: 'a', uid: uidOf('a') });
    expect(asked).toMatchObject({ series: 'daily-report', position: 10, mode: 'AtMostOnce', retryAfterMs: 300_000 });
    expect(asked?.id).not.toContain(ID);
  });

  it.each<[string, ClaimAnswer, number, object]>([
    ['it was given out', passed, 409, { claimed: false, reason: 'Passed', position: 10, state: 'Claimed' }],
    ['the one before is not done', { ...passed, reason: 'Pending' }, 409, { reason: 'Pending' }],
    ['another leads', notLeader, 409, { claimed: false, reason: 'NotLeader', pod: 'b' }],
    ['the lock is shared', { kind: 'sharedLock' }, 400, { reason: 'SharedLock' }],
    ['it is too fast', { kind: 'tooFast' }, 429, { reason: 'TooFast' }],
    [
      'the group has too many series',
      { kind: 'tooManySeries', of: 'group' },
      429,
      { reason: 'TooManySeries', message: expect.stringContaining('the group has a thousand') },
    ],
    [
      'the cluster has too many series',
      { kind: 'tooManySeries', of: 'cluster' },
      429,
      { reason: 'TooManySeries', message: expect.stringContaining('hundred thousand') },
    ],
    ['nobody can say', { kind: 'unknown', reason: 'no' }, 503, { reason: 'NotKnown' }],
  ])('says so when %s', async (_, answer, status, body) => {
    expect(said(await claims(aGateSaying(answer)))).toEqual([status, expect.objectContaining(body)]);
  });

  it('says who has it, and since when', async () => {
    const [, body] = said(await claims(aGateSaying(passed)));
    expect(body['by']).toEqual({ pod: 'b', uid: uidOf('b'), token: 7, time: '2023-11-14T22:13:20Z' });
  });

  it('is for the pod itself: a claim suppresses work', async () => {
    const gate = aGateSaying(claimed);
    expect(said(await claims(gate, UID, { client: '10.0.0.77' }))[0]).toBe(403);
    expect(said(await claims(gate, UID, { forwarded: true }))[0]).toBe(403);
    expect(gate.claims.asked).toEqual([]);
  });

  it('counts as a question of the pod: its process is alive', async () => {
    const gate = aGateSaying(claimed);
    await claims(gate);
    expect(gate.heard.map(({ uid }) => uid)).toEqual([uidOf('a')]);
  });

  it('takes a group with a shared lock for what it is at any replica', async () => {
    const gate = aGateSaying(claimed);
    gate.becomes({ lockKey: 'shared/cron', answerer: { kind: 'other', id: 'b', url: 'http://10.0.0.9:8080' } });
    expect(said(await claims(gate))).toEqual([400, expect.objectContaining({ reason: 'SharedLock' })]);
  });
});

describe('a claim that waits', () => {
  const waits = `${UID}&wait=30s`;

  it('hears that the leader has it as soon as it has', async () => {
    const gate = aGateSaying(notLeader);
    const reply = claims(gate, waits);
    await settle();
    gate.claims.answer = passed;
    gate.claims.tell('daily-report');
    expect(said(await reply)).toEqual([409, expect.objectContaining({ reason: 'Passed' })]);
  });

  it('is given the tick when its pod leads first', async () => {
    const gate = aGateSaying(notLeader);
    const reply = claims(gate, waits);
    await settle();
    gate.claims.answer = claimed;
    gate.becomes({});
    expect(said(await reply)[0]).toBe(201);
  });

  it('is told at the end that nobody can say, not that it was refused', async () => {
    const gate = aGateSaying(notLeader);
    const reply = claims(gate, waits);
    await gate.clock.advance(30_000);
    expect(said(await reply)[0]).toBe(503);
  });

  it('waits for one that is pending, and looks again by itself when it may be overdue', async () => {
    const gate = aGateSaying({ ...passed, reason: 'Pending' });
    const reply = claims(gate, waits);
    await gate.clock.advance(10_000);
    gate.claims.answer = claimed;
    await gate.clock.advance(2000);
    expect(said(await reply)[0]).toBe(201);
    expect(gate.claims.asked.length).toBeLessThan(15);
  });

  it('is passed on with what is left of its time', async () => {
    const gate = aGateSaying(claimed);
    gate.becomes({ answerer: { kind: 'other', id: 'b', url: 'http://10.0.0.9:8080' } });
    const reply = claims(gate, waits);
    await gate.clock.advance(100);
    gate.becomes({ answerer: { kind: 'self' } });
    expect(said(await reply)[0]).toBe(201);
    const [first] = gate.forwards;
    expect(first?.passed).toMatchObject({ method: 'POST', body: JSON.stringify(TICK) });
    expect(first?.passed.path).toBe(`${CLAIMS}?${UID}&wait=30000ms`);
  });
});

describe('a claim that waits, at the end of its time', () => {
  const other = { answerer: { kind: 'other', id: 'b', url: 'http://10.0.0.9:8080' } } as const;

  it('is passed on as one that waits, so that it is not told that it is refused', async () => {
    const gate = aGateSaying(notLeader);
    gate.becomes(other);
    const reply = claims(gate, `${UID}&wait=30s`);
    await gate.clock.advance(29_999.5);
    gate.becomes({ answerer: { kind: 'nobody' } });
    await gate.clock.advance(0.2);
    gate.becomes(other);
    await gate.clock.advance(10);
    expect(said(await reply)[0]).toBe(503);
    expect(gate.forwards.length).toBeGreaterThan(1);
    for (const { passed: sent } of gate.forwards) expect(sent.path).toMatch(/&wait=[1-9]\d*ms$/);
  });

  it.each(['', '&wait=0s'])('one that does not wait is passed on as that (%s)', async (wait) => {
    const gate = aGateSaying(claimed);
    gate.becomes(other);
    void claims(gate, `${UID}${wait}`);
    await settle();
    expect(gate.forwards[0]?.passed.path).toBe(`${CLAIMS}?${UID}`);
  });
});

describe('an owner of an older version, which knows no claims', () => {
  it.each([
    [404, '{"reason":"NothingHere","message":"Unknown path"}'],
    [405, 'This path allows GET only.\n'],
  ])('is no answer: %i becomes 503', async (status, body) => {
    const forward = createForward({
      self: 'this-replica',
      signer: { publicKey: '', sign: () => Promise.resolve('') },
      clock: createFakeClock(),
      send: () =>
        Promise.resolve({
          status,
          headers: { [REPLICA]: 'b' },
          body: () => Promise.resolve(body),
          drop: () => undefined,
        }),
    });
    const gate = aGate({ forward });
    gate.becomes({ answerer: { kind: 'other', id: 'b', url: 'http://10.0.0.9:8080' } });
    expect(said(await claims(gate))).toEqual([503, expect.objectContaining({ reason: 'NotKnown' })]);
  });
});

describe('a caller that has gone', () => {
  it('waits no more, and is known to have gone where it claims', async () => {
    const gate = aGateSaying(notLeader);
    const client = new AbortController();
    const reply = claims(gate, `${UID}&wait=30s`, { signal: client.signal });
    await settle();
    expect(gate.waiting).toEqual([1]);
    client.abort(new Error('gone'));
    await reply;
    expect(gate.waiting).toEqual([1, 0]);
    expect(gate.claims.asked.every(({ signal }) => signal?.aborted)).toBe(true);
  });
});

describe('PUT .../claims/done and /renew', () => {
  const report = (gate: FakeGate, end: string, body: object = TICK) =>
    gate.ask(`${CLAIMS}/${end}?${UID}`, { method: 'PUT', body });

  it.each(['done', 'renew'])('%s: says where the claim stands', async (end) => {
    const gate = aGate();
    gate.claims.reportAnswer = { kind: 'noted', claim: aClaim({ state: 'Done' }) };
    expect(said(await report(gate, end))).toEqual([200, { series: 'daily-report', position: 10, state: 'Done' }]);
    expect(gate.claims.reports[0]?.report).toMatchObject({ what: end, position: 10 });
  });

  it('says who has it when it is another’s', async () => {
    const gate = aGate();
    gate.claims.reportAnswer = { kind: 'notYours', mark: aClaim({ pod: 'b' }) };
    expect(said(await report(gate, 'done'))).toEqual([
      409,
      expect.objectContaining({ reason: 'NotYours', position: 10 }),
    ]);
  });

  it('knows no mode', async () => {
    expect(said(await report(aGate(), 'done', { ...TICK, mode: 'AtMostOnce' }))[1]).toMatchObject({
      reason: 'BadClaim',
    });
  });
});

describe('GET .../claims', () => {
  const look = (gate: FakeGate, query: string) => gate.ask(`${CLAIMS}?${query}`);

  it('says where the series stands', async () => {
    const gate = aGate();
    gate.claims.markAnswer = { kind: 'mark', mark: aClaim({ mode: 'AtLeastOnce' }) };
    expect(said(await look(gate, `${UID}&series=daily-report`))).toEqual([
      200,
      expect.objectContaining({ position: 10, mode: 'AtLeastOnce', state: 'Claimed', attempt: 1 }),
    ]);
    gate.claims.markAnswer = { kind: 'mark', mark: null };
    expect(said(await look(gate, `${UID}&series=other`))).toEqual([200, { position: null }]);
  });

  it('needs one series', async () => {
    for (const query of [UID, `${UID}&series=`, `${UID}&series=a&series=b`])
      expect(said(await look(aGate(), query))).toEqual([400, expect.objectContaining({ reason: 'BadSeries' })]);
  });
});

describe('what is refused before anybody is asked', () => {
  it.each<[string, unknown, string]>([
    ['no body', null, 'BadClaim'],
    ['a list', [TICK], 'BadClaim'],
    ['no series', { ...TICK, series: undefined }, 'BadSeries'],
    ['a series of nothing', { ...TICK, series: '' }, 'BadSeries'],
    ['a series with a line feed', { ...TICK, series: 'a\nb' }, 'BadSeries'],
    ['half a character', { ...TICK, series: 'a\ud800' }, 'BadSeries'],
    ['a series that is too long', { ...TICK, series: 'x'.repeat(201) }, 'BadSeries'],
    ['a position in text', { ...TICK, position: '10' }, 'BadClaim'],
    ['a position below zero', { ...TICK, position: -1 }, 'BadClaim'],
    ['half a position', { ...TICK, position: 1.5 }, 'BadClaim'],
    ['a position that no number holds', { ...TICK, position: 2 ** 53 }, 'BadClaim'],
    ['no id', { ...TICK, id: undefined }, 'BadClaim'],
    ['an id that is too short', { ...TICK, id: 'abc' }, 'BadClaim'],
    ['a mode that is none', { ...TICK, mode: 'ExactlyOnce' }, 'BadClaim'],
    ['a retry where nothing is given again', { ...TICK, retryAfterSeconds: 5 }, 'BadClaim'],
    ['a retry at once', { ...TICK, mode: 'AtLeastOnce', retryAfterSeconds: 0 }, 'BadClaim'],
    ['a field that is not known', { ...TICK, ttl: 5 }, 'BadClaim'],
  ])('%s', async (_, body, reason) => {
    const gate = aGateSaying(claimed);
    expect(said(await claims(gate, UID, { body }))).toEqual([400, expect.objectContaining({ reason })]);
    expect(gate.claims.asked).toEqual([]);
  });

  it.each([
    ['no uid', '', 400],
    ['a token', `${UID}&wait=1s&token=4`, 400],
    ['a parameter that is not known', `${UID}&series=a`, 400],
  ])('%s', async (_, query, status) => {
    expect((await claims(aGate(), query)).status).toBe(status);
  });

  it.each([
    ['PUT', CLAIMS],
    ['POST', `${CLAIMS}/done`],
    ['GET', `${CLAIMS}/renew`],
    ['PUT', MEMBER],
  ] as const)('%s %s', async (method, path) => {
    expect(said(await aGate().ask(`${path}?${UID}`, { method, body: TICK }))[1]).toMatchObject({
      reason: 'NothingHere',
    });
  });

  it('a series of any other characters is taken as it is', async () => {
    const gate = aGateSaying(claimed);
    for (const series of ['täglich 📮', '../x', 'a//b', 'x'.repeat(200)])
      expect((await claims(gate, UID, { body: { ...TICK, series } })).status).toBe(201);
  });
});
