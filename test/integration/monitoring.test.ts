/**
 * deploy/monitoring by promtool and a real Prometheus: each alert fires when it should and not otherwise, and what the rules and the dashboard
 * ask for is there once Prometheus has scraped real operators.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { stringify } from 'yaml';
import { ensurePrometheus, type PrometheusPrograms, whyNoPrometheus } from '../../dev/tools/prometheus.ts';
import { SILENCE_ANNOTATION, VERIFY_LABEL } from '../../src/api/names.ts';
import { METRICS } from '../../src/http/metric-registry.ts';
import { askGate, memberUrl } from '../kit/rig/asking.ts';
import { type Collector, startCollector } from '../kit/rig/collector.ts';
import { startHarness } from '../kit/rig/harness.ts';
import { alerts, dashboardQueries, RULE_FILE, rules, selectorsIn } from '../kit/rig/monitoring.ts';
import { type Prometheus, startPrometheus } from '../kit/rig/prometheus.ts';
import { describeUnless } from '../kit/rig/real-node.ts';

/** Series by their name and labels, with their value at each minute, as promtool reads them. */
type Series = Readonly<Record<string, string>>;

const FAILED = 'leadergroup_consul_requests_total{operation="txn", outcome="unreachable"}';
const ANSWERED = 'leadergroup_consul_requests_total{operation="txn", outcome="ok"}';
const api = (outcome: string): string =>
  `leadergroup_kubernetes_requests_total{operation="patch pods", outcome="${outcome}"}`;
const failover = (le: string): string => `leadergroup_failover_duration_seconds_bucket{le="${le}"}`;
const lag = (instance: string): string => `nodejs_eventloop_lag_p99_seconds{instance="${instance}"}`;
/** Of two replicas, each with a half. */
const buckets = (owned: number): Series =>
  Object.fromEntries(
    Array.from({ length: owned }, (_, n) => [
      `leadergroup_bucket_owned{instance="${n % 2}", bucket="${n.toString(16).padStart(2, '0')}"}`,
      '1x40',
    ]),
  );

/** `silenced`: it is about one group, and is held back while work on that is planned. */
type AlertCase = { readonly fires: Series; readonly quiet: Series; readonly silenced?: boolean };

