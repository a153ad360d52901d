/** Puts together everything that one decision about a group rests on. Reads memory only: no request is sent here. */
import type { LeaderGroup } from '../../api/leadergroup.ts';
import { FINALIZER } from '../../api/names.ts';
import type { Pod } from '../../api/pod.ts';
import { matches } from '../../api/selector.ts';
import { type LabelView, labelled, promotedHere } from '../../election/candidates.ts';
import { sessionDeadlineMs } from '../../election/deadline.ts';
import type { GateView } from '../../election/gate.ts';
import type { LockView, MemberSession, Observation, ObservedPod, Ownership } from '../../election/observation.ts';
import { highestObservedToken } from '../../election/observed-tokens.ts';
import { holderAmong } from '../../election/sessions.ts';
import { verificationOf, versionOf, writeOffVersion } from '../../election/trust.ts';
import type { Clock } from '../../ports/clock.ts';
import { groupKey, type Store, type StoredPod } from '../cache/store.ts';
import type { Locks } from '../locks/locks.ts';
import type { SessionManager } from '../sessions/sessions.ts';
import { type GroupMemory, newer } from './memory.ts';
import { labelStop, ownerView } from './observe-owners.ts';
import type { Owners } from './owners.ts';
import { blockingRefusal, contestOf, neverPromoted, refreshRefusals, refusalsOf } from './refusals.ts';
import { isMember, type Rivals, rivalsOf } from './rivals.ts';

export type Observer = {
  /** Everything that a plan rests on. */
  all(group: LeaderGroup, memory: GroupMemory): Observation;
  /**
   * What an answer of the gate rests on: the holder of the lock and its pod, whatever the number of members. Each part is as it is now,
   * but for the tokens on other pods, which are as the last pass saw them; `verified` says that a pass has found the record good.
   */
  holder(group: LeaderGroup, memory: GroupMemory): GateView;
};

export type ObserverOptions = {
  readonly clock: Clock;
  readonly store: Store;
  readonly locks: Locks;
  readonly sessionManager: SessionManager;
  readonly ownership: (group: LeaderGroup) => Ownership;
  readonly outageSinceMs: () => number | null;
  /** A sentence, or null where the configuration allows the key. */
  readonly lockKeyProblem: (group: LeaderGroup) => string | null;
  /**
   * Monotonic milliseconds from which nobody but this process may have renewed the group's sessions: its start, or the last moment
   * at which Consul showed the bucket to be another's.
   */
  readonly aloneSinceMs: (group: LeaderGroup) => number;
  /** Monotonic milliseconds at which this replica found that it has the bucket; null while it has not. */
  readonly heldSinceMs: (group: LeaderGroup) => number | null;
  readonly marginMs: number;
  readonly owners: Pick<Owners, 'of' | 'selecting'>;
};

export function createObserver(options: ObserverOptions): Observer {
  const { store, sessionManager } = options;
  return {
    all: (cached, memory) => {
      const view = viewOf(options, cached, memory);
      const sessions = sessionManager.of(groupKey(view.group));
      if (memory.listed !== null && memory.listed.version !== versionOf(view.lock)) memory.listed = null;
      const rivals = rivalsOf(store, view.group, memory.goneRivals);
      const pods = observePods(options, view, memory, rivals);
      refreshMemory(memory, view, sessions);
      memory.highestObserved = highestObservedToken(
        view.group,
        pods.map(({ pod }) => pod),
      );
      return observation(options, view, memory, rivals, sessions, pods);
    },
    holder: (cached, memory) => {
      const view = viewOf(options, cached, memory);
      const { nowMs, group, ownership, lock } = view;
      const session = lock?.session == null ? null : sessionManager.session(groupKey(group), lock.session);
      const pod = session === null ? null : holderPod(store, view, session, memory);
      return {
        nowMs,
        group,
        ownership,
        lock,
        sessions: session === null ? [] : [session],
        verified: memory.verifiedAt === verificationOf(ownership, lock),
        highestObserved: memory.highestObserved,
        pods: pod === null ? [] : [labelView(store, group, memory, pod)],
      };
    },
  };
}

/** The record names the pod; where it names another than the session's, the record cannot be believed anyway. */
function holderPod(store: Store, { group, lock }: View, { podUid }: MemberSession, memory: GroupMemory): Pod | null {
  const recorded = lock?.record?.holder;
  if (recorded?.uid !== podUid || memory.goneUids.has(podUid)) return null;
  const entry = store.pod(group.namespace, recorded.pod);
  return entry?.pod.uid === podUid ? newest(memory, entry.pod) : null;
}

