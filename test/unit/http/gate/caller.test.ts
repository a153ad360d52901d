/** Which questions count as a pod's own, and where that is known. */
import { describe, expect, it } from 'vitest';
import { byToken, type Caller, verifyCaller } from '../../../../src/http/gate/caller.ts';
import { jsonReply } from '../../../../src/http/gate/replies.ts';
import type { TokenVerdict } from '../../../../src/http/gate/tokens.ts';
import { aPod } from '../../../kit/fakes/builders.ts';
import { settle } from '../../../kit/fakes/clock.ts';
import { aGate, GROUP, MEMBER, no, said } from '../../../kit/fakes/gate.ts';
import { podUid } from '../../../kit/fakes/ids.ts';

describe('what only the pod itself may ask', () => {
  const pod = aPod({ name: 'a' });

  it('is answered to the pod', () => {
    expect(verifyCaller({ kind: 'pod', uid: pod.uid, by: 'Address' }, pod)).toBeNull();
  });

  it.each<[Caller, RegExp]>([
    [
      { kind: 'unverified', address: '10.0.0.7' },
      /pod a itself.*10\.0\.0\.7.*source NAT.*gate\.authentication to Token/,
    ],
    [{ kind: 'pod', uid: podUid('uid-of-b'), by: 'Address' }, /pod a itself.*uid-of-b.*source NAT/],
    [{ kind: 'pod', uid: podUid('uid-of-b'), by: 'Token' }, /pod a itself.*token is that of the pod with uid uid-of-b/],
  ])('is refused to whoever else asks, with what to do: %j', (caller, message) => {
    const refused = verifyCaller(caller, pod);
    expect(refused === null ? null : said(refused)).toMatchObject([
      403,
      { reason: 'CallerNotMember', message: expect.stringMatching(message) },
    ]);
  });
});

describe('where a token is asked for', () => {
  const OTHER = { kind: 'other', id: 'b', url: 'http://10.0.0.9:8080' } as const;
  const verdicts: Readonly<Record<string, TokenVerdict>> = {
    good: { kind: 'pod', pod: { namespace: 'default', name: 'a', uid: podUid('uid-of-a') }, untilMs: 0 },
    ofB: { kind: 'pod', pod: { namespace: 'default', name: 'b', uid: podUid('uid-of-b') }, untilMs: 0 },
    unsure: { kind: 'unknown', why: 'the keys are not known yet' },
  };
  const withTokens = (options: Parameters<typeof aGate>[0] = {}) =>
    aGate({ ...options, identify: byToken((token) => verdicts[token] ?? { kind: 'bad', why: 'it has expired' }) });
  const bearer = (token: string) => ({ headers: { authorization: `Bearer ${token}` }, client: '10.0.0.77' });

  it('its pod gets its grant from any address, and is heard', async () => {
    const gate = withTokens();
    expect((await gate.ask(MEMBER, bearer('good'))).status).toBe(200);
    expect(gate.heard.map(({ uid }) => uid)).toEqual(['uid-of-a']);
  });

  it.each([
    ['no token', {}, 401, /gate\.authentication Token.*audience leadergroup.*sends none/],
    ['another scheme', { headers: { authorization: 'Basic Zm9v' } }, 401, /sends none/],
    ['a bad token', bearer('old'), 401, /it has expired/],
    ["another pod's token", bearer('ofB'), 403, /uid-of-b/],
    ['a token that cannot be verified now', bearer('unsure'), 503, /keys are not known/],
  ] as const)('nobody gets a grant or is heard with %s', async (_, asking, status, message) => {
    const gate = withTokens();
    const reply = await gate.ask(MEMBER, asking);
    expect(said(reply)).toMatchObject([status, { message: expect.stringMatching(message) }]);
    expect(gate.heard).toEqual([]);
  });

  it('who leads is told to anybody', async () => {
    expect((await withTokens().ask(GROUP)).status).toBe(200);
  });

  it('/v1/self is the pod of the token, whose word needs no other', async () => {
    const gate = withTokens();
    gate.becomes({ confirmed: false });
    expect(said(await gate.ask('/v1/self', bearer('good')))).toMatchObject([
      200,
      { uid: 'uid-of-a', groups: [{ status: 200 }] },
    ]);
    expect(said(await gate.ask('/v1/self?uid=uid-of-z', bearer('good')))).toMatchObject([
      404,
      { reason: 'CallerUnknown' },
    ]);
    expect((await gate.ask('/v1/self', bearer('ofB'))).status).toBe(404);
    expect((await gate.ask('/v1/self')).status).toBe(401);
  });

  it('the token itself is never passed on', async () => {
    const gate = withTokens({ forward: async () => jsonReply(409, { leader: false, token: 1 }) });
    gate.becomes({ answerer: OTHER });
    await gate.ask(MEMBER, bearer('good'));
    expect(gate.forwards).toMatchObject([{ passed: { statement: { caller: { uid: 'uid-of-a', by: 'Token' } } } }]);
    expect(JSON.stringify(gate.forwards)).not.toContain('good');
  });

  it('another replica that has not verified one gets no answer for its client, whatever its version', async () => {
    expect(said(await withTokens().ask(MEMBER, { forwarded: true }))).toMatchObject([503, { reason: 'NotKnown' }]);
    expect((await withTokens().ask(GROUP, { forwarded: true })).status).toBe(200);
  });

  it('each pod may wait on its own, also where many stand behind one address', async () => {
    const gate = withTokens();
    const gone = new AbortController();
    const waiting = `${MEMBER}?wait=9s&token=4`;
    const many = Array.from({ length: 64 }, () => gate.ask(waiting, { ...bearer('ofB'), signal: gone.signal }));
    await settle();
    const one = gate.ask(waiting, { ...bearer('good'), signal: gone.signal });
    await settle();
    gone.abort();
    expect((await one).status).not.toBe(429);
    await Promise.all(many);
  });
});

describe('a member is heard', () => {
  it('when its question comes from its own address, whatever the answer', async () => {
    const gate = aGate();
    gate.becomes({ answer: no(7) });
    await gate.ask(MEMBER);
    await gate.ask(`${MEMBER}?uid=uid-of-a`);
    expect(gate.heard.map(({ uid }) => uid)).toEqual(['uid-of-a', 'uid-of-a']);
  });

  it.each([
    ['an address that is not its own', MEMBER, { client: '10.0.0.7' }],
    ['nobody of its own', GROUP, {}],
    ['a replica that does not say who asked', MEMBER, { forwarded: true }],
  ])('not when the question comes from %s, which is answered all the same', async (_, url, asking) => {
    const gate = aGate();
    expect((await gate.ask(url, asking)).status).toBe(200);
    expect(gate.heard).toEqual([]);
  });

  it('when its question arrives, not while it waits: a frozen process keeps a question open', async () => {
    const gate = aGate();
    const arrivedMs = gate.clock.nowMs();
    const asked = gate.ask(`${MEMBER}?wait=30s&token=4`);
    await gate.clock.advance(5000);
    gate.becomes({});
    await gate.clock.advance(5000);
    gate.becomes({ answer: no(5) });
    await asked;
    expect(new Set(gate.heard.map((heard) => heard.arrivedMs))).toEqual(new Set([arrivedMs]));
  });

  it('by the replica that owns its group alone', async () => {
    const gate = aGate({ forward: async () => jsonReply(409, { leader: false, token: 1 }) });
    gate.becomes({ answerer: { kind: 'other', id: 'b', url: 'http://10.0.0.9:8080' } });
    await gate.ask(MEMBER);
    expect(gate.heard).toEqual([]);
  });
});
