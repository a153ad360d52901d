/**
 * What the operator remembers of one group between passes: things learnt that no cache shows yet, and how often
 * something was refused. All of it may be lost at any time: a fresh process starts with none and promises nothing less. It changes by
 * outcomes only (remember.ts).
 */

import type { MonotonicMs, WallMs } from '../../api/clocks.ts';
import type { PodUid, SessionId } from '../../api/ids.ts';
import type { ErrorStatus, LeaderGroup, TransitionStatus } from '../../api/leadergroup.ts';
import type { Pod } from '../../api/pod.ts';
import type { AddressFamily, Slice, SliceContent } from '../../api/route.ts';
import type { TransitionCause } from '../../api/transition-causes.ts';
import { type Backoff, backoffMs } from '../../common/backoff.ts';
import type { ExternalSession, OwedEvictions, SwitchoverRefused } from '../../election/observation.ts';
import type { PreferredSince } from '../../election/preferred-since.ts';
import type { RouteProblem, RouteReading } from '../../election/route-view.ts';
import type { Uids } from './collections.ts';

export type Refusal = { readonly message: string; readonly count: number; readonly retryAtMs: MonotonicMs };

/** Of a write to a pod: what it was about, so that it is forgotten with it. */
export type WriteRefusal = Refusal & {
  readonly status: number;
  readonly atMs: MonotonicMs;
  /** Of the pod when it was refused, or as our own write has left it since. */
  readonly resourceVersion: string;
  /** Of the group. */
  readonly generation: number;
};

/** The one pod of a controller whose label was written before that of others, which shows whether the controller keeps such pods. */
export type Trial = {
  readonly podUid: PodUid;
  /** What was written; null: the label was taken off. */
  readonly label: string | null;
  /** Monotonic milliseconds at which that was last tried. */
  readonly atMs: MonotonicMs;
  /** `kept`: a read has shown it with its controller. `gone`: it went, or something else came between, before one could. */
  readonly state: 'waiting' | 'kept' | 'gone';
  /** So many pods in a row were tried and showed nothing. */
  readonly unseen: number;
};

/** `generation`: of the group; 0: none yet. */
export type AcceptedReleases = { readonly generation: number; readonly uids: ReadonlySet<PodUid> };

/** `generation`: of the group when it was stopped. */
export type RememberedStop = { readonly generation: number; readonly message: string };

/** How often a pod was put right within a minute, since when, and who else writes it (null: not asked). */
export type Repairs = {
  readonly count: number;
  readonly lastMs: MonotonicMs;
  readonly sinceWallMs: WallMs;
  readonly by: string | null;
};

/** `slice`: as the answer has shown it. `content`: as it was sent. `repairs`: null: it was to be otherwise than before. */
export type SliceWrite = {
  readonly slice: Slice;
  readonly content: SliceContent;
  readonly repairs: Repairs | null;
};

/** `reported`: people know of it. */
export type LeaderChange = {
  readonly cause: TransitionCause;
  readonly reason: string;
  readonly from: string;
  readonly fromUid: PodUid;
  /** With which it led. */
  readonly token: number;
  readonly sinceMs: MonotonicMs;
  readonly reported: boolean;
};

/**
 * `mark`: of the last news of its Service when the reading began. `calm`: the reading before showed the same version of the Service, and nothing leads its traffic elsewhere.
 */
export type RememberedRoute = RouteReading & { readonly mark: number; readonly calm: boolean };

/**
 * `text`: the annotation that it is about. `confirmedMs`: monotonic milliseconds at which a GET has shown it last; null: none has. `failures`: of the handover, those after which the leader was without its label
 * count more; `failure`: the last of them, in words. `refusal`: what people were told.
 */
export type RememberedSwitchover = {
  readonly text: string;
  readonly confirmedMs: MonotonicMs | null;
  readonly failures: number;
  readonly failure: string;
  readonly refusal: SwitchoverRefused | null;
};

/** Of what is noted for good of one pod, or one cause, after the other: a replica may own a group for months. */
export const MOST_NOTED = 256;

