/** What applications are told, whoever is asked and whoever knows. */
import { describe, expect, it, vi } from 'vitest';
import { CHALLENGE, FORWARDED, STATEMENT } from '../../../../src/http/gate/forward.ts';
import { jsonReply } from '../../../../src/http/gate/replies.ts';
import { createSigner } from '../../../../src/http/gate/statement.ts';
import type { Reply } from '../../../../src/http/router.ts';
import { A_GATE_PROBE } from '../../../kit/fakes/builders.ts';
import { settle } from '../../../kit/fakes/clock.ts';
import { aGate, GROUP, grant, leader, MEMBER, no, said, unknown } from '../../../kit/fakes/gate.ts';

const OTHER = { kind: 'other', id: 'b', url: 'http://10.0.0.9:8080' } as const;
const bodyOf = (leads: boolean, token: number, pod: string, validForMilliseconds = 0) => ({
  leader: leads,
  ...leader(token, pod),
  validForMilliseconds,
});

describe('a member is told', () => {
  it('200 when it leads, with its token and for how long', async () => {
    expect(said(await aGate().ask(MEMBER))).toEqual([200, bodyOf(true, 4, 'a', 2000)]);
  });

  it('409 when another leads, or nobody', async () => {
    const gate = aGate();
    gate.becomes({ answer: no(7) });
    expect(said(await gate.ask(MEMBER))).toEqual([409, bodyOf(false, 7, 'b')]);
    gate.becomes({ answer: no(null) });
    expect(said(await gate.ask(MEMBER))).toMatchObject([409, { leader: false, pod: '', token: 0 }]);
  });

  it('409 with the reason when the lock is about to leave it, also while it waits for the next leader', async () => {
    const gate = aGate();
    const waiting = gate.ask(`${MEMBER}?wait=30s&token=4`);
    await settle();
    gate.becomes({ answer: { kind: 'revoking', leader: leader(4) } });
    const told = [409, { ...bodyOf(false, 4, 'a'), reason: 'Revoking', retryAfterMilliseconds: 1000 }];
    expect([said(await waiting), said(await gate.ask(MEMBER))]).toEqual([told, told]);
  });

  it.each([
    [GROUP.replace('notifier', 'other'), 'GroupUnknown'],
    [`${GROUP}/members/z`, 'MemberUnknown'],
    ['/v1/namespaces/default', 'NothingHere'],
    [`${GROUP}/members/`, 'NothingHere'],
    [`${GROUP}/members/%zz`, 'NothingHere'],
    ['/v1/', 'NothingHere'],
  ])('404 for what is not there: %s', async (url, reason) => {
    expect(said(await aGate().ask(url))).toMatchObject([404, { reason }]);
  });

  it.each([
    [404, 'GroupUnknown', 'is not watched', false],
    [503, 'NotKnown', 'cannot be watched at the moment', true],
  ])('%i %s for a group whose namespace %s, with the reason', async (status, reason, _, passing) => {
    const gate = aGate();
    gate.becomes({ unwatched: { why: 'this operator watches shop only', passing } });
    const [found, body] = said(await gate.ask(GROUP.replace('notifier', 'other')));
    expect([found, body]).toMatchObject([status, { reason }]);
    expect(JSON.stringify(body)).toContain('namespace default: this operator watches shop only');
  });

  it('404 when the pod of its name is another: the old process of a name that is used again gets no grant', async () => {
    const gate = aGate();
    expect(said(await gate.ask(`${MEMBER}?uid=uid-of-a`))).toMatchObject([200, { uid: 'uid-of-a' }]);
    expect(said(await gate.ask(`${MEMBER}?uid=uid-of-the-old-a`))).toMatchObject([
      404,
      { reason: 'MemberUnknown', message: expect.stringContaining('a with uid uid-of-the-old-a') },
    ]);
  });

  it('who has answered', async () => {
    const { headers } = await aGate().ask(MEMBER);
    expect(headers).toMatchObject({ 'leadergroup-replica': 'this-replica' });
  });

  it('503 by a replica that is stopping', async () => {
    const gate = aGate();
    const stopping = new AbortController();
    const asked = gate.ask(`${MEMBER}?wait=30s&token=4`, { signal: stopping.signal });
    await settle();
    stopping.abort();
    expect(said(await asked)).toMatchObject([503, { reason: 'NotKnown' }]);
  });

  it('never a grant that is over within the millisecond', async () => {
    const gate = aGate();
    gate.becomes({ answer: grant(4, 0.9) });
    const asked = gate.ask(MEMBER);
    await gate.clock.advance(1500);
    expect((await asked).status).toBe(503);
  });

  it('503 only after a second in which it could have become known', async () => {
    const gate = aGate();
    gate.becomes({ answer: unknown });
    const first = gate.ask(MEMBER);
    const second = gate.ask(MEMBER);
    await gate.clock.advance(500);
    gate.becomes({ answer: grant(5) });
    expect(said(await first)).toMatchObject([200, { token: 5 }]);
    expect((await second).status).toBe(200);
    gate.becomes({ answer: unknown });
    const third = gate.ask(MEMBER);
    await gate.clock.advance(1100);
    expect(said(await third)).toMatchObject([503, { reason: 'NotKnown' }]);
  });

  it('503 while the replica has not begun, or nobody has the bucket', async () => {
    const gate = aGate();
    gate.becomes({ begun: false });
    expect((await gate.ask(MEMBER)).status).toBe(503);
    gate.becomes({ begun: true, answerer: { kind: 'nobody' } });
    const asked = gate.ask(MEMBER);
    await gate.clock.advance(1100);
    expect((await asked).status).toBe(503);
  });

  it.each([MEMBER, GROUP.replace('notifier', 'other'), '/v1/self'])(
    '503 while the replica does not know yet what there is: %s',
    async (url) => {
      const gate = aGate();
      gate.becomes({ synced: false });
      expect((await gate.ask(url, { client: '10.0.0.77' })).status).toBe(503);
    },
  );
});

