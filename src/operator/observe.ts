/** Puts together everything that one decision about a group rests on. Reads memory only: no request is sent here. */
import type { LeaderGroup } from '../api/leadergroup.ts';
import type { Pod } from '../api/pod.ts';
import { matches } from '../api/selector.ts';
import { finished } from '../election/candidates.ts';
import { sessionDeadlineMs } from '../election/deadline.ts';
import type { LockView, MemberSession, Observation, ObservedPod, Ownership } from '../election/observation.ts';
import { versionOf } from '../election/trust.ts';
import type { Clock } from '../ports/clock.ts';
import type { Locks } from './locks.ts';
import { type GroupMemory, newer } from './memory.ts';
import type { SessionKeeper } from './sessions.ts';
import { groupKey, type Store, type StoredPod } from './store.ts';

export type Observer = (group: LeaderGroup, memory: GroupMemory) => Observation;

export type ObserverOptions = {
  readonly clock: Clock;
  readonly store: Store;
  readonly locks: Locks;
  readonly keeper: SessionKeeper;
  readonly ownership: (group: LeaderGroup) => Ownership;
  readonly silentSinceMs: () => number | null;
  /** A sentence, or null where the configuration allows the key. */
  readonly lockKeyProblem: (group: LeaderGroup) => string | null;
  readonly startedMs: number;
  readonly marginMs: number;
};

export function createObserver(options: ObserverOptions): Observer {
  const { clock, store, locks, keeper } = options;
  return (cached, memory) => {
    const nowMs = clock.nowMs();
    const group = preferNewer(cached, memory);
    const sessions = keeper.of(groupKey(group));
    const lock = locks.view(group);
    const pods = observePods(store, group, memory, nowMs);
    refreshMemory(memory, group, lock, sessions, nowMs);
    return {
      nowMs,
      group,
      keys: locks.keysOf(group),
      pods,
      sessions,
      ownership: options.ownership(group),
      consulSilent: options.silentSinceMs() !== null,
      lockDeadlineMs: lockDeadlineMs(options, group, lock, sessions),
      lock,
      holderSession: (lock?.session && memory.strangers.get(lock.session)) || null,
      freshList: lock !== null && memory.listed?.version === versionOf(lock),
      groupConfirmed: lock !== null && memory.groupConfirmedAt === versionOf(lock),
      overlapsWith: olderRival(store, group, pods),
      lockKeyProblem: options.lockKeyProblem(group),
      demotedForSilence: memory.demotedForSilence,
      writtenOff: memory.writtenOff.version === versionOf(lock) ? memory.writtenOff.uids : new Set(),
      lockDelayedUntilMs: memory.lockDelayedUntilMs,
      writeOffRefused: memory.writeOffRefused,
      consulDenied: memory.consulDenied,
      deletingSinceMs: memory.deletingSinceMs,
    };
  };
}

/** Our own writes to the group are known before the watch tells of them. */
function preferNewer(cached: LeaderGroup, memory: GroupMemory): LeaderGroup {
  const known = memory.newerGroup;
  if (known === null) return cached;
  if (known.uid === cached.uid && newer(known, cached)) return known;
  memory.newerGroup = null;
  return cached;
}

/**
 * Without a renewal of our own the lock is believed for as long as Consul is not silent; a fresh process counts from its
 * start: whoever renewed before did so before that.
 */
function lockDeadlineMs(
  { startedMs, silentSinceMs, marginMs }: ObserverOptions,
  group: LeaderGroup,
  lock: LockView | null,
  sessions: readonly MemberSession[],
): number {
  const holder = sessions.find(({ id }) => id === lock?.session);
  return (
    holder?.deadlineMs ??
    sessionDeadlineMs(Math.max(startedMs, silentSinceMs() ?? 0), group.spec.sessionTtlMs, marginMs)
  );
}