export type GroupMemory = {
  /** Answers to our own writes and GETs, while they are newer than what the watch delivered. By uid. */
  readonly newerPods: ReadonlyMap<PodUid, Pod>;
  /** Uids that the API server said are gone while the cache still shows them. */
  readonly goneUids: Uids;
  readonly newerGroup: LeaderGroup | null;
  /** A list made at this version of the lock. */
  readonly listed: { readonly version: string | null; readonly pods: readonly Pod[] } | null;
  /** Version of the lock after which a GET confirmed the cached group. */
  readonly groupConfirmedAt: string | null;
  /** The API server has shown or changed this very group since the bucket was got. */
  readonly groupKnown: boolean;
  /** By session id. */
  readonly externalHolders: ReadonlyMap<SessionId, ExternalSession>;
  /** Uids fenced while the lock had this version (see fencingVersion). */
  readonly fenced: { readonly version: string | null; readonly uids: Uids };
  /** The bucket's session, the lock's version and its holder, as our own last lock transaction left them. */
  readonly verifiedAt: string | null;
  /** Somebody has asked the gate. */
  readonly asked: boolean;
  /**
   * Who is given no grant, because the lock is to leave it. `sent`: by a transaction of which nobody knows yet what became of it; until that
   * is void the lock may be another's at any moment, whatever is planned meanwhile.
   */
  readonly revoked: { readonly uid: PodUid; readonly sent: boolean } | null;
  /** The leader with this token has resigned, and whether another can lead has not been looked at yet; null: none has. */
  readonly resignation: { readonly uid: PodUid; readonly token: number } | null;
  /** By uid, who has resigned lately, how often in a row, and until when it leads only if nobody else can. */
  readonly resigned: ReadonlyMap<PodUid, { readonly count: number; readonly untilMs: MonotonicMs }>;
  /** What is known of the switchover that the annotation asks for; null: nothing. */
  readonly switchover: RememberedSwitchover | null;
  /** Since when which candidates have been preferred to the leader, as the last pass saw it; null: nobody was. */
  readonly preferred: PreferredSince | null;
  /** When it is this group's turn to have its leader preempted, and whether a GET has shown the group since; null: nobody has asked. */
  readonly turn: { readonly atMs: MonotonicMs; readonly confirmed: boolean } | null;
  /** `of` the last news of a switchover that people were told. */
  readonly reportedSwitchover: string | null;
  /** Time of the switchover that the last answer to a status of ours did not show: the CRD is of an earlier version. */
  readonly droppedSwitchover: string | null;
  /** Highest token on the pods and in the status, as the last pass saw them. */
  readonly highestObserved: number;
  /** By uid. */
  readonly conflicts: ReadonlyMap<PodUid, number>;
  readonly promotionRefusals: ReadonlyMap<PodUid, WriteRefusal>;
  /** By uid. */
  readonly fencingRefusals: ReadonlyMap<PodUid, WriteRefusal>;
  /** By uid. */
  readonly repairs: ReadonlyMap<PodUid, Repairs>;
  /** Our own request has put the first finalizer on the group, and the bucket has been ours ever since. */
  readonly wholeIncarnation: boolean;
  /** The lock was read after that request had been answered. */
  readonly lockReadSince: boolean;
  /** Uids of pods of which a promotion of ours was sent, unless it was refused: the last of them. */
  readonly perhapsPromoted: ReadonlySet<PodUid>;
  /** Uids that a committed transaction of ours has put into the record, which named somebody else before: the last of them. */
  readonly recordedByUs: ReadonlySet<PodUid>;
  /** Of which pod a promotion was acknowledged last, with which token, and whether a fencing patch of ours has reached it since, or may have. */
  readonly promoted: { readonly uid: PodUid; readonly token: number; readonly fenced: boolean } | null;
  /** Whom the handover under way is to have evicted once the next one has its label; null: nobody, or it has been asked for. */
  readonly owedEvictions: OwedEvictions | null;
  /** By uid of a controller. */
  readonly trials: ReadonlyMap<string, Trial>;
  /** By uid of a pod whose label we wrote, or may have written, the uid of its controller before that. */
  readonly writtenUnder: ReadonlyMap<PodUid, string>;
  /** By uid of a pod that has lost its controller since, the uid of that. */
  readonly lostOwners: ReadonlyMap<PodUid, string>;
  /** By uid of a controller, monotonic milliseconds at which the last such loss was seen: a reading made before shows nothing. */
  readonly lossSeenMs: ReadonlyMap<string, MonotonicMs>;
  /**
   * Pods that had lost their controller before the group was edited, or before we wrote them, and the last generation for which they were looked
   * for.
   */
  readonly acceptedReleases: AcceptedReleases;
  /** Why labels were not to be written when it was last looked at, also where no status could say so; null: they were. */
  readonly labelStop: RememberedStop | null;
  /** Warnings that were given once. */
  readonly warned: ReadonlySet<string>;
  readonly followersRefused: WriteRefusal | null;
  readonly consulDenied: Refusal | null;
  /** What the status says of the Consul outage by this replica; until it is over no other replica's word is overwritten. null: nothing. */
  readonly outageReported: string | null;
  readonly demotedForOutage: boolean;
  readonly lockDelayedUntilMs: MonotonicMs | null;
  /** Monotonic milliseconds at which a watch first showed the deletion. */
  readonly deletionSeenMs: MonotonicMs | null;
  /** Monotonic milliseconds since when the deletion is known, without the time in which the API server did not answer. */
  readonly deletingSinceMs: MonotonicMs | null;
  /** Monotonic milliseconds at which a GET has shown the deletion of this very group; null: never. */
  readonly deletionConfirmedMs: MonotonicMs | null;
  /** That GET was made in this pass. */
  readonly deletionShown: boolean;
  /** Our finalizer is off a group that is being deleted: whatever a cache still shows of it, it is gone. */
  readonly finalizerOff: boolean;
  /** Uid of the older group that a GET has shown. */
  readonly rivalConfirmed: string | null;
  /** Uids of older groups that a GET has shown to be gone. */
  readonly goneRivals: ReadonlySet<string>;
  /** A leader was fenced and no other has been promoted since. */
  readonly change: LeaderChange | null;
  /** Changes of leader that the status does not show yet. */
  readonly transitions: readonly TransitionStatus[];
  /** When the status was written, the latest last; as many as its pace asks for. */
  readonly statusWritesMs: readonly MonotonicMs[];
  /** The last action that failed under this owner; null: none has. */
  readonly lastError: Omit<ErrorStatus, 'replica'> | null;
  /** Ready reason that events and logs were last given. */
  readonly reportedReason: string | null;
  /** What was read of the route, and what our own writes have made of it; null: nothing, or nothing that still holds. */
  readonly route: RememberedRoute | null;
  readonly routeProblems: ReadonlyMap<RouteProblem['of'], RouteProblem>;
  /** Slices emptied while the lock had this version (see fencingVersion). */
  readonly slicesFenced: { readonly version: string | null; readonly families: readonly AddressFamily[] };
  /** What this replica has written to a slice last, and how often the same again. */
  readonly slicesWritten: ReadonlyMap<AddressFamily, SliceWrite>;
  /** How often a slice that this replica had written had to be made anew, and how often one was deleted. */
  readonly slicesMade: ReadonlyMap<AddressFamily, Repairs>;
  readonly slicesRemoved: ReadonlyMap<AddressFamily, Repairs>;
  /** How often in a row somebody else has written a slice between our read and our write. */
  readonly sliceConflicts: ReadonlyMap<AddressFamily, Repairs>;
  /** Reason of Routed that events and logs were last given. */
  readonly reportedRoute: string | null;
};

