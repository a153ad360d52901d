/**
 * Every metric of the operator: its type, its labels with the values that they can have, and what it measures. metrics.ts makes them from it,
 * and docs/reference/metrics.md is made from it (`npm run generate`). It stands here and not in src/api because nothing but the adapter uses
 * the names: the operator measures through the port.
 */

import { CRITERIA, type Criterion } from '../api/criteria.ts';
import { EVENT_REASONS, type EventReason } from '../api/event-reasons.ts';
import { SWITCHOVER_REFUSALS, type SwitchoverRefusal } from '../api/switchover-reasons.ts';
import { TRANSITION_CAUSES, type TransitionCause } from '../api/transition-causes.ts';
import type {
  ClaimOutcome,
  ClaimReportOutcome,
  GroupState,
  ProbeState,
  SwitchoverResult,
  UnledState,
} from '../ports/metrics.ts';

type Metric = {
  readonly type: 'counter' | 'gauge' | 'histogram';
  /** One sentence, as the exposition has it too. */
  readonly help: string;
  /** By label: every value that it can have, or what the values are. */
  readonly labels: Readonly<Record<string, readonly string[] | string>>;
  /** Upper bounds of a histogram, in seconds where its name says so. */
  readonly buckets?: readonly number[];
  /** What one is: `seconds`, or what is counted. */
  readonly unit: string;
  /** What to do with it: when it says that something is wrong, and what is done then. */
  readonly use: string;
};

const GROUP_STATES = [
  'led',
  'ledElsewhere',
  'notLed',
  'scaledToZero',
  'paused',
  'stalled',
] as const satisfies readonly GroupState[];

const UNLED_STATES = ['notLed', 'stalled'] as const satisfies readonly UnledState[];

/** Of buckets, the names in Consul. */
const BUCKETS = Array.from({ length: 32 }, (_, bucket) => bucket.toString(16).padStart(2, '0'));

const CAUSES = Object.keys(TRANSITION_CAUSES) as readonly TransitionCause[];

const EVENTS = Object.keys(EVENT_REASONS) as readonly EventReason[];

const SWITCHOVER_RESULTS = [
  'Moved',
  ...(Object.keys(SWITCHOVER_REFUSALS) as SwitchoverRefusal[]),
] as const satisfies readonly SwitchoverResult[];
const CHOSEN_BY = ['none', ...(Object.keys(CRITERIA) as readonly Criterion[])] as const;