describe('about a group anybody is told', () => {
  it('200 who leads, and nothing to act on', async () => {
    expect(said(await aGate().ask(GROUP))).toEqual([200, bodyOf(true, 4, 'a')]);
  });

  it('409 that nobody leads', async () => {
    const gate = aGate();
    gate.becomes({ answer: no(null) });
    expect((await gate.ask(GROUP)).status).toBe(409);
  });
});

describe('whoever waits', () => {
  it('is told once the token is another than the one it knows', async () => {
    const gate = aGate();
    const asked = gate.ask(`${MEMBER}?wait=30s&token=4`);
    await gate.clock.advance(10_000);
    gate.becomes({ answer: unknown });
    await gate.clock.advance(1000);
    gate.becomes({ answer: no(5) });
    expect(said(await asked)).toMatchObject([409, { token: 5 }]);
  });

  it('costs little while nobody knows, and is told as soon as somebody does', async () => {
    const gate = aGate();
    gate.becomes({ answer: unknown });
    const asked = gate.ask(`${MEMBER}?wait=30s&token=4`);
    await settle();
    const before = gate.asked();
    await gate.clock.advance(20_000);
    expect(gate.asked() - before).toBeLessThan(20);
    gate.becomes({ answer: grant(5) });
    expect(said(await asked)).toMatchObject([200, { token: 5 }]);
  });

  it('is looked up as soon as ever after each change, however many there were', async () => {
    const gate = aGate();
    gate.becomes({ answer: unknown });
    const asked = gate.ask(`${MEMBER}?wait=30s&token=4`);
    for (let changes = 0; changes < 8; changes += 1) {
      await settle();
      gate.becomes({});
    }
    await settle();
    gate.becomesQuietly({ answer: grant(5) });
    await gate.clock.advance(100);
    expect(said(await asked)).toMatchObject([200, { token: 5 }]);
  });

  it('waits on while nobody leads, when it knows a token: the next leader is the news', async () => {
    const gate = aGate();
    gate.becomes({ answer: no(null) });
    const asked = gate.ask(`${MEMBER}?wait=30s&token=4`);
    await gate.clock.advance(10_000);
    gate.becomes({ answer: no(5) });
    expect(said(await asked)).toMatchObject([409, { token: 5 }]);
  });

  it('is told at once that nobody leads any more', async () => {
    const gate = aGate();
    const asked = gate.ask(`${MEMBER}?wait=30s&token=4`);
    await settle();
    gate.becomes({ answer: no(null) });
    expect(said(await asked)).toMatchObject([409, { token: 0 }]);
  });

  it('is told at once when it knows an older token', async () => {
    expect(said(await aGate().ask(`${MEMBER}?wait=30s&token=3`))).toMatchObject([200, { token: 4 }]);
  });

  it('without a token is told of another answer than the first', async () => {
    const gate = aGate();
    const asked = gate.ask(`${MEMBER}?wait=30s`);
    await gate.clock.advance(5000);
    gate.becomes({ answer: no(null) });
    expect((await asked).status).toBe(409);
  });

  it('is told the answer as it is then when nothing has changed in time', async () => {
    const gate = aGate();
    const asked = gate.ask(`${MEMBER}?wait=3s&token=4`);
    await gate.clock.advance(2900);
    gate.becomes({ answer: grant(4, 1234) });
    await gate.clock.advance(200);
    expect(said(await asked)).toMatchObject([200, { validForMilliseconds: 1234 }]);
  });

  it('is not one of too many of its client; another client is not affected, and a replica asks for many', async () => {
    const gate = aGate();
    const url = `${MEMBER}?wait=5s&token=4`;
    const gone = new AbortController();
    const many = Array.from({ length: 64 }, () => gate.ask(url, { signal: gone.signal }).catch(() => null));
    expect(said(await gate.ask(url))).toMatchObject([429, { reason: 'TooManyWaiting' }]);
    expect((await gate.ask(MEMBER)).status).toBe(200);
    const others = Array.from({ length: 100 }, () => gate.ask(url, { client: '10.0.0.9', forwarded: true }));
    await settle();
    expect(gate.waiting.at(-1)).toBe(164);
    gone.abort();
    await Promise.all(many);
    const again = gate.ask(url);
    gate.becomes({ answer: grant(9) });
    expect((await again).status).toBe(200);
    expect((await Promise.all(others)).map(({ status }) => status)).toEqual(Array.from({ length: 100 }, () => 200));
    expect([gate.waiting.at(-1), gate.clock.pending()]).toEqual([0, 0]);
  });

  it.each([
    ['wait=', 'not a duration'],
    ['wait=5', 'not a duration'],
    ['wait=-5s', 'not a duration'],
    ['wait=5h', 'not a duration'],
    ['wait=5s&token=x', 'not a token'],
    ['wait=5s&token=-1', 'not a token'],
    ['token=5', 'only be used with wait'],
    ['uid=', 'is empty'],
  ])('has to say how long: %s', async (query, message) => {
    expect(said(await aGate().ask(`${MEMBER}?${query}`))).toMatchObject([
      400,
      { reason: 'BadQuery', message: expect.stringContaining(message) },
    ]);
  });
});

