/** What one replica says to another of who asks, and what it takes to be believed. */
import { describe, expect, it } from 'vitest';
import type { Pod } from '../../../../src/api/pod.ts';
import { CHALLENGE, FORWARDED, OUTDATED, STATEMENT } from '../../../../src/http/gate/forward.ts';
import {
  type About,
  type Challenges,
  createChallenges,
  createSigner,
  createStatementReader,
  type Statement,
} from '../../../../src/http/gate/statement.ts';
import { aPod } from '../../../kit/fakes/builders.ts';
import { createFakeClock } from '../../../kit/fakes/clock.ts';
import { aGate, MEMBER, no, said } from '../../../kit/fakes/gate.ts';
import { podUid } from '../../../kit/fakes/ids.ts';

const NOW: Pick<Challenges, 'isOfNow'> = { isOfNow: (challenge) => challenge === 'now' };
const ABOUT: About = { from: 'c', to: 'this-replica', method: 'GET', path: MEMBER, body: null };
const OWN: Statement = {
  caller: { uid: podUid('uid-of-a'), by: 'Address' },
  address: '10.0.0.1',
  ageMs: 250,
  termSecret: 'hash',
};
const signer = createSigner();
const read = createStatementReader();

describe('a statement', () => {
  it.each([OWN, { caller: null, address: '2001:db8::1', ageMs: 0, termSecret: null }] satisfies readonly Statement[])(
    'is read as it was said: %j',
    async (statement) => {
      expect(await read(await signer.sign(ABOUT, statement, 'now'), ABOUT, signer.publicKey, NOW)).toEqual(statement);
    },
  );

  it.each([
    { from: 'd' },
    { to: 'another-replica' },
    { method: 'POST' },
    { path: `${MEMBER}?uid=uid-of-b` },
    { body: '{}' },
  ])('counts for what it was signed for alone: not with %j', async (other) => {
    expect(await read(await signer.sign(ABOUT, OWN, 'now'), { ...ABOUT, ...other }, signer.publicKey, NOW)).toBeNull();
  });

  it('counts only if the key of the replica has signed it', async () => {
    expect(await read(await createSigner().sign(ABOUT, OWN, 'now'), ABOUT, signer.publicKey, NOW)).toBeNull();
    const [, signature] = (await signer.sign(ABOUT, OWN, 'now')).split('.');
    const other = Buffer.from(JSON.stringify(['now', 0, 'uid-of-b', 'Address', '10.0.0.1', ''])).toString('base64url');
    expect(await read(`${other}.${signature}`, ABOUT, signer.publicKey, NOW)).toBeNull();
  });

  it.each(['', '.', 'a.b', 'é', `${'a'.repeat(2000)}.${'b'.repeat(86)}`])(
    'that is none is none: %j',
    async (header) => {
      expect(await read(header, ABOUT, signer.publicKey, NOW)).toBeNull();
    },
  );

  it.each(['', 'earlier', 'x'.repeat(65), 'no"w'])(
    'signed with another challenge is outdated: %j',
    async (challenge) => {
      expect(await read(await signer.sign(ABOUT, OWN, challenge), ABOUT, signer.publicKey, NOW)).toBe('outdated');
    },
  );
});

describe('a challenge', () => {
  it('is of now for five seconds at least and ten at most, by the clock of the replica that drew it', async () => {
    const clock = createFakeClock();
    const challenges = createChallenges(clock);
    const first = challenges.current();
    await clock.advance(5000);
    expect([challenges.isOfNow(first), challenges.current() === first]).toEqual([true, false]);
    await clock.advance(4999);
    expect(challenges.isOfNow(first)).toBe(true);
    await clock.advance(1);
    expect(challenges.isOfNow(first)).toBe(false);
  });

  it('is not of now after a silence, though none was drawn since', async () => {
    const clock = createFakeClock();
    const challenges = createChallenges(clock);
    const first = challenges.current();
    await clock.advance(10_000);
    expect(challenges.isOfNow(first)).toBe(false);
  });

  it('is not of now for longer because the next one was drawn late', async () => {
    const clock = createFakeClock();
    const challenges = createChallenges(clock);
    const first = challenges.current();
    await clock.advance(9900);
    challenges.current();
    await clock.advance(100);
    expect(challenges.isOfNow(first)).toBe(false);
  });

  it('cannot be told before it is drawn, nor is none a challenge', () => {
    const clock = createFakeClock();
    expect(createChallenges(clock).current()).not.toBe(createChallenges(clock).current());
    expect(createChallenges(clock).isOfNow('')).toBe(false);
  });
});

