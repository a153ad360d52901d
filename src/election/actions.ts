/**
 * What a plan is made of. The executor runs it in its order and stops at the first action that does not succeed, so the order IS the
 * protocol: revoke, fence, let every grant expire, move the lock by one transaction, promote. No other order can be written down: whom a promotion
 * is for, and that it may be, is said by the transaction before it and by nothing else.
 */
import type { Says, StalledReason } from '../api/condition-reasons.ts';
import type { PodUid, SessionId } from '../api/ids.ts';
import type { OwnerRef, PodRef } from '../api/pod.ts';
import type { AddressFamily, Slice, SliceContent } from '../api/route.ts';
import type { TransitionCause } from '../api/transition-causes.ts';
import type { BucketGuard, LockView } from './observation.ts';
import type { LockRecord } from './record.ts';
import type { Showing } from './route-view.ts';

/** A pod as it was read before any transaction of this plan. */
export type PodVersion = PodRef & { readonly resourceVersion: string };

export type FencingTarget = {
  readonly pod: PodRef;
  /**
   * `at`: only if it is still that version. `anyVersion`: by uid alone, for a pod that can never lead again or that met
   * five conflicts in a row. `unknown`: no cache knows it; a GET must say that it is gone.
   */
  readonly precondition:
    | { readonly kind: 'at'; readonly resourceVersion: string }
    | { readonly kind: 'anyVersion' }
    | { readonly kind: 'unknown' };
  /**
   * `foreign`: another acting group selects the pod, the label is that group's business; only guard it. `keep`: no label of this group may
   * be taken off now, so that the pod keeps it, and says so (LABEL_KEPT).
   */
  readonly label: 'remove' | 'follower' | 'foreign' | 'keep';
};

/** `keep`: the token stays. `above`: one more than this and than every token in an answer to this plan's fencing patches. */
export type TokenRule =
  | { readonly kind: 'keep'; readonly token: number }
  | { readonly kind: 'above'; readonly token: number };

export type Holder = { readonly session: SessionId; readonly pod: PodRef };

/**
 * What every transaction on a lock has: under the plan's bucket session and at the version the plan saw, the lock leaves one session (or none)
 * for another (or the same, or none).
 */
type Change = {
  readonly guard: BucketGuard;
  readonly view: LockView;
  readonly token: TokenRule;
  /** The record that goes into the lock, but for the token, which the executor completes by `token`. */
  readonly record: Omit<LockRecord, 'token'>;
};

/** `from`: session that gives it up; null: it is free, or stays with `to`. `to`: who has it afterwards. */
export type Locking = Change & { readonly from: SessionId | null; readonly to: Holder };
/** Nobody has it afterwards. */
export type Unlocking = Change & { readonly from: SessionId; readonly to: null };
export type LockTransaction = Locking | Unlocking;

export type Fence = {
  readonly do: 'fence';
  readonly targets: readonly FencingTarget[];
  readonly because: 'move' | 'stray' | 'outage' | 'external' | 'overlap' | 'deletion';
};