/** By alert: what makes it fire within half an hour, and what must not, though it looks like it. */
const CASES: Readonly<Record<string, AlertCase>> = {
  NotLed: {
    fires: { 'leadergroup_group_unled_seconds{group="mail/a", state="notLed"}': '0+60x40' },
    quiet: { 'leadergroup_group_unled_seconds{group="mail/a", state="notLed"}': '0 60 30x38' },
    silenced: true,
  },
  Stalled: {
    fires: { 'leadergroup_group_unled_seconds{group="mail/a", state="stalled"}': '0+60x40' },
    quiet: { 'leadergroup_group_unled_seconds{group="mail/a", state="notLed"}': '0+60x40' },
    silenced: true,
  },
  BucketsUnowned: { fires: buckets(31), quiet: buckets(32) },
  OperatorAbsent: { fires: {}, quiet: { 'leadergroup_build_info{version="1"}': '1x40' } },
  ReplicaCutOff: {
    fires: { 'leadergroup_replicas{state="live"}': '3x40', 'leadergroup_replicas{state="reaching"}': '2x40' },
    quiet: { 'leadergroup_replicas{state="live"}': '3x40', 'leadergroup_replicas{state="reaching"}': '3x40' },
  },
  ConsulFailing: {
    fires: { [ANSWERED]: '0+100x40', [FAILED]: '0+50x40' },
    quiet: { [ANSWERED]: '0+100x40', [FAILED]: '0+5x40', [ANSWERED.replace('ok', 'rejected')]: '0+900x40' },
  },
  ConsulDenied: {
    fires: { [FAILED.replace('unreachable', 'denied')]: '0+1x40' },
    quiet: { [FAILED.replace('unreachable', 'denied')]: '7x40', [FAILED]: '0+9x40' },
  },
  ConsulTokenEnds: {
    fires: { leadergroup_consul_token_remaining_seconds: '3600-120x40' },
    quiet: { leadergroup_consul_token_remaining_seconds: '3600-120x15 3600-120x15 3600x9' },
  },
  SessionDeadlinePassed: {
    fires: { leadergroup_session_deadline_seconds: '10-1x40' },
    quiet: { leadergroup_session_deadline_seconds: '0.5x40' },
  },
  SessionsLost: {
    fires: { 'leadergroup_session_renewals_total{outcome="lost"}': '0+1x40' },
    quiet: { 'leadergroup_session_renewals_total{outcome="lost"}': '9x40' },
  },
  KubernetesFailing: {
    fires: { [api('200')]: '0+10x40', [api('none')]: '0+1x40', [api('503')]: '0+1x40' },
    quiet: { [api('200')]: '0+10x40', [api('409')]: '0+10x40', [api('none')]: '0+1x40' },
  },
  KubernetesDenied: { fires: { [api('403')]: '0+1x40' }, quiet: { [api('404')]: '0+1x40', [api('403')]: '3x40' } },
  NamespaceLeftOut: {
    fires: {
      'leadergroup_namespace_readable{watched="mail", instance="a"}': '0x40',
      'leadergroup_namespace_readable{watched="shop", instance="a"}': '1x40',
    },
    quiet: { 'leadergroup_namespace_readable{watched="mail", instance="a"}': '0 0 0 1x38' },
  },
  FailoverSlow: {
    fires: { [failover('1')]: '0x40', [failover('10')]: '0+5x40', [failover('+Inf')]: '0+5x40' },
    quiet: { [failover('1')]: '0+5x40', [failover('10')]: '0+5x40', [failover('+Inf')]: '0+5x40' },
  },
  LeadersChangeOften: {
    fires: {
      'leadergroup_handovers_total{reason="LeaderNotReady"}': '0+1x40',
      'leadergroup_groups{state="led"}': '2x40',
    },
    quiet: {
      'leadergroup_handovers_total{reason="LeaderNotReady"}': '0 1 2 3 3x36',
      'leadergroup_handovers_total{reason="LeaderTerminating"}': '0+9x40',
      'leadergroup_groups{state="led"}': '2x40',
    },
  },
  LabelContested: {
    fires: { leadergroup_label_repairs_total: '0+1x40' },
    quiet: { leadergroup_label_repairs_total: '0 0+1x2 2x36' },
  },
  NotRouted: {
    fires: { 'leadergroup_slice_writes_total{outcome="refused"}': '0+1x40' },
    quiet: {
      'leadergroup_slice_writes_total{outcome="done"}': '0+9x40',
      'leadergroup_slice_writes_total{outcome="conflict"}': '0+9x40',
      'leadergroup_slice_writes_total{outcome="refused"}': '0x40',
    },
  },
  ProbeFailing: {
    fires: { 'leadergroup_leader_probes{state="noRhythm"}': '1x40' },
    quiet: {
      'leadergroup_leader_probes{state="passing"}': '9x40',
      'leadergroup_leader_probes{state="notJudged"}': '9x40',
    },
  },
  GateUnavailable: {
    fires: {
      'leadergroup_gate_answers_total{status="503"}': '0+2x40',
      'leadergroup_gate_answers_total{status="200"}': '0+9x40',
    },
    quiet: {
      'leadergroup_gate_answers_total{status="503"}': '0+1x40',
      'leadergroup_gate_answers_total{status="409"}': '0+99x40',
    },
  },
  ReconcilesFailing: {
    fires: { 'leadergroup_reconciles_total{outcome="failed"}': '0+1x40' },
    quiet: {
      'leadergroup_reconciles_total{outcome="failed"}': '1x40',
      'leadergroup_reconciles_total{outcome="done"}': '0+9x40',
    },
  },
  QueueGrows: {
    fires: { leadergroup_queue_depth: '500x40' },
    quiet: {
      leadergroup_queue_depth:
        '500 0 500 500 0 500 500 0 500 500 0 500 500 0 500 500 0 500 500 0 500 500 0 500 500 0 500 500 0 500 500',
    },
  },
  ClaimsRepeated: {
    fires: {
      'leadergroup_claims_total{outcome="givenAgain"}': '0x40',
      'leadergroup_claim_reports_total{what="done", outcome="notYours"}': '0+1x40',
    },
    quiet: {
      'leadergroup_claims_total{outcome="given"}': '0+9x40',
      'leadergroup_claims_total{outcome="givenAgain"}': '3x40',
      'leadergroup_claim_reports_total{what="done", outcome="notYours"}': '3x40',
    },
  },
  ClaimsRefused: {
    fires: { 'leadergroup_claims_total{outcome="tooFast"}': '0+9x40' },
    quiet: {
      'leadergroup_claims_total{outcome="passed"}': '0+9x40',
      'leadergroup_claims_total{outcome="tooFast"}': '0 9x39',
    },
  },
  ClaimSeriesNearLimit: {
    fires: { leadergroup_claim_series: '90000x40' },
    quiet: { leadergroup_claim_series: '79000x40' },
  },
  EventLoopBlocked: {
    fires: { [lag('a')]: '0.8x40', 'leadergroup_build_info{instance="a", version="1"}': '1x40' },
    quiet: { [lag('b')]: '0.8x40', [lag('a')]: '0.02x40', 'leadergroup_build_info{instance="a", version="1"}': '1x40' },
  },
  ConnectionsRefused: {
    fires: { 'leadergroup_http_connections_refused_total{what="evicted"}': '0+1x40' },
    quiet: { 'leadergroup_http_connections_refused_total{what="evicted"}': '9x40' },
  },
  LogLinesDropped: {
    fires: { 'leadergroup_log_lines_dropped_total{pod="a"}': '0+1x40' },
    quiet: { 'leadergroup_log_lines_dropped_total{pod="a"}': '700x40' },
  },
};

