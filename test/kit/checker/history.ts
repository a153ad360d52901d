/**
 * What the checker reads: two histories with two clocks. Pods change in resourceVersion order (a watch skips nothing),
 * lock keys in index order (a blocking query may skip what was overwritten at once). The observer's arrival times are
 * all that ties the two together, so each entry says when it can have happened: not after `atMs`, and not much before
 * `earliestMs` (the same as atMs unless the observer was cut off).
 */
import type { LabelSelector } from '../../../src/api/leadergroup.ts';
import type { Pod } from '../../../src/api/pod.ts';

export type Moment = {
  /** Monotonic milliseconds of the arrival: it happened by then. */
  readonly atMs: number;
  /** It did not happen before, but for the lag of delivery. Default: atMs. */
  readonly earliestMs?: number;
};

/** The part of a pod that the promises are about. `annotations` may hold every key, unlike the operator's own projection. */
export type WatchedPod = Pick<
  Pod,
  'namespace' | 'name' | 'uid' | 'resourceVersion' | 'labels' | 'annotations' | 'phase' | 'ready' | 'deleting'
> & {
  /** Every field the operator's field manager owns, e.g. `metadata.labels[leadergroup.dev/role]`; absent: unknown. */
  readonly operatorOwns?: readonly string[];
  /** How often its containers were started anew; absent: unknown. */
  readonly restarts?: number;
};

export type PodList = Moment & {
  readonly kind: 'list';
  readonly resourceVersion: string;
  readonly pods: readonly WatchedPod[];
};

export type PodChange = Moment & {
  readonly kind: 'added' | 'modified' | 'deleted';
  /** Of the event; for a deletion the resourceVersion of the deletion. */
  readonly resourceVersion: string;
  readonly pod: WatchedPod;
  /** Field manager of the write, where known. Without it, a write that touches the operator's keys counts as the operator's. */
  readonly writer?: string | null;
  /** The test's own word that somebody else than the operator wrote this. */
  readonly foreign?: boolean;
};

/** A list that is not the first marks a gap: what happened since the event before it is known only by its result. */
export type PodEvent = PodList | PodChange;

/** One observed state of one key. Of a key that vanished: `modifyIndex` is the index at which it was found missing. */
export type KeyState = Moment & {
  readonly key: string;
  readonly exists: boolean;
  readonly session: string | null;
  readonly value: string | null;
  readonly modifyIndex: number;
  /** Counts the times Consul was rebuilt or restored: indexes compare within one incarnation only. */
  readonly incarnation: number;
};

/** Whom a session stands for, by its name `<namespace>/<group>/<podUID>`. */
export type SessionMember = { readonly namespace: string; readonly group: string; readonly podUid: string };

/** One LeaderGroup object (one uid). */
export type WatchedGroup = {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly selector: LabelSelector;
  readonly labelKey: string;
  readonly leaderValue: string;
  readonly followerValue: string | null;
  /** Full Consul key of the lock. */
  readonly lockKey: string;
  /** Full Consul key of the record: the lock's own, or another one when externalHolders share the lock. */
  readonly recordKey: string;
  /** resourceVersions between which the object existed, at the widest; absent: always. */
  readonly bornAt?: string;
  readonly goneAt?: string;
  /** A controller selects its pods by the label key: no label may be taken off, also where the group lets go of a pod. Default false. */
  readonly labelsStay?: boolean;
  /** The leader may be demoted while it is well (onConsulLoss Demote): its slice may be emptied then. Default false. */
  readonly mayDemote?: boolean;
  /** It has a leader probe: a leader is healthy only while it passes that too. Default false. */
  readonly probed?: boolean;
  /** Its pods may go in any order (scaleDown AnyOrder): no deletion cost is set for it. Default false. */
  readonly anyOrder?: boolean;
  /** Who is to lead is asked first (spec.beforePromotion); what becomes of one that does not pass. Default: nobody is asked. */
  readonly asksFirst?: 'NextCandidate' | 'Promote' | null;
};

/** A pod was asked before a promotion: in which life, when (monotonic milliseconds), and whether it passed, as the pod itself knows. */
export type PromotionAnswered = {
  readonly podUid: string;
  readonly restarts: number;
  readonly atMs: number;
  readonly passes: boolean;
};

/** From then until then (monotonic milliseconds) a member did not pass a leader probe, as whoever stopped its process knows. */
export type Silence = { readonly podUid: string; readonly fromMs: number; readonly toMs: number };

/** An EndpointSlice that names the operator as its manager. */
export type WatchedSlice = {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly resourceVersion: string;
  /** IPv4 or IPv6. */
  readonly family: string;
  readonly service: string;
  /** The LeaderGroup that it says it is of; empty: it says nothing. */
  readonly groupUid: string;
  /** 0: none, or nothing that is a token. */
  readonly token: number;
  readonly fenced: string;
  /** Each address, with the pod that it is said to be. */
  readonly endpoints: readonly SliceAddress[];
};

