/** A client ends its term, whichever replica it tells. */
import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { type Asking, aGate, GROUP, leader, MEMBER, said } from '../../../kit/fakes/gate.ts';

const SECRET = 'A'.repeat(22);
const HASH = createHash('sha256').update(SECRET).digest('base64url');
const URL = `${MEMBER}/release?uid=uid-of-a`;
const TERM: Asking = { method: 'POST', headers: { 'leadergroup-client': SECRET } };

describe('a release', () => {
  it.each([
    ['', false],
    ['&resign=false', false],
    ['&resign=true', true],
  ])('of the pod itself is told to the owner, by the hash of its secret: %s', async (more, resign) => {
    const gate = aGate();
    expect(said(await gate.ask(URL + more, TERM))).toEqual([200, { released: true, resigned: false }]);
    expect(gate.released).toEqual([{ uid: 'uid-of-a', secret: HASH, resign }]);
  });

  it.each<[string, string, Asking, number, string]>([
    ['from elsewhere', URL, { ...TERM, client: '10.0.0.7' }, 403, 'CallerNotMember'],
    ['without a secret', URL, { method: 'POST' }, 400, 'BadQuery'],
    ['with a short secret', URL, { method: 'POST', headers: { 'leadergroup-client': 'short' } }, 400, 'BadQuery'],
    ['without a uid', `${MEMBER}/release`, TERM, 400, 'BadQuery'],
    ['of another uid', `${MEMBER}/release?uid=uid-of-an-earlier-a`, TERM, 404, 'MemberUnknown'],
    ['of another pod', `${GROUP}/members/z/release?uid=u`, TERM, 404, 'MemberUnknown'],
    ['of another group', URL.replace('notifier', 'other'), TERM, 404, 'GroupUnknown'],
    ['of no pod', `${GROUP}/release`, TERM, 404, 'NothingHere'],
    ['of itself, by no name', '/v1/self/release', TERM, 404, 'NothingHere'],
    ['by another path', `${MEMBER}?uid=uid-of-a`, TERM, 404, 'NothingHere'],
    ['that waits', `${URL}&wait=1s`, TERM, 400, 'BadQuery'],
    ['with an unknown parameter', `${URL}&Resign=true`, TERM, 400, 'BadQuery'],
    ['that resigns perhaps', `${URL}&resign=yes`, TERM, 400, 'BadQuery'],
    ['that resigns twice', `${URL}&resign=true&resign=true`, TERM, 400, 'BadQuery'],
    ['by GET', URL, { headers: TERM.headers ?? {} }, 404, 'NothingHere'],
  ])('%s does nothing', async (_, url, asking, status, reason) => {
    const gate = aGate();
    expect(said(await gate.ask(url, asking))).toMatchObject([status, { reason }]);
    expect(gate.released).toEqual([]);
  });

  it('that cannot be remembered is refused', async () => {
    const gate = aGate();
    gate.becomes({ released: { kind: 'tooMany' } });
    expect(said(await gate.ask(URL, TERM))).toMatchObject([429, { reason: 'TooManyReleases' }]);
    gate.becomes({ released: { kind: 'unknown', reason: 'not mine' } });
    expect(said(await gate.ask(URL, TERM))).toMatchObject([503, { reason: 'NotKnown' }]);
  });

  it('is passed on to the owner once, with the hash of its secret, and answered 503 where that one does not know it', async () => {
    const gate = aGate();
    gate.becomes({ answerer: { kind: 'other', id: 'b', url: 'http://10.0.0.9:8080' } });
    expect(said(await gate.ask(`${URL}&resign=true`, TERM))).toMatchObject([503, { reason: 'NotKnown' }]);
    expect(gate.forwards).toMatchObject([
      {
        to: { id: 'b' },
        passed: {
          method: 'POST',
          path: `${URL}&resign=true`,
          body: null,
          statement: { caller: { uid: 'uid-of-a' }, termSecret: HASH },
        },
      },
    ]);
    expect(said(await gate.ask(URL, { ...TERM, forwarded: true }))).toMatchObject([503, { reason: 'NotKnown' }]);
    expect([gate.forwards.length, gate.released]).toEqual([1, []]);
  });
});

describe('a question', () => {
  it('is noted with the secret of its term, if it is the pod’s own', async () => {
    const gate = aGate();
    const headers = { 'leadergroup-client': SECRET };
    await gate.ask(MEMBER, { headers });
    await gate.ask(MEMBER);
    await gate.ask(MEMBER, { headers, client: '10.0.0.7' });
    expect(gate.secrets).toEqual([HASH, null, null]);
  });

  it('of a term that was ended is answered 409 at once', async () => {
    const gate = aGate();
    gate.becomes({ answer: { kind: 'released', leader: leader(4) } });
    expect(said(await gate.ask(`${MEMBER}?wait=30s&token=4`))).toMatchObject([
      409,
      { leader: false, reason: 'Released' },
    ]);
  });
});
