/** Which tokens say who asks, for how long, and what happens while the API server is away. */
import { generateKeyPair, SignJWT, UnsecuredJWT } from 'jose';
import { describe, expect, it } from 'vitest';
import { createTokenVerifier } from '../../../../src/http/gate/tokens.ts';
import { createFakeClock, settle } from '../../../kit/fakes/clock.ts';
import { createFakeLog } from '../../../kit/fakes/log.ts';
import { aTokenCluster, ISSUER } from '../../../kit/fakes/tokens.ts';

const never = new AbortController().signal;
const OF_A = { kind: 'pod', pod: { namespace: 'default', name: 'a', uid: 'uid-of-a' } };
const REVIEWED = { user: 'system:serviceaccount:default:notifier', audiences: ['leadergroup'], podUid: 'uid-of-a' };

async function aVerifier() {
  const clock = createFakeClock();
  const cluster = await aTokenCluster(clock.wallMs);
  const verify = createTokenVerifier({ issuer: cluster.issuer, clock, log: createFakeLog(), signal: never });
  /** At once: no check was needed. */
  const known = (token: string): string | null => {
    const verdict = verify(token, '10.0.0.1', never);
    return 'then' in verdict ? null : verdict.kind;
  };
  return {
    clock,
    ...cluster,
    known,
    verify: async (token: string, from = '10.0.0.1') => await verify(token, from, never),
  };
}

describe('a token', () => {
  it('of a pod for this audience says which pod it is of', async () => {
    const { issue, verify } = await aVerifier();
    expect(await verify(await issue())).toMatchObject(OF_A);
    expect(await verify(await issue({ audience: ['vault', 'leadergroup'] }))).toMatchObject(OF_A);
  });

  it.each([
    ['for another audience', { audience: 'https://kubernetes.default.svc' }, 'audience'],
    ['that has expired', { expiresInS: -60 }, 'expired'],
    ['that is for later', { beginsInS: 60 }, 'not valid yet'],
    ['that is bound to no pod', { claim: { namespace: 'default' } }, 'belongs to no pod'],
    ['without a claim of Kubernetes', { claim: undefined }, 'belongs to no pod'],
    ['whose claim is none', { claim: 'pod' }, 'belongs to no pod'],
    ['of a user', { subject: 'jane' }, 'belongs to no pod'],
    ["of another namespace's account", { subject: 'system:serviceaccount:shop:notifier' }, 'belongs to no pod'],
  ])('%s says nothing', async (_, issued, why) => {
    const { issue, verify } = await aVerifier();
    expect(await verify(await issue(issued))).toMatchObject({ kind: 'bad', why: expect.stringContaining(why) });
  });

  it('that was not signed by the cluster says nothing: by another key, by none, or by the public one as a secret', async () => {
    const { clock, verify, issuer } = await aVerifier();
    const claims = {
      iss: ISSUER,
      aud: 'leadergroup',
      sub: 'system:serviceaccount:default:notifier',
      exp: Math.floor(clock.wallMs() / 1000) + 600,
      'kubernetes.io': { namespace: 'default', pod: { name: 'a', uid: 'uid-of-a' } },
    };
    const { privateKey } = await generateKeyPair('ES256');
    const { jwks } = await issuer.keys(never);
    const secret = new TextEncoder().encode(JSON.stringify(jwks.keys[0]));
    for (const forged of [
      await new SignJWT(claims).setProtectedHeader({ alg: 'ES256', kid: 'first' }).sign(privateKey),
      await new SignJWT(claims).setProtectedHeader({ alg: 'HS256', kid: 'first' }).sign(secret),
      new UnsecuredJWT(claims).encode(),
    ])
      expect((await verify(forged)).kind).toBe('bad');
  });

  it('of another cluster says nothing, once the issuer has been looked up again', async () => {
    const { clock, issue, verify, state } = await aVerifier();
    state.review = null;
    await verify(await issue());
    await clock.advance(10_000);
    const why = 'another cluster has issued it';
    expect(await verify(await issue({ issuer: 'https://elsewhere' }))).toEqual({ kind: 'bad', why });
  });

  it.each(['', 'x', 'a.b.c', '....', 'eyJhbGciOiJFUzI1NiJ9.e30.AAAA'])(
    'that is none says nothing: %j',
    async (token) => {
      const { verify } = await aVerifier();
      expect((await verify(token)).kind).toBe('bad');
    },
  );

  it('is verified once, and good until it expires', async () => {
    const { clock, issue, verify, state } = await aVerifier();
    const token = await issue({ expiresInS: 300 });
    await verify(token);
    state.keys = 'unreachable';
    await clock.advance(200_000);
    expect([(await verify(token)).kind, state.reads]).toEqual(['pod', 1]);
    await clock.advance(120_000);
    expect((await verify(token)).kind).toBe('bad');
  });
});