/** What needs no proof that the lock is ours: reads, sessions, the finalizer, and what is left to do for a deleted group. */
export type Preparation =
  | { readonly do: 'addFinalizer' }
  | { readonly do: 'removeFinalizer' }
  | { readonly do: 'readLock' }
  | { readonly do: 'readHolderSession'; readonly session: SessionId }
  | { readonly do: 'readGroup' }
  | { readonly do: 'listPods' }
  /** Of the groups of a replica whose leader is to be preempted one begins each second. */
  | { readonly do: 'awaitTurn' }
  /** Begins to ask each of these over HTTP whether it responds, as the leader probe says; the plan ends there. */
  | { readonly do: 'askCandidates'; readonly pods: readonly PodRef[] }
  /** Begins to ask each of these over HTTP whether it may be promoted (spec.beforePromotion), in this order; the plan ends there. */
  | { readonly do: 'askBeforePromotion'; readonly pods: readonly PodRef[] }
  /** Opens a session for each of these pods, which have none suiting the spec. */
  | { readonly do: 'openSessions'; readonly pods: readonly PodRef[] }
  /** Destroys sessions that can never be needed again: their pod's uid is gone and they hold nothing. */
  | { readonly do: 'destroySessions'; readonly sessions: readonly SessionId[] }
  /** What stays of a deleted group in Consul: its last token, so that a group of this name goes on above it. Never in a shared key. */
  | {
      readonly do: 'bury';
      readonly guard: BucketGuard;
      readonly view: LockView;
      readonly record: LockRecord;
    }
  /** Who else writes the label of this pod. */
  | { readonly do: 'readContester'; readonly pod: PodRef }
  /** Whether the older group that this one overlaps with is really there. */
  | { readonly do: 'readRival'; readonly name: string }
  /** Takes this group's annotations, and its label where it is nobody else's, off a pod. */
  | {
      readonly do: 'cleanUp';
      readonly pods: readonly { readonly pod: PodVersion; readonly label: 'remove' | 'keep' }[];
    }
  /** Whether the pods by which controllers are tried still have them. `owner`: uid of the controller. */
  | { readonly do: 'readTrials'; readonly trials: readonly { readonly pod: PodRef; readonly owner: string }[] }
  /**
   * Reads the selectors of these controllers, so that no label is written that one of them selects by. `hurry`: a deadline waits for it, so
   * nothing else is read that people are only warned of.
   */
  | { readonly do: 'readOwners'; readonly owners: readonly OwnerRef[]; readonly hurry: boolean }
  /**
   * The Service of the route, the slices, and what else leads traffic of it. Whatever fails is remembered, and holds nothing up. `hurry`: a label or a lock
   * waits for it, or may do so at any moment: what people are only warned of, a list that may be long, is not read.
   */
  | { readonly do: 'readRoute'; readonly serviceName: string; readonly hurry: boolean }
  /** What else leads traffic of the Service, where that was not read with the slices. */
  | { readonly do: 'readOthers'; readonly serviceName: string }
  /** Makes empty slices: a creation that arrives late must show nobody. */
  | { readonly do: 'makeSlices'; readonly slices: readonly NewSlice[] }
  | Withdraw
  | Refresh;

export type NewSlice = {
  readonly name: string;
  readonly family: AddressFamily;
  readonly content: Omit<SliceContent, 'token' | 'fenced' | 'endpoint'>;
};

/**
 * Nobody is shown any more, and whatever write of an earlier plan is under way becomes void: each slice gets a value never used before, also one
 * that shows nobody. `remove`: it is deleted then. At the version that was read.
 */
export type Withdraw = Confirmed & {
  readonly do: 'withdraw';
  readonly slices: readonly Slice[];
  readonly remove: boolean;
};

/** Whoever stands there is shown as it is by now, with the token that stands there, at the version that was read. Nobody else can be shown by it. */
export type Refresh = Confirmed & { readonly do: 'refresh'; readonly slices: readonly Showing[] };

/** `confirm`: the pods that stand there are read first, and nothing is written where one is not as the plan saw it. */
type Confirmed = { readonly confirm: boolean };

/**
 * The slices show the pod of this plan's transaction, with its token, in one write each. The versions were read before the transaction, as that of a
 * promotion: a slice that somebody else has written since is left alone.
 */
export type Show = { readonly do: 'show'; readonly slices: readonly Showing[] };

/** Waits until no grant of the gate can be believed any more but those of the exempt pods (uids). Promise I10. */
export type AwaitGrantExpiry = { readonly do: 'awaitGrantExpiry'; readonly exempt: readonly PodUid[] };

/**
 * Gives no more grants to a leader that is alive, and waits until it cannot believe any: so that it keeps its label for that long, and the moment in which
 * nobody is labelled is that of the fencing patch, the transaction and the promotion alone. Whatever comes after it does not rest on it.
 */
export type Revoke = { readonly do: 'revoke'; readonly holder: PodUid };

/** The holder locks again: proves that it still does, and moves the index so that everything planned earlier fails. */
export type Verify = { readonly do: 'verify'; readonly transaction: Locking };
/** The lock leaves its holder, for which every grant must have expired: a free one is taken, a held one handed over. */
export type Pass = Take | HandOver;
export type Take = { readonly do: 'take'; readonly wait: AwaitGrantExpiry; readonly transaction: Locking };
/** `revoke`: null where the leader does not lead any more, or may not be waited for. It is done before the fencing patch. */
export type HandOver = {
  readonly do: 'handOver';
  readonly revoke: Revoke | null;
  readonly wait: AwaitGrantExpiry;
  readonly transaction: Locking;
};
export type Unlock = {
  readonly do: 'unlock';
  /** Before the lock is given up: whoever takes it next may be no member. Absent without a route. */
  readonly withdraw?: Withdraw;
  readonly wait: AwaitGrantExpiry;
  readonly transaction: Unlocking;
};

