/**
 * Everything one decision rests on, gathered before it is made. Plain values: the planner reads no clock, no cache and
 * no network, so that the same observation always makes the same plan.
 */
import type { MonotonicMs } from '../api/clocks.ts';
import type { PodUid, SessionId } from '../api/ids.ts';
import type { LeaderGroup } from '../api/leadergroup.ts';
import type { ClusterNode, Pod } from '../api/pod.ts';
import type { SwitchoverRefusal } from '../api/switchover-reasons.ts';
import type { Candidacy } from './candidacy.ts';
import type { Deferral } from './deferral.ts';
import type { Contest, RefusedFor } from './hindered.ts';
import type { PreferredSince } from './preferred-since.ts';
import type { ProbeView } from './probe.ts';
import type { PromotionView } from './promotion-view.ts';
import type { LockRecord } from './record.ts';
import type { RouteView } from './route-view.ts';

/** A session that this operator keeps alive for one member. Gone from the observation once Consul says it is lost. */
export type MemberSession = {
  readonly id: SessionId;
  readonly podUid: PodUid;
  /** The session's own, which may differ from the spec's after an edit. */
  readonly ttlMs: number;
  readonly lockDelayMs: number;
  /** Monotonic milliseconds; past it a lock held by this session is `unknown` (promise I3). */
  readonly deadlineMs: MonotonicMs;
  /**
   * False once the deadline has passed, also when a renewal was acknowledged since: one 200 proves nothing, only a
   * lock transaction that names the session does.
   */
  readonly proven: boolean;
};

/** What is known of the controller of a pod, with regard to the group's label key. */
export type OwnerView =
  /** The pod has none, or its owner does not exist any more. */
  | { readonly kind: 'none' }
  | { readonly kind: 'unread' }
  /** It does not select by the key: our label cannot take a pod from it. `template`: its pods are made with the key. */
  | { readonly kind: 'clear'; readonly workload: string; readonly template: boolean; readonly placement: boolean }
  /** It selects by the key: a pod whose label changes is released, and another is made in its place, without end. */
  | { readonly kind: 'selects'; readonly workload: string }
  /**
   * Nobody lets us read it. `trial`: by the one pod of it whose label was written; null: none yet, or it is to begin anew.
   */
  | {
      readonly kind: 'unreadable';
      readonly workload: string;
      readonly trial: TrialView | null;
    };

/** `leftMs`: until the pod may be read, or another one tried if it is gone. `kept`: a read has shown it with its controller. */
export type TrialView = { readonly podUid: PodUid; readonly leftMs: number; readonly kept: boolean };

/** Why no label of this group may be written, nor taken off. */
export type LabelStop = {
  readonly message: string;
  /** Monotonic milliseconds from when on the first of the controllers that were read is to be read again. */
  readonly readAgainAtMs?: MonotonicMs;
};

export type Host = Pick<ClusterNode, 'createdMs' | 'labels' | 'ready'>;

/** A pod as this group sees it. */
export type ObservedPod = {
  readonly pod: Pod;
  /** The selector matches, it is no mirror pod and has not finished. */
  readonly member: boolean;
  /** Another group that may act selects it under the same label key: its label is that group's business. */
  readonly claimedByOther: boolean;
  /** An older group selects it, by whatever label key, and keeps its leader last: the deletion cost is that group's business. */
  readonly costIsAnothers: boolean;
  /** It has resigned lately: it leads only if nobody else can. */
  readonly yields: boolean;
  /** It has lost the lead by a failure lately: others go first; null: it has not. */
  readonly deferred: Deferral | null;
  readonly cordoned: boolean;
  /** Its node is deleted, or out of service: whatever the pod is said to be, nobody hears from it any more. */
  readonly nodeLost: boolean;
  /** Of its node; null: it has none, or is not known. */
  readonly zone: string | null;
  /** What is known of its node; null: nothing, since it has none, or nodes are not watched. */
  readonly host: Host | null;
  readonly owner: OwnerView;
  /** Whether it is a candidate by the condition that the group goes by. Where it leads, or where traffic is sent, its own readiness counts: `pod.ready`. */
  readonly candidacy: Candidacy;
  /** Milliseconds since its condition Ready has not been True, by own observation; 0 when it is. */
  readonly notReadyForMs: number;
  /** A promotion was refused for good; until it is tried again the pod is no candidate. */
  readonly promotionRefused: RefusedFor | null;
  /** Its fencing patch was refused; until then (monotonic) it is not tried again. null: never. */
  readonly fencingRefusedUntilMs: MonotonicMs | null;
  /** No promotion of it can be under way, by anybody (ADR 0013): where its fencing patch is refused, it need not be fenced. */
  readonly neverPromoted: boolean;
  /** Somebody else undoes what we write on this pod, or writes what we undo; null: nobody does. */
  readonly contest: Contest | null;
  /** Fencing patches of this pod in a row that met a conflict. */
  readonly fencingConflicts: number;
};