describe('the keys', () => {
  it('are kept while the API server is away: a token that is new is verified by them', async () => {
    const { clock, issue, verify, state } = await aVerifier();
    await verify(await issue());
    state.keys = 'unreachable';
    await clock.advance(3_600_000);
    expect(await verify(await issue())).toMatchObject(OF_A);
  });

  it('are read again for a token that none of them fits', async () => {
    const { clock, issue, verify, rotate, state } = await aVerifier();
    await verify(await issue());
    (await rotate()).serve();
    await clock.advance(60_000);
    expect([await verify(await issue()), state.reads]).toMatchObject([OF_A, 2]);
  });

  it('that cannot be read make no token a bad one: nobody knows', async () => {
    const { clock, issue, verify, rotate, state } = await aVerifier();
    state.keys = 'unreachable';
    const token = await issue();
    expect((await verify(token)).kind).toBe('unknown');
    state.keys = null;
    await clock.advance(10_000);
    expect(await verify(token)).toMatchObject(OF_A);
    const { serve } = await rotate();
    state.keys = 'unreachable';
    await clock.advance(60_000);
    const newer = await issue();
    expect((await verify(newer)).kind).toBe('unknown');
    serve();
    state.keys = null;
    await clock.advance(10_000);
    expect(await verify(newer)).toMatchObject(OF_A);
  });

  it('that are none verify nothing, however often they are read, until there are some', async () => {
    const { clock, issue, verify, serve, issuer } = await aVerifier();
    const { jwks } = await issuer.keys(never);
    serve(['no key']);
    const token = await issue();
    for (let times = 0; times < 2; times += 1) {
      expect((await verify(token)).kind).toBe('unknown');
      await clock.advance(10_000);
    }
    serve(jwks.keys);
    expect(await verify(token)).toMatchObject(OF_A);
  });

  it('are not read for each of many tokens that fit none', async () => {
    const { issue, verify, rotate, state } = await aVerifier();
    await verify(await issue());
    await rotate();
    const many = await Promise.all(Array.from({ length: 10 }, (_, at) => issue({ uid: `uid-${at}` })));
    for (const token of many) await verify(token);
    expect(state.reads).toBeLessThanOrEqual(2);
  });

  it('that are withdrawn take with them what they have signed, within five minutes, whoever asks', async () => {
    const { clock, issue, verify, rotate } = await aVerifier();
    const token = await issue();
    expect((await verify(token)).kind).toBe('pod');
    (await rotate()).serve();
    await clock.advance(300_000);
    expect((await verify(token)).kind).not.toBe('pod');
  });

  it('that are withdrawn while the API server is away are noticed soon after it is back', async () => {
    const { clock, issue, verify, rotate, state } = await aVerifier();
    const token = await issue();
    await verify(token);
    state.keys = 'unreachable';
    (await rotate()).serve();
    await clock.advance(900_000);
    expect((await verify(token)).kind).toBe('pod');
    state.keys = null;
    await clock.advance(30_000);
    expect((await verify(token)).kind).not.toBe('pod');
  });

  it('that are withdrawn take with them what is being verified', async () => {
    const { clock, issue, verify, rotate } = await aVerifier();
    await verify(await issue());
    const token = await issue({ uid: 'uid-of-b' });
    (await rotate()).serve();
    const newer = await issue();
    await clock.advance(10_000);
    // The keys are read for the second while the first is verified by the key that was there.
    const [first, second] = await Promise.all([verify(token), verify(newer)]);
    expect([first.kind, second.kind]).toEqual(['unknown', 'pod']);
    expect((await verify(token)).kind).toBe('unknown');
  });

  it('that come beside those that were there leave what was good as it is', async () => {
    const { clock, issue, known, verify, rotate } = await aVerifier();
    const token = await issue();
    await verify(token);
    (await rotate()).serveBoth();
    await clock.advance(300_000);
    expect(known(token)).toBe('pod');
    expect(await verify(await issue())).toMatchObject(OF_A);
  });

  it('are read no more once the process ends', async () => {
    const clock = createFakeClock();
    const { issuer, issue, state } = await aTokenCluster(clock.wallMs);
    const ending = new AbortController();
    const verify = createTokenVerifier({ issuer, clock, log: createFakeLog(), signal: ending.signal });
    await verify(await issue(), '10.0.0.1', never);
    ending.abort(new Error('SIGTERM'));
    await clock.advance(3_600_000);
    expect(state.reads).toBe(1);
  });
});