const inputOf = (series: Series): readonly object[] =>
  Object.entries(series).map(([name, values]) => ({ series: name, values }));

/** Of one alert: how many of it fire after half an hour. */
const firing = (name: string, series: Series, count: number): object => ({
  interval: '1m',
  input_series: inputOf(series),
  promql_expr_test: [
    {
      expr: `count(ALERTS{alertname="LeaderGroup${name}", alertstate="firing"}) or vector(0)`,
      eval_time: '30m',
      exp_samples: [{ labels: '{}', value: count }],
    },
  ],
});

const SILENCED = 'leadergroup_group_silenced_seconds';

/** What a recorded figure is after half an hour, by millionths. */
const recorded = (name: string, labels: string, value: number): object => ({
  expr: `round(${name}, 0.000001)`,
  eval_time: '30m',
  exp_samples: [{ labels, value: Math.round(value * 1e6) / 1e6 }],
});

const why = await whyNoPrometheus();
let programs: PrometheusPrograms;
let dir = '';

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'leadergroup-promtool-'));
  if (why === null) programs = await ensurePrometheus();
}, 600_000);

afterAll(async () => await rm(dir, { recursive: true, force: true }));

const promtool = async (args: readonly string[], input = '') =>
  await execa(programs.promtool, args, { input, reject: false, all: true });

async function testRules(tests: readonly object[]) {
  const file = join(dir, 'tests.yaml');
  await writeFile(file, stringify({ rule_files: [RULE_FILE], evaluation_interval: '1m', tests }));
  return await promtool(['test', 'rules', file]);
}