describe('a question that was passed on', () => {
  async function passedOn(statement: Statement, about: Partial<About> = {}) {
    const gate = aGate();
    gate.becomes({ answer: no(7) });
    gate.signatures.set('c', { kind: 'key', publicKey: signer.publicKey });
    const told = await gate.ask(MEMBER, { headers: { [FORWARDED]: 'c' } });
    const header = await signer.sign({ ...ABOUT, ...about }, statement, told.headers?.[CHALLENGE] ?? '');
    return { gate, told, headers: { [FORWARDED]: 'c', [STATEMENT]: header } };
  }

  it('with no statement of now does nothing, and its replica is told so, and what to sign with', async () => {
    const { gate, told, headers } = await passedOn(OWN);
    expect(told.status).toBe(503);
    await gate.clock.advance(10_000);
    expect(await gate.ask(MEMBER, { headers })).toMatchObject({ status: 503, headers: { [STATEMENT]: OUTDATED } });
    expect(gate.heard).toEqual([]);
    expect((await gate.ask(MEMBER)).headers?.[CHALLENGE]).toBeUndefined();
  });

  describe('from an address', () => {
    const a = aPod({ name: 'a', addresses: ['10.0.0.1'] });
    const young = aPod({ name: 'a', addresses: [] });
    const b = aPod({ name: 'b', addresses: ['10.0.0.1'] });
    const OF_B = { uid: podUid('uid-of-b'), by: 'Address' } as const;
    const OF_NOBODY = null;

    it.each<[string, Statement['caller'], readonly Pod[], Pod, boolean]>([
      ['that both see as its own', OWN.caller, [a], a, true],
      ['that only the owner sees as its own: the other is behind', OF_NOBODY, [a], a, true],
      ['that only the other sees as its own, while it has none here yet', OWN.caller, [], young, true],
      ['that only the other sees as its own, while it has another here', OWN.caller, [], a, false],
      ['that was used again since the other has looked', OWN.caller, [b], young, false],
      ['that was used again since the other has looked, while both have it', OWN.caller, [a, b], a, false],
      ['that two have here, and none the other', OF_NOBODY, [a, b], a, false],
      ['that two others have here', OWN.caller, [b, aPod({ name: 'c', addresses: ['10.0.0.1'] })], young, false],
      ['that was used again since the owner has looked', OF_B, [a], a, false],
      ['that nobody has', OF_NOBODY, [], young, false],
    ])('%s', async (_, caller, at, member, counts) => {
      const { gate, headers } = await passedOn({ ...OWN, caller });
      gate.becomes({ at: new Map([['10.0.0.1', at]]), member });
      expect((await gate.ask(MEMBER, { client: '10.0.0.9', headers })).status).toBe(409);
      expect(gate.heard.map(({ uid }) => uid)).toEqual(counts ? ['uid-of-a'] : []);
    });

    it('is not looked at where its token is known', async () => {
      const { gate, headers } = await passedOn({ ...OWN, caller: { uid: podUid('uid-of-a'), by: 'Token' } });
      gate.becomes({ at: new Map([['10.0.0.1', [b]]]) });
      await gate.ask(MEMBER, { client: '10.0.0.9', headers });
      expect(gate.heard.map(({ uid }) => uid)).toEqual(['uid-of-a']);
    });
  });

  it('is heard from the pod that asked, at the time when it reached the first replica', async () => {
    const { gate, headers } = await passedOn(OWN);
    const nowMs = gate.clock.nowMs();
    expect((await gate.ask(MEMBER, { client: '10.0.0.9', headers })).status).toBe(409);
    expect(gate.heard).toEqual([{ uid: 'uid-of-a', arrivedMs: nowMs - 250 }]);
  });

  it('is of nobody where nobody was known to ask, whatever address it comes from', async () => {
    const { gate, headers } = await passedOn({ ...OWN, caller: null, address: '10.0.0.7' });
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
    expect(first).toMatchObject({
      caller: OWN.caller,
      address: '10.0.0.1',
      ageMs: 0,
      termSecret: expect.stringMatching(/^[\w-]{43}$/),
    });
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
