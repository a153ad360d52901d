/**
 * Every metric of the operator: its type, its labels with the values that they can have, and what it measures. metrics.ts makes them from it,
 * and docs/reference/metrics.md is made from it (`npm run generate`). It stands here and not in src/api because nothing but the adapter uses
 * the names: the operator measures through the port.
 */
import type { ClaimOutcome, ClaimReportOutcome, GroupState, ProbeState } from '../ports/metrics.ts';

type Metric = {
  readonly type: 'counter' | 'gauge' | 'histogram';
  /** One sentence, as the exposition has it too. */
  readonly help: string;
  /** By label: every value that it can have, or what the values are. */
  readonly labels: Readonly<Record<string, readonly string[] | string>>;
  /** Upper bounds of a histogram, in seconds where its name says so. */
  readonly buckets?: readonly number[];
  /** When somebody should be told, and what it means then. By series, where not each of them matters. */
  readonly alarm?: { readonly series?: string; readonly when: string };
};

const GROUP_STATES = [
  'led',
  'ledElsewhere',
  'notLed',
  'scaledToZero',
  'paused',
  'stalled',
] as const satisfies readonly GroupState[];

const PROBE_STATES = ['passing', 'failing', 'noRhythm', 'blind', 'notJudged'] as const satisfies readonly ProbeState[];

const CLAIM_OUTCOMES = [
  'given',
  'givenAgain',
  'passed',
  'pending',
  'notLeader',
  'sharedLock',
  'tooFast',
  'tooManySeries',
  'unknown',
] as const satisfies readonly ClaimOutcome[];

const REPORT_OUTCOMES = [
  'noted',
  'notYours',
  'sharedLock',
  'tooFast',
  'unknown',
] as const satisfies readonly ClaimReportOutcome[];

/** A failover takes milliseconds when a pod goes, and twice the session's TTL when everything goes. */
const FAILOVER_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60] as const;

/** Up to the longest timeout of one request. */
const REQUEST_BUCKETS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5] as const;

