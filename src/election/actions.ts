/**
 * What a plan is made of. A plan is a short ordered list; the executor runs it in order and stops at the first action
 * that does not succeed, so the order IS the protocol: read, fence, verify by a write, promote.
 */
import type { Condition } from '../api/leadergroup.ts';
import type { OwnerRef, PodRef } from '../api/pod.ts';
import type { BucketGuard, LockView } from './observation.ts';
import type { LockRecord } from './record.ts';

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

export type Holder = { readonly session: string; readonly pod: PodRef };

/**
 * The one kind of transaction there is on a lock: under the plan's bucket session and at the version the plan saw,
 * the lock leaves one session (or none) for another (or the same, or none).
 */
export type LockTransaction = {
  readonly guard: BucketGuard;
  readonly view: LockView;
  /** Session that gives it up; null: it is free, or stays with `to`. */
  readonly from: string | null;
  /** Session that has it afterwards; null: nobody. */
  readonly to: Holder | null;
  readonly token: TokenRule;
  /** The record that goes into the lock, but for the token, which the executor completes by `token`. */
  readonly record: Omit<LockRecord, 'token'>;
};

export type Action =
  | { readonly do: 'addFinalizer' }
  | { readonly do: 'removeFinalizer' }
  | { readonly do: 'readLock' }
  | { readonly do: 'readHolderSession'; readonly session: string }
  | { readonly do: 'readGroup' }
  | { readonly do: 'listPods' }
  /** Opens a session for each pod that has none suiting the spec. */
  | { readonly do: 'openSessions'; readonly pods: readonly PodRef[] }
  | {
      readonly do: 'fence';
      readonly targets: readonly FencingTarget[];
      readonly because: 'move' | 'stray' | 'silence' | 'external' | 'overlap' | 'deletion';
    }
  /** Waits until no grant of the gate can be believed any more but those of the exempt pods (uids). Promise I10. */
  | { readonly do: 'awaitGrantExpiry'; readonly exempt: readonly string[] }
  /** Takes a free lock. */
  | { readonly do: 'take'; readonly transaction: LockTransaction }
  /** The holder locks again: proves that it still does, and moves the index so that everything planned earlier fails. */
  | { readonly do: 'verify'; readonly transaction: LockTransaction }
  | { readonly do: 'handOver'; readonly transaction: LockTransaction }
  | { readonly do: 'unlock'; readonly transaction: LockTransaction }
  /** With the token and under the proof of this plan's own transaction. */
  | { readonly do: 'promote'; readonly pod: PodVersion }
  | { readonly do: 'labelFollowers'; readonly pods: readonly PodVersion[] }
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
  /** Reads the selectors of these controllers, so that no label is written that one of them selects by. */
  | { readonly do: 'readOwners'; readonly owners: readonly OwnerRef[] }
  /** Destroys sessions that can never be needed again: their pod's uid is gone and they hold nothing. */
  | { readonly do: 'destroySessions'; readonly sessions: readonly string[] };

/** What the group's conditions say while things are as observed. */
export type Verdict = {
  readonly ready: Pick<Condition, 'status' | 'reason'>;
  /** Half a sentence: what is the matter and what to do; empty when all is well. */
  readonly detail: string;
  readonly stalled: { readonly reason: string; readonly message: string } | null;
};

export type Plan = {
  readonly actions: readonly Action[];
  /** CamelCase cause of a change of leader, for events, history and metrics; empty when none is planned. */
  readonly cause: string;
  /** In words, for the log. */
  readonly reason: string;
  /** null: nothing was learnt that people should see; conditions stay as they are. */
  readonly verdict: Verdict | null;
  /** Milliseconds until it is worth looking again without an event; null: not at all. */
  readonly againMs: number | null;
};