/** Who else claims the pod matters only where no promotion of this group stands on it; to know it costs a look at the other's members. */
function labelView(store: Store, group: LeaderGroup, memory: GroupMemory, pod: Pod): LabelView {
  const member = isMember(group, pod);
  const claimants = promotedHere(group, pod) ? [] : claimantsOf(rivalsOf(store, group, memory.goneRivals), pod, member);
  return { pod, member, claimedByOther: claimants.length > 0 };
}

const claimantsOf = (rivals: Rivals, pod: Pod, member: boolean): readonly LeaderGroup[] =>
  member ? rivals.olderActing(pod) : rivals.acting(pod);

/** The answer to our own write or GET while it is newer than what the watch delivered. */
function newest(memory: GroupMemory, cached: Pod): Pod {
  const remembered = memory.newerPods.get(cached.uid);
  return remembered !== undefined && newer(remembered, cached) ? remembered : cached;
}

/** What is known without looking at the members. */
type View = {
  readonly nowMs: number;
  readonly group: LeaderGroup;
  readonly ownership: Ownership;
  readonly lock: LockView | null;
  readonly outageSinceMs: number | null;
};

function viewOf({ clock, locks, ...options }: ObserverOptions, cached: LeaderGroup, memory: GroupMemory): View {
  const group = preferNewer(cached, memory);
  return {
    nowMs: clock.nowMs(),
    group,
    ownership: options.ownership(group),
    lock: locks.view(group),
    outageSinceMs: options.outageSinceMs(),
  };
}

function observation(
  options: ObserverOptions,
  { nowMs, group, ownership, lock, outageSinceMs }: View,
  memory: GroupMemory,
  rivals: Rivals,
  sessions: readonly MemberSession[],
  pods: readonly ObservedPod[],
): Observation {
  const keys = options.locks.keysOf(group);
  return {
    nowMs,
    wallSeconds: Math.floor(options.clock.wallMs() / 1000),
    group,
    keys,
    pods,
    sessions,
    highestObserved: memory.highestObserved,
    ownership,
    consulUnreachable: outageSinceMs !== null,
    lockDeadlineMs: lockDeadlineMs(options, group, ownership, lock, sessions, pods),
    lock,
    holderSession: (lock?.session && memory.externalHolders.get(lock.session)) || null,
    ...readSince(memory, lock),
    groupKnown: memory.groupKnown,
    labelStop: labelStop(group, memory, pods),
    labelReaders: labelReaders(options.owners, group),
    ...overlap(rivals, memory, pods),
    lockKeyProblem: options.lockKeyProblem(group),
    demotedForOutage: memory.demotedForOutage,
    fenced: memory.fenced.version === writeOffVersion(keys, lock) ? memory.fenced.uids : new Set(),
    verified: memory.verifiedAt === verificationOf(ownership, lock),
    asked: memory.asked,
    lockDelayedUntilMs: memory.lockDelayedUntilMs,
    fencingRefused: blockingRefusal(memory, group, pods, nowMs),
    ...followersRefused(memory),
    consulDenied: memory.consulDenied,
    deletionSeenMs: memory.deletionSeenMs,
    deletingSinceMs: memory.deletingSinceMs,
    deletionConfirmed: nowMs - (memory.deletionConfirmedMs ?? Number.NEGATIVE_INFINITY) < CONFIRMED_MS,
  };
}

/** What was read since the lock had its present version. */
const readSince = (memory: GroupMemory, lock: LockView | null): Pick<Observation, 'freshList' | 'groupConfirmed'> => ({
  freshList: lock !== null && memory.listed !== null,
  groupConfirmed: lock !== null && memory.groupConfirmedAt === versionOf(lock),
});

const followersRefused = ({
  followersRefused: refusal,
}: GroupMemory): Pick<Observation, 'followersRefusedUntilMs' | 'followersRefusedBecause'> => ({
  followersRefusedUntilMs: refusal?.retryAtMs ?? null,
  followersRefusedBecause: refusal?.message ?? '',
});

/**
 * Consul may answer a replica that has just lost its session: it does not know yet whose the group is. And it may answer everything but a read
 * of this lock.
 */