export const METRICS = {
  leadergroup_groups: {
    type: 'gauge',
    help: 'LeaderGroups whose bucket this replica owns, by state',
    labels: { state: GROUP_STATES },
    alarm: {
      series: '`leadergroup_groups{state="notLed"}`, `{state="stalled"}`',
      when: 'above 0 for longer than your failover may take; sum over the replicas, each counts its own',
    },
  },
  leadergroup_leader_probes: {
    type: 'gauge',
    help: 'LeaderGroups with a leaderProbe whose bucket this replica owns, by what is found of the leader',
    labels: { state: PROBE_STATES },
    alarm: {
      series: '`leadergroup_leader_probes{state="failing"}`, `{state="noRhythm"}`, `{state="blind"}`',
      when: 'above 0 for longer than a minute: `failing`: a leader fails and leads on because no candidate passes; `noRhythm`: a leader asks too seldom to be judged; `blind`: this replica cannot tell. The condition LeaderProbe of the group says more',
    },
  },
  leadergroup_elections_won_total: {
    type: 'counter',
    help: 'Locks acquired for a member while no member of the group held one',
    labels: {},
  },
  leadergroup_handovers_total: {
    type: 'counter',
    help: 'Locks that left a live member, by reason',
    labels: { reason: 'a cause (docs/reference/events.md#causes-of-a-change-of-leader)' },
  },
  leadergroup_deadline_demotions_total: {
    type: 'counter',
    help: 'Leaders demoted because Consul did not answer before the deadline',
    labels: {},
  },
  leadergroup_failover_seconds: {
    type: 'histogram',
    help: 'From the observation that caused a change of leader to the acknowledged promotion',
    labels: {},
    buckets: FAILOVER_BUCKETS,
  },
  leadergroup_label_repairs_total: {
    type: 'counter',
    help: 'Leader labels restored or removed after another client changed them',
    labels: {},
    alarm: { when: 'rises: somebody else changes labels' },
  },
  leadergroup_slice_writes_total: {
    type: 'counter',
    help: 'Writes to EndpointSlices of groups with a route, by what became of them',
    labels: { outcome: ['done', 'gone', 'conflict', 'refused', 'unknown'] },
    alarm: {
      series: '`leadergroup_slice_writes_total{outcome="refused"}`, `{outcome="unknown"}`',
      when: 'rises: a right is missing, or a policy or webhook is in the way; the traffic stays with a former leader',
    },
  },
  leadergroup_sessions: {
    type: 'gauge',
    help: 'Consul sessions of members that this replica renews',
    labels: {},
  },
  leadergroup_session_renewals_total: {
    type: 'counter',
    help: 'Renewals of Consul sessions by outcome: renewed, lost (ended by Consul), failed (not acknowledged)',
    labels: { outcome: ['renewed', 'lost', 'failed'] },
    alarm: {
      series: '`leadergroup_session_renewals_total{outcome="lost"}`, `{outcome="failed"}`',
      when: 'rises: Consul ends sessions, or does not answer',
    },
  },
  leadergroup_deadline_seconds: {
    type: 'gauge',
    help: 'Time until the nearest deadline of a renewed session; negative when it has passed, NaN without sessions',
    labels: {},
    alarm: { when: 'falls towards 0: renewals of sessions do not get through' },
  },
  leadergroup_buckets_owned: {
    type: 'gauge',
    help: 'Buckets (of 32) that this replica owns',
    labels: {},
    alarm: { when: 'the sum over all replicas stays below 32: nobody acts for some groups' },
  },
  leadergroup_bucket_owned: {
    type: 'gauge',
    help: '1 for each bucket that this replica owns, by its name in Consul',
    labels: { bucket: '`00` to `1f`' },
  },
  leadergroup_bucket_moves_total: {
    type: 'counter',
    help: 'Buckets acquired (taken) or moved to another replica (passed)',
    labels: { direction: ['taken', 'passed'] },
  },
  leadergroup_replicas: {
    type: 'gauge',
    help: 'Replicas: all live ones (live), and those of them that reach the API server (reaching)',
    labels: { state: ['live', 'reaching'] },
  },
  leadergroup_consul_requests_total: {
    type: 'counter',
    help: 'Requests to Consul by outcome',
    labels: {
      operation: 'what was asked, e.g. `txn`',
      outcome:
        '`ok`, `lost` and `rejected` are answers; `aborted`; or why it failed: `unreachable`, `busy`, `unknown`, `denied`, `refused`, `noNode`',
    },
  },
  leadergroup_consul_request_seconds: {
    type: 'histogram',
    help: 'Duration of requests to Consul, without blocking reads',
    labels: { operation: 'what was asked, e.g. `txn`' },
    buckets: REQUEST_BUCKETS,
  },
  leadergroup_consul_token_seconds: {
    type: 'gauge',
    help: 'Time until the token of the login to Consul ends; NaN without a login, or where its auth method sets no MaxTokenTTL',
    labels: {},
    alarm: { when: 'below a quarter of the MaxTokenTTL: no new login succeeds, and with the token the sessions end' },
  },
  leadergroup_kubernetes_requests_total: {
    type: 'counter',
    help: 'Requests to the API server',
    labels: { operation: 'verb and resource, e.g. `patch pods`', outcome: 'the HTTP status, or `none`' },
  },
  leadergroup_kubernetes_request_seconds: {
    type: 'histogram',
    help: 'Duration of requests to the API server',
    labels: { operation: 'verb and resource, e.g. `patch pods`' },
    buckets: REQUEST_BUCKETS,
  },
  leadergroup_relists_total: {
    type: 'counter',
    help: 'Watches that had to relist, by kind',
    labels: { kind: '`pods`, `nodes` or `leadergroups`' },
  },
  leadergroup_queue_depth: { type: 'gauge', help: 'Groups in the queue', labels: {} },
  leadergroup_reconciles_total: {
    type: 'counter',
    help: 'Reconciles of a group by outcome',
    labels: { outcome: ['done', 'failed'] },
  },
  leadergroup_reconcile_seconds: {
    type: 'histogram',
    help: 'Duration of one reconcile of a group',
    labels: {},
    buckets: FAILOVER_BUCKETS,
  },
  leadergroup_gate_answers_total: {
    type: 'counter',
    help: 'Answers of the gate by HTTP status: 200 for a grant, 409 for a pod that does not lead',
    labels: { status: 'the HTTP status (docs/troubleshooting.md#answers-of-the-gate)' },
    alarm: { series: '`leadergroup_gate_answers_total{status="503"}`', when: 'is a large part of all answers' },
  },
  leadergroup_gate_revocations_total: {
    type: 'counter',
    help: 'Leaders told to stop before a handover (begun), and those of them that lead on with the same token (resumed)',
    labels: { outcome: ['begun', 'resumed'] },
    alarm: {
      series: '`leadergroup_gate_revocations_total{outcome="resumed"}`',
      when: 'rises with begun: handovers are dropped or fail before their transaction',
    },
  },
  leadergroup_gate_releases_total: {
    type: 'counter',
    help: 'Terms that clients have ended: with grants that are void now (voided), with none left (nothing), or of too many to remember (tooMany)',
    labels: { outcome: ['voided', 'nothing', 'tooMany'] },
    alarm: {
      series: '`leadergroup_gate_releases_total{outcome="tooMany"}`',
      when: 'rises: a client begins and ends terms all the time',
    },
  },
  leadergroup_gate_released_seconds_total: {
    type: 'counter',
    help: 'Time by which releases have shortened what a handover would have waited for',
    labels: {},
  },
  leadergroup_gate_resignations_total: {
    type: 'counter',
    help: 'Releases that ask for another leader: noted (heeded), or without an unexpired grant of the present token (notHeeded); the handovers are leadergroup_handovers_total{reason="LeaderResigned"}',
    labels: { outcome: ['heeded', 'notHeeded'] },
  },
  leadergroup_gate_waiting: { type: 'gauge', help: 'Requests that wait for their answer to change', labels: {} },
  leadergroup_claims_total: {
    type: 'counter',
    help: 'Answers to claims by the replica that owns the group: positions given out (given; givenAgain: nobody had done them in time), or why not; a claim that waits counts each time that it is looked at',
    labels: { outcome: CLAIM_OUTCOMES },
    alarm: {
      series: '`leadergroup_claims_total{outcome="givenAgain"}`, `{outcome="tooFast"}`, `{outcome="tooManySeries"}`',
      when: 'rises: `givenAgain`: claimers die, or take longer than `retryAfterSeconds` without renewing; `tooFast`: a loop claims; `tooManySeries`: a group or the cluster is at its limit ([claims.md](../claims.md#limits))',
    },
  },
  leadergroup_claim_seconds: {
    type: 'histogram',
    help: 'From the arrival of a claim at the replica that owns the group to its answer, without the time for which it waits for another one',
    labels: {},
    buckets: REQUEST_BUCKETS,
  },
  leadergroup_claim_reports_total: {
    type: 'counter',
    help: 'Reports that a position is done, or not yet (renew), by outcome; notYours: it was given out again meanwhile',
    labels: { what: ['done', 'renew'], outcome: REPORT_OUTCOMES },
    alarm: {
      series: '`leadergroup_claim_reports_total{outcome="notYours"}`',
      when: 'rises: positions are done twice, for their claimers take longer than `retryAfterSeconds`',
    },
  },
  leadergroup_claim_batch_writes: {
    type: 'histogram',
    help: 'Claims and reports that went to Consul in one transaction',
    labels: {},
    buckets: [1, 2, 4, 8, 16, 32, 64, 126],
  },
  leadergroup_claim_series: {
    type: 'gauge',
    help: 'Series of all groups of the cluster, as this replica has counted them when something was claimed, once an hour at most; 0 before that',
    labels: {},
    alarm: {
      series: '`max(leadergroup_claim_series)`',
      when: 'above 80,000: at 100,000 no new series begins; series are schedules, are their names drawn anew for each tick?',
    },
  },
  leadergroup_http_connections_refused_total: {
    type: 'counter',
    help: 'Connections closed at a limit: an idle one to make room for a new one (evicted), or a new one, or one with requests sent far ahead of their answers (refused)',
    labels: { what: ['evicted', 'refused'] },
    alarm: { when: 'rises: a client holds too many connections' },
  },
} as const satisfies Readonly<Record<string, Metric>>;

export type MetricName = keyof typeof METRICS;

/** The metrics of one type. */
export type NameOf<Type extends Metric['type']> = {
  [Name in MetricName]: (typeof METRICS)[Name]['type'] extends Type ? Name : never;
}[MetricName];

export type LabelOf<Name extends MetricName> = keyof (typeof METRICS)[Name]['labels'] & string;
