/** deploy/monitoring/dashboard.json: what the operator measures, for Grafana. test/integration/monitoring.test.ts runs each query of it. */

type Panel = {
  readonly title: string;
  /** What it tells, shown at its corner. */
  readonly description: string;
  /** A unit of Grafana's. */
  readonly unit: string;
  /** By what a line is called in the legend. */
  readonly queries: Readonly<Record<string, string>>;
  /** Grafana's kind of panel; default: lines over time. */
  readonly type?: 'stat' | 'table';
};

type Row = { readonly title: string; readonly panels: readonly Panel[] };

const JOB = 'job=~"$job"';
const RATE = '[$__rate_interval]';

/** A metric with these matchers, of the chosen jobs. */
const of = (name: string, matchers = ''): string =>
  `${name}{${[JOB, matchers].filter((each) => each !== '').join(', ')}}`;
const rateOf = (name: string, matchers = ''): string => `rate(${of(name, matchers)}${RATE})`;
const sumBy = (labels: string, vector: string): string => `sum by (${labels}) (${vector})`;
const rises = (name: string, label: string, matchers = ''): string => sumBy(label, rateOf(name, matchers));
const quantile = (share: number, name: string, labels = '', matchers = ''): string =>
  `histogram_quantile(${share}, ${sumBy(['le', labels].filter((each) => each !== '').join(', '), rateOf(`${name}_bucket`, matchers))})`;
const quantiles = (name: string): Readonly<Record<string, string>> => ({
  'half take less': quantile(0.5, name),
  '99 of 100 take less': quantile(0.99, name),
});

const LED = 'state=~"led|ledElsewhere"';
const WANTED = 'state=~"led|ledElsewhere|notLed|stalled"';

