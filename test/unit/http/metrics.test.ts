import { describe, expect, it } from 'vitest';
import { METRICS, type MetricName } from '../../../src/http/metric-registry.ts';
import { createMetrics, type PrometheusMetrics } from '../../../src/http/metrics.ts';
import type { GroupFigures } from '../../../src/ports/metrics.ts';

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
  metrics.leaderChosen(null);
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
  metrics.consulRequest({ operation: 'watchKey', outcome: 'ok', milliseconds: 20_000 });
  metrics.kubernetesRequest({ operation: 'patchPod', outcome: 'done', milliseconds: 4 });
  metrics.relisted('pods');
  metrics.queueDepth(2);
  metrics.reconciled('done', 8);
}

const FIGURES: GroupFigures = {
  group: 'mail/notifier',
  leader: { pod: 'a', node: 'node-1', token: 4 },
  leaderlessSeconds: 7,
  transitions: new Map([['LeaderGone', 2]]),
  lastHandover: { atSeconds: 1700, seconds: 0.5 },
};

/** By metric: what measures it, and the sample that shows it. The compiler asks for a row when the registry gets a new one. */
const MEASURED: Readonly<
  Record<MetricName, readonly [(metrics: PrometheusMetrics) => void, series: string, value: number]>
> = {
  leadergroup_elections_won_total: [(metrics) => metrics.electionWon(), '', 1],
  leadergroup_handovers_total: [(metrics) => metrics.handover('LeaderGone'), '{reason="LeaderGone"}', 1],
  leadergroup_switchovers_total: [(metrics) => metrics.switchover('TooSoon'), '{result="TooSoon"}', 1],
  leadergroup_events_total: [(metrics) => metrics.eventGiven('LeaderRetained'), '{reason="LeaderRetained"}', 1],
  leadergroup_leaders_chosen_total: [(metrics) => metrics.leaderChosen('Revision'), '{by="Revision"}', 1],
  leadergroup_leaders_deferred_total: [(metrics) => metrics.leaderDeferred(), '', 1],
  leadergroup_deadline_demotions_total: [(metrics) => metrics.demotedByDeadline(), '', 1],
  leadergroup_failover_duration_seconds: [(metrics) => metrics.failoverSeconds(0.009), '_bucket{le="0.01"}', 1],
  leadergroup_label_repairs_total: [(metrics) => metrics.labelRepaired(), '', 1],
  leadergroup_slice_writes_total: [(metrics) => metrics.sliceWritten('refused'), '{outcome="refused"}', 1],
  leadergroup_build_info: [() => undefined, '{version="1.2.3"}', 1],
  leadergroup_group_seconds_total: [(metrics) => metrics.groupSeconds({ notLed: 2.5 }), '{state="notLed"}', 2.5],
  leadergroup_group_unled_seconds: [
    (metrics) => metrics.unled([{ group: 'mail/notifier', state: 'notLed', seconds: 7 }]),
    '{group="mail/notifier",state="notLed"}',
    7,
  ],
  leadergroup_group_silenced_seconds: [
    (metrics) => metrics.silenced([{ group: 'mail/notifier', seconds: 60 }]),
    '{group="mail/notifier"}',
    60,
  ],
  leadergroup_groups: [(metrics) => metrics.groups({ stalled: 2 }), '{state="stalled"}', 2],
  leadergroup_leader_info: [
    (metrics) => metrics.groupFigures([FIGURES]),
    '{group="mail/notifier",pod="a",node="node-1"}',
    1,
  ],
  leadergroup_leader_token: [(metrics) => metrics.groupFigures([FIGURES]), '{group="mail/notifier"}', 4],
  leadergroup_leaderless_seconds: [(metrics) => metrics.groupFigures([FIGURES]), '{group="mail/notifier"}', 7],
  leadergroup_group_transitions_total: [
    (metrics) => metrics.groupFigures([FIGURES]),
    '{group="mail/notifier",reason="LeaderGone"}',
    2,
  ],
  leadergroup_last_handover_timestamp_seconds: [
    (metrics) => metrics.groupFigures([FIGURES]),
    '{group="mail/notifier"}',
    1700,
  ],
  leadergroup_last_handover_duration_seconds: [
    (metrics) => metrics.groupFigures([FIGURES]),
    '{group="mail/notifier"}',
    0.5,
  ],
  leadergroup_leader_probes: [(metrics) => metrics.leaderProbes({ noRhythm: 2 }), '{state="noRhythm"}', 2],
  leadergroup_sessions: [(metrics) => metrics.sessions(4), '', 4],
  leadergroup_session_renewals_total: [(metrics) => metrics.renewal('lost'), '{outcome="lost"}', 1],
  leadergroup_session_deadline_seconds: [(metrics) => metrics.deadlineMilliseconds(12_500), '', 12.5],
  leadergroup_bucket_owned: [(metrics) => metrics.bucketsOwned(['00', '1f']), '{bucket="1f"}', 1],
  leadergroup_bucket_moves_total: [(metrics) => metrics.bucketsMoved('passed', 3), '{direction="passed"}', 3],
  leadergroup_replicas: [(metrics) => metrics.replicas({ live: 3, reaching: 2 }), '{state="reaching"}', 2],
  leadergroup_consul_requests_total: [
    (metrics) => metrics.consulRequest({ operation: 'txn', outcome: 'rejected', milliseconds: 3 }),
    '{operation="txn",outcome="rejected"}',
    1,
  ],
  leadergroup_consul_request_duration_seconds: [
    (metrics) => metrics.consulRequest({ operation: 'txn', outcome: 'ok', milliseconds: 3 }),
    '_sum{operation="txn"}',
    0.003,
  ],
  leadergroup_consul_token_remaining_seconds: [(metrics) => metrics.consulToken(() => 1500), '', 1.5],
  leadergroup_kubernetes_requests_total: [
    (metrics) => metrics.kubernetesRequest({ operation: 'patch pods', outcome: '200', milliseconds: 4 }),
    '{operation="patch pods",outcome="200"}',
    1,
  ],
  leadergroup_kubernetes_request_duration_seconds: [
    (metrics) => metrics.kubernetesRequest({ operation: 'patch pods', outcome: '200', milliseconds: 4 }),
    '_sum{operation="patch pods"}',
    0.004,
  ],
  leadergroup_namespace_readable: [
    (metrics) => metrics.watchedNamespaces(() => new Map([['shop', true]])),
    '{watched="shop"}',
    1,
  ],
  leadergroup_relists_total: [(metrics) => metrics.relisted('pods'), '{kind="pods"}', 1],
  leadergroup_queue_depth: [(metrics) => metrics.queueDepth(2), '', 2],
  leadergroup_reconciles_total: [(metrics) => metrics.reconciled('failed', 8), '{outcome="failed"}', 1],
  leadergroup_reconcile_duration_seconds: [(metrics) => metrics.reconciled('done', 8), '_sum', 0.008],
  leadergroup_gate_answers_total: [(metrics) => metrics.gateAnswered(409), '{status="409"}', 1],
  leadergroup_before_promotion_questions_total: [
    (metrics) => metrics.askedBeforePromotion('Status5xx'),
    '{outcome="Status5xx"}',
    1,
  ],
  leadergroup_gate_revocations_total: [(metrics) => metrics.gateRevocation('resumed'), '{outcome="resumed"}', 1],
  leadergroup_gate_releases_total: [(metrics) => metrics.gateRelease('voided', 700), '{outcome="voided"}', 1],
  leadergroup_gate_released_seconds_total: [(metrics) => metrics.gateRelease('voided', 700), '', 0.7],
  leadergroup_gate_resignations_total: [(metrics) => metrics.gateResignation('heeded'), '{outcome="heeded"}', 1],
  leadergroup_gate_waiting: [(metrics) => metrics.gateWaiting(5), '', 5],
  leadergroup_claims_total: [(metrics) => metrics.claimAnswered('passed', 3), '{outcome="passed"}', 1],
  leadergroup_claim_duration_seconds: [(metrics) => metrics.claimAnswered('given', 3), '_sum', 0.003],
  leadergroup_claim_reports_total: [
    (metrics) => metrics.claimReported('done', 'notYours'),
    '{what="done",outcome="notYours"}',
    1,
  ],
  leadergroup_claim_batch_writes: [(metrics) => metrics.claimBatch(7), '_bucket{le="8"}', 1],
  leadergroup_claim_series: [(metrics) => metrics.claimSeries(80_001), '', 80_001],
  leadergroup_http_connections_refused_total: [
    (metrics) => metrics.connectionRefused('evicted'),
    '{what="evicted"}',
    1,
  ],
  leadergroup_log_lines_dropped_total: [(metrics) => metrics.logLinesDropped(3), '', 3],
};

