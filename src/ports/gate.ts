/** What the HTTP API needs of the operator to answer applications. */

import type { MonotonicMs } from '../api/clocks.ts';
import type { GateAnswer } from '../api/gate.ts';
import type { PodUid } from '../api/ids.ts';
import type { GroupName, LeaderGroup } from '../api/leadergroup.ts';
import type { Pod, PodRef } from '../api/pod.ts';
import type { ChangeWatch } from './change-watch.ts';
import type { Claims } from './claims.ts';

/** Who can answer for a group. */
export type Answerer =
  | { readonly kind: 'self' }
  | { readonly kind: 'other'; readonly id: string; readonly url: string | null }
  | { readonly kind: 'nobody' };

export type SignatureOf =
  | { readonly kind: 'key'; readonly publicKey: string }
  /** An older version, which does not sign. */
  | { readonly kind: 'none' }
  /** No such replica, as far as this one knows. */
  | { readonly kind: 'unknown' };

export type Released =
  /** `resigned`: another is to lead, if one can. */
  | { readonly kind: 'released'; readonly resigned: boolean }
  /** The pod has released so many terms lately that no more can be remembered; its grants run out. */
  | { readonly kind: 'tooMany' }
  | { readonly kind: 'unknown'; readonly reason: string };

/** Why nothing is known of the groups of a namespace, as the end of a sentence. `passing`: it is to be watched, and cannot be now. */
export type Unwatched = { readonly why: string; readonly passing: boolean };

export type Gate = {
  /**
   * May this pod act as the leader of the group now? A grant is noted: no handover begins before it has run out, or is released. Without a pod the
   * answer is never a grant, but tells who leads. `secret`: hash of that of the client's term, where the question is verified as the pod's own.
   */
  ask(group: GroupName, podUid: PodUid | null, secret?: string | null): GateAnswer;
  /** The pod's own client ends a term. `resign`: and asks that another may lead. */
  release(group: GroupName, podUid: PodUid, term: { readonly secret: string; readonly resign: boolean }): Released;
  /**
   * A question that is verified as this member's own has arrived, at this replica or at the one that passed it on: the process of the pod is alive.
   * `arrivedMs`: by this replica's clock, when it arrived, also where it has been waiting since. The same arrival may be told again.
   */
  heard(group: GroupName, podUid: PodUid, arrivedMs: MonotonicMs): void;
  /** As the watches show it; null: there is no such LeaderGroup, or it cannot be acted on. */
  group(group: GroupName): LeaderGroup | null;
  /** null: the namespace is watched. */
  unwatched(namespace: string): Unwatched | null;
  /** Whether the caches are full; before that nothing is known to be missing. */
  synced(): boolean;
  /**
   * A pod that the group selects, or that leads it; null: none of this name, or another than the one of this uid. A name alone (`uid`
   * null) does not tell the old process of a StatefulSet's pod, on a node that is cut off, from the new pod.
   */
  member(group: GroupName, pod: string, uid: string | null): Pod | null;
  /** As the watch shows it; null: none of this name and uid. */
  pod(ref: PodRef): Pod | null;
  /** The pods that have this address for themselves: one, unless a watch lags behind its being used again. */
  podsAt(address: string): readonly Pod[];
  /**
   * Whether the API server says now that it is this very pod that has the address. Not for one that is being deleted: its address is free
   * before the API server hears that it has ended. False where the API server does not answer. Rejects when `signal` aborts.
   */
  confirmAddress(pod: Pod, address: string, signal: AbortSignal): Promise<boolean>;
  /** The groups that select the pod. */
  groupsOf(pod: Pod): readonly LeaderGroup[];
  answerer(group: GroupName): Answerer;
  /** How to know what this replica has passed on. */
  signatureOf(replica: string): SignatureOf;
  /** Whether the address is another replica's. */
  isReplica(address: string): boolean;
  /** Tells when an answer about the group may be another. */
  watch(group: GroupName): ChangeWatch;
  /** To be asked where `answerer` is this replica. */
  readonly claims: Claims;
};
