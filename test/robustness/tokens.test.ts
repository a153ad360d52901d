/** Tokens and statements that somebody made up: they are refused, nothing is thrown, and nobody is taken for a pod. */
import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { CHALLENGE, createForward, REPLICA, type Send, STATEMENT } from '../../src/http/gate/forward.ts';
import { createSigner, createStatementReader } from '../../src/http/gate/statement.ts';
import { createTokenVerifier } from '../../src/http/gate/tokens.ts';
import { createFakeClock } from '../kit/fakes/clock.ts';
import { podUid } from '../kit/fakes/ids.ts';
import { createFakeLog } from '../kit/fakes/log.ts';
import { aTokenCluster } from '../kit/fakes/tokens.ts';
import { trying } from '../kit/model/seed.ts';

const RUNS = trying(300);
const never = new AbortController().signal;

/** Some characters of it are others, left out, or twice there. */
const bent = (good: string): fc.Arbitrary<string> =>
  fc
    .tuple(fc.nat(good.length), fc.nat(8), fc.string({ maxLength: 8 }))
    .map(([at, count, put]) => good.slice(0, at) + put + good.slice(at + count))
    .filter((text) => text !== good);

const encoded = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

it('a token that the cluster has not issued is of no pod', async () => {
  const clock = createFakeClock();
  const { issuer, issue } = await aTokenCluster(clock.wallMs);
  const verify = createTokenVerifier({ issuer, clock, log: createFakeLog(), signal: never });
  const good = await issue();
  expect((await verify(good, '10.0.0.1', never)).kind).toBe('pod');
  const [header = '', payload = '', signature = ''] = good.split('.');
  const made = fc.oneof(
    fc.string(),
    bent(good),
    fc.json().map((json) => `${header}.${Buffer.from(json).toString('base64url')}.${signature}`),
    fc.json().map((json) => `${Buffer.from(json).toString('base64url')}.${payload}.${signature}`),
    fc.constantFrom('none', 'HS256', 'RS256').map((alg) => `${encoded({ alg, kid: 'first' })}.${payload}.${signature}`),
  );
  await fc.assert(
    fc.asyncProperty(made, async (token) => {
      const verdict = await verify(token, '10.0.0.1', never);
      // The last character of a signature has bits that count for nothing: it is the same signature then.
      if (verdict.kind === 'pod')
        expect(Buffer.from(token.split('.')[2] ?? '', 'base64url')).toEqual(Buffer.from(signature, 'base64url'));
    }),
    RUNS,
  );
});

it('a statement that the replica has not signed is none', async () => {
  const signer = createSigner();
  const about = { from: 'a', to: 'b', method: 'GET', path: '/v1/x', body: null };
  const caller = { uid: podUid('uid-of-a'), by: 'Address' } as const;
  const good = await signer.sign(about, { caller, address: '10.0.0.1', ageMs: 0, termSecret: null }, 'now');
  const [said = '', signature = ''] = good.split('.');
  const made = fc.oneof(
    fc.string(),
    bent(said).map((text) => `${text}.${signature}`),
    fc.json().map((json) => `${Buffer.from(json).toString('base64url')}.${signature}`),
    bent(signature)
      .map((text) => `${said}.${text}`)
      .filter(
        (text) => Buffer.from(text.split('.')[1] ?? '', 'base64url').compare(Buffer.from(signature, 'base64url')) !== 0,
      ),
  );
  const read = createStatementReader();
  await fc.assert(
    fc.asyncProperty(made, async (header) => {
      const statement = await read(header, about, signer.publicKey, { isOfNow: () => true });
      // Base64 has spare bits: the same bytes are the same statement.
      if (statement !== null && statement !== 'outdated')
        expect(Buffer.from(header.split('.')[0] ?? '', 'base64url')).toEqual(Buffer.from(said, 'base64url'));
    }),
    RUNS,
  );
});

it('whatever another replica answers, what is passed on is asked twice at most, and gives its answer or nothing', async () => {
  const clock = createFakeClock();
  const header = fc.oneof(fc.string(), fc.constantFrom('outdated', 'b', 'x'.repeat(65)), fc.constant(undefined));
  const answers = fc.record({
    status: fc.oneof(fc.constantFrom(200, 400, 404, 405, 409, 503), fc.integer()),
    headers: fc.record({ [REPLICA]: fc.oneof(fc.constant('b'), header), [CHALLENGE]: header, [STATEMENT]: header }),
    body: fc.oneof(fc.json(), fc.string()),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(answers, { minLength: 1, maxLength: 5 }), async (said) => {
      let sent = 0;
      const send: Send = async () => {
        const { status, headers, body } = said[sent % said.length] as (typeof said)[number];
        sent += 1;
        return { status, headers, body: () => Promise.resolve(body), drop: () => undefined };
      };
      const forward = createForward({ self: 'a', signer: createSigner(), clock, send });
      const statement = { caller: null, address: '10.0.0.1', ageMs: 0, termSecret: null };
      const passed = { method: 'GET', path: '/v1/x', body: null, statement } as const;
      const reply = await forward({ id: 'b', url: 'http://b' }, passed, 0, never);
      expect(sent).toBeLessThanOrEqual(2);
      const last = said[(sent - 1) % said.length];
      if (reply !== null) expect([last?.headers[REPLICA], reply.body]).toEqual(['b', last?.body]);
    }),
    RUNS,
  );
});
