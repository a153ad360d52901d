import { describe, expect, it } from 'vitest';
import { createMetrics } from '../../../src/http/metrics.ts';

/** The exposition without comments, by series. */
async function samplesOf(metrics: ReturnType<typeof createMetrics>): Promise<ReadonlyMap<string, number>> {
  const lines = (await metrics.render()).split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(
    lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ') + 1))]),
  );
}

function recordEverything(metrics: ReturnType<typeof createMetrics>): void {
  metrics.electionWon();
  metrics.handover('LeaderNotReady');
  metrics.handover('LeaderNotReady');
  metrics.demotedByDeadline();
  metrics.failoverSeconds(0.009);
  metrics.groups({ led: 3, stalled: 1 });
  metrics.sessions(4);
  metrics.renewal('renewed');
  metrics.renewal('failed');
  metrics.deadlineMilliseconds(12_500);
  metrics.bucketsOwned(['00', '1f']);
  metrics.bucketsMoved('taken', 2);
  metrics.replicas({ live: 3, reaching: 2 });
  metrics.consulRequest({ operation: 'txn', outcome: 'rejected', milliseconds: 3 });
  metrics.consulRequest({ operation: 'watchPrefix', outcome: 'ok', milliseconds: 20_000 });
  metrics.kubernetesRequest({ operation: 'patchPod', outcome: 'done', milliseconds: 4 });
  metrics.relisted('pods');
  metrics.queueDepth(2);
  metrics.reconciled('done', 8);
}

describe('metrics', () => {
  it('expose what was recorded', async () => {
    const metrics = createMetrics();
    recordEverything(metrics);
    expect(Object.fromEntries(await samplesOf(metrics))).toMatchObject({
      leadergroup_elections_won_total: 1,
      'leadergroup_handovers_total{reason="LeaderNotReady"}': 2,
      leadergroup_deadline_demotions_total: 1,
      leadergroup_failover_seconds_count: 1,
      'leadergroup_failover_seconds_bucket{le="0.005"}': 0,
      'leadergroup_failover_seconds_bucket{le="0.01"}': 1,
      'leadergroup_groups{state="led"}': 3,
      'leadergroup_groups{state="stalled"}': 1,
      'leadergroup_groups{state="notLed"}': 0,
      leadergroup_sessions: 4,
      'leadergroup_session_renewals_total{outcome="renewed"}': 1,
      'leadergroup_session_renewals_total{outcome="failed"}': 1,
      leadergroup_deadline_seconds: 12.5,
      leadergroup_buckets_owned: 2,
      'leadergroup_bucket_owned{bucket="1f"}': 1,
      'leadergroup_bucket_moves_total{direction="taken"}': 2,
      'leadergroup_replicas{state="live"}': 3,
      'leadergroup_replicas{state="reaching"}': 2,
      'leadergroup_consul_requests_total{operation="txn",outcome="rejected"}': 1,
      'leadergroup_consul_requests_total{operation="watchPrefix",outcome="ok"}': 1,
      'leadergroup_consul_request_seconds_count{operation="txn"}': 1,
      'leadergroup_kubernetes_requests_total{operation="patchPod",outcome="done"}': 1,
      'leadergroup_relists_total{kind="pods"}': 1,
      leadergroup_queue_depth: 2,
      'leadergroup_reconciles_total{outcome="done"}': 1,
      leadergroup_reconcile_seconds_sum: 0.008,
    });
  });

  it('measure no duration of blocking reads, which last as long as nothing happens', async () => {
    const metrics = createMetrics();
    recordEverything(metrics);
    const samples = await samplesOf(metrics);
    expect(
      [...samples.keys()].filter((series) => series.includes('consul_request_seconds') && series.includes('watch')),
    ).toEqual([]);
  });

  it('count a group that left a state no longer there', async () => {
    const metrics = createMetrics();
    metrics.groups({ led: 3, paused: 1 });
    metrics.groups({ notLed: 2 });
    expect(Object.fromEntries(await samplesOf(metrics))).toMatchObject({
      'leadergroup_groups{state="led"}': 0,
      'leadergroup_groups{state="paused"}': 0,
      'leadergroup_groups{state="notLed"}': 2,
    });
  });

  it('claim no deadline while there is no session', async () => {
    const metrics = createMetrics();
    expect((await samplesOf(metrics)).get('leadergroup_deadline_seconds')).toBeNaN();
    metrics.deadlineMilliseconds(-500);
    expect((await samplesOf(metrics)).get('leadergroup_deadline_seconds')).toBe(-0.5);
    metrics.deadlineMilliseconds(null);
    expect((await samplesOf(metrics)).get('leadergroup_deadline_seconds')).toBeNaN();
  });

  it('begin with leadergroup_, but for process_ and nodejs_ as every Node.js program has them, and say what they are', async () => {
    const metrics = createMetrics();
    recordEverything(metrics);
    const text = await metrics.render();
    const names = [...text.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name);
    expect(names.filter((name) => !/^(leadergroup|process|nodejs)_/.test(name ?? ''))).toEqual([]);
    expect(names.filter((name) => /^leadergroup_(process|nodejs)_/.test(name ?? ''))).toEqual([]);
    expect([...text.matchAll(/^# HELP (\S+) \S/gm)].map(([, name]) => name)).toEqual(names);
    expect(names).toContain('nodejs_eventloop_lag_p99_seconds');
    expect(names).toContain('process_resident_memory_bytes');
  });

  it('of two operators in one process are apart', async () => {
    const [one, other] = [createMetrics(), createMetrics()];
    one.electionWon();
    expect((await samplesOf(other)).get('leadergroup_elections_won_total')).toBe(0);
  });
});