const knowsOwner = ({ kind }: Ownership, lock: LockView | null): boolean =>
  kind === 'notOwned' || (kind === 'owned' && lock !== null);

/** A group may be made anew under its name at any moment, and a watch may hang: a deletion is confirmed anew with each pass. */
const CONFIRMED_MS = 1000;

/** Our own writes to the group are known before the watch tells of them. */
function preferNewer(cached: LeaderGroup, memory: GroupMemory): LeaderGroup {
  if (memory.finalizerOff)
    return { ...cached, deleting: true, finalizers: cached.finalizers.filter((each) => each !== FINALIZER) };
  const known = memory.newerGroup;
  if (known === null) return cached;
  if (known.uid === cached.uid && newer(known, cached)) return known;
  memory.newerGroup = null;
  return cached;
}

/**
 * The holder's deadline. While the lock is in doubt, that of whoever carries the label, else the earliest of the group's.
 * A labelled pod without any session of ours was last renewed by somebody who did so before this one was alone with it. With
 * nobody labelled there is nothing to be late for, and where another replica owns the bucket it may have renewed until
 * this one lost Consul: there the time of Consul's silence counts.
 */
function lockDeadlineMs(
  { aloneSinceMs, heldSinceMs, outageSinceMs, marginMs }: ObserverOptions,
  group: LeaderGroup,
  ownership: Ownership,
  lock: LockView | null,
  sessions: readonly MemberSession[],
  pods: readonly ObservedPod[],
): number {
  const holder = holderAmong(sessions, lock);
  if (holder !== null) return holder.deadlineMs;
  const leaders = pods.filter((pod) => labelled(group, pod)).map(({ pod }) => pod.uid);
  const theirs = sessions.filter(({ podUid }) => leaders.includes(podUid));
  const deadlines = (theirs.length > 0 ? theirs : sessions).map(({ deadlineMs }) => deadlineMs);
  if (deadlines.length > 0) return Math.min(...deadlines);
  const mine = leaders.length > 0 && ownership.kind !== 'notOwned';
  const sinceMs = mine ? aloneSinceMs(group) : Math.max(aloneSinceMs(group), outageSinceMs() ?? 0);
  const deadlineMs = sessionDeadlineMs(sinceMs, group.spec.sessionTtlMs, marginMs);
  return mine ? Math.max(deadlineMs, (heldSinceMs(group) ?? 0) + ADOPTION_MS) : deadlineMs;
}

/** Whoever hears late that it got a bucket is given so long to adopt its sessions, before it counts a healthy leader as lost. */
export const ADOPTION_MS = 1000;

function refreshMemory(
  memory: GroupMemory,
  { group, lock, outageSinceMs, ownership, nowMs }: View,
  sessions: readonly MemberSession[],
): void {
  if (group.deleting) memory.deletionSeenMs ??= nowMs;
  for (const id of memory.externalHolders.keys()) if (id !== lock?.session) memory.externalHolders.delete(id);
  const holder = holderAmong(sessions, lock);
  const answered = outageSinceMs === null && knowsOwner(ownership, lock);
  if (holder === null ? answered : nowMs < holder.deadlineMs) {
    memory.demotedForOutage = false;
    memory.outageReported = false;
  }
}

const labelReaders = (owners: Pick<Owners, 'selecting'>, { namespace, spec }: LeaderGroup): readonly string[] =>
  owners
    .selecting(namespace)
    .filter(({ keys }) => keys.includes(spec.label.key))
    .map(({ kind, name }) => `${kind} ${name}`);

function observePods(
  options: ObserverOptions,
  { group, lock, nowMs }: View,
  memory: GroupMemory,
  rivals: Rivals,
): readonly ObservedPod[] {
  const known = withListed(group, withHolder(options.store, group, lock), memory.listed?.pods ?? [], nowMs);
  forgetStale(memory, known);
  refreshRefusals(memory, group, new Map(known.map(({ pod }) => [pod.uid, memory.newerPods.get(pod.uid) ?? pod])));
  return known
    .filter(({ pod }) => !memory.goneUids.has(pod.uid))
    .map((entry) => observePod(options, group, memory, rivals, entry, nowMs, lock?.record?.holder.uid ?? null));
}

