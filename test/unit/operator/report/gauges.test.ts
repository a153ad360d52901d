import { describe, expect, it } from 'vitest';
import type { Parts } from '../../../../src/operator/assemble.ts';
import { recordGauges } from '../../../../src/operator/report/gauges.ts';
import type { GroupState, Metrics } from '../../../../src/ports/metrics.ts';
import { createFakeClock } from '../../../kit/fakes/clock.ts';
import { noMetrics } from '../../../kit/model/sinks.ts';

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
    reconciler: { states: () => new Map(states.map((state, at) => [`default/${at}`, state])) },
    sessionManager: { count: () => 4, nearestDeadlineMs: () => deadlineMs },
    ownership: {
      owned: () => [0, 31],
      overview: () => ({ replicas: reach.map((reachesApiServer) => ({ reachesApiServer })) }),
    },
    queue: { depth: () => 2 },
    prober: { counts: () => ({ passing: 3 }) },
  };
  recordGauges({ metrics, clock: createFakeClock(50_000) }, parts as unknown as Parts);
  return said;
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
});
