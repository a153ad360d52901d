import { describe, expect, it } from 'vitest';
import type { Parts } from '../../../../src/operator/assemble.ts';
import { createGauges } from '../../../../src/operator/report/gauges.ts';
import type { GroupState, Metrics, UnledGroup } from '../../../../src/ports/metrics.ts';
import { createFakeClock } from '../../../kit/fakes/clock.ts';
import { noMetrics } from '../../../kit/model/sinks.ts';

const quietParts = {
  store: { group: () => null, groupKeys: () => [] },
  sessionManager: { count: () => 4, nearestDeadlineMs: () => null },
  ownership: { owned: () => [], overview: () => ({ replicas: [] }) },
  queue: { depth: () => 2 },
  prober: { counts: () => ({ passing: 3 }) },
};

type World = { states?: readonly GroupState[]; deadlineMs?: number | null; reach?: readonly boolean[] };

/** What one look at a replica measures, by the method of the port. */
function measured({ states = [], deadlineMs = null, reach = [true] }: World) {
  const said: Record<string, unknown> = {};
  const note =
    (name: keyof Metrics) =>
    (value: unknown): void => {
      said[name] = value;
    };
  const metrics: Metrics = {
    ...noMetrics,
    groups: note('groups'),
    leaderProbes: note('leaderProbes'),
    sessions: note('sessions'),
    bucketsOwned: note('bucketsOwned'),
    replicas: note('replicas'),
    queueDepth: note('queueDepth'),
    deadlineMilliseconds: note('deadlineMilliseconds'),
  };
  const parts = {
    ...quietParts,
    reconciler: { states: () => new Map(states.map((state, at) => [`default/${at}`, state])) },
    sessionManager: { count: () => 4, nearestDeadlineMs: () => deadlineMs },
    ownership: {
      owned: () => [0, 31],
      overview: () => ({ replicas: reach.map((reachesApiServer) => ({ reachesApiServer })) }),
    },
  };
  createGauges({ metrics, clock: createFakeClock(50_000) }, parts as unknown as Parts).record();
  return said;
}

/** One replica, looked at each 5 s. */
function looking() {
  const said: Record<string, unknown> = {};
  const metrics: Metrics = {
    ...noMetrics,
    groupSeconds: (seconds) => void (said['groupSeconds'] = seconds),
    unled: (groups) => void (said['unled'] = groups),
  };
  let states: Readonly<Record<string, GroupState>> = {};
  const parts = { ...quietParts, reconciler: { states: () => new Map(Object.entries(states)) } };
  const clock = createFakeClock(50_000);
  const gauges = createGauges({ metrics, clock }, parts as unknown as Parts);
  const look = (now: Readonly<Record<string, GroupState>>, afterMs = 5000): void => {
    states = now;
    clock.stall(afterMs);
    gauges.record();
  };
  return { look, said };
}

describe('the gauges of a replica', () => {
  it('count its groups by state, its sessions, buckets and queue', () => {
    expect(measured({ states: ['led', 'led', 'stalled'] })).toMatchObject({
      groups: { led: 2, stalled: 1 },
      leaderProbes: { passing: 3 },
      sessions: 4,
      bucketsOwned: ['00', '1f'],
      queueDepth: 2,
    });
  });

  it('count the replicas that are there, and those that reach the API server', () => {
    expect(measured({ reach: [true, false, true] })['replicas']).toEqual({ live: 3, reaching: 2 });
  });

  it('say how long the nearest deadline is away, negative once it has passed, and nothing without sessions', () => {
    expect(measured({ deadlineMs: 62_500 })['deadlineMilliseconds']).toBe(12_500);
    expect(measured({ deadlineMs: 49_000 })['deadlineMilliseconds']).toBe(-1000);
    expect(measured({})['deadlineMilliseconds']).toBeNull();
  });

  it('name the groups that nobody leads and for how long, until somebody leads them', () => {
    const { look, said } = looking();
    look({ 'mail/a': 'led', 'mail/b': 'notLed', 'mail/c': 'scaledToZero' });
    expect(said['unled']).toEqual([{ group: 'mail/b', state: 'notLed', seconds: 0 }]);
    look({ 'mail/a': 'stalled', 'mail/b': 'notLed', 'mail/c': 'scaledToZero' });
    expect(said['unled']).toEqual([
      { group: 'mail/b', state: 'notLed', seconds: 5 },
      { group: 'mail/a', state: 'stalled', seconds: 0 },
    ]);
    look({ 'mail/a': 'led', 'mail/b': 'led' });
    expect(said['unled']).toEqual([]);
    look({ 'mail/b': 'notLed' });
    expect(said['unled']).toEqual([{ group: 'mail/b', state: 'notLed', seconds: 0 }]);
  });

  it('name the hundred groups that have been without for longest, however many there are', () => {
    const { look, said } = looking();
    const groups = (from: number, to: number) =>
      Object.fromEntries(Array.from({ length: to - from }, (_, n) => [`mail/${from + n}`, 'notLed'] as const));
    look(groups(0, 90));
    look(groups(0, 5000));
    const named = said['unled'] as readonly UnledGroup[];
    expect(named).toHaveLength(100);
    expect(named.filter(({ seconds }) => seconds === 5)).toHaveLength(90);
  });

  it('add up the time that groups are in a state, but not the time for which the process stood still', () => {
    const { look, said } = looking();
    look({ 'mail/a': 'led', 'mail/b': 'led', 'mail/c': 'notLed' });
    look({ 'mail/a': 'led', 'mail/b': 'led', 'mail/c': 'notLed' });
    expect(said['groupSeconds']).toEqual({ led: 10, notLed: 5 });
    look({ 'mail/a': 'led' }, 3_600_000);
    expect(said['groupSeconds']).toEqual({ led: 15 });
  });
});