const ROWS: readonly Row[] = [
  {
    title: 'Is it well?',
    panels: [
      {
        title: 'Share of time led',
        description:
          'Of all groups that should have a leader, over the time shown. Without the time that handovers take.',
        unit: 'percentunit',
        type: 'stat',
        queries: {
          led: `sum(increase(${of('leadergroup_group_seconds_total', LED)}[$__range])) / (sum(increase(${of('leadergroup_group_seconds_total', WANTED)}[$__range])) > 0)`,
        },
      },
      {
        title: 'Slowest handover of 100',
        description:
          'From what made it necessary to the promotion of the next leader, over the time shown. Empty where there was none.',
        unit: 's',
        type: 'stat',
        queries: {
          p99: `histogram_quantile(0.99, sum by (le) (increase(${of('leadergroup_failover_duration_seconds_bucket')}[$__range])))`,
        },
      },
      {
        title: 'Buckets without an owner',
        description: 'Of 32. Above 0 nobody acts for some groups.',
        unit: 'none',
        type: 'stat',
        queries: { unowned: `32 - sum(${of('leadergroup_bucket_owned')})` },
      },
      {
        title: 'Replicas by version',
        description: 'Two versions: a rollout is under way, or hangs.',
        unit: 'none',
        type: 'stat',
        queries: { '{{version}}': sumBy('version', of('leadergroup_build_info')) },
      },
      {
        title: 'Groups by state',
        description: 'notLed and stalled should be 0.',
        unit: 'none',
        queries: { '{{state}}': sumBy('state', of('leadergroup_groups')) },
      },
      {
        title: 'Groups that nobody leads',
        description: 'For how long; at most 100 of each replica.',
        unit: 's',
        type: 'table',
        queries: { '{{group}}': `max by (group, state) (${of('leadergroup_group_unled_seconds')})` },
      },
    ],
  },
  {
    title: 'Handovers',
    panels: [
      {
        title: 'Handovers by reason',
        description: 'The reasons are explained in docs/reference/events.md.',
        unit: 'ops',
        queries: { '{{reason}}': `${rises('leadergroup_handovers_total', 'reason')} > 0` },
      },
      {
        title: 'By what leaders are chosen',
        description:
          'The words are explained in docs/reference/events.md. Leaders that failed: for a while others go first.',
        unit: 'ops',
        queries: {
          '{{by}}': `${rises('leadergroup_leaders_chosen_total', 'by')} > 0`,
          'failed, and deferred': `sum(${rateOf('leadergroup_leaders_deferred_total')})`,
        },
      },
      {
        title: 'How long they take',
        description: 'From what made it necessary to the promotion.',
        unit: 's',
        queries: quantiles('leadergroup_failover_duration_seconds'),
      },
      {
        title: 'Elections, demotions and switchovers',
        description:
          'Locks given where nobody had one; leaders taken down because Consul was away; switchovers by what became of them.',
        unit: 'ops',
        queries: {
          elections: `sum(${rateOf('leadergroup_elections_won_total')})`,
          'demoted at the deadline': `sum(${rateOf('leadergroup_deadline_demotions_total')})`,
          'switchover {{result}}': `${rises('leadergroup_switchovers_total', 'result')} > 0`,
        },
      },
      {
        title: 'Labels, slices and probes that need a look',
        description:
          'Labels that others change, writes of EndpointSlices by outcome, leader probes and questions before promotions that do not pass; events, but for changes of leader.',
        unit: 'none',
        queries: {
          'labels put right': `sum(increase(${of('leadergroup_label_repairs_total')}${RATE}))`,
          'slices: {{outcome}}': sumBy(
            'outcome',
            `increase(${of('leadergroup_slice_writes_total', 'outcome!="done"')}${RATE})`,
          ),
          'probe: {{state}}': sumBy('state', of('leadergroup_leader_probes', 'state=~"failing|noRhythm|blind"')),
          'before a promotion: {{outcome}}': sumBy(
            'outcome',
            `increase(${of('leadergroup_before_promotion_questions_total', 'outcome!="passed"')}${RATE})`,
          ),
          'event: {{reason}}': `${sumBy(
            'reason',
            `increase(${of('leadergroup_events_total', 'reason!~"LeaderElected|LeaderHandedOver"')}${RATE})`,
          )} > 0`,
        },
      },
    ],
  },
  {
    title: 'Consul',
    panels: [
      {
        title: 'Requests by outcome',
        description: 'ok, lost and rejected are answers; aborted is a replica that stops.',
        unit: 'reqps',
        queries: { '{{outcome}}': rises('leadergroup_consul_requests_total', 'outcome') },
      },
      {
        title: 'How long they take (99th percentile)',
        description: 'Each failover waits for a txn.',
        unit: 's',
        queries: { '{{operation}}': quantile(0.99, 'leadergroup_consul_request_duration_seconds', 'operation') },
      },
      {
        title: 'Renewals of sessions',
        description: 'lost: Consul has ended a session. failed: it has not answered.',
        unit: 'ops',
        queries: {
          '{{outcome}}': rises('leadergroup_session_renewals_total', 'outcome'),
          sessions: `sum(${of('leadergroup_sessions')})`,
        },
      },
      {
        title: 'Nearest deadline, end of the token',
        description: 'Below 0 a lock may be gone. The token is that of a login.',
        unit: 's',
        queries: {
          deadline: `min(${of('leadergroup_session_deadline_seconds')})`,
          token: `min(${of('leadergroup_consul_token_remaining_seconds')})`,
        },
      },
    ],
  },
  {
    title: 'API server',
    panels: [
      {
        title: 'Requests by outcome',
        description: 'At rest there is none but what looks whether it is there.',
        unit: 'reqps',
        queries: { '{{outcome}}': rises('leadergroup_kubernetes_requests_total', 'outcome') },
      },
      {
        title: 'How long they take (99th percentile)',
        description: 'Each failover waits for two patches of pods.',
        unit: 's',
        queries: { '{{operation}}': quantile(0.99, 'leadergroup_kubernetes_request_duration_seconds', 'operation') },
      },
      {
        title: 'Watches that had to list anew',
        description: 'Now and then is usual.',
        unit: 'ops',
        queries: { '{{kind}}': rises('leadergroup_relists_total', 'kind') },
      },
      {
        title: 'Watched namespaces that are left out',
        description: 'For want of a right: nobody is replaced there. Empty without watchNamespaces.',
        unit: 'none',
        queries: { '{{watched}}': `1 - min by (watched) (${of('leadergroup_namespace_readable')})` },
      },
    ],
  },
  {
    title: 'The gate and claims',
    panels: [
      {
        title: 'Answers of the gate',
        description: '200: a grant. 409: not the leader. 503: nobody could say.',
        unit: 'reqps',
        queries: {
          '{{status}}': rises('leadergroup_gate_answers_total', 'status'),
          waiting: `sum(${of('leadergroup_gate_waiting')})`,
        },
      },
      {
        title: 'Leaders told to stop',
        description: 'resumed: the handover was dropped. Time saved by releasing a term, in seconds each second.',
        unit: 'ops',
        queries: {
          '{{outcome}}': rises('leadergroup_gate_revocations_total', 'outcome'),
          'terms: {{outcome}}': rises('leadergroup_gate_releases_total', 'outcome'),
          'resignations: {{outcome}}': rises('leadergroup_gate_resignations_total', 'outcome'),
          'seconds saved': `sum(${rateOf('leadergroup_gate_released_seconds_total')})`,
        },
      },
      {
        title: 'Claims by outcome',
        description: 'givenAgain: nobody had done it in time.',
        unit: 'reqps',
        queries: {
          '{{outcome}}': rises('leadergroup_claims_total', 'outcome'),
          '{{what}}: {{outcome}}': rises('leadergroup_claim_reports_total', 'what, outcome'),
        },
      },
      {
        title: 'How long claims take',
        description: 'Without the time for which one waits for the next tick.',
        unit: 's',
        queries: quantiles('leadergroup_claim_duration_seconds'),
      },
      {
        title: 'Series, and claims that go together',
        description: 'At 100,000 series no new one begins.',
        unit: 'none',
        queries: {
          series: `max(${of('leadergroup_claim_series')})`,
          'writes in a transaction': quantile(0.99, 'leadergroup_claim_batch_writes'),
        },
      },
      {
        title: 'Connections closed at a limit',
        description: 'evicted: an idle one. refused: a new one.',
        unit: 'ops',
        queries: { '{{what}}': rises('leadergroup_http_connections_refused_total', 'what') },
      },
    ],
  },
  {
    title: 'Replicas',
    panels: [
      {
        title: 'Replicas',
        description: 'reaching: those that reach the API server.',
        unit: 'none',
        queries: { '{{state}}': `max by (state) (${of('leadergroup_replicas')})` },
      },
      {
        title: 'Buckets of each replica',
        description: 'They move when replicas come and go.',
        unit: 'none',
        queries: {
          '{{instance}}': sumBy('instance', of('leadergroup_bucket_owned')),
          moved: `sum(increase(${of('leadergroup_bucket_moves_total')}${RATE}))`,
        },
      },
      {
        title: 'Passes over groups',
        description: 'failed is a defect. The queue is what waits.',
        unit: 'none',
        queries: {
          '{{outcome}} a second': rises('leadergroup_reconciles_total', 'outcome'),
          'queue of {{instance}}': sumBy('instance', of('leadergroup_queue_depth')),
        },
      },
      {
        title: 'How long a pass takes',
        description: 'With all its writes.',
        unit: 's',
        queries: quantiles('leadergroup_reconcile_duration_seconds'),
      },
      {
        title: 'Memory and CPU',
        description: 'Of each replica.',
        unit: 'none',
        queries: {
          'bytes of {{instance}}': sumBy('instance', of('process_resident_memory_bytes')),
          'cores of {{instance}}': sumBy('instance', rateOf('process_cpu_seconds_total')),
        },
      },
      {
        title: 'Lag of the event loop',
        description: 'At the 99th percentile. Above half a second renewals come late.',
        unit: 's',
        queries: { '{{instance}}': `max by (instance) (${of('nodejs_eventloop_lag_p99_seconds')})` },
      },
      {
        title: 'Lines of the log that were dropped',
        description: 'The container runtime does not read them in time.',
        unit: 'none',
        queries: {
          '{{instance}}': `sum by (instance) (increase(${of('leadergroup_log_lines_dropped_total')}${RATE}))`,
        },
      },
    ],
  },
  {
    title: 'Single groups, where setting metrics.groups asks for them',
    panels: [
      {
        title: 'Leaders',
        description: 'Who leads each group, and with which token.',
        unit: 'none',
        type: 'table',
        queries: {
          leader: `${of('leadergroup_leader_token')} * on (cluster, namespace, job, instance, group) group_left (pod, node) max by (cluster, namespace, job, instance, group, pod, node) (${of('leadergroup_leader_info')})`,
        },
      },
      {
        title: 'Without a leader for',
        description: 'Since when nobody leads a group that should be led.',
        unit: 's',
        queries: { '{{group}}': `max by (group) (${of('leadergroup_leaderless_seconds')}) > 0` },
      },
      {
        title: 'Changes of leader',
        description: 'By group and reason, a second.',
        unit: 'ops',
        queries: { '{{group}}: {{reason}}': `${rises('leadergroup_group_transitions_total', 'group, reason')} > 0` },
      },
      {
        title: 'Last change of leader, ago',
        description: 'How long ago the last change to a leader was complete.',
        unit: 's',
        queries: { '{{group}}': `time() - max by (group) (${of('leadergroup_last_handover_timestamp_seconds')})` },
      },
      {
        title: 'Last change of leader took',
        description: 'From what made it necessary to the promotion.',
        unit: 's',
        queries: { '{{group}}': `max by (group) (${of('leadergroup_last_handover_duration_seconds')})` },
      },
    ],
  },
];

