/** Which tokens say who asks, for how long, and what happens while the API server is away. */
import { generateKeyPair, SignJWT, UnsecuredJWT } from 'jose';
import { describe, expect, it } from 'vitest';
import { createTokenVerifier } from '../../../../src/http/gate/tokens.ts';
import { createFakeClock } from '../../../kit/fakes/clock.ts';
import { createFakeLog } from '../../../kit/fakes/log.ts';
import { aTokenCluster, ISSUER } from '../../../kit/fakes/tokens.ts';

const never = new AbortController().signal;
const OF_A = { kind: 'pod', pod: { namespace: 'default', name: 'a', uid: 'uid-of-a' } };
const REVIEWED = { user: 'system:serviceaccount:default:notifier', audiences: ['leadergroup'], podUid: 'uid-of-a' };

async function aVerifier() {
  const clock = createFakeClock();
  const cluster = await aTokenCluster(clock.wallMs);
  const verify = createTokenVerifier({ issuer: cluster.issuer, clock, log: createFakeLog() });
  return { clock, ...cluster, verify: async (token: string) => await verify(token, never) };
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
    const { clock, issue, verify } = await aVerifier();
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

  it('that are withdrawn take with them what they have signed', async () => {
    const { clock, issue, verify, rotate } = await aVerifier();
    const token = await issue();
    expect((await verify(token)).kind).toBe('pod');
    (await rotate()).serve();
    await clock.advance(600_000);
    await verify(await issue());
    await clock.advance(0);
    expect((await verify(token)).kind).not.toBe('pod');
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
