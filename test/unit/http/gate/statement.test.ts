/** What one replica says to another of who asks, and what it takes to be believed. */
import { describe, expect, it } from 'vitest';
import { wallMs } from '../../../../src/api/clocks.ts';
import { FORWARDED, STATEMENT } from '../../../../src/http/gate/forward.ts';
import {
  type About,
  createSigner,
  createStatementReader,
  type Statement,
} from '../../../../src/http/gate/statement.ts';
import { aGate, MEMBER, no, said } from '../../../kit/fakes/gate.ts';
import { podUid } from '../../../kit/fakes/ids.ts';

const NOW = wallMs(1_800_000_000_000);
const ABOUT: About = { from: 'c', to: 'this-replica', method: 'GET', path: MEMBER, body: null };
const OWN: Statement = { caller: { uid: podUid('uid-of-a'), by: 'Address' }, ageMs: 250, termSecret: 'hash' };
const signer = createSigner();
const read = createStatementReader();

describe('a statement', () => {
  it.each([OWN, { caller: null, ageMs: 0, termSecret: null }] satisfies readonly Statement[])(
    'is read as it was said: %j',
    async (statement) => {
      expect(await read(await signer.sign(ABOUT, statement, NOW), ABOUT, signer.publicKey, NOW)).toEqual(statement);
    },
  );

  it.each([
    { from: 'd' },
    { to: 'another-replica' },
    { method: 'POST' },
    { path: `${MEMBER}?uid=uid-of-b` },
    { body: '{}' },
  ])('counts for what it was signed for alone: not with %j', async (other) => {
    expect(await read(await signer.sign(ABOUT, OWN, NOW), { ...ABOUT, ...other }, signer.publicKey, NOW)).toBeNull();
  });

  it('counts only if the key of the replica has signed it', async () => {
    expect(await read(await createSigner().sign(ABOUT, OWN, NOW), ABOUT, signer.publicKey, NOW)).toBeNull();
    const [, signature] = (await signer.sign(ABOUT, OWN, NOW)).split('.');
    const other = Buffer.from(JSON.stringify([NOW, 0, 'uid-of-b', 'Address', ''])).toString('base64url');
    expect(await read(`${other}.${signature}`, ABOUT, signer.publicKey, NOW)).toBeNull();
  });

  it.each(['', '.', 'a.b', 'é', `${'a'.repeat(2000)}.${'b'.repeat(86)}`])(
    'that is none is none: %j',
    async (header) => {
      expect(await read(header, ABOUT, signer.publicKey, NOW)).toBeNull();
    },
  );

  it.each([-60_001, 60_001])('of another time is none: %i ms from now', async (offMs) => {
    expect(await read(await signer.sign(ABOUT, OWN, NOW), ABOUT, signer.publicKey, wallMs(NOW + offMs))).toBeNull();
  });
});

describe('a question that was passed on', () => {
  async function passedOn(statement: Statement, about: Partial<About> = {}) {
    const gate = aGate();
    gate.becomes({ answer: no(7) });
    gate.signatures.set('c', { kind: 'key', publicKey: signer.publicKey });
    const header = await signer.sign({ ...ABOUT, ...about }, statement, gate.clock.wallMs());
    return { gate, headers: { [FORWARDED]: 'c', [STATEMENT]: header } };
  }

  it('is heard from the pod that asked, at the time when it reached the first replica', async () => {
    const { gate, headers } = await passedOn(OWN);
    const nowMs = gate.clock.nowMs();
    expect((await gate.ask(MEMBER, { client: '10.0.0.9', headers })).status).toBe(409);
    expect(gate.heard).toEqual([{ uid: 'uid-of-a', arrivedMs: nowMs - 250 }]);
  });

  it('is of nobody where nobody was known to ask, whatever address it comes from', async () => {
    const { gate, headers } = await passedOn({ ...OWN, caller: null });
    expect((await gate.ask(MEMBER, { headers })).status).toBe(409);
    expect(gate.heard).toEqual([]);
  });

  it.each([
    ['is not signed', (headers: object) => ({ ...headers, [STATEMENT]: '' })],
    ['is from a replica that nobody knows', (headers: object) => ({ ...headers, [FORWARDED]: 'd' })],
  ])('and %s gets no answer, and does not count', async (_, change) => {
    const { gate, headers } = await passedOn(OWN);
    const { status, body } = await gate.ask(MEMBER, { headers: change(headers) });
    expect([status, body]).toEqual([503, expect.stringContaining('NotKnown')]);
    expect(gate.heard).toEqual([]);
  });

  it('and was signed for another question gets no answer', async () => {
    const { gate, headers } = await passedOn(OWN, { path: `${MEMBER}?uid=uid-of-a` });
    expect(said(await gate.ask(MEMBER, { headers }))).toMatchObject([503, { reason: 'NotKnown' }]);
  });

  it('is answered when it comes from an older version, which does not sign', async () => {
    const gate = aGate();
    expect((await gate.ask(MEMBER, { forwarded: true, client: '10.0.0.9' })).status).toBe(200);
    expect(gate.heard).toEqual([]);
  });

  it('says of itself who asks, since when, and the hash of the secret of its term', async () => {
    const gate = aGate({ forward: async () => null });
    gate.becomes({ answerer: { kind: 'other', id: 'b', url: 'http://10.0.0.9:8080' } });
    const secret = 'A'.repeat(22);
    const asked = gate.ask(MEMBER, { headers: { 'leadergroup-client': secret } });
    await gate.clock.advance(1100);
    await asked;
    const [first, ...others] = gate.forwards.map(({ passed }) => passed.statement);
    expect(first).toMatchObject({ caller: OWN.caller, ageMs: 0, termSecret: expect.stringMatching(/^[\w-]{43}$/) });
    expect(first?.termSecret).not.toContain(secret);
    expect(others.map(({ ageMs }) => ageMs > 0)).not.toContain(false);
  });

  it.each(['short', 'x'.repeat(65), `${'x'.repeat(21)}é`])(
    'is refused with a secret that is none: %s',
    async (secret) => {
      expect((await aGate().ask(MEMBER, { headers: { 'leadergroup-client': secret } })).status).toBe(400);
    },
  );
});