describe('where the keys may not be read', () => {
  async function reviewed(review: Awaited<ReturnType<typeof aVerifier>>['state']['review']) {
    const verifier = await aVerifier();
    Object.assign(verifier.state, { keys: 'denied', review });
    return verifier;
  }

  it('the API server is asked, once for each token, which is good until it expires', async () => {
    const { clock, issue, verify, state } = await reviewed(REVIEWED);
    const token = await issue({ expiresInS: 300 });
    expect(await verify(token)).toMatchObject(OF_A);
    state.review = 'unreachable';
    await clock.advance(200_000);
    expect([(await verify(token)).kind, state.reviews]).toEqual(['pod', 1]);
    await clock.advance(120_000);
    expect((await verify(token)).kind).toBe('bad');
  });

  it.each([
    ['does not accept it', null, 'bad'],
    ['means another audience', { ...REVIEWED, audiences: [] }, 'bad'],
    ['means another pod', { ...REVIEWED, podUid: 'uid-of-b' }, 'bad'],
    ['names no pod', { ...REVIEWED, podUid: null }, 'bad'],
    ['means a user', { ...REVIEWED, user: 'jane' }, 'bad'],
    ['does not answer', 'unreachable', 'unknown'],
    ['may not be asked', 'denied', 'unknown'],
  ] as const)('it says nothing of a token when the API server %s', async (_, review, kind) => {
    const { issue, verify } = await reviewed(review);
    expect((await verify(await issue())).kind).toBe(kind);
  });

  it('it is not asked about what is no token of a pod, or has expired', async () => {
    const { issue, verify, state } = await reviewed(REVIEWED);
    for (const token of ['x', await issue({ claim: {} }), await issue({ expiresInS: -60 })])
      expect((await verify(token)).kind).toBe('bad');
    expect(state.reviews).toBe(0);
  });
});

describe('an issuer that the API server does not tell any more', () => {
  const OTHER = 'https://issuer-of-now';

  /** It tells OTHER since a moment ago; `token` was good before. */
  async function changed(review: Awaited<ReturnType<typeof aVerifier>>['state']['review']) {
    const verifier = await aVerifier();
    const token = await verifier.issue();
    await verifier.verify(token);
    Object.assign(verifier.state, { issuer: OTHER, review });
    await verifier.clock.advance(300_000);
    return { ...verifier, token };
  }

  it('is good while that one accepts it, which is asked once for all of its tokens, and again after a while', async () => {
    const { clock, issue, verify, token, state } = await changed(REVIEWED);
    expect(await verify(await issue())).toMatchObject(OF_A);
    expect(await verify(await issue({ uid: 'uid-of-b' }))).toMatchObject({ kind: 'pod', pod: { uid: 'uid-of-b' } });
    expect(await verify(token)).toMatchObject(OF_A);
    expect(state.reviews).toBe(1);
    await clock.advance(300_000);
    for (let times = 0; times < 3; times += 1) await verify(token);
    expect(state.reviews).toBe(2);
  });

  it('takes its tokens with it when that one accepts it no more', async () => {
    const { clock, issue, known, verify, token } = await changed(null);
    expect((await verify(await issue({ uid: 'uid-of-b' }))).kind).toBe('bad');
    known(token);
    await clock.advance(0);
    expect((await verify(token)).kind).toBe('bad');
  });

  it('stays as it was found while the API server is away', async () => {
    const { clock, issue, verify, token, state } = await changed(REVIEWED);
    await verify(await issue());
    state.review = 'unreachable';
    await clock.advance(600_000);
    expect(await verify(token)).toMatchObject(OF_A);
    expect(await verify(await issue({ uid: 'uid-of-b' }))).toMatchObject({ kind: 'pod' });
  });

  it('is not accepted for what another key has signed', async () => {
    const { rotate, issue, verify, state } = await changed(REVIEWED);
    await rotate();
    expect((await verify(await issue())).kind).not.toBe('pod');
    expect(state.reviews).toBe(0);
  });

  it('and the one that is told now are both good', async () => {
    const { issue, verify, state } = await changed(REVIEWED);
    expect(await verify(await issue({ issuer: OTHER }))).toMatchObject(OF_A);
    expect(state.reviews).toBe(0);
  });
});