describeUnless(why, 'alerts', () => {
  it('are rules that Prometheus takes', async () => {
    expect(await promtool(['check', 'rules', '--lint-fatal', RULE_FILE])).toMatchObject({ exitCode: 0 });
  });

  it('have a case each', () => {
    expect(
      Object.keys(CASES)
        .map((name) => `LeaderGroup${name}`)
        .toSorted(),
    ).toEqual(
      alerts()
        .map(({ alert }) => alert)
        .toSorted(),
    );
  });

  it.each(Object.entries(CASES))(
    'fire when they should, and not otherwise: LeaderGroup%s',
    async (name, { fires, quiet }) => {
      const { exitCode, all } = await testRules([firing(name, fires, 1), firing(name, quiet, 0)]);
      expect({ exitCode, all }).toMatchObject({ exitCode: 0 });
    },
  );

  const ofGroups = Object.entries(CASES).flatMap(([name, { fires, silenced }]) =>
    silenced === true ? [[name, fires] as const] : [],
  );

  it.each(ofGroups)(
    'are held back while work on the group is planned, and on no other: LeaderGroup%s',
    async (name, fires) => {
      const of = (group: string, values: string): Series => ({ ...fires, [`${SILENCED}{group="${group}"}`]: values });
      const { exitCode, all } = await testRules([
        firing(name, of('mail/a', '7200-60x40'), 0),
        firing(name, of('mail/b', '7200-60x40'), 1),
        // It ends by itself: the operator does not tell it any more.
        firing(name, of('mail/a', '600-60x9 stale'), 1),
      ]);
      expect({ exitCode, all }).toMatchObject({ exitCode: 0 });
    },
  );

  it('record which share of the time groups are led, each of them and all, and how long handovers take', async () => {
    const spent = (state: string): string => `leadergroup_group_seconds_total{job="j", state="${state}"}`;
    const { exitCode, all } = await testRules([
      {
        interval: '1m',
        input_series: inputOf({
          [spent('led')]: '0+90x40',
          [spent('notLed')]: '0+30x40',
          [spent('paused')]: '0+60x40',
          'leadergroup_failover_duration_seconds_sum{job="j"}': '0+6x40',
          'leadergroup_failover_duration_seconds_bucket{job="j", le="0.1"}': '0+100x40',
          'leadergroup_failover_duration_seconds_bucket{job="j", le="+Inf"}': '0+100x40',
          'leadergroup_group_unled_seconds{job="j", group="mail/a", state="notLed"}': '0+60x14 stale _x24',
        }),
        promql_expr_test: [
          recorded('job:leadergroup_groups:led_ratio5m', '{job="j"}', 0.7),
          recorded('job:leadergroup_failover_duration_seconds:p99_5m', '{job="j"}', 0.099),
          recorded('group:leadergroup_group_unled_seconds:ratio1d', '{job="j", group="mail/a"}', 15 / 1440),
        ],
      },
    ]);
    expect({ exitCode, all }).toMatchObject({ exitCode: 0 });
  });
});

const WITHIN = { timeout: 60_000, interval: 500 };