const DATASOURCE = { type: 'prometheus', uid: '$datasource' };
const WIDTH = 8;
const HEIGHT = 8;
const ACROSS = 24 / WIDTH;

const targets = (panel: Panel): readonly object[] =>
  Object.entries(panel.queries).map(([legendFormat, expr], at) => ({
    datasource: DATASOURCE,
    expr,
    legendFormat,
    refId: String.fromCharCode(65 + at),
    ...(panel.type === 'table' ? { format: 'table', instant: true } : {}),
  }));

function panelsOf(): readonly object[] {
  const made: object[] = [];
  let y = 0;
  for (const { title, panels } of ROWS) {
    made.push({
      id: made.length + 1,
      type: 'row',
      title,
      collapsed: false,
      gridPos: { x: 0, y, w: 24, h: 1 },
      panels: [],
    });
    y += 1;
    for (const [at, panel] of panels.entries()) {
      made.push({
        id: made.length + 1,
        type: panel.type ?? 'timeseries',
        title: panel.title,
        description: panel.description,
        datasource: DATASOURCE,
        fieldConfig: { defaults: { unit: panel.unit }, overrides: [] },
        gridPos: { x: (at % ACROSS) * WIDTH, y: y + Math.floor(at / ACROSS) * HEIGHT, w: WIDTH, h: HEIGHT },
        targets: targets(panel),
      });
    }
    y += Math.ceil(panels.length / ACROSS) * HEIGHT;
  }
  return made;
}

export const dashboard = (): string =>
  `${JSON.stringify(
    {
      uid: 'leadergroup',
      title: 'LeaderGroup',
      description: 'Made from dev/generate/dashboard.ts by `npm run generate`: change it there.',
      tags: ['leadergroup'],
      schemaVersion: 39,
      editable: true,
      refresh: '30s',
      time: { from: 'now-6h', to: 'now' },
      templating: {
        list: [
          { name: 'datasource', type: 'datasource', query: 'prometheus', label: 'Data source' },
          {
            name: 'job',
            type: 'query',
            label: 'Job',
            datasource: DATASOURCE,
            query: { query: 'label_values(leadergroup_build_info, job)', refId: 'job' },
            includeAll: true,
            multi: true,
            allValue: '.*',
            current: { text: 'All', value: '$__all' },
            refresh: 2,
          },
        ],
      },
      panels: panelsOf(),
    },
    null,
    2,
  )}\n`;