describe('a question that does not wait', () => {
  it.each([MEMBER, GROUP, '/v1/self'])(
    'is not one of too many that its client sends before it has an answer: %s',
    async (url) => {
      const gate = aGate({ forward: async () => await new Promise(() => undefined) });
      gate.becomes({ answerer: { kind: 'other', id: 'b', url: 'http://10.0.0.9:8080' } });
      const gone = new AbortController();
      const many = Array.from({ length: 1000 }, () => gate.ask(url, { signal: gone.signal }));
      await settle();
      expect(said(await gate.ask(url))).toMatchObject([429, { reason: 'TooManyWaiting' }]);
      expect(gate.forwards).toHaveLength(1000);
      gone.abort();
      gate.becomes({ answerer: { kind: 'self' } });
      await Promise.all(many);
      expect((await gate.ask(url)).status).toBe(200);
    },
  );
});

describe('a member of a group with a leader probe that listens', () => {
  it('is told how soon to ask again, whether it leads or not', async () => {
    const gate = aGate();
    gate.becomes({ probe: A_GATE_PROBE });
    expect(said(await gate.ask(MEMBER))).toMatchObject([200, { askWithinMilliseconds: 500 }]);
    gate.becomes({ answer: no() });
    expect(said(await gate.ask(MEMBER))).toMatchObject([409, { askWithinMilliseconds: 500 }]);
  });

  it('is answered within this time where it waits: whoever waits is not heard', async () => {
    const gate = aGate();
    gate.becomes({ probe: A_GATE_PROBE, answer: no() });
    const waiting = gate.ask(`${MEMBER}?wait=30s&token=4`);
    await gate.clock.advance(501);
    expect((await waiting).status).toBe(409);
    const unknowing = gate.ask(MEMBER);
    gate.becomes({ answer: unknown });
    await gate.clock.advance(501);
    expect([409, 503]).toContain((await unknowing).status);
  });

  it('is the only one who is told so', async () => {
    const gate = aGate();
    gate.becomes({ probe: A_GATE_PROBE });
    expect(said(await gate.ask(GROUP))[1]).not.toHaveProperty('askWithinMilliseconds');
    gate.becomes({ probe: null });
    expect(said(await gate.ask(MEMBER))[1]).not.toHaveProperty('askWithinMilliseconds');
  });
});