describe('planned work', () => {
  const until = (untilMs: number) => ({ group: { silence: { kind: 'silence', untilMs, by: 'alice', reason: '' } } });

  function silenced(groups: Readonly<Record<string, object>>, states = Object.keys(groups)) {
    let told: unknown = null;
    const metrics: Metrics = { ...noMetrics, silenced: (those) => void (told = those) };
    const clock = createFakeClock(50_000);
    const nowMs = clock.wallMs();
    const store = { ...quietParts.store, group: (key: string) => groups[key] ?? null };
    const reconciler = { states: () => new Map(states.map((key) => [key, 'led'])) };
    const parts = { ...quietParts, store, reconciler } as unknown as Parts;
    return { nowMs, told: () => (createGauges({ metrics, clock }, parts).record(), told) };
  }

  it('is told of own groups for as long as it lasts, in seconds', () => {
    const now = silenced({}).nowMs;
    const groups = {
      'mail/a': until(now + 60_000),
      'mail/b': until(now),
      'mail/c': { group: { silence: null } },
      'mail/d': until(now + 9_000),
    };
    expect(silenced(groups, ['mail/a', 'mail/b', 'mail/c', 'mail/gone']).told()).toEqual([
      { group: 'mail/a', seconds: 60 },
    ]);
  });

  it('is told of the hundred groups for which it lasts longest', () => {
    const now = silenced({}).nowMs;
    const groups = Object.fromEntries(
      Array.from({ length: 101 }, (_, at) => [`mail/${at}`, until(now + 1_000 * (at + 1))]),
    );
    const told = silenced(groups).told() as readonly { group: string }[];
    expect([told.length, told.some(({ group }) => group === 'mail/0')]).toEqual([100, false]);
  });
});

describe('a throwaway group of kubectl leadergroup verify', () => {
  it('is counted by no metric of groups, so that no alert can be about it', () => {
    const told: unknown[] = [];
    const metrics: Metrics = {
      ...noMetrics,
      groups: (counts) => void told.push(counts),
      unled: (groups) => void told.push(groups.map(({ group }) => group)),
      silenced: (groups) => void told.push(groups),
    };
    const clock = createFakeClock(50_000);
    const silence = { kind: 'silence', untilMs: clock.wallMs() + 60_000, by: 'verify', reason: '' };
    const groups: Readonly<Record<string, object>> = {
      'mail/a': { group: { silence: null, isVerification: false } },
      'mail/verify-1': { group: { silence, isVerification: true } },
    };
    const store = { ...quietParts.store, group: (key: string) => groups[key] ?? null };
    const reconciler = { states: () => new Map(Object.keys(groups).map((key) => [key, 'notLed'])) };
    createGauges({ metrics, clock }, { ...quietParts, store, reconciler } as unknown as Parts).record();
    expect(told).toEqual([{ notLed: 1 }, [], ['mail/a']]);
  });
});
