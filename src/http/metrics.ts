/** The Metrics port over prom-client: one registry of its own, so that several can live in one process. */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { GroupState, Metrics } from '../ports/metrics.ts';

export type PrometheusMetrics = Metrics & {
  /** The Content-Type of what `render` gives. */
  readonly contentType: string;
  /** The exposition text of all metrics. */
  render(): Promise<string>;
};

const PREFIX = 'leadergroup_';

const GROUP_STATES: readonly GroupState[] = ['led', 'ledElsewhere', 'notLed', 'scaledToZero', 'paused', 'stalled'];

/** Seconds. A failover takes milliseconds when a pod goes, and twice the session's TTL when everything goes. */
const FAILOVER_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

/** Seconds, up to the longest timeout of one request. */
const REQUEST_BUCKETS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5];

/** A blocking read lasts as long as nothing happens: its time would drown the others'. */
const BLOCKING_OPERATION = 'watchPrefix';

/** Makes instruments of one registry; names get the prefix. */
const instruments = (registry: Registry) => ({
  counter: <L extends string = never>(name: string, help: string, ...labelNames: L[]) =>
    new Counter({ name: PREFIX + name, help, labelNames, registers: [registry] }),
  gauge: <L extends string = never>(name: string, help: string, ...labelNames: L[]) =>
    new Gauge({ name: PREFIX + name, help, labelNames, registers: [registry] }),
  histogram: <L extends string = never>(name: string, help: string, buckets: number[], ...labelNames: L[]) =>
    new Histogram({ name: PREFIX + name, help, buckets, labelNames, registers: [registry] }),
});

type Instruments = ReturnType<typeof instruments>;

function electionMetrics({ counter, gauge, histogram }: Instruments) {
  const elections = counter('elections_won_total', 'Locks acquired for a member while no member of the group held one');
  const handovers = counter('handovers_total', 'Locks that left a live member, by reason', 'reason');
  const demotions = counter(
    'deadline_demotions_total',
    'Leaders demoted because Consul did not answer before the deadline',
  );
  const failover = histogram(
    'failover_seconds',
    'From the observation that caused a change of leader to the acknowledged promotion',
    FAILOVER_BUCKETS,
  );
  const repairs = counter('label_repairs_total', 'Leader labels restored or removed after another client changed them');
  const groups = gauge('groups', 'LeaderGroups whose bucket this replica owns, by state', 'state');
  return {
    electionWon: () => elections.inc(),
    handover: (reason) => handovers.inc({ reason }),
    demotedByDeadline: () => demotions.inc(),
    labelRepaired: () => repairs.inc(),
    failoverSeconds: (seconds) => failover.observe(seconds),
    groups: (counts) => {
      for (const state of GROUP_STATES) groups.set({ state }, counts[state] ?? 0);
    },
  } satisfies Partial<Metrics>;
}

function sessionMetrics({ counter, gauge }: Instruments) {
  const sessions = gauge('sessions', 'Consul sessions of members that this replica renews');
  const renewals = counter(
    'session_renewals_total',
    'Renewals of Consul sessions by outcome: renewed, lost (ended by Consul), failed (not acknowledged)',
    'outcome',
  );
  const deadline = gauge(
    'deadline_seconds',
    'Time until the nearest deadline of a renewed session; negative when it has passed, NaN without sessions',
  );
  return {
    sessions: (count) => sessions.set(count),
    renewal: (outcome) => renewals.inc({ outcome }),
    deadlineMilliseconds: (milliseconds) => deadline.set(milliseconds === null ? Number.NaN : milliseconds / 1000),
  } satisfies Partial<Metrics>;
}

