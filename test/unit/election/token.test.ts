import { describe, expect, it } from 'vitest';
import { recordedToken } from '../../../src/election/observed-tokens.ts';
import { believable, parseToken, readable } from '../../../src/election/token.ts';
import { aGroup, aLeader, aPod } from '../../kit/fakes/builders.ts';
import { aLock, anObservation, heldBy, observed } from '../../kit/fakes/builders-election.ts';

const BELIEVED = 10 ** 15;

describe('a token', () => {
  it('is believed below a limit that no group counts up to, and read up to twice that', () => {
    expect([BELIEVED - 1, BELIEVED].map(believable)).toEqual([true, false]);
    expect([2 * BELIEVED - 1, 2 * BELIEVED].map(readable)).toEqual([true, false]);
  });

  it.each([null, undefined, '', ' 1', '1 ', '-1', '1.5', '1e3', '0x1', '12345678901234567', String(2 * BELIEVED)])(
    'is 0 where it is none: %j',
    (text) => {
      expect(parseToken(text)).toBe(0);
    },
  );

  it('is read as a decimal number', () => {
    expect(['0', '7', '007', String(2 * BELIEVED - 1)].map(parseToken)).toEqual([0, 7, 7, 2 * BELIEVED - 1]);
  });

  it('of the lock is the higher of the record’s and the shared one, which is not believed beyond the limit', () => {
    expect(recordedToken({ ...heldBy('a', 4), sharedToken: 6 })).toBe(6);
    expect(recordedToken({ ...heldBy('a', 4), sharedToken: 3 })).toBe(4);
    expect(recordedToken({ ...heldBy('a', 4), sharedToken: BELIEVED })).toBe(4);
    expect(recordedToken(aLock({ record: null, sharedToken: 0 }))).toBe(0);
  });
});

describe('the highest highestObserved token', () => {
  const transition = (token: number) => ({ token }) as never;
  const status = (leader: number, past: number) =>
    ({ leaders: [{ token: leader }], recentTransitions: [transition(past)] }) as never;

  it('is that of the pods, of the leaders in the status or of its history, whichever is higher', () => {
    const pods = [observed(aLeader(5, { name: 'a' })), observed(aPod({ name: 'b' }))];
    const seen = (leader: number, past: number) =>
      anObservation({ pods, group: aGroup({ status: status(leader, past) }) }).highestObserved;
    expect([seen(1, 1), seen(8, 1), seen(1, 9)]).toEqual([5, 8, 9]);
    expect(anObservation({ pods: [], group: aGroup({ status: null }) }).highestObserved).toBe(0);
  });

  it('is not one beyond belief', () => {
    const pods = [observed(aLeader(BELIEVED, { name: 'a' })), observed(aLeader(3, { name: 'b' }))];
    expect(anObservation({ pods, group: aGroup({ status: null }) }).highestObserved).toBe(3);
  });
});