const NONE: ReadonlyMap<never, never> = new Map<never, never>();
const NOBODY: ReadonlySet<never> = new Set<never>();

/** One for all groups: a quiet one remembers little, and nothing that is remembered is ever changed. */
const FRESH: GroupMemory = {
  newerPods: NONE,
  goneUids: NONE,
  newerGroup: null,
  listed: null,
  groupConfirmedAt: null,
  groupKnown: false,
  externalHolders: NONE,
  fenced: { version: null, uids: NONE },
  verifiedAt: null,
  asked: false,
  revoked: null,
  resignation: null,
  resigned: NONE,
  switchover: null,
  preferred: null,
  turn: null,
  reportedSwitchover: null,
  droppedSwitchover: null,
  highestObserved: 0,
  conflicts: NONE,
  promotionRefusals: NONE,
  fencingRefusals: NONE,
  repairs: NONE,
  wholeIncarnation: false,
  lockReadSince: false,
  perhapsPromoted: NOBODY,
  recordedByUs: NOBODY,
  promoted: null,
  owedEvictions: null,
  trials: NONE,
  writtenUnder: NONE,
  lostOwners: NONE,
  lossSeenMs: NONE,
  acceptedReleases: { generation: 0, uids: NOBODY },
  labelStop: null,
  warned: NOBODY,
  followersRefused: null,
  consulDenied: null,
  outageReported: null,
  demotedForOutage: false,
  lockDelayedUntilMs: null,
  deletionSeenMs: null,
  deletingSinceMs: null,
  deletionConfirmedMs: null,
  deletionShown: false,
  finalizerOff: false,
  rivalConfirmed: null,
  goneRivals: NOBODY,
  change: null,
  transitions: [],
  statusWritesMs: [],
  lastError: null,
  reportedReason: null,
  route: null,
  routeProblems: NONE,
  slicesFenced: { version: null, families: [] },
  slicesWritten: NONE,
  slicesMade: NONE,
  slicesRemoved: NONE,
  sliceConflicts: NONE,
  reportedRoute: null,
};

export const freshMemory = (): GroupMemory => FRESH;

/** Whatever refuses may be changed at any moment, and nothing tells of it. */
const REFUSED: Backoff = { firstMs: 5000, lastMs: 30_000 };

/** Tried again after 5 s, 10 s, 20 s, then each 30 s. */
export function refusedAgain(previous: Refusal | null | undefined, message: string, nowMs: MonotonicMs): Refusal {
  const count = (previous?.count ?? 0) + 1;
  return { message, count, retryAtMs: nowMs + backoffMs(count, REFUSED) };
}

/** Kubernetes promises (1.35) that resourceVersions of one resource compare as integers. */
export const newer = (a: { resourceVersion: string }, b: { resourceVersion: string }): boolean =>
  BigInt(a.resourceVersion) > BigInt(b.resourceVersion);