function replicaMetrics({ counter, gauge }: Instruments) {
  const count = gauge('buckets_owned', 'Buckets (of 32) that this replica owns');
  const owned = gauge('bucket_owned', '1 for each bucket that this replica owns, by its name in Consul', 'bucket');
  const moves = counter(
    'bucket_moves_total',
    'Buckets acquired (taken) or moved to another replica (passed)',
    'direction',
  );
  const replicas = gauge(
    'replicas',
    'Replicas: all live ones (live), and those of them that reach the API server (reaching)',
    'state',
  );
  return {
    bucketsOwned: (buckets) => {
      count.set(buckets.length);
      owned.reset();
      for (const bucket of buckets) owned.set({ bucket }, 1);
    },
    bucketsMoved: (direction, number) => moves.inc({ direction }, number),
    replicas: ({ live, reaching }) => {
      replicas.set({ state: 'live' }, live);
      replicas.set({ state: 'reaching' }, reaching);
    },
  } satisfies Partial<Metrics>;
}

function consulMetrics({ counter, histogram }: Instruments) {
  const requests = counter('consul_requests_total', 'Requests to Consul by outcome', 'operation', 'outcome');
  const latency = histogram(
    'consul_request_seconds',
    'Duration of requests to Consul, without blocking reads',
    REQUEST_BUCKETS,
    'operation',
  );
  return {
    consulRequest: ({ operation, outcome, milliseconds }) => {
      requests.inc({ operation, outcome });
      if (operation !== BLOCKING_OPERATION) latency.observe({ operation }, milliseconds / 1000);
    },
  } satisfies Partial<Metrics>;
}

function kubernetesMetrics({ counter, histogram }: Instruments) {
  const requests = counter('kubernetes_requests_total', 'Requests to the API server', 'operation', 'outcome');
  const latency = histogram(
    'kubernetes_request_seconds',
    'Duration of requests to the API server',
    REQUEST_BUCKETS,
    'operation',
  );
  const relists = counter('relists_total', 'Watches that had to relist, by kind', 'kind');
  return {
    kubernetesRequest: ({ operation, outcome, milliseconds }) => {
      requests.inc({ operation, outcome });
      latency.observe({ operation }, milliseconds / 1000);
    },
    relisted: (kind) => relists.inc({ kind }),
  } satisfies Partial<Metrics>;
}

function reconcileMetrics({ counter, gauge, histogram }: Instruments) {
  const depth = gauge('queue_depth', 'Groups in the queue');
  const passes = counter('reconciles_total', 'Reconciles of a group by outcome', 'outcome');
  const duration = histogram('reconcile_seconds', 'Duration of one reconcile of a group', FAILOVER_BUCKETS);
  return {
    queueDepth: (count) => depth.set(count),
    reconciled: (outcome, milliseconds) => {
      passes.inc({ outcome });
      duration.observe(milliseconds / 1000);
    },
  } satisfies Partial<Metrics>;
}

function gateMetrics({ counter, gauge }: Instruments) {
  const answers = counter(
    'gate_answers_total',
    'Answers of the gate by HTTP status: 200 for a grant, 409 for a pod that does not lead',
    'status',
  );
  const refused = counter(
    'http_connections_refused_total',
    'Connections closed at a limit: an idle one to make room for a new one (evicted), or a new one, or one with requests sent far ahead of their answers (refused)',
    'what',
  );
  const waiting = gauge('gate_waiting', 'Requests that wait for their answer to change');
  return {
    gateAnswered: (status) => answers.inc({ status }),
    connectionRefused: (what) => refused.inc({ what }),
    gateWaiting: (count) => waiting.set(count),
  } satisfies Partial<Metrics>;
}

/**
 * All at zero, beside prom-client's own: `process_*` and `nodejs_*` (garbage collection, event-loop lag) keep the names that every
 * dashboard for Node.js knows.
 */
export function createMetrics(): PrometheusMetrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const made = instruments(registry);
  const metrics: Metrics = {
    ...electionMetrics(made),
    ...sessionMetrics(made),
    ...replicaMetrics(made),
    ...consulMetrics(made),
    ...kubernetesMetrics(made),
    ...reconcileMetrics(made),
    ...gateMetrics(made),
  };
  metrics.groups({});
  metrics.deadlineMilliseconds(null);
  return { ...metrics, contentType: registry.contentType, render: () => registry.metrics() };
}