/** Of the pod that the transaction of this plan has given the lock to, with its token. The version is the one read before the transaction. */
export type Promote = {
  readonly do: 'promote';
  readonly resourceVersion: string;
  /** Sent together with the label. Absent without a route. */
  readonly show?: Show;
};
/** Of whoever led before, once the next one leads. */
export type Evict = { readonly do: 'evict'; readonly pod: PodRef };
export type LabelFollowers = {
  readonly do: 'labelFollowers';
  readonly follower: string;
  readonly pods: readonly PodVersion[];
};

/** What the transaction of a plan must have proven. `fence`: of pods that carry the label beside the holder. */
export type FollowUp = Fence | Promote | Show | Evict | LabelFollowers;

export type Action = Revoke | Fence | Preparation | AwaitGrantExpiry | Verify | Pass | Unlock | FollowUp;

/** What the group's conditions say while things are as observed. */
export type Verdict = {
  readonly ready: Says<'Ready'>;
  /** Half a sentence: what is the matter and what to do; empty when all is well. */
  readonly detail: string;
  readonly stalled: { readonly reason: StalledReason; readonly message: string } | null;
};

/** What there is to say of a plan, whatever it does. */
export type Premises = {
  /** Of a change of leader, for events, history and metrics; null: none is planned. */
  readonly cause: TransitionCause | null;
  /** In words, for the log. */
  readonly reason: string;
  /** null: nothing was learnt that people should see; conditions stay as they are. */
  readonly verdict: Verdict | null;
  /** Milliseconds until it is worth looking again without an event; null: not at all. */
  readonly againMs: number | null;
};

/** Nothing to do. */
export type Idle = Premises & { readonly kind: 'idle' };

/** Labels come off, something is read or prepared; no lock moves, and nobody is promoted. */
export type Look = Premises & {
  readonly kind: 'look';
  /** It only makes the next handover shorter: other groups go first. */
  readonly canWait: boolean;
  readonly fence: readonly Fence[];
  readonly after: readonly Preparation[];
};

/** One transaction on the lock, before it whatever it makes necessary, after it what it alone allows. */
export type Moves =
  | { readonly fence: readonly Fence[]; readonly lock: Verify; readonly after: readonly FollowUp[] }
  | { readonly fence: readonly Fence[]; readonly lock: Pass | Verify; readonly after: readonly (Promote | Evict)[] }
  | { readonly fence: readonly Fence[]; readonly lock: Unlock; readonly after: readonly [] };

export type Transition = Premises & { readonly kind: 'transition' } & Moves;

export type Plan = Idle | Look | Transition;

/** All that a plan does, in the order in which the executor does it. */
export function actionsOf(plan: Plan): readonly Action[] {
  switch (plan.kind) {
    case 'idle':
      return [];
    case 'look':
      return [...plan.fence, ...plan.after];
    case 'transition':
      return [
        ...revocationOf(plan),
        ...plan.fence,
        ...(plan.lock.do === 'unlock' && plan.lock.withdraw !== undefined ? [plan.lock.withdraw] : []),
        ...(plan.lock.do === 'verify' ? [] : [plan.lock.wait]),
        plan.lock,
        ...plan.after,
      ];
  }
}

const revocationOf = ({ lock }: Transition): readonly Revoke[] =>
  lock.do === 'handOver' && lock.revoke !== null ? [lock.revoke] : [];

/**
 * `pod`, if the plan would give the lock to another, or to nobody, or looks first at what it cannot be decided without; else null. While somebody is asked before a
 * promotion the leader leads on: nobody knows yet whether it will be followed.
 */
export function takesFrom(plan: Plan, pod: PodUid | null): PodUid | null {
  if (plan.kind === 'look' && plan.after.some(({ do: what }) => what === 'askBeforePromotion')) return null;
  if (plan.kind === 'look' && !plan.canWait) return pod;
  if (plan.kind !== 'transition' || plan.lock.do === 'verify') return null;
  return nextHolder(plan) === pod ? null : pod;
}

/** Uid of the pod that has the lock after the plan's transaction; null: there is none, or nobody. */
export const nextHolder = (plan: Plan): PodUid | null =>
  plan.kind === 'transition' ? (plan.lock.transaction.to?.pod.uid ?? null) : null;
