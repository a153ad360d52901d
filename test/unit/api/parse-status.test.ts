import { describe, expect, it } from 'vitest';
import type { LeaderGroupStatus } from '../../../src/api/leadergroup.ts';
import { parseStatus } from '../../../src/api/parse-status.ts';

const time = '2026-01-01T00:00:00Z';
const leader = { slot: 0, pod: 'a', uid: 'u', node: 'n', token: 7, sessionID: 's', acquireTime: time };
const condition = {
  type: 'Ready',
  status: 'True',
  reason: 'Led',
  message: 'a leads.',
  lastTransitionTime: time,
  observedGeneration: 1,
} as const;
const transition = {
  time,
  from: '',
  to: 'a',
  reason: 'Elected',
  token: 7,
  fromUID: '',
  chosenBy: '',
  durationMilliseconds: 12,
};

const full: LeaderGroupStatus = {
  leader: 'a',
  leaders: [leader],
  members: 3,
  candidates: 2,
  ineligible: [{ reason: 'NotReady', count: 1, examples: ['b'] }],
  leaderTransitions: 4,
  recentTransitions: [transition],
  lockKey: 'k/.lock',
  lockedBy: '',
  onConsulLoss: 'Demote',
  observedGeneration: 1,
  conditions: [condition],
};

describe('parseStatus', () => {
  it('keeps a whole status as it is', () => {
    expect(parseStatus(JSON.parse(JSON.stringify(full)))).toEqual(full);
  });

  it.each([undefined, null, {}, [], 'x', 5])('takes %j for no status', (raw) => {
    expect(parseStatus(raw)).toBeNull();
  });

  it('fills what is absent or of the wrong type with nothing', () => {
    const empty: LeaderGroupStatus = {
      leader: '',
      leaders: [],
      members: 0,
      candidates: 0,
      ineligible: [],
      leaderTransitions: 0,
      recentTransitions: [],
      lockKey: '',
      lockedBy: '',
      onConsulLoss: 'Hold',
      observedGeneration: 0,
      conditions: [],
    };
    expect(parseStatus({ unknown: 1 })).toEqual(empty);
    const wrong = Object.fromEntries(Object.keys(empty).map((key) => [key, { not: 'this' }]));
    expect(parseStatus(wrong)).toEqual(empty);
  });

  it('keeps the token of a leader whose other fields are damaged', () => {
    const damaged = { ...leader, node: 5, sessionID: null, acquireTime: 'yesterday' };
    expect(parseStatus({ leaders: [damaged] })?.leaders).toEqual([
      { ...leader, node: '', sessionID: '', acquireTime: '1970-01-01T00:00:00Z' },
    ]);
  });

  it.each([-1, 1.5, 2 ** 53, '7', Number.NaN])('takes no token from %j', (token) => {
    expect(parseStatus({ leaders: [{ ...leader, token }] })?.leaders[0]?.token).toBe(0);
  });

  it('leaves out entries that say nothing, and keeps their neighbours', () => {
    const parsed = parseStatus({
      leaders: [null, { ...leader, pod: '' }, { ...leader, uid: 5 }, leader, { ...leader, pod: 'same slot' }],
      ineligible: [{ count: 1 }, { reason: 'Excluded', count: 1, examples: ['a', 5, 'b', 'c', 'd'] }],
      recentTransitions: [{ ...transition, time: '2026' }, transition],
      conditions: [
        { ...condition, type: 'Unheard' },
        { ...condition, status: 'Maybe' },
        { ...condition, reason: '' },
        { ...condition, lastTransitionTime: 'x' },
        condition,
        { ...condition, reason: 'Twice' },
      ],
    });
    expect(parsed?.leaders).toEqual([leader]);
    expect(parsed?.ineligible).toEqual([{ reason: 'Excluded', count: 1, examples: ['a', 'b', 'c'] }]);
    expect(parsed?.recentTransitions).toEqual([transition]);
    expect(parsed?.conditions).toEqual([condition]);
  });

  it('keeps no more than ten transitions, as many as the schema takes', () => {
    expect(
      parseStatus({ recentTransitions: Array.from({ length: 12 }, () => transition) })?.recentTransitions,
    ).toHaveLength(10);
  });
});
