/** The Metrics port over prom-client: one registry of its own, so that several can live in one process. */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { GroupFigures, Metrics } from '../ports/metrics.ts';
import { type LabelOf, METRICS, type MetricName, type NameOf } from './metric-registry.ts';

export type PrometheusMetrics = Metrics & {
  /** The Content-Type of what `render` gives. */
  readonly contentType: string;
  /** Asks this, whenever metrics are read, how long the token of the login to Consul still lives; null: there is none, or it has no end. */
  consulToken(leftMs: () => number | null): void;
  /** Asks this, whenever metrics are read, which namespaces are watched where not all are, and whether each can be read. */
  watchedNamespaces(readable: () => ReadonlyMap<string, boolean>): void;
  /** The exposition text of all metrics. */
  render(): Promise<string>;
};

/** A counter that somebody's rate is taken of is there from the start, else its first rise would be missed; of more series than this, none is. */
const ZEROED_SERIES = 32;

/** A blocking read lasts as long as nothing happens: its time would drown the others'. */
const BLOCKING_OPERATIONS: readonly string[] = ['watchKey', 'watchPrefix'];

/** Makes instruments of one registry, as METRICS describes them. */
const instruments = (registry: Registry) => ({
  counter: <Name extends NameOf<'counter'>>(name: Name) => {
    const { help } = METRICS[name];
    const counter = new Counter<LabelOf<Name>>({ name, help, labelNames: labelsOf(name), registers: [registry] });
    const known = seriesOf(METRICS[name].labels, labelsOf(name));
    if (known.length <= ZEROED_SERIES) for (const series of known) counter.inc(series, 0);
    return counter;
  },
  gauge: <Name extends NameOf<'gauge'>>(name: Name) =>
    new Gauge({ name, help: METRICS[name].help, labelNames: labelsOf(name), registers: [registry] }),
  histogram: <Name extends NameOf<'histogram'>>(name: Name) => {
    const { help, buckets } = METRICS[name];
    return new Histogram({ name, help, buckets: [...buckets], labelNames: labelsOf(name), registers: [registry] });
  },
});

const labelsOf = <Name extends MetricName>(name: Name): LabelOf<Name>[] =>
  Object.keys(METRICS[name].labels) as LabelOf<Name>[];

/** Every combination of values of labels; none where a label has values that are not listed. */
const seriesOf = <Label extends string>(
  values: Readonly<Record<string, readonly string[] | string>>,
  labels: readonly Label[],
): readonly Partial<Record<Label, string>>[] =>
  labels.reduce<readonly Partial<Record<Label, string>>[]>(
    (all, label) => {
      const known = values[label] ?? '';
      return typeof known === 'string'
        ? []
        : all.flatMap((some) => known.map((value) => ({ ...some, [label]: value })));
    },
    [{}],
  );

type Instruments = ReturnType<typeof instruments>;

function electionMetrics({ counter, gauge, histogram }: Instruments) {
  const elections = counter('leadergroup_elections_won_total');
  const handovers = counter('leadergroup_handovers_total');
  const events = counter('leadergroup_events_total');
  const switchovers = counter('leadergroup_switchovers_total');
  const chosen = counter('leadergroup_leaders_chosen_total');
  const deferred = counter('leadergroup_leaders_deferred_total');
  const demotions = counter('leadergroup_deadline_demotions_total');
  const failover = histogram('leadergroup_failover_duration_seconds');
  const repairs = counter('leadergroup_label_repairs_total');
  const slices = counter('leadergroup_slice_writes_total');
  const groups = gauge('leadergroup_groups');
  const seconds = counter('leadergroup_group_seconds_total');
  const unled = gauge('leadergroup_group_unled_seconds');
  const silenced = gauge('leadergroup_group_silenced_seconds');
  const probes = gauge('leadergroup_leader_probes');
  return {
    electionWon: () => elections.inc(),
    handover: (reason) => handovers.inc({ reason }),
    eventGiven: (reason) => events.inc({ reason }),
    switchover: (result) => switchovers.inc({ result }),
    leaderChosen: (by) => chosen.inc({ by: by ?? 'none' }),
    leaderDeferred: () => deferred.inc(),
    demotedByDeadline: () => demotions.inc(),
    labelRepaired: () => repairs.inc(),
    sliceWritten: (outcome) => slices.inc({ outcome }),
    failoverSeconds: (seconds) => failover.observe(seconds),
    groups: (counts) => {
      for (const state of METRICS.leadergroup_groups.labels.state) groups.set({ state }, counts[state] ?? 0);
    },
    groupSeconds: (spent) => {
      for (const state of METRICS.leadergroup_group_seconds_total.labels.state)
        seconds.inc({ state }, spent[state] ?? 0);
    },
    unled: (those) => {
      unled.reset();
      for (const { group, state, seconds } of those) unled.set({ group, state }, seconds);
    },
    silenced: (those) => {
      silenced.reset();
      for (const { group, seconds } of those) silenced.set({ group }, seconds);
    },
    leaderProbes: (counts) => {
      for (const state of METRICS.leadergroup_leader_probes.labels.state) probes.set({ state }, counts[state] ?? 0);
    },
  } satisfies Partial<Metrics>;
}