/** Consul keys of one group. */
export type GroupKeys = {
  readonly lock: string;
  /** Where the record and the token counter stand: null without a lockKey, where the lock's value is the record. */
  readonly record: string | null;
  readonly token: string | null;
  /** Where an earlier group of this name, with a lockKey where this one has none or without one, had its record. */
  readonly earlier: string;
};

/** One key of the lock as last seen: index 0 = it does not exist. */
export type KeyVersion = { readonly key: string; readonly index: number };

/** The lock as last seen: a cache, or the answer to our own last transaction. Every transaction checks that it still holds. */
export type LockView = {
  /** Every key that a transaction on this lock must find unchanged; the lock itself first. */
  readonly versions: readonly KeyVersion[];
  /** Session that holds it. */
  readonly session: SessionId | null;
  /** null: missing or unreadable. */
  readonly record: LockRecord | null;
  /** Whom the lock's own value names: beside a lockKey anybody may have written it, and it is only shown. null: nobody. */
  readonly heldFor: LockRecord['holder'] | null;
  /** Counter beside a lockKey; 0 when missing or unreadable. */
  readonly sharedToken: number;
  /** Last token of an earlier group of this name, with a lockKey where this one has none or without one; null: nothing of it is left. */
  readonly earlierToken: number | null;
  /** An entry stands under a lockKey that is no lock (its flags are another's): never to be touched. */
  readonly foreignEntry: boolean;
};

/** What is known of a session that holds the lock but is not one that we keep. */
export type ExternalSession =
  | { readonly kind: 'gone' }
  | { readonly kind: 'external'; readonly name: string; readonly node: string };

/** Proof of bucket ownership that every transaction carries: fails when the bucket is no longer this session's. */
export type BucketGuard = { readonly key: string; readonly session: SessionId };

export type Ownership =
  /** `untilMs`: monotonic milliseconds from which it could be another's, the deadline of the replica's own session. */
  | { readonly kind: 'owned'; readonly guard: BucketGuard; readonly untilMs: MonotonicMs }
  /**
   * This replica holds it but may not act: it is still adopting its sessions, or cannot prove any more that the bucket is
   * its own (the replica's session is past its deadline, or lost).
   */
  | { readonly kind: 'lapsed' }
  /** Another replica owns the bucket, or may. */
  | { readonly kind: 'notOwned' }
  /** This process has not been able to ask Consul since it started. */
  | { readonly kind: 'neverKnown' };

/**
 * Each of `formers` is evicted once `next` has its label, until its `untilMs` (monotonic milliseconds). `from`: who had the lock before, and has it still
 * where the transaction did not arrive; null: nobody.
 */
export type OwedEvictions = {
  readonly formers: readonly { readonly uid: PodUid; readonly untilMs: MonotonicMs }[];
  readonly from: PodUid | null;
  readonly next: PodUid;
};

export type SwitchoverRefused = { readonly reason: SwitchoverRefusal; readonly message: string };