export type SliceAddress = { readonly address: string; readonly podUid: string; readonly podName: string };

export type SliceList = Moment & {
  readonly kind: 'list';
  readonly resourceVersion: string;
  readonly slices: readonly WatchedSlice[];
};

export type SliceChange = Moment & {
  readonly kind: 'added' | 'modified' | 'deleted';
  /** Of the event; for a deletion the resourceVersion of the deletion. */
  readonly resourceVersion: string;
  readonly slice: WatchedSlice;
  /** Somebody else than the operator wrote this. */
  readonly foreign: boolean;
};

/** Like those of pods. */
export type SliceEvent = SliceList | SliceChange;

/**
 * Something about where a route leads that is not the operator's doing: its Service appeared, changed or went, what else leads to it, or
 * the group names another one. The operator may have to empty the slice for it.
 */
export type RouteChange = Moment & {
  readonly namespace: string;
  readonly service: string;
  readonly resourceVersion: string;
};

/** One request of an application about a series. A call repeats its own until it has an answer, and each of them is one of these. */
export type ClaimRequest = {
  readonly namespace: string;
  readonly group: string;
  readonly what: 'claim' | 'done' | 'renew';
  readonly series: string;
  readonly position: number;
  /** Of a report that of its claim. */
  readonly mode: 'AtMostOnce' | 'AtLeastOnce';
  readonly podUid: string;
  /** Hash of what the call drew for itself, as it stands in Consul. */
  readonly id: string;
  /** Monotonic milliseconds. */
  readonly sentMs: number;
  /** null: nobody has answered it. */
  readonly told: ClaimTold | null;
};

/** As it was answered, whether the application has heard it or not. `position`, `attempt`: of a claim that was given. */
export type ClaimTold = {
  readonly atMs: number;
  readonly status: number;
  readonly reason: string | null;
  readonly position: number | null;
  readonly attempt: number | null;
};

/** `marks`: each seen state of each key that says how far a series has come, in the order of Consul's indexes. */
export type ClaimHistory = { readonly requests: readonly ClaimRequest[]; readonly marks: readonly KeyState[] };

/** Somebody has asked for a switchover by the annotation of a group. `to`: null: any. `atMs`: as it is written there; `writtenMs`: when it was, monotonic. */
export type SwitchoverRequest = {
  readonly namespace: string;
  readonly group: string;
  readonly to: string | null;
  readonly atMs: number;
  readonly writtenMs: number;
};

/** A write to something else than a pod, for counting. */
export type ObjectEvent = Moment & {
  readonly resource: string;
  readonly kind: 'listed' | 'added' | 'modified' | 'deleted';
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly resourceVersion: string;
  /** Field managers (and, for events, the reporting component) that wrote it. */
  readonly writers: readonly string[];
};

/** Something the test did, e.g. "operator killed". */
export type Marker = { readonly name: string; readonly atMs: number };

export type History = {
  readonly groups: readonly WatchedGroup[];
  readonly pods: readonly PodEvent[];
  readonly keys: readonly KeyState[];
  readonly sessions: ReadonlyMap<string, SessionMember>;
  /** Absent: no route was watched. */
  readonly slices?: readonly SliceEvent[];
  readonly routes?: readonly RouteChange[];
  readonly others?: readonly ObjectEvent[];
  readonly markers?: readonly Marker[];
  readonly silences?: readonly Silence[];
  /** Absent: nobody claimed, or nobody wrote it down. */
  readonly claims?: ClaimHistory;
  /** Absent: nobody wrote down who asked for which. */
  readonly switchovers?: readonly SwitchoverRequest[];
  /** What pods answered that were asked before a promotion; absent: nobody noted it, and I16 is not checked. */
  readonly promotionAnswers?: readonly PromotionAnswered[];
};

export type Interval = { readonly fromMs: number; readonly toMs: number };

export const OPERATOR = 'leadergroup';

export const groupKey = (group: { readonly namespace: string; readonly name: string }): string =>
  `${group.namespace}/${group.name}`;

/** resourceVersions are decimal numbers of any length. */
export function compareVersions(left: string, right: string): number {
  const [a, b] = [BigInt(left), BigInt(right)];
  return a < b ? -1 : a > b ? 1 : 0;
}

const earliest = (moment: Moment): number => moment.earliestMs ?? moment.atMs;

/** Whatever the lag of delivery up to `toleranceMs`: `left` happened after `right`. */
export const surelyAfter = (left: Moment, right: Moment, toleranceMs: number): boolean =>
  earliest(left) - toleranceMs > right.atMs;

/** A session's name, read back; null for a session that is none of ours. */
export function sessionMember(name: string): SessionMember | null {
  const [namespace, group, podUid, ...rest] = name.split('/');
  return namespace && group && podUid && rest.length === 0 ? { namespace, group, podUid } : null;
}