/** All of them anew each time: a group that has gone, or has another owner, leaves nothing behind. */
function groupMetrics({ counter, gauge }: Instruments) {
  const info = gauge('leadergroup_leader_info');
  const token = gauge('leadergroup_leader_token');
  const leaderless = gauge('leadergroup_leaderless_seconds');
  const transitions = counter('leadergroup_group_transitions_total');
  const lastAt = gauge('leadergroup_last_handover_timestamp_seconds');
  const lastTook = gauge('leadergroup_last_handover_duration_seconds');
  const all = [info, token, leaderless, transitions, lastAt, lastTook];
  const show = ({ group, leader, leaderlessSeconds, lastHandover, ...figures }: GroupFigures): void => {
    leaderless.set({ group }, leaderlessSeconds);
    if (leader !== null) {
      info.set({ group, pod: leader.pod, node: leader.node }, 1);
      token.set({ group }, leader.token);
    }
    for (const [reason, count] of figures.transitions) transitions.inc({ group, reason }, count);
    if (lastHandover === null) return;
    lastAt.set({ group }, lastHandover.atSeconds);
    lastTook.set({ group }, lastHandover.seconds);
  };
  return {
    groupFigures: (figures) => {
      for (const each of all) each.reset();
      for (const each of figures) show(each);
    },
  } satisfies Partial<Metrics>;
}

function sessionMetrics({ counter, gauge }: Instruments) {
  const sessions = gauge('leadergroup_sessions');
  const renewals = counter('leadergroup_session_renewals_total');
  const deadline = gauge('leadergroup_session_deadline_seconds');
  return {
    sessions: (count) => sessions.set(count),
    renewal: (outcome) => renewals.inc({ outcome }),
    deadlineMilliseconds: (milliseconds) => deadline.set(milliseconds === null ? Number.NaN : milliseconds / 1000),
  } satisfies Partial<Metrics>;
}

function replicaMetrics({ counter, gauge }: Instruments) {
  const owned = gauge('leadergroup_bucket_owned');
  const moves = counter('leadergroup_bucket_moves_total');
  const replicas = gauge('leadergroup_replicas');
  return {
    bucketsOwned: (buckets) => {
      for (const bucket of METRICS.leadergroup_bucket_owned.labels.bucket)
        owned.set({ bucket }, buckets.includes(bucket) ? 1 : 0);
    },
    bucketsMoved: (direction, number) => moves.inc({ direction }, number),
    replicas: ({ live, reaching }) => {
      replicas.set({ state: 'live' }, live);
      replicas.set({ state: 'reaching' }, reaching);
    },
  } satisfies Partial<Metrics>;
}

function consulMetrics({ counter, gauge, histogram }: Instruments) {
  const requests = counter('leadergroup_consul_requests_total');
  const latency = histogram('leadergroup_consul_request_duration_seconds');
  const token = gauge('leadergroup_consul_token_remaining_seconds');
  return {
    tokenLeft: (milliseconds: number | null) => token.set(milliseconds === null ? Number.NaN : milliseconds / 1000),
    consulRequest: ({ operation, outcome, milliseconds }) => {
      requests.inc({ operation, outcome });
      if (!BLOCKING_OPERATIONS.includes(operation)) latency.observe({ operation }, milliseconds / 1000);
    },
  } satisfies Partial<Metrics> & { tokenLeft: unknown };
}