describe('whoever sends tokens that are none', () => {
  it('costs no check: form, audience, expiry and pod are looked at first', async () => {
    const { issue, known, state } = await aVerifier();
    const none = [await issue({ audience: 'vault' }), await issue({ expiresInS: -60 }), await issue({ claim: {} })];
    for (const token of ['x', `${'a'.repeat(9000)}.b.c`, ...none]) expect(known(token)).toBe('bad');
    expect(state.reads).toBe(0);
  });

  it('keeps nobody waiting while keys are read for its tokens', async () => {
    const { clock, issue, verify, rotate, state } = await aVerifier();
    const fine = await issue();
    await verify(await issue({ uid: 'uid-of-b' }));
    await clock.advance(10_000);
    await rotate();
    state.keys = 'hangs';
    for (let at = 0; at < 100; at += 1) void verify(await issue({ uid: `uid-${at}` }), '10.0.0.66');
    expect(await verify(fine, '10.0.0.66')).toMatchObject(OF_A);
  });

  it('has a few of them reviewed at a time, and others theirs beside it', async () => {
    const { issue, verify, state } = await aVerifier();
    Object.assign(state, { keys: 'denied', review: 'hangs' });
    for (let at = 0; at < 100; at += 1) void verify(await issue({ uid: `uid-${at}` }), '10.0.0.66');
    await settle();
    expect(state.reviews).toBe(4);
    state.review = REVIEWED;
    expect(await verify(await issue(), '10.0.0.1')).toMatchObject(OF_A);
  });

  it('has no more reviewed after a number of bad ones, until a while has passed; others have', async () => {
    const { clock, issue, verify, state } = await aVerifier();
    Object.assign(state, { keys: 'denied', review: null });
    for (let at = 0; at < 30; at += 1) await verify(await issue({ uid: `uid-${at}` }), '10.0.0.66');
    expect(state.reviews).toBe(20);
    state.review = REVIEWED;
    const token = await issue();
    expect((await verify(token, '10.0.0.66')).kind).toBe('unknown');
    expect(await verify(token, '10.0.0.1')).toMatchObject(OF_A);
    await clock.advance(10_000);
    expect(await verify(await issue({ expiresInS: 300 }), '10.0.0.66')).toMatchObject(OF_A);
  });

  it('puts no good one out, nor does a pod that draws many tokens', async () => {
    const { issue, known, verify } = await aVerifier();
    const [first, other] = [await issue({ uid: 'uid-of-b' }), await issue()];
    for (const token of [first, other]) await verify(token);
    for (let at = 0; at < 1100; at += 1) await verify(`${other.slice(0, -4)}${at}`, '10.0.0.66');
    for (let at = 0; at < 8; at += 1) await verify(await issue({ uid: 'uid-of-b', expiresInS: 1000 + at }));
    expect([known(first), known(other)]).toEqual([null, 'pod']);
  });
});

describe('what the API server has said of a token', () => {
  it('is asked again once in a while, and stands until it has answered', async () => {
    const { clock, issue, verify, known, state } = await aVerifier();
    Object.assign(state, { keys: 'denied', review: REVIEWED });
    const token = await issue();
    await verify(token);
    state.review = 'unreachable';
    await clock.advance(300_000);
    expect([known(token), known(token)]).toEqual(['pod', 'pod']);
    await settle();
    state.review = null;
    await clock.advance(300_000);
    expect(known(token)).toBe('pod');
    await settle();
    expect([known(token), state.reviews]).toEqual([null, 3]);
  });
});
