import { describe, expect, it } from 'vitest';
import type { TransitionStatus } from '../../../src/api/leadergroup.ts';
import { deferrals, historyOf } from '../../../src/election/deferral.ts';
import { aGroup } from '../../kit/fakes/builders.ts';

const NOW = { nowMs: 5000, wallSeconds: 1_700_000_000 };

/** A change of leader so many seconds ago. */
const changed = (secondsAgo: number, overrides: Partial<TransitionStatus> = {}): TransitionStatus => ({
  time: new Date((NOW.wallSeconds - secondsAgo) * 1000).toISOString(),
  from: 'a',
  fromUID: 'uid-a',
  to: 'b',
  reason: 'LeaderNotReady',
  chosenBy: '',
  token: 4,
  durationMilliseconds: 1,
  ...overrides,
});

/** Newest first. */
const found = (...history: readonly TransitionStatus[]) => Object.fromEntries(deferrals(history, NOW));

describe('a pod that has lost the lead', () => {
  it.each(['LeaderNotReady', 'LeaderUnresponsive', 'LeaderNodeLost'])('by %s is deferred for 30 s', (reason) => {
    expect(found(changed(10, { reason }))).toEqual({ 'uid-a': { failures: 1, untilMs: 25_000 } });
    expect(found(changed(29.5, { reason }))).toMatchObject({ 'uid-a': { failures: 1 } });
    expect(found(changed(30, { reason }))).toEqual({});
  });

  it.each([
    'LeaderTerminating',
    'LeaderGone',
    'LeaderExcluded',
    'LeaderResigned',
    'LeaderNoLongerMember',
    'PromotionRefused',
    'SessionChanged',
    'ConsulUnreachable',
    '',
  ])('by %s is not: it has not failed', (reason) => {
    expect(found(changed(1, { reason }))).toEqual({});
  });

  it('is deferred for twice as long with each failure in a row, ten minutes at most', () => {
    const times = [1, 2, 3, 4, 5, 6, 7, 10].map((count) => {
      const history = Array.from({ length: count }, () => changed(0));
      return found(...history)['uid-a']?.untilMs;
    });
    expect(times).toEqual([30, 60, 120, 240, 480, 600, 600, 600].map((seconds) => NOW.nowMs + seconds * 1000));
  });

  it('begins anew where the last deferral was over for ten minutes', () => {
    // The first one was over 30 s after the failure.
    expect(found(changed(0), changed(629))).toMatchObject({ 'uid-a': { failures: 2 } });
    expect(found(changed(0), changed(630))).toMatchObject({ 'uid-a': { failures: 1 } });
  });

  it('counts by its uid: another pod of its name has not failed', () => {
    expect(found(changed(1, { fromUID: 'uid-a-of-before' }))).not.toHaveProperty('uid-a');
  });

  it('is not held up by others that have', () => {
    const other = changed(1, { fromUID: 'uid-b' });
    expect(found(changed(2), other, changed(3))).toMatchObject({
      'uid-a': { failures: 2 },
      'uid-b': { failures: 1 },
    });
  });

  it('is unknown in what an older operator wrote, and where nobody led', () => {
    expect(found(changed(1, { fromUID: '' }))).toEqual({});
  });
});

describe('a time', () => {
  it('in the future, by the clock of another replica, counts as now: ten minutes remain at most', () => {
    const failures = Array.from({ length: 10 }, () => changed(-86_400));
    expect(found(...failures)['uid-a']?.untilMs).toBe(NOW.nowMs + 600_000);
  });

  it('that is none is left out', () => {
    expect(found(changed(1, { time: 'soon' }))).toEqual({});
  });
});

describe('the history', () => {
  it('has what the status does not show yet before what it shows, the newest first', () => {
    const [first, second, third, fourth] = [4, 3, 2, 1].map((secondsAgo) => changed(secondsAgo));
    if (!first || !second || !third || !fourth) throw new Error('four');
    const group = aGroup();
    const status = { recentTransitions: [second, first] } as unknown as NonNullable<typeof group.status>;
    expect(historyOf({ status }, [third, fourth])).toEqual([fourth, third, second, first]);
    expect(historyOf({ status: null }, [])).toEqual([]);
  });

  it('has each once, also where the status shows what is thought to be unreported', () => {
    const [first, second] = [changed(20, { token: 3 }), changed(10)];
    const status = { recentTransitions: [{ ...second, fromUID: '' }, first] } as never;
    expect(historyOf({ status }, [second])).toHaveLength(2);
    expect(historyOf({ status }, [second, changed(10, { token: 5 })])).toHaveLength(3);
  });
});
