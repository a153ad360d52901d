/** What the operator measures. Each method records and returns; none throws. The adapter is src/http/metrics.ts. */

import type { Criterion } from '../api/criteria.ts';
import type { EventReason } from '../api/event-reasons.ts';
import type { SwitchoverRefusal } from '../api/switchover-reasons.ts';
import type { TransitionCause } from '../api/transition-causes.ts';
import type { HttpProbeFailure } from './prober.ts';

/** Where a group stands; each group is in exactly one. */
export type GroupState = 'led' | 'ledElsewhere' | 'notLed' | 'scaledToZero' | 'paused' | 'stalled';

/** That of a group that should have a leader and has none. */
export type UnledState = Extract<GroupState, 'notLed' | 'stalled'>;

/** A group, `namespace/name`, without a leader for so many seconds. */
/** `group`: namespace/name. */
export type SilencedGroup = { readonly group: string; readonly seconds: number };

export type UnledGroup = { readonly group: string; readonly state: UnledState; readonly seconds: number };

/** Of one group, `namespace/name`, whose bucket this replica owns. */
export type GroupFigures = {
  readonly group: string;
  /** null: nobody of ours leads. */
  readonly leader: { readonly pod: string; readonly node: string; readonly token: number } | null;
  /** For how long nobody has led that should; 0 while somebody does. */
  readonly leaderlessSeconds: number;
  /** Changes of leader by their reason, since this replica got the group. */
  readonly transitions: ReadonlyMap<string, number>;
  /** The last change to a leader: when it was complete, in seconds since 1970, and how long it took. null: there was none. */
  readonly lastHandover: { readonly atSeconds: number; readonly seconds: number } | null;
};

/** How the leader of a group with a leader probe is judged. */
export type ProbeState = 'passing' | 'failing' | 'noRhythm' | 'blind' | 'notJudged';

/** What came of asking a pod before a promotion. `notAsked`: something of this replica stood in the way. */
export type PromotionOutcome = 'passed' | HttpProbeFailure | 'notAsked';

/** What a claim was answered. `given`: also to a call that has it already. `givenAgain`: nobody had done it in time. */
export type ClaimOutcome =
  | 'given'
  | 'givenAgain'
  | 'passed'
  | 'pending'
  | 'notLeader'
  | 'sharedLock'
  | 'tooFast'
  | 'tooManySeries'
  | 'unknown';

export type ClaimReportOutcome = 'noted' | 'notYours' | 'sharedLock' | 'tooFast' | 'unknown';

export type SwitchoverResult = 'Moved' | SwitchoverRefusal;

