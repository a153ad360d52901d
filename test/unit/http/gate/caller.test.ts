/** Which questions count as a pod's own, and where that is known. */
import { describe, expect, it } from 'vitest';
import { type Caller, verifyCaller } from '../../../../src/http/gate/caller.ts';
import { jsonReply } from '../../../../src/http/gate/replies.ts';
import { aPod } from '../../../kit/fakes/builders.ts';
import { aGate, GROUP, MEMBER, no, said } from '../../../kit/fakes/gate.ts';
import { podUid } from '../../../kit/fakes/ids.ts';

describe('what only the pod itself may ask', () => {
  it('is refused to whoever else asks, with what hides a pod', () => {
    const pod = aPod({ name: 'a' });
    const own: Caller = { kind: 'pod', uid: pod.uid, by: 'Address' };
    expect(verifyCaller(own, pod)).toBeNull();
    for (const caller of [
      { kind: 'pod', uid: podUid('uid-of-b'), by: 'Token' },
      { kind: 'unverified', address: '10.0.0.7' },
    ] satisfies readonly Caller[]) {
      const refused = verifyCaller(caller, pod);
      expect(refused === null ? null : said(refused)).toMatchObject([
        403,
        { reason: 'CallerNotMember', message: expect.stringMatching(/pod a itself.*(uid-of-b|10\.0\.0\.7).*NAT/) },
      ]);
    }
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