/** The recorded holder concerns the group also when it is no member any more and carries no mark of it. */
function withHolder(store: Store, group: LeaderGroup, lock: LockView | null): readonly StoredPod[] {
  const cached = store.podsConcerning(groupKey(group));
  const recorded = lock?.record?.holder;
  if (recorded === undefined || cached.some(({ pod }) => pod.uid === recorded.uid)) return cached;
  const holder = store.pod(group.namespace, recorded.pod);
  return holder !== null && holder.pod.uid === recorded.uid ? [...cached, holder] : cached;
}

/** Of two pods of one name, the cached and the listed one, the newer is the one that exists. */
function withListed(
  group: LeaderGroup,
  cached: readonly StoredPod[],
  listed: readonly Pod[],
  nowMs: number,
): readonly StoredPod[] {
  const byName = new Map(cached.map((entry) => [entry.pod.name, entry]));
  for (const pod of listed) {
    const shown = byName.get(pod.name)?.pod;
    if (shown?.uid === pod.uid || (shown !== undefined && newer(shown, pod))) continue;
    if (matches(group.spec.selector, pod.labels) || carriesMark(group, pod)) {
      byName.set(pod.name, { pod, readyChangedMs: nowMs });
    }
  }
  return [...byName.values()];
}

const carriesMark = (group: LeaderGroup, pod: Pod): boolean =>
  Object.keys(pod.annotations).some((key) => key.endsWith(`.leadergroup.dev/${group.name}`));

/** What the watch has caught up with need not be remembered. */
function forgetStale(memory: GroupMemory, known: readonly StoredPod[]): void {
  const uids = new Set(known.map(({ pod }) => pod.uid));
  for (const uid of memory.goneUids) if (!uids.has(uid)) memory.goneUids.delete(uid);
  for (const known of [memory.conflicts, memory.repairs, memory.writtenUnder])
    for (const uid of known.keys()) if (!uids.has(uid)) known.delete(uid);
  forgetControllers(memory, known, uids);
  for (const [uid, pod] of memory.newerPods) {
    const shown = known.find((entry) => entry.pod.uid === uid);
    if (shown === undefined || !newer(pod, shown.pod)) memory.newerPods.delete(uid);
  }
}

function forgetControllers(memory: GroupMemory, known: readonly StoredPod[], uids: ReadonlySet<string>): void {
  for (const uid of memory.acceptedReleases) if (!uids.has(uid)) memory.acceptedReleases.delete(uid);
  const owners = new Set(known.map(({ pod }) => pod.owner?.uid));
  for (const [owner, { podUid }] of memory.trials)
    if (!owners.has(owner) && !uids.has(podUid)) memory.trials.delete(owner);
}

function observePod(
  { store, owners }: ObserverOptions,
  group: LeaderGroup,
  memory: GroupMemory,
  rivals: Rivals,
  entry: StoredPod,
  nowMs: number,
  recorded: string | null,
): ObservedPod {
  const pod = newest(memory, entry.pod);
  const member = isMember(group, pod);
  const sinceMs = pod.ready === entry.pod.ready ? entry.readyChangedMs : nowMs;
  const claimants = claimantsOf(rivals, pod, member);
  return {
    pod,
    member,
    claimedByOther: claimants.length > 0,
    cordoned: store.cordoned(pod.node),
    owner: ownerView(owners, group, memory, pod, nowMs),
    readyForMs: pod.ready ? nowMs - sinceMs : 0,
    notReadyForMs: pod.ready ? 0 : nowMs - sinceMs,
    ...refusalsOf(memory, pod.uid),
    neverPromoted: neverPromoted(memory, group, pod, recorded),
    contest: contestOf(memory, pod.uid, nowMs),
    fencingConflicts: memory.conflicts.get(pod.uid) ?? 0,
  };
}

/** The older group that acts for a member of this one. */
function overlap(
  rivals: Rivals,
  memory: GroupMemory,
  pods: readonly ObservedPod[],
): Pick<Observation, 'overlapsWith' | 'overlapUid' | 'overlapConfirmed'> {
  const shared = pods.find(({ member, claimedByOther }) => member && claimedByOther);
  const rival = shared === undefined ? undefined : rivals.olderActing(shared.pod)[0];
  const uid = rival?.uid ?? null;
  return {
    overlapsWith: rival?.name ?? null,
    overlapUid: uid,
    overlapConfirmed: uid !== null && memory.rivalConfirmed === uid,
  };
}
