/** What the caches and Consul show by now, and what of the memory is void by that. */
import type { MonotonicMs } from '../../api/clocks.ts';
import type { PodUid } from '../../api/ids.ts';
import type { LeaderGroup } from '../../api/leadergroup.ts';
import type { Pod } from '../../api/pod.ts';
import type { LockView } from '../../election/observation.ts';
import { versionOf } from '../../election/trust.ts';
import type { StoredPod } from '../cache/pod-times.ts';
import { entriesThat, membersThat } from './collections.ts';
import { type GroupMemory, newer } from './memory.ts';
import { isRecent, refreshRefusals } from './refusals.ts';
import { unseen } from './remember-pods.ts';

export type Shown = {
  readonly kind: 'shown';
  readonly nowMs: MonotonicMs;
  /** As the watch has delivered it, and as it is taken to be. */
  readonly cached: LeaderGroup;
  readonly group: LeaderGroup;
  readonly lock: LockView | null;
  readonly pods: readonly StoredPod[];
  /** Consul answers, and says whose the group is. */
  readonly outageOver: boolean;
};

/** What is left of the memory. What the watch has caught up with need not be remembered. */
export function sinceShown(memory: GroupMemory, shown: Shown): GroupMemory {
  const { nowMs, cached, group, lock, outageOver } = shown;
  return {
    ...forPods(memory, shown),
    newerGroup: stillNewer(memory, cached),
    listed: listedAt(memory, lock),
    deletionSeenMs: memory.deletionSeenMs ?? (group.deleting ? nowMs : null),
    externalHolders: entriesThat(memory.externalHolders, (id) => id === lock?.session),
    demotedForOutage: memory.demotedForOutage && !outageOver,
    outageReported: outageOver ? null : memory.outageReported,
  };
}

/** The group as our own writes have left it, until the watch has caught up; null: it has, or it shows another group. */
export const stillNewer = ({ newerGroup: known }: GroupMemory, cached: LeaderGroup): LeaderGroup | null =>
  known !== null && known.uid === cached.uid && newer(known, cached) ? known : null;

/** null: none was made at this version of the lock. */
export const listedAt = ({ listed }: GroupMemory, lock: LockView | null): GroupMemory['listed'] =>
  listed?.version === versionOf(lock) ? listed : null;

function forPods(memory: GroupMemory, { nowMs, group, pods }: Shown): GroupMemory {
  const cached = new Map(pods.map(({ pod }) => [pod.uid, pod]));
  const owners = new Set(pods.map(({ pod }) => pod.owner?.uid));
  const known = (uid: PodUid): boolean => cached.has(uid);
  const newerPods = entriesThat(memory.newerPods, (uid, pod) => {
    const shown = cached.get(uid);
    return shown !== undefined && newer(pod, shown);
  });
  const newest = new Map([...cached].map(([uid, pod]) => [uid, newerPods.get(uid) ?? pod]));
  const refusals = refreshRefusals(memory, group, newest);
  const { acceptedReleases } = memory;
  // Once a controller has it again it may be released once more.
  const isAlone = (uid: PodUid): boolean => newest.get(uid)?.owner === null;
  return {
    ...memory,
    ...refusals,
    newerPods,
    goneUids: entriesThat(memory.goneUids, known),
    conflicts: entriesThat(memory.conflicts, known),
    resigned: entriesThat(memory.resigned, known),
    repairs: entriesThat(memory.repairs, (uid, repairs) => known(uid) && isRecent(repairs, nowMs)),
    ...withLosses(memory, newest, nowMs),
    acceptedReleases: { ...acceptedReleases, uids: membersThat(acceptedReleases.uids, isAlone) },
    trials: trialsLeft(memory, newest, owners),
  };
}

/**
 * Pods that lost their controller after we wrote their label. Most selectors cannot be edited, but some can, so what was read of that
 * controller before is void.
 */
function withLosses(
  { writtenUnder, lostOwners, lossSeenMs }: GroupMemory,
  pods: ReadonlyMap<PodUid, Pod>,
  nowMs: MonotonicMs,
): Pick<GroupMemory, 'writtenUnder' | 'lostOwners' | 'lossSeenMs'> {
  const has = (uid: PodUid, owner: string): boolean => pods.get(uid)?.owner?.uid === owner;
  const lost = [...writtenUnder].filter(([uid, owner]) => pods.has(uid) && !has(uid, owner));
  const owners = new Set([...pods.values()].map(({ owner }) => owner?.uid));
  const still = entriesThat(lostOwners, (uid, owner) => pods.has(uid) && !has(uid, owner));
  const seen = entriesThat(lossSeenMs, (owner) => owners.has(owner));
  return {
    writtenUnder: entriesThat(writtenUnder, has),
    lostOwners: lost.length === 0 ? still : new Map([...still, ...lost]),
    lossSeenMs: lost.length === 0 ? seen : new Map([...seen, ...lost.map(([, owner]) => [owner, nowMs] as const)]),
  };
}

/** A trial shows nothing any more once its pod is on its way out; it is forgotten with the last pod of its controller. */
function trialsLeft(
  { trials, goneUids }: GroupMemory,
  pods: ReadonlyMap<PodUid, Pod>,
  owners: ReadonlySet<string | undefined>,
): GroupMemory['trials'] {
  const left = entriesThat(trials, (owner, { podUid }) => owners.has(owner) || pods.has(podUid));
  const ended = [...left].filter(
    ([, { state, podUid }]) =>
      state === 'waiting' && (goneUids.has(podUid) || !pods.has(podUid) || pods.get(podUid)?.deleting === true),
  );
  return ended.length === 0
    ? left
    : new Map([...left, ...ended.map(([owner, trial]) => [owner, unseen(trial)] as const)]);
}