function kubernetesMetrics({ counter, gauge, histogram }: Instruments) {
  const requests = counter('leadergroup_kubernetes_requests_total');
  const latency = histogram('leadergroup_kubernetes_request_duration_seconds');
  const relists = counter('leadergroup_relists_total');
  const readable = gauge('leadergroup_namespace_readable');
  return {
    namespacesReadable: (namespaces: ReadonlyMap<string, boolean>) => {
      for (const [watched, isReadable] of namespaces) readable.set({ watched }, isReadable ? 1 : 0);
    },
    kubernetesRequest: ({ operation, outcome, milliseconds }) => {
      requests.inc({ operation, outcome });
      latency.observe({ operation }, milliseconds / 1000);
    },
    relisted: (kind) => relists.inc({ kind }),
  } satisfies Partial<Metrics> & { namespacesReadable: unknown };
}

function reconcileMetrics({ counter, gauge, histogram }: Instruments) {
  const depth = gauge('leadergroup_queue_depth');
  const passes = counter('leadergroup_reconciles_total');
  const duration = histogram('leadergroup_reconcile_duration_seconds');
  const lines = counter('leadergroup_log_lines_dropped_total');
  return {
    logLinesDropped: (count) => lines.inc(count),
    queueDepth: (count) => depth.set(count),
    reconciled: (outcome, milliseconds) => {
      passes.inc({ outcome });
      duration.observe(milliseconds / 1000);
    },
  } satisfies Partial<Metrics>;
}

function gateMetrics({ counter, gauge }: Instruments) {
  const answers = counter('leadergroup_gate_answers_total');
  const refused = counter('leadergroup_http_connections_refused_total');
  const waiting = gauge('leadergroup_gate_waiting');
  const revocations = counter('leadergroup_gate_revocations_total');
  const promotionQuestions = counter('leadergroup_before_promotion_questions_total');
  const releases = counter('leadergroup_gate_releases_total');
  const saved = counter('leadergroup_gate_released_seconds_total');
  const resignations = counter('leadergroup_gate_resignations_total');
  return {
    gateRevocation: (outcome) => revocations.inc({ outcome }),
    askedBeforePromotion: (outcome) => promotionQuestions.inc({ outcome }),
    gateRelease: (outcome, savedMs) => {
      releases.inc({ outcome });
      saved.inc(savedMs / 1000);
    },
    gateResignation: (outcome) => resignations.inc({ outcome }),
    gateAnswered: (status) => answers.inc({ status }),
    connectionRefused: (what) => refused.inc({ what }),
    gateWaiting: (count) => waiting.set(count),
  } satisfies Partial<Metrics>;
}

function claimMetrics({ counter, gauge, histogram }: Instruments) {
  const answers = counter('leadergroup_claims_total');
  const latency = histogram('leadergroup_claim_duration_seconds');
  const reports = counter('leadergroup_claim_reports_total');
  const batches = histogram('leadergroup_claim_batch_writes');
  const series = gauge('leadergroup_claim_series');
  return {
    claimAnswered: (outcome, milliseconds) => {
      answers.inc({ outcome });
      latency.observe(milliseconds / 1000);
    },
    claimReported: (what, outcome) => reports.inc({ what, outcome }),
    claimBatch: (writes) => batches.observe(writes),
    claimSeries: (count) => series.set(count),
  } satisfies Partial<Metrics>;
}

/**
 * All at zero, of the operator of this version, beside prom-client's own: `process_*` and `nodejs_*` (garbage collection, event-loop lag) keep the names that every
 * dashboard for Node.js knows.
 */
export function createMetrics(version = ''): PrometheusMetrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const made = instruments(registry);
  made.gauge('leadergroup_build_info').set({ version }, 1);
  const { tokenLeft, ...ofConsul } = consulMetrics(made);
  const { namespacesReadable, ...ofKubernetes } = kubernetesMetrics(made);
  let leftMs = (): number | null => null;
  let readable = (): ReadonlyMap<string, boolean> => new Map();
  const metrics: Metrics = {
    ...electionMetrics(made),
    ...groupMetrics(made),
    ...sessionMetrics(made),
    ...replicaMetrics(made),
    ...ofConsul,
    ...ofKubernetes,
    ...reconcileMetrics(made),
    ...gateMetrics(made),
    ...claimMetrics(made),
  };
  metrics.groups({});
  metrics.leaderProbes({});
  metrics.bucketsOwned([]);
  metrics.deadlineMilliseconds(null);
  return {
    ...metrics,
    contentType: registry.contentType,
    consulToken: (its) => {
      leftMs = its;
    },
    watchedNamespaces: (its) => {
      readable = its;
    },
    render: () => {
      tokenLeft(leftMs());
      namespacesReadable(readable());
      return registry.metrics();
    },
  };
}