export type Metrics = {
  /** A member got a lock that no member of ours held before. */
  electionWon(): void;
  /** A lock passed from one live member to another, or was given up. */
  handover(reason: TransitionCause): void;
  /** Somebody was told of a group by an event. */
  eventGiven(reason: EventReason): void;
  /** What became of a switchover that was asked for. */
  switchover(result: SwitchoverResult): void;
  /** Somebody was elected: by what it came before the other candidates; null: there was no other. */
  leaderChosen(by: Criterion | null): void;
  /** A leader has failed: for a while others go first. */
  leaderDeferred(): void;
  /** A leader was taken down because Consul had not answered until the deadline. */
  demotedByDeadline(): void;
  /** From the observation that caused a change of leader to the acknowledged promotion. */
  failoverSeconds(seconds: number): void;
  /** A leader label that another client had removed or set was repaired. */
  labelRepaired(): void;
  /** What became of a write to an EndpointSlice of a route. */
  sliceWritten(outcome: 'done' | 'gone' | 'conflict' | 'refused' | 'unknown'): void;
  /** How many groups are in each state; a state that is left out has none. */
  groups(counts: Readonly<Partial<Record<GroupState, number>>>): void;
  /** So many seconds more that groups have spent in each state, summed over the groups. */
  groupSeconds(seconds: Readonly<Partial<Record<GroupState, number>>>): void;
  /** Groups without a leader, all that are to be shown: whoever was there before and is not any more has one. */
  unled(groups: readonly UnledGroup[]): void;
  /** For how many more seconds work on each of these groups is planned, all that are to be shown. */
  silenced(groups: readonly SilencedGroup[]): void;
  /** Figures of single groups, all that are to be shown: whoever was there before and is not any more is not shown. */
  groupFigures(figures: readonly GroupFigures[]): void;
  /** Of groups with a leader probe, how many leaders are judged how; a state that is left out has none. */
  leaderProbes(counts: Readonly<Partial<Record<ProbeState, number>>>): void;
  /** A pod was asked before a promotion. */
  askedBeforePromotion(outcome: PromotionOutcome): void;
  /** Consul sessions of members kept alive by this replica. */
  sessions(count: number): void;
  /** `lost`: Consul ended the session. `failed`: Consul did not acknowledge the renewal. */
  renewal(outcome: 'renewed' | 'lost' | 'failed'): void;
  /** Milliseconds until the nearest deadline of a renewed session; negative when it has passed, null without sessions. */
  deadlineMilliseconds(milliseconds: number | null): void;
  /** Of the 32 buckets, those this replica owns, by their names in Consul. */
  bucketsOwned(buckets: readonly string[]): void;
  /** `taken`: acquired and adopted. `passed`: moved to the desired owner. */
  bucketsMoved(direction: 'taken' | 'passed', count: number): void;
  /** Replicas that are there, this one included, and how many of them reach the API server. */
  replicas(counts: { readonly live: number; readonly reaching: number }): void;
  /** A request to Consul is over. `watchPrefix` takes as long as nothing happens, so only its outcome counts. */
  consulRequest(report: { readonly operation: string; readonly outcome: string; readonly milliseconds: number }): void;
  /** A request to the API server is over; watches are not reported here. */
  kubernetesRequest(report: {
    readonly operation: string;
    readonly outcome: string;
    readonly milliseconds: number;
  }): void;
  /** A watch had to list anew; `kind` is what it watches, e.g. pods. */
  relisted(kind: string): void;
  /** The gate has answered a question, with this status of HTTP. */
  gateAnswered(status: number): void;
  /** A connection to the HTTP port was ended for want of room: an idle one for a new one, or the new one itself; or for requests sent far ahead. */
  connectionRefused(what: 'evicted' | 'refused'): void;
  /** `begun`: a leader is given no more grants, for it is to hand over. `resumed`: it leads on, with the same token. */
  gateRevocation(outcome: 'begun' | 'resumed'): void;
  /** A client has ended a term. `nothing`: no grant was left. `tooMany`: nothing was done. `savedMs`: so much earlier a handover may go on. */
  gateRelease(outcome: 'voided' | 'nothing' | 'tooMany', savedMs: number): void;
  /** A client has asked that another pod may lead. */
  gateResignation(outcome: 'heeded' | 'notHeeded'): void;
  /** Questions that wait for their answer to change. */
  gateWaiting(count: number): void;
  /** This replica, which owns the group, has answered a claim so long after it arrived; one that waits arrives each time that it is looked at again. */
  claimAnswered(outcome: ClaimOutcome, milliseconds: number): void;
  /** A claimer has said that a position is done, or not yet. */
  claimReported(what: 'done' | 'renew', outcome: ClaimReportOutcome): void;
  /** So many claims and reports went to Consul in one transaction. */
  claimBatch(writes: number): void;
  /** Series of all groups of the cluster, as this replica has counted them. */
  claimSeries(count: number): void;
  /** Lines of the log that were dropped because nobody read them. */
  logLinesDropped(lines: number): void;
  /** Keys that wait for a worker. */
  queueDepth(count: number): void;
  /** A pass over one group is over. */
  reconciled(outcome: 'done' | 'failed', milliseconds: number): void;
};
