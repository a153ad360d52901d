/** What the HTTP API needs of the operator to say who may do a position of a series. */
import type { Claim, ClaimRequest } from '../api/claim.ts';
import type { GateLeader } from '../api/gate.ts';
import type { GroupName } from '../api/leadergroup.ts';
import type { PodRef } from '../api/pod.ts';
import type { ChangeWatch } from './change-watch.ts';

export type ClaimAnswer =
  /** Do it, once. `claim.position` may be an earlier one than was asked for, which nobody has done (AtLeastOnce). */
  | { readonly kind: 'claimed'; readonly claim: Claim }
  /** Passed: drop it. Pending: it or an earlier one was given out, and is neither done nor overdue. */
  | { readonly kind: 'refused'; readonly reason: 'Passed' | 'Pending'; readonly mark: Claim }
  /** Only the leader is given anything. Where nobody leads, or the lead is about to pass, it is `unknown`. */
  | { readonly kind: 'notLeader'; readonly leader: GateLeader }
  /** Its lock is shared with others, who do not know our claims. */
  | { readonly kind: 'sharedLock' }
  | { readonly kind: 'tooFast' }
  | { readonly kind: 'tooManySeries'; readonly of: 'group' | 'cluster' }
  /** Nobody can say: ask again with the same id, or drop it. */
  | { readonly kind: 'unknown'; readonly reason: string };

export type ClaimReport = {
  readonly series: string;
  readonly position: number;
  /** Hash of the id with which it was claimed. */
  readonly id: string;
  readonly what: 'done' | 'renew';
};

export type ReportAnswer =
  | { readonly kind: 'noted'; readonly claim: Claim }
  /** It is not this call's claim (any more). null: the series has none. */
  | { readonly kind: 'notYours'; readonly mark: Claim | null }
  | Extract<ClaimAnswer, { readonly kind: 'sharedLock' | 'unknown' | 'tooFast' }>;

export type MarkAnswer =
  | { readonly kind: 'mark'; readonly mark: Claim | null }
  | Extract<ClaimAnswer, { readonly kind: 'sharedLock' | 'unknown' }>;

/**
 * To be asked of the replica that owns the group. Reject only when the replica stops, or `signal` aborts: the caller has gone. What it asked for is
 * not begun then, if it has not been.
 */
export type Claims = {
  /**
   * Gives a position out, at most once for each id. What was given is never given to another call, unless both say AtLeastOnce and it
   * is overdue. After `unknown` it may have been given: the same id is told so.
   */
  claim(group: GroupName, pod: PodRef, asked: ClaimRequest, signal?: AbortSignal): Promise<ClaimAnswer>;
  /** Idempotent. Counts whoever leads by now. */
  report(group: GroupName, pod: PodRef, report: ClaimReport, signal?: AbortSignal): Promise<ReportAnswer>;
  /** Where the series stands. */
  mark(group: GroupName, series: string): Promise<MarkAnswer>;
  /** Tells when a claim of the series, or who leads, may be another. */
  watch(group: GroupName, series: string): ChangeWatch;
};
