/** What is asked of the API server about tokens, and how its answers are read. */
import { describe, expect, it } from 'vitest';
import { createTokenIssuer } from '../../../../src/kubernetes/client/tokens.ts';
import { createFakeClock } from '../../../kit/fakes/clock.ts';
import { createClient, forever, plainAccess } from '../../../kit/fakes/kubernetes/client.ts';
import { aStatus, json, type Respond, startServer } from '../../../kit/fakes/kubernetes/server.ts';

async function setUp(respond: Respond) {
  const server = await startServer(respond);
  const client = createClient(plainAccess(server.url));
  return {
    server,
    issuer: createTokenIssuer(client.transport, createFakeClock(), 500),
    [Symbol.asyncDispose]: async () => {
      await client[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
    },
  };
}

const ISSUER = 'https://kubernetes.default.svc';
/** As the API server does, which gives keys only to those who accept them as such. */
const discovery: Respond = ({ url, headers }, response) => {
  if (url.pathname !== '/openid/v1/jwks') json(response, 200, { issuer: ISSUER });
  else if (headers.accept?.includes('application/jwk-set+json') !== true) json(response, 406, aStatus(406, 'x'));
  else json(response, 200, { keys: [{ kid: 'a' }] });
};

describe('the keys', () => {
  it('are read with the name of the issuer', async () => {
    await using world = await setUp(discovery);
    expect(await world.issuer.keys(forever)).toEqual({ issuer: ISSUER, jwks: { keys: [{ kid: 'a' }] } });
  });

  it.each([
    ['denied', 403],
    ['denied', 404],
    ['unreachable', 500],
    ['unreachable', 429],
  ])('that are not given are %s: %i', async (kind, code) => {
    await using world = await setUp((_, response) => json(response, code, aStatus(code, 'x')));
    await expect(world.issuer.keys(forever)).rejects.toMatchObject({ name: 'KubernetesError', kind });
  });

  it.each([{}, { issuer: 7, keys: [] }, { issuer: ISSUER, keys: {} }, []])(
    'are not read from an answer that is none: %j',
    async (body) => {
      await using world = await setUp((_, response) => json(response, 200, body));
      await expect(world.issuer.keys(forever)).rejects.toMatchObject({ kind: 'unreachable' });
    },
  );
});

describe('a review', () => {
  const said = (status: unknown) => setUp((_, response) => json(response, 201, { kind: 'TokenReview', status }));
  const user = (extra: unknown = { 'authentication.kubernetes.io/pod-uid': ['uid-of-a'] }) => ({
    username: 'system:serviceaccount:shop:web',
    extra,
  });

  it('asks about this token for this audience, and says whose it is', async () => {
    await using world = await said({ authenticated: true, audiences: ['leadergroup'], user: user() });
    expect(await world.issuer.review('the-token', 'leadergroup', forever)).toEqual({
      user: 'system:serviceaccount:shop:web',
      audiences: ['leadergroup'],
      podUid: 'uid-of-a',
    });
    const [request] = world.server.requests;
    expect(`${request?.method} ${request?.url.pathname}`).toBe('POST /apis/authentication.k8s.io/v1/tokenreviews');
    expect(JSON.parse(request?.text ?? '')).toMatchObject({
      kind: 'TokenReview',
      spec: { token: 'the-token', audiences: ['leadergroup'] },
    });
  });

  it.each([
    [{ authenticated: false }, null],
    [{}, null],
    [{ authenticated: 'true', user: user() }, null],
    [
      { authenticated: true, user: user({}) },
      { podUid: null, audiences: [] },
    ],
    [{ authenticated: true, user: user({ 'authentication.kubernetes.io/pod-uid': ['a', 'b'] }) }, { podUid: null }],
    [{ authenticated: true }, { user: '', podUid: null }],
  ])('that says less says nothing more: %j', async (status, expected) => {
    await using world = await said(status);
    const reviewed = await world.issuer.review('t', 'leadergroup', forever);
    if (expected === null) expect(reviewed).toBeNull();
    else expect(reviewed).toMatchObject(expected);
  });

  it('is not asked for more often than fifty times a second', async () => {
    await using world = await said({ authenticated: false });
    const all = await Promise.allSettled(
      Array.from({ length: 60 }, (_, at) => world.issuer.review(`t${at}`, 'leadergroup', forever)),
    );
    expect(all.filter(({ status }) => status === 'fulfilled')).toHaveLength(50);
  });
});