export type Observation = {
  /** Monotonic milliseconds at which this was put together. */
  readonly nowMs: MonotonicMs;
  /** Whole seconds since 1970 by the wall clock. */
  readonly wallSeconds: number;
  readonly group: LeaderGroup;
  readonly keys: GroupKeys;
  /** Members first and foremost; also pods that carry this group's label or annotations and the recorded holder, if known. */
  readonly pods: readonly ObservedPod[];
  readonly sessions: readonly MemberSession[];
  /** Highest token seen outside Consul: on the pods and in the status. A record below it comes from a restored Consul. */
  readonly highestObserved: number;
  readonly ownership: Ownership;
  /** The last request to Consul failed and none has succeeded since. */
  readonly consulUnreachable: boolean;
  /** Consul answers, and denies everything: what to mend is the token. For people; nothing is decided by it. */
  readonly consulDeniesAll: boolean;
  /** Monotonic milliseconds from which the lock is unknown: the holder's deadline, or of a fresh process start + TTL - margin. */
  readonly lockDeadlineMs: MonotonicMs;
  /** null: not read yet, or no longer to be trusted (an unknown outcome, a failed check). */
  readonly lock: LockView | null;
  /** About the session that holds the lock, once asked for; null: not asked. */
  readonly holderSession: ExternalSession | null;
  /** The pods come from a list made after `lock` was read, not from a cache. */
  readonly freshList: boolean;
  /** A GET made after `lock` was read confirmed uid and generation of `group`. */
  readonly groupConfirmed: boolean;
  /**
   * Whether nobody can have led by this group yet: the finalizer is our own write, it has no lockKey, and its lock does not exist. `unread`: the
   * lock was not read again since the finalizer was acknowledged. (ADR 0020.)
   */
  readonly untouched: 'no' | 'unread' | 'read';
  /** The watch has shown another group of this name, which is gone. */
  readonly hadAnother: boolean;
  /** The API server has shown or changed this very group since the bucket was got. */
  readonly groupKnown: boolean;
  /** Null: labels may be written. */
  readonly labelStop: LabelStop | null;
  /** Other objects of the namespace that select pods by the label key, as `Kind name`. */
  readonly labelReaders: readonly string[];
  /** Name of the older group that acts for a pod that this one selects too. */
  readonly overlapsWith: string | null;
  /** A GET has shown that it is there; a cache may still show one that is gone. */
  readonly overlapConfirmed: boolean;
  readonly overlapUid: string | null;
  /** Whether this replica may watch nodes, and does. */
  readonly nodesReadable: boolean;
  /** Why the configuration forbids the lockKey; null: allowed. */
  readonly lockKeyProblem: string | null;
  /** The labels were taken off for the Consul outage, and no renewal has been acknowledged since. */
  readonly demotedForOutage: boolean;
  /**
   * Uids fenced since the lock has its present version. Such a fencing patch still counts: whoever promotes must first
   * move the lock to another version.
   */
  readonly fenced: Pick<ReadonlySet<PodUid>, 'has' | 'size'>;
  /** A lock transaction of ours under the present bucket session has brought about the present version of the lock. */
  readonly verified: boolean;
  /** Somebody has asked the gate about this group. */
  readonly asked: boolean;
  /** Who is given no grant, because the lock is to leave it; null: nobody. Known to the replica that plans it alone. */
  readonly revoked: PodUid | null;
  /** The leader with this token has asked that another may lead; null: it has not, or nobody else could. */
  readonly resigned: { readonly uid: PodUid; readonly token: number } | null;
  /**
   * Of the switchover that the group's annotation asks for. `confirmed`: a GET has just shown the annotation as it stands here, and the status with it: a cache
   * may lag behind both. `failure`: the handover was begun so often without success that it is given up; null: it is not. `refusal`: what people were told,
   * whether the status shows it by now or not: it holds.
   */
  readonly switchover: {
    readonly confirmed: boolean;
    readonly failure: string | null;
    readonly refusal: SwitchoverRefused | null;
  };
  /**
   * Since when which candidates have been preferred to the leader; null: nobody is, or the group does not ask for it. `turnMs`: monotonic milliseconds at which it is
   * the turn of this group among those of the replica; null: nobody has asked. `confirmed`: a GET has shown the group since, just now. `yieldsUntilMs`: monotonic
   * milliseconds until which who has resigned lately leads only if nobody else can.
   */
  readonly preemption: {
    readonly preferred: PreferredSince | null;
    readonly turnMs: MonotonicMs | null;
    readonly confirmed: boolean;
    readonly yieldsUntilMs: readonly MonotonicMs[];
  };
  /** Whom this replica's last handovers are to have evicted, and have not asked for yet. */
  readonly owedEvictions: OwedEvictions | null;
  /** Consul refused the last attempt to lock for its lock-delay; monotonic milliseconds of the next attempt. null: it did not. */
  readonly lockDelayedUntilMs: MonotonicMs | null;
  /** A fencing patch that the group cannot do without was refused: by whom, and when it is tried again. `status`: of HTTP. */
  readonly fencingRefused: (RefusedFor & { readonly status: number }) | null;
  /** The API server refused to label followers. */
  readonly followersRefused: RefusedFor | null;
  /** A right is missing in Consul for a key of this group. */
  readonly consulDenied: RefusedFor | null;
  /** Monotonic milliseconds since when the deletion is known, without the time in which the API server did not answer. */
  readonly deletingSinceMs: MonotonicMs | null;
  /** Monotonic milliseconds at which a watch first showed the deletion. */
  readonly deletionSeenMs: MonotonicMs | null;
  /** A GET has shown that it is this very group that is being deleted, not an earlier one of its name. */
  readonly deletionConfirmed: boolean;
  /** null: the group has no leader probe. */
  readonly probe: ProbeView | null;
  /** null: nobody is asked before a promotion. */
  readonly beforePromotion: PromotionView | null;
  /** null: the group has no route. */
  readonly route: RouteView | null;
};