describeUnless(why, 'metrics, rules and the dashboard with real operators', () => {
  const made = new AsyncDisposableStack();
  let collector: Collector;
  let prometheus: Prometheus;
  let exposition = '';
  let former = '';

  beforeAll(async () => {
    collector = made.use(await startCollector());
    const h = made.use(
      await startHarness({
        operatorEnv: { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json' },
      }),
    );
    const namespace = await h.world.namespace('mail');
    await h.world.ensureNamespace('leadergroup-system');
    const env = {
      POD_IP: '127.0.0.1',
      LEADERGROUP_METRICS_GROUPS: '10',
      LEADERGROUP_WATCH_NAMESPACES: namespace,
    };
    const operators = [await h.startOperator({ replica: 'a', env }), await h.spawnOperator({ replica: 'b', env })];
    await h.group(namespace, 'notifier');
    await h.group(namespace, 'idle', { pods: 0 });
    // As `kubectl leadergroup verify` labels it.
    await h.group(namespace, 'thrown-away', { pods: 0 });
    await h.kubectl.must(['-n', namespace, 'label', 'leadergroup', 'thrown-away', `${VERIFY_LABEL}=verify-1`]);
    const until = new Date(Date.now() + 3_600_000).toISOString();
    for (const name of ['idle', 'thrown-away'])
      await h.world.annotateGroup(namespace, name, { [SILENCE_ANNOTATION]: `until=${until} by=somebody` });
    const { name, uid } = await h.led(namespace, 'notifier');
    former = name;
    const url = operators[0]?.url ?? '';
    await askGate(`${memberUrl(url, namespace, 'notifier', name)}?uid=${uid}`);
    await h.world.deletePod(namespace, name);
    const next = await h.led(namespace, 'notifier', { not: name });
    const targets = operators.map((operator) => new URL(operator.url).host);
    prometheus = made.use(await startPrometheus(programs, { targets, ruleFile: RULE_FILE }));
    const both = 'count(count_over_time(leadergroup_build_info[1m]) > 3) == 2';
    await vi.waitFor(async () => expect(await prometheus.query(both)).toHaveLength(1), WITHIN);
    // What single groups count begins with a scrape of their owner.
    await h.world.deletePod(namespace, next.name);
    await vi.waitFor(async () => {
      expect(await prometheus.query('max(leadergroup_group_unled_seconds) > 0')).toHaveLength(1);
      expect(await prometheus.query('count(leadergroup_group_transitions_total)')).toHaveLength(1);
      expect(await prometheus.query('count(leadergroup_group_silenced_seconds)')).toHaveLength(1);
    }, WITHIN);
    exposition = await (await fetch(`${url}/metrics`)).text();
  }, 300_000);

  afterAll(async () => await made.disposeAsync());

  it('tell nothing of a throwaway group of kubectl leadergroup verify, so that no alert can be about it', async () => {
    expect(await prometheus.query('leadergroup_group_silenced_seconds{group=~".*/idle"}')).not.toEqual([]);
    expect(await prometheus.query('{__name__=~"leadergroup_.*", group=~".*/thrown-away"}')).toEqual([]);
  });

  it('expose every metric of the registry, by names as Prometheus has them', async () => {
    const typed = [...exposition.matchAll(/^# TYPE (leadergroup_\w+)/gm)].map(([, name]) => name);
    expect(new Set(typed)).toEqual(new Set(Object.keys(METRICS)));
    const { all } = await promtool(['check', 'metrics'], exposition);
    expect(all.split('\n').filter((line) => line.startsWith('leadergroup_'))).toEqual([]);
  });

  it.each([...dashboardQueries(), ...rules().map((rule) => [rule.alert ?? rule.record ?? '', rule.expr] as const)])(
    'have all that is asked for: %s: %s',
    async (_, expr) => {
      await prometheus.query(expr);
      for (const { series } of selectorsIn(expr))
        expect([series, await prometheus.query(`count(${series})`)]).toEqual([series, [expect.anything()]]);
    },
  );

  it('evaluate every rule without an error', async () => {
    const { groups } = (await prometheus.ask('rules')) as {
      readonly groups: readonly { readonly rules: readonly { readonly health: string; readonly name: string }[] }[];
    };
    const evaluated = groups.flatMap((group) => group.rules);
    expect(evaluated).toHaveLength(rules().length);
    expect(evaluated.filter(({ health }) => health !== 'ok').map(({ name }) => name)).toEqual([]);
  });

  it('send a trace of the handover, step by step', async () => {
    const handover = await vi.waitFor(
      () => {
        const root = collector.spans().find(({ attributes }) => attributes['leadergroup.from'] === former);
        expect(root).toBeDefined();
        return collector.spans().filter(({ traceId }) => traceId === root?.traceId);
      },
      { timeout: 30_000, interval: 250 },
    );
    const names = handover.map(({ name }) => name);
    expect(names).toEqual(expect.arrayContaining(['leader change', 'decide', 'Consul transaction', 'promotion patch']));
    const [root] = handover.filter(({ name }) => name === 'leader change');
    for (const { beginMs, endMs } of handover) {
      expect(beginMs).toBeGreaterThanOrEqual((root?.beginMs ?? 0) - 1);
      expect(endMs).toBeLessThanOrEqual((root?.endMs ?? 0) + 1);
    }
    expect(root?.attributes['leadergroup.reason']).toMatch(/^Leader/);
    expect(root?.resource['service.name']).toBe('leadergroup');
  });

  it('know how long the handover took', async () => {
    const [sample] = await prometheus.query(
      'histogram_quantile(0.99, sum by (le) (leadergroup_failover_duration_seconds_bucket))',
    );
    expect(Number(sample?.value[1])).toBeGreaterThan(0);
  });
});