describe('a parameter that is unknown, or said twice,', () => {
  it.each([
    [`${MEMBER}?UID=u`, 'allowed are uid, wait, token'],
    [`${MEMBER}?podUid=u`, 'allowed are uid, wait, token'],
    [`${MEMBER}?wait=3s&Token=4`, 'allowed are'],
    [`${GROUP}?x=`, 'allowed are'],
    [`${MEMBER}?uid=a&uid=b`, 'given twice'],
    ['/v1/self?x=1', 'allowed is uid'],
    ['/v1/self?UID=uid-of-a', 'allowed is uid'],
  ])('is refused: %s', async (url, message) => {
    expect(said(await aGate().ask(url))).toMatchObject([
      400,
      { reason: 'BadQuery', message: expect.stringContaining(message) },
    ]);
  });
});

describe('a replica that does not own the group', () => {
  it('passes the question on, and the answer back as it is', async () => {
    const gate = aGate({ forward: async () => jsonReply(409, bodyOf(false, 8, 'c')) });
    gate.becomes({ answerer: OTHER });
    expect(said(await gate.ask(MEMBER))).toEqual([409, bodyOf(false, 8, 'c')]);
    expect(gate.forwards).toMatchObject([
      { to: { id: 'b', url: OTHER.url }, passed: { method: 'GET', path: MEMBER, body: null } },
    ]);
  });

  it('passes a wait on for the time that is left, with what the client knows', async () => {
    const gate = aGate({ forward: async () => jsonReply(200, bodyOf(true, 9, 'a', 1000)) });
    gate.becomes({ answerer: OTHER });
    await gate.ask(`${MEMBER}?wait=30s&token=4&uid=u%20%26`);
    expect(gate.forwards.map(({ passed }) => passed.path)).toEqual([`${MEMBER}?uid=u+%26&wait=30000ms&token=4`]);
  });

  it('passes no question on that another replica has passed on', async () => {
    const gate = aGate({ forward: async () => jsonReply(200, bodyOf(true, 9, 'a', 1000)) });
    gate.becomes({ answerer: OTHER });
    const asked = gate.ask(MEMBER, { forwarded: true });
    await gate.clock.advance(1100);
    expect([(await asked).status, gate.forwards]).toEqual([503, []]);
  });

  it('says that the owner cannot be reached, or does not say where', async () => {
    const gate = aGate();
    gate.becomes({ answerer: OTHER });
    const first = gate.ask(MEMBER);
    await gate.clock.advance(1100);
    expect(said(await first)).toMatchObject([503, { message: expect.stringContaining('is unreachable') }]);
    gate.becomes({ answerer: { ...OTHER, url: null } });
    const second = gate.ask(MEMBER);
    await gate.clock.advance(1100);
    expect(said(await second)).toMatchObject([503, { message: expect.stringContaining('POD_IP') }]);
  });

  it('answers itself once it owns the group, whoever was asked before', async () => {
    const gate = aGate({
      forward: (_url, _path, _timeout, signal) =>
        new Promise((resolve) => signal.addEventListener('abort', () => resolve(null), { once: true })),
    });
    gate.becomes({ answerer: OTHER });
    const asked = gate.ask(`${MEMBER}?wait=30s&token=4`);
    await settle();
    gate.becomes({ answerer: { kind: 'self' }, answer: grant(6) });
    expect(said(await asked)).toMatchObject([200, { token: 6 }]);
  });
});