function refreshMemory(
  memory: GroupMemory,
  group: LeaderGroup,
  lock: LockView | null,
  sessions: readonly MemberSession[],
  nowMs: number,
): void {
  if (group.deleting) memory.deletingSinceMs ??= nowMs;
  const holder = sessions.find(({ id }) => id === lock?.session);
  if (holder !== undefined && nowMs < holder.deadlineMs) memory.demotedForSilence = false;
}

function observePods(store: Store, group: LeaderGroup, memory: GroupMemory, nowMs: number): readonly ObservedPod[] {
  const cached = store.podsConcerning(groupKey(group));
  forgetStale(memory, cached);
  const listed = (memory.listed?.pods ?? []).filter(({ name }) => !cached.some(({ pod }) => pod.name === name));
  const relevant = listed.filter((pod) => matches(group.spec.selector, pod.labels) || carriesMark(group, pod));
  const stored = [...cached, ...relevant.map((pod) => ({ pod, readyChangedMs: nowMs }))];
  return stored
    .filter(({ pod }) => !memory.goneUids.has(pod.uid))
    .map((entry) => observePod(store, group, memory, entry, nowMs));
}

const carriesMark = (group: LeaderGroup, pod: Pod): boolean =>
  Object.keys(pod.annotations).some((key) => key.endsWith(`.leadergroup.dev/${group.name}`));

/** What the watch has caught up with need not be remembered. */
function forgetStale(memory: GroupMemory, cached: readonly StoredPod[]): void {
  const uids = new Set(cached.map(({ pod }) => pod.uid));
  for (const uid of memory.goneUids) if (!uids.has(uid)) memory.goneUids.delete(uid);
  for (const uid of [...memory.conflicts.keys(), ...memory.promotionRefusals.keys()]) {
    if (!uids.has(uid)) {
      memory.conflicts.delete(uid);
      memory.promotionRefusals.delete(uid);
    }
  }
  for (const [uid, pod] of memory.newerPods) {
    const shown = cached.find((entry) => entry.pod.uid === uid);
    if (shown === undefined || !newer(pod, shown.pod)) memory.newerPods.delete(uid);
  }
}

function observePod(
  store: Store,
  group: LeaderGroup,
  memory: GroupMemory,
  entry: StoredPod,
  nowMs: number,
): ObservedPod {
  const pod = memory.newerPods.get(entry.pod.uid) ?? entry.pod;
  const member = matches(group.spec.selector, pod.labels) && !pod.mirror && !finished(pod);
  const sinceMs = pod.ready === entry.pod.ready ? entry.readyChangedMs : nowMs;
  const rivals = store.groupsSelecting(pod).filter((other) => rivalOf(group, other));
  return {
    pod,
    member,
    claimedByOther: rivals.some((other) => !member || older(other, group)),
    cordoned: store.cordoned(pod.node),
    readyForMs: pod.ready ? nowMs - sinceMs : 0,
    notReadyForMs: pod.ready ? 0 : nowMs - sinceMs,
    refusedUntilMs: memory.promotionRefusals.get(pod.uid)?.retryAtMs ?? null,
    writeOffConflicts: memory.conflicts.get(pod.uid) ?? 0,
  };
}

const rivalOf = (group: LeaderGroup, other: LeaderGroup): boolean =>
  other.uid !== group.uid && other.spec.label.key === group.spec.label.key;

/** Of two groups over the same pods the older acts; every replica must come to the same answer. */
const older = (a: LeaderGroup, b: LeaderGroup): boolean =>
  a.createdMs === b.createdMs ? a.uid < b.uid : a.createdMs < b.createdMs;

function olderRival(store: Store, group: LeaderGroup, pods: readonly ObservedPod[]): string | null {
  for (const { pod, member } of pods) {
    if (!member) continue;
    const rival = store.groupsSelecting(pod).find((other) => rivalOf(group, other) && older(other, group));
    if (rival !== undefined) return rival.name;
  }
  return null;
}