/** Labels of a metric's samples with their values; the bounds of a histogram are its own. */
const labelsOf = (text: string, name: string): readonly (readonly [label: string, value: string])[] =>
  [...text.matchAll(new RegExp(`^${name}(?:_bucket|_sum|_count)?\\{(.*)\\} `, 'gm'))].flatMap(([, labels = '']) =>
    [...labels.matchAll(/(\w+)="([^"]*)"/g)].flatMap(([, label = '', value = '']) =>
      label === 'le' ? [] : [[label, value] as const],
    ),
  );

describe('metrics', () => {
  it('measures no blocking read: its time is that in which nothing happened', async () => {
    const metrics = createMetrics();
    recordEverything(metrics);
    const measured = [...(await samplesOf(metrics)).keys()].filter((name) =>
      name.startsWith('leadergroup_consul_request_duration_seconds_count'),
    );
    expect(measured).toEqual(['leadergroup_consul_request_duration_seconds_count{operation="txn"}']);
  });

  it('expose what was recorded', async () => {
    const metrics = createMetrics();
    recordEverything(metrics);
    expect(Object.fromEntries(await samplesOf(metrics))).toMatchObject({
      leadergroup_elections_won_total: 1,
      'leadergroup_handovers_total{reason="LeaderNotReady"}': 2,
      leadergroup_deadline_demotions_total: 1,
      leadergroup_failover_duration_seconds_count: 1,
      'leadergroup_failover_duration_seconds_bucket{le="0.005"}': 0,
      'leadergroup_failover_duration_seconds_bucket{le="0.01"}': 1,
      'leadergroup_groups{state="led"}': 3,
      'leadergroup_groups{state="stalled"}': 1,
      'leadergroup_groups{state="notLed"}': 0,
      leadergroup_sessions: 4,
      'leadergroup_session_renewals_total{outcome="renewed"}': 1,
      'leadergroup_session_renewals_total{outcome="failed"}': 1,
      leadergroup_session_deadline_seconds: 12.5,
      'leadergroup_bucket_owned{bucket="1f"}': 1,
      'leadergroup_bucket_owned{bucket="1e"}': 0,
      'leadergroup_bucket_moves_total{direction="taken"}': 2,
      'leadergroup_replicas{state="live"}': 3,
      'leadergroup_replicas{state="reaching"}': 2,
      'leadergroup_consul_requests_total{operation="txn",outcome="rejected"}': 1,
      'leadergroup_consul_requests_total{operation="watchPrefix",outcome="ok"}': 1,
      'leadergroup_consul_requests_total{operation="watchKey",outcome="ok"}': 1,
      'leadergroup_consul_request_duration_seconds_count{operation="txn"}': 1,
      'leadergroup_kubernetes_requests_total{operation="patchPod",outcome="done"}': 1,
      'leadergroup_relists_total{kind="pods"}': 1,
      leadergroup_queue_depth: 2,
      'leadergroup_reconciles_total{outcome="done"}': 1,
      leadergroup_reconcile_duration_seconds_sum: 0.008,
    });
  });

  it.each(Object.entries(MEASURED))(
    'are each exposed with what was measured: %s',
    async (name, [measure, series, value]) => {
      const metrics = createMetrics('1.2.3');
      measure(metrics);
      expect((await samplesOf(metrics)).get(name + series)).toBe(value);
    },
  );

  it('are those of the registry, with its type, sentence and labels, and have no other values of these', async () => {
    const metrics = createMetrics();
    for (const [measure] of Object.values(MEASURED)) measure(metrics);
    const text = await metrics.render();
    const own = [...text.matchAll(/^# TYPE (leadergroup_\w+ \w+)$/gm)].map(([, declared = '']) => declared);
    expect(own.toSorted()).toEqual(
      Object.entries(METRICS)
        .map(([name, { type }]) => `${name} ${type}`)
        .toSorted(),
    );
    for (const [name, { help, labels }] of Object.entries(METRICS)) {
      expect(text).toContain(`# HELP ${name} ${help}\n`);
      for (const [label, value] of labelsOf(text, name)) {
        const known = (labels as Readonly<Record<string, string | readonly string[]>>)[label];
        expect([name, label, known]).not.toContain(undefined);
        if (typeof known !== 'string') expect(known).toContain(value);
      }
    }
  });

  it('are named by what they measure: seconds where a time is, and _total where it only rises', () => {
    for (const [name, { type, unit, labels }] of Object.entries(METRICS)) {
      expect([name, /_seconds(?:_total)?$/.test(name)]).toEqual([name, unit === 'seconds']);
      expect([name, name.endsWith('_total')]).toEqual([name, type === 'counter']);
      expect(Object.keys(labels).filter((label) => !/^[a-z]+$/.test(label))).toEqual([]);
    }
  });

  it('are there at 0 before anything has happened, where a label has few values', async () => {
    const samples = await samplesOf(createMetrics());
    expect(samples.get('leadergroup_session_renewals_total{outcome="lost"}')).toBe(0);
    expect(samples.get('leadergroup_claim_reports_total{what="renew",outcome="notYours"}')).toBe(0);
    expect(samples.get('leadergroup_handovers_total{reason="LeaderGone"}')).toBe(0);
  });

  it('are as many series with any number of groups, but for the 100 groups that are named', async () => {
    const metrics = createMetrics();
    for (const [measure] of Object.values(MEASURED)) measure(metrics);
    metrics.groups({ led: 100_000 });
    metrics.unled([]);
    metrics.groupFigures([]);
    const unnamed = (await samplesOf(metrics)).size;
    metrics.unled(Array.from({ length: 100 }, (_, n) => ({ group: `default/${n}`, state: 'notLed', seconds: n })));
    expect((await samplesOf(metrics)).size).toBe(unnamed + 100);
    metrics.unled([]);
    expect((await samplesOf(metrics)).size).toBe(unnamed);
    expect(unnamed).toBeLessThan(600);
  });

  it('show of single groups what was last told, with six series each, and one for each further reason', async () => {
    const metrics = createMetrics();
    const none = (await samplesOf(metrics)).size;
    for (const groups of [3, 1]) {
      metrics.groupFigures(Array.from({ length: groups }, (_, n) => ({ ...FIGURES, group: `mail/${n}` })));
      expect((await samplesOf(metrics)).size).toBe(none + 6 * groups);
    }
    metrics.groupFigures([]);
    expect((await samplesOf(metrics)).size).toBe(none);
  });

  it('measure no duration of blocking reads, which last as long as nothing happens', async () => {
    const metrics = createMetrics();
    recordEverything(metrics);
    const samples = await samplesOf(metrics);
    expect(
      [...samples.keys()].filter(
        (series) => series.includes('consul_request_duration_seconds') && series.includes('watch'),
      ),
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
    expect((await samplesOf(metrics)).get('leadergroup_session_deadline_seconds')).toBeNaN();
    metrics.deadlineMilliseconds(-500);
    expect((await samplesOf(metrics)).get('leadergroup_session_deadline_seconds')).toBe(-0.5);
    metrics.deadlineMilliseconds(null);
    expect((await samplesOf(metrics)).get('leadergroup_session_deadline_seconds')).toBeNaN();
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