describe('who am I', () => {
  it('is answered by the address, for each group of the pod', async () => {
    expect(said(await aGate().ask('/v1/self'))).toEqual([
      200,
      {
        namespace: 'default',
        pod: 'a',
        uid: 'uid-of-a',
        groups: [{ name: 'notifier', status: 200, ...bodyOf(true, 4, 'a', 2000) }],
      },
    ]);
  });

  it('is no grant while it is not certain whose the address is', async () => {
    const gate = aGate();
    gate.becomes({ confirmed: false });
    expect(said(await gate.ask('/v1/self'))).toMatchObject([
      200,
      { groups: [{ name: 'notifier', status: 503, reason: 'NotKnown', message: expect.stringContaining('?uid=') }] },
    ]);
    gate.becomes({ confirmed: false, answer: no() });
    expect(said(await gate.ask('/v1/self'))).toMatchObject([200, { groups: [{ status: 409 }] }]);
  });

  it('is known by its uid without a look, and no other pod is at this address', async () => {
    const gate = aGate();
    gate.becomes({ confirmed: false });
    expect(said(await gate.ask('/v1/self?uid=uid-of-a'))).toMatchObject([200, { groups: [{ status: 200 }] }]);
    expect(said(await gate.ask('/v1/self?uid=another'))).toMatchObject([
      404,
      { reason: 'CallerUnknown', message: expect.stringContaining('no pod with uid another') },
    ]);
  });

  it('cannot be answered where the address is not one pod’s own, and says what to ask instead', async () => {
    expect(said(await aGate().ask('/v1/self', { client: '10.0.0.77' }))).toMatchObject([
      404,
      { reason: 'CallerUnknown', message: expect.stringContaining('/members/{pod}') },
    ]);
  });

  it('does not wait', async () => {
    expect(said(await aGate().ask('/v1/self?wait=3s'))).toMatchObject([400, { reason: 'BadQuery' }]);
    expect(said(await aGate().ask('/v1/self?uid='))).toMatchObject([400, { reason: 'BadQuery' }]);
    expect(said(await aGate().ask(`${GROUP}?uid=u`))).toMatchObject([400, { reason: 'BadQuery' }]);
  });
});

describe('a client that waits and is told to stop', () => {
  const WAITING = `${MEMBER}?uid=uid-of-a&wait=30s&token=4`;
  const revoking = { answer: { kind: 'revoking', leader: leader(4) } as const };

  async function isAnswered(asked: Promise<Reply>): Promise<boolean> {
    let answered = false;
    void asked.then(() => (answered = true));
    await settle();
    return answered;
  }

  it.each([
    ['Revoking', revoking],
    ['Released', { answer: { kind: 'released', leader: leader(4) } as const }],
  ])('is told %s at once, and when to ask again; if it asks sooner it waits', async (reason, change) => {
    const gate = aGate();
    gate.becomes(change);
    expect(await gate.ask(WAITING)).toMatchObject({
      status: 409,
      body: expect.stringContaining(`"reason":"${reason}","retryAfterMilliseconds":1000`),
      headers: { 'retry-after': '1' },
    });
    const again = gate.ask(WAITING);
    await gate.clock.advance(999);
    expect(await isAnswered(again)).toBe(false);
    await gate.clock.advance(1);
    expect((await again).status).toBe(409);
  });

  it('is told at once when it may lead on after all, with the token that it knows', async () => {
    const gate = aGate();
    gate.becomes(revoking);
    await gate.ask(WAITING);
    const again = gate.ask(WAITING);
    await settle();
    gate.becomes({ answer: grant(4) });
    expect((await again).status).toBe(200);
  });

  it('is told at once though another has asked in its name, or another term of its pod', async () => {
    const gate = aGate();
    gate.becomes(revoking);
    await gate.ask(WAITING, { client: '10.0.0.7' });
    await gate.ask(WAITING, { headers: { 'leadergroup-client': 'A'.repeat(22) } });
    expect(await isAnswered(gate.ask(WAITING))).toBe(true);
  });

  it('is told the next reason at once', async () => {
    const gate = aGate();
    gate.becomes(revoking);
    await gate.ask(WAITING);
    const again = gate.ask(WAITING);
    await settle();
    gate.becomes({ answer: no(5) });
    expect(said(await again)).toMatchObject([409, { token: 5 }]);
  });

  it('has as many waits as one client, whichever replicas it asks', async () => {
    const gate = aGate();
    gate.becomes({ answer: no(4) });
    const signer = createSigner();
    gate.signatures.set('c', { kind: 'key', publicKey: signer.publicKey });
    const told = await gate.ask(MEMBER, { headers: { [FORWARDED]: 'c' } });
    const about = { from: 'c', to: 'this-replica', method: 'GET', path: WAITING, body: null };
    const statement = { caller: null, address: '10.0.0.1', ageMs: 0, termSecret: null };
    const header = await signer.sign(about, statement, told.headers?.[CHALLENGE] ?? '');
    const asking = { client: '10.0.0.9', headers: { [FORWARDED]: 'c', [STATEMENT]: header } };
    const gone = new AbortController();
    const many = Array.from({ length: 64 }, () => gate.ask(WAITING, { ...asking, signal: gone.signal }));
    await vi.waitFor(() => expect(gate.waiting.at(-1)).toBe(64));
    expect(said(await gate.ask(WAITING, asking))).toMatchObject([429, { retryAfterMilliseconds: 1000 }]);
    gone.abort();
    await Promise.all(many);
  });
});