const RELISTED = ['pods', 'nodes', 'leadergroups', 'services', 'endpointslices'] as const;

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
  leadergroup_build_info: {
    type: 'gauge',
    help: 'Always 1; the version of the operator',
    labels: { version: 'the version' },
    unit: 'none',
    use: 'Which versions run; a rollout that hangs shows two',
  },
  leadergroup_groups: {
    type: 'gauge',
    help: 'LeaderGroups whose bucket this replica owns, by state',
    labels: { state: GROUP_STATES },
    unit: 'groups',
    use: '`notLed`, `stalled` above 0 for longer than your failover may take: `leadergroup_group_unled_seconds` names the groups. Sum over the replicas, each counts its own',
  },
  leadergroup_group_seconds_total: {
    type: 'counter',
    help: 'Time that LeaderGroups have spent in a state, summed over the groups whose bucket this replica owns; looked at every 5 s',
    labels: { state: GROUP_STATES },
    unit: 'seconds',
    use: 'The share of `led` and `ledElsewhere` in all but `scaledToZero` and `paused` is the SLI of leadership',
  },
  leadergroup_group_unled_seconds: {
    type: 'gauge',
    help: 'For how long nobody has led a LeaderGroup whose bucket this replica owns; of the 100 that have been without for longest, nothing of others',
    labels: { group: '`namespace/name`', state: UNLED_STATES },
    unit: 'seconds',
    use: '`kubectl describe` the group that it names',
  },
  leadergroup_group_silenced_seconds: {
    type: 'gauge',
    help: 'For how much longer work on a LeaderGroup whose bucket this replica owns is planned, by its annotation leadergroup.dev/silence; of the 100 for which it lasts longest, nothing of others',
    labels: { group: '`namespace/name`' },
    unit: 'seconds',
    use: 'The alerts about single groups are held back where it is there (docs/how-to/planned-work.md)',
  },
  leadergroup_leader_info: {
    type: 'gauge',
    help: 'Always 1; who leads a LeaderGroup whose bucket this replica owns, with setting metrics.groups',
    labels: { group: '`namespace/name`', pod: 'its name', node: 'its node' },
    unit: 'none',
    use: 'Joins the leader to the metrics of its pod: `... * on (namespace, pod) group_left leadergroup_leader_info`',
  },
  leadergroup_leader_token: {
    type: 'gauge',
    help: 'The fencing token of the leader, with setting metrics.groups',
    labels: { group: '`namespace/name`' },
    unit: 'none',
    use: 'Rises with each election and never falls: compare it with what receivers refuse',
  },
  leadergroup_leaderless_seconds: {
    type: 'gauge',
    help: 'For how long nobody has led a LeaderGroup that should be led, 0 while somebody does, with setting metrics.groups',
    labels: { group: '`namespace/name`' },
    unit: 'seconds',
    use: 'Alarm for single groups, above what each can bear',
  },
  leadergroup_group_transitions_total: {
    type: 'counter',
    help: 'Changes of leader of a LeaderGroup, by reason, since this replica was first scraped as the owner of its bucket, with setting metrics.groups',
    labels: { group: '`namespace/name`', reason: 'as in `leadergroup_handovers_total`' },
    unit: 'changes',
    use: 'Which group changes its leader too often, and why',
  },
  leadergroup_last_handover_timestamp_seconds: {
    type: 'gauge',
    help: 'When the last change to a leader was complete, in seconds since 1970, with setting metrics.groups',
    labels: { group: '`namespace/name`' },
    unit: 'seconds',
    use: 'Mark it in graphs of the application',
  },
  leadergroup_last_handover_duration_seconds: {
    type: 'gauge',
    help: 'How long the last change to a leader took, with setting metrics.groups',
    labels: { group: '`namespace/name`' },
    unit: 'seconds',
    use: 'Compare it with `leadergroup_failover_duration_seconds`',
  },
  leadergroup_leader_probes: {
    type: 'gauge',
    help: 'LeaderGroups with a leaderProbe whose bucket this replica owns, by what is found of the leader',
    labels: { state: PROBE_STATES },
    unit: 'groups',
    use: '`failing`: a leader fails and leads on because no candidate passes; `noRhythm`: a leader asks too seldom to be judged; `blind`: this replica cannot tell. The condition LeaderProbe of the group says more',
  },
  leadergroup_elections_won_total: {
    type: 'counter',
    help: 'Locks acquired for a member while no member of the group held one',
    labels: {},
    unit: 'locks',
    use: 'Compare its rate with what you do: each rollout of an application elects',
  },
  leadergroup_handovers_total: {
    type: 'counter',
    help: 'Locks that left a live member, by reason',
    labels: { reason: CAUSES },
    unit: 'locks',
    use: 'Look up the reasons that rise; `LeaderNotReady` again and again is a readiness probe that fails now and then',
  },
  leadergroup_events_total: {
    type: 'counter',
    help: 'Events about LeaderGroups, by reason: what the operator has told of a group, each thing once',
    labels: { reason: EVENTS },
    unit: 'events',
    use: 'For what no other metric counts: `FormerLeaderKept` rises: a disruption budget or a missing right keeps former leaders. `LeaderRetained`: a group with `deletionPolicy: Retain` was deleted, and nobody replaces its leader. `LockDelay` rises: sessions of leaders end by themselves. docs/reference/events.md has what each means',
  },
  leadergroup_switchovers_total: {
    type: 'counter',
    help: 'Switchovers that the annotation leadergroup.dev/switchover asked for, by what became of them',
    labels: { result: SWITCHOVER_RESULTS },
    unit: 'requests',
    use: 'All but `Moved` were refused, and are an event each; `Replayed` that rises is a tool that puts an old annotation back, `TooSoon` a loop',
  },
  leadergroup_leaders_chosen_total: {
    type: 'counter',
    help: 'Leaders elected, by what they came before the other candidates (none: there was no other, or the leader probe decided)',
    labels: { by: CHOSEN_BY },
    unit: 'leaders',
    use: '`none` again and again: there is one candidate only. `NotFailedLately` rises: leaders fail again and again. docs/how-to/preferences.md has the order',
  },
  leadergroup_leaders_deferred_total: {
    type: 'counter',
    help: 'Leaders that have failed, so that for a while others go first',
    labels: {},
    unit: 'leaders',
    use: 'Its rate is that of leaders that fail; the event LeaderDeferred names those that do again and again',
  },
  leadergroup_deadline_demotions_total: {
    type: 'counter',
    help: 'Leaders demoted because Consul did not answer before the deadline',
    labels: {},
    unit: 'leaders',
    use: 'Rises: Consul was away for longer than `sessionTTLSeconds`, and `onConsulLoss` is `Demote`',
  },
  leadergroup_failover_duration_seconds: {
    type: 'histogram',
    help: 'From the observation that caused a change of leader to the acknowledged promotion',
    labels: {},
    buckets: FAILOVER_BUCKETS,
    unit: 'seconds',
    use: 'Its 99th percentile is the SLI of handovers; where it is high, the durations of requests to Consul and the API server say who is slow',
  },
  leadergroup_label_repairs_total: {
    type: 'counter',
    help: 'Leader labels restored or removed after another client changed them',
    labels: {},
    unit: 'labels',
    use: 'Rises: somebody else changes labels; the event `LabelContested` names who',
  },
  leadergroup_slice_writes_total: {
    type: 'counter',
    help: 'Writes to EndpointSlices of groups with a route, by what became of them',
    labels: { outcome: ['done', 'gone', 'conflict', 'refused', 'unknown'] },
    unit: 'writes',
    use: '`refused`, `unknown` rise: a right is missing, or a policy or webhook is in the way; the traffic stays with a former leader',
  },
  leadergroup_sessions: {
    type: 'gauge',
    help: 'Consul sessions of members that this replica renews',
    labels: {},
    unit: 'sessions',
    use: 'One for each member that could lead: what Consul has to keep',
  },
  leadergroup_session_renewals_total: {
    type: 'counter',
    help: 'Renewals of Consul sessions by outcome: renewed, lost (ended by Consul), failed (not acknowledged)',
    labels: { outcome: ['renewed', 'lost', 'failed'] },
    unit: 'requests',
    use: '`lost`, `failed` rise: Consul ends sessions, or does not answer',
  },
  leadergroup_session_deadline_seconds: {
    type: 'gauge',
    help: 'Time until the nearest deadline of a renewed session; negative when it has passed, NaN without sessions',
    labels: {},
    unit: 'seconds',
    use: 'Falls towards 0: renewals of sessions do not get through',
  },
  leadergroup_bucket_owned: {
    type: 'gauge',
    help: 'Whether this replica owns the bucket (1 or 0), by its name in Consul; there are 32',
    labels: { bucket: BUCKETS },
    unit: 'buckets',
    use: 'The sum over all replicas stays below 32: nobody acts for some groups',
  },
  leadergroup_bucket_moves_total: {
    type: 'counter',
    help: 'Buckets acquired (taken) or moved to another replica (passed)',
    labels: { direction: ['taken', 'passed'] },
    unit: 'buckets',
    use: 'Rises all the time: replicas come and go',
  },
  leadergroup_replicas: {
    type: 'gauge',
    help: 'Replicas: all live ones (live), and those of them that reach the API server (reaching)',
    labels: { state: ['live', 'reaching'] },
    unit: 'replicas',
    use: '`reaching` below `live`: a replica does not reach the API server',
  },
  leadergroup_consul_requests_total: {
    type: 'counter',
    help: 'Requests to Consul by outcome',
    labels: {
      operation: 'what was asked, e.g. `txn`',
      outcome:
        '`ok`, `lost` and `rejected` are answers; `aborted`; or why it failed: `unreachable`, `busy`, `unknown`, `denied`, `refused`, `noNode`',
    },
    unit: 'requests',
    use: 'Outcomes that are no answers rise: Consul, the way to it, or `denied`, the token',
  },
  leadergroup_consul_request_duration_seconds: {
    type: 'histogram',
    help: 'Duration of requests to Consul, without blocking reads',
    labels: { operation: 'what was asked, e.g. `txn`' },
    buckets: REQUEST_BUCKETS,
    unit: 'seconds',
    use: 'Each failover waits for `txn`; rises with the load of Consul',
  },
  leadergroup_consul_token_remaining_seconds: {
    type: 'gauge',
    help: "Time until the operator's token for Consul ends, read from Consul each minute where there is no login; NaN where it has no end, or there is none",
    labels: {},
    unit: 'seconds',
    use: 'Below a quarter of its life: no new login succeeds, or nobody has replaced a token that was given; with the token the sessions end',
  },
  leadergroup_kubernetes_requests_total: {
    type: 'counter',
    help: 'Requests to the API server',
    labels: { operation: 'verb and resource, e.g. `patch pods`', outcome: 'the HTTP status, or `none`' },
    unit: 'requests',
    use: '`none`, `403`, `429` and `5xx` rise: the API server, the rights, or its flow control',
  },
  leadergroup_kubernetes_request_duration_seconds: {
    type: 'histogram',
    help: 'Duration of requests to the API server',
    labels: { operation: 'verb and resource, e.g. `patch pods`' },
    buckets: REQUEST_BUCKETS,
    unit: 'seconds',
    use: 'Each failover waits for two patches of pods',
  },
  leadergroup_relists_total: {
    type: 'counter',
    help: 'Watches that had to relist, by kind',
    labels: { kind: RELISTED },
    unit: 'lists',
    use: 'Rises all the time: watches break, and each list costs the API server',
  },
  leadergroup_namespace_readable: {
    type: 'gauge',
    help: 'Whether the pods and groups of a namespace can be read (1), or it is left out for want of a right (0); nothing without setting watchNamespaces',
    labels: { watched: 'a namespace of `watchNamespaces`' },
    unit: 'none',
    use: '0: its groups keep their leaders, and nobody is replaced; `/readyz` names the missing right',
  },
  leadergroup_queue_depth: {
    type: 'gauge',
    help: 'Groups in the queue',
    labels: {},
    unit: 'groups',
    use: 'Stays up: more changes than this replica has time for; `workers`, CPU',
  },
  leadergroup_reconciles_total: {
    type: 'counter',
    help: 'Reconciles of a group by outcome',
    labels: { outcome: ['done', 'failed'] },
    unit: 'passes',
    use: '`failed` rises: a defect; the log says which',
  },
  leadergroup_reconcile_duration_seconds: {
    type: 'histogram',
    help: 'Duration of one reconcile of a group',
    labels: {},
    buckets: FAILOVER_BUCKETS,
    unit: 'seconds',
    use: 'With the queue it says where time goes',
  },
  leadergroup_gate_answers_total: {
    type: 'counter',
    help: 'Answers of the gate by HTTP status: 200 for a grant, 409 for a pod that does not lead',
    labels: { status: 'the HTTP status (docs/troubleshooting.md#answers-of-the-gate)' },
    unit: 'requests',
    use: '`503` is a large part of all answers: nobody could say who leads',
  },
  leadergroup_before_promotion_questions_total: {
    type: 'counter',
    help: 'Pods asked before a promotion (spec.beforePromotion), by what came of it; notAsked: something of the operator stood in the way',
    labels: { outcome: ['passed', 'Timeout', 'Refused', 'Reset', 'Status4xx', 'Status5xx', 'notAsked'] },
    unit: 'questions',
    use: 'anything but `passed` rises: candidates do not pass. `Timeout` of all of them: a network policy keeps the operator out',
  },
  leadergroup_gate_revocations_total: {
    type: 'counter',
    help: 'Leaders told to stop before a handover (begun), and those of them that lead on with the same token (resumed)',
    labels: { outcome: ['begun', 'resumed'] },
    unit: 'leaders',
    use: '`resumed` rises with `begun`: handovers are dropped or fail before their transaction',
  },
  leadergroup_gate_releases_total: {
    type: 'counter',
    help: 'Terms that clients have ended: with grants that are void now (voided), with none left (nothing), or of too many to remember (tooMany)',
    labels: { outcome: ['voided', 'nothing', 'tooMany'] },
    unit: 'terms',
    use: '`tooMany` rises: a client begins and ends terms all the time',
  },
  leadergroup_gate_released_seconds_total: {
    type: 'counter',
    help: 'Time by which releases have shortened what a handover would have waited for',
    labels: {},
    unit: 'seconds',
    use: 'What releasing terms is good for',
  },
  leadergroup_gate_resignations_total: {
    type: 'counter',
    help: 'Releases that ask for another leader: noted (heeded), or without an unexpired grant of the present token (notHeeded); the handovers are leadergroup_handovers_total{reason="LeaderResigned"}',
    labels: { outcome: ['heeded', 'notHeeded'] },
    unit: 'requests',
    use: '`notHeeded` rises: a client resigns after its grant has ended',
  },
  leadergroup_gate_waiting: {
    type: 'gauge',
    help: 'Requests that wait for their answer to change',
    labels: {},
    unit: 'requests',
    use: 'How many clients wait; each holds a connection',
  },
  leadergroup_claims_total: {
    type: 'counter',
    help: 'Answers to claims by the replica that owns the group: positions given out (given; givenAgain: nobody had done them in time), or why not; a claim that waits counts each time that it is looked at',
    labels: { outcome: CLAIM_OUTCOMES },
    unit: 'claims',
    use: '`givenAgain` rises: claimers die, or take longer than `retryAfterSeconds` without renewing; `tooFast`: a loop claims; `tooManySeries`: a group or the cluster is at its limit (docs/claims.md#limits)',
  },
  leadergroup_claim_duration_seconds: {
    type: 'histogram',
    help: 'From the arrival of a claim at the replica that owns the group to its answer, without the time for which it waits for another one',
    labels: {},
    buckets: REQUEST_BUCKETS,
    unit: 'seconds',
    use: 'Rises with the load of Consul: each claim is one operation of a transaction',
  },
  leadergroup_claim_reports_total: {
    type: 'counter',
    help: 'Reports that a position is done, or not yet (renew), by outcome; notYours: it was given out again meanwhile',
    labels: { what: ['done', 'renew'], outcome: REPORT_OUTCOMES },
    unit: 'reports',
    use: '`notYours` rises: positions are done twice, for their claimers take longer than `retryAfterSeconds`',
  },
  leadergroup_claim_batch_writes: {
    type: 'histogram',
    help: 'Claims and reports that went to Consul in one transaction',
    labels: {},
    buckets: [1, 2, 4, 8, 16, 32, 64, 126],
    unit: 'writes',
    use: 'How well claims go together',
  },
  leadergroup_claim_series: {
    type: 'gauge',
    help: 'Series of all groups of the cluster, as this replica has counted them when something was claimed, once an hour at most; 0 before that',
    labels: {},
    unit: 'series',
    use: '`max` above 80,000: at 100,000 no new series begins; series are schedules, are their names drawn anew for each tick?',
  },
  leadergroup_http_connections_refused_total: {
    type: 'counter',
    help: 'Connections closed at a limit: an idle one to make room for a new one (evicted), or a new one, or one with requests sent far ahead of their answers (refused)',
    labels: { what: ['evicted', 'refused'] },
    unit: 'connections',
    use: 'Rises: a client holds too many connections',
  },
  leadergroup_log_lines_dropped_total: {
    type: 'counter',
    help: 'Lines of the log that were dropped because standard output was not read',
    labels: {},
    unit: 'lines',
    use: 'Rises: the container runtime does not read the log in time (a full or slow disk of the node?), so it has gaps',
  },
} as const satisfies Readonly<Record<string, Metric>>;

export type MetricName = keyof typeof METRICS;

/** The metrics of one type. */
export type NameOf<Type extends Metric['type']> = {
  [Name in MetricName]: (typeof METRICS)[Name]['type'] extends Type ? Name : never;
}[MetricName];

export type LabelOf<Name extends MetricName> = keyof (typeof METRICS)[Name]['labels'] & string;
