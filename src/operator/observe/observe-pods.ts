/** The pods of a group, as one decision sees them. */
import type { MonotonicMs } from '../../api/clocks.ts';
import type { LeaderGroup } from '../../api/leadergroup.ts';
import type { Pod } from '../../api/pod.ts';
import { matches } from '../../api/selector.ts';
import type { Deferral } from '../../election/deferral.ts';
import { countsCost } from '../../election/deletion-cost.ts';
import type { LockView, ObservedPod } from '../../election/observation.ts';
import { type StoredPod, timesFrom, timesOf } from '../cache/pod-times.ts';
import { groupKey, type Store } from '../cache/store.ts';
import { type GroupMemory, newer } from './memory.ts';
import { candidacyOf } from './observe-candidacy.ts';
import { ownerView } from './observe-owners.ts';
import { contestOf, neverPromoted, refusalsOf } from './refusals.ts';
import { isMember, type Rivals } from './rivals.ts';
import { listedAt } from './shown.ts';
import { claimantsOf, newest, type ObserverOptions, type View } from './view.ts';

/** Cached or listed: whatever concerns the group. */
export const podsKnown = (
  { store }: ObserverOptions,
  { group, lock, nowMs }: View,
  memory: GroupMemory,
): readonly StoredPod[] => withListed(group, withHolder(store, group, lock), listedAt(memory, lock)?.pods ?? [], nowMs);

/** `known`: see podsKnown. `memory`: what is left of it since they were shown. */
export function observePods(
  options: ObserverOptions,
  view: View,
  remembered: Remembered,
  known: readonly StoredPod[],
): readonly ObservedPod[] {
  return known
    .filter(({ pod }) => !remembered.memory.goneUids.has(pod.uid))
    .map((entry) => observePod(options, view, remembered, entry));
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
  nowMs: MonotonicMs,
): readonly StoredPod[] {
  const byName = new Map(cached.map((entry) => [entry.pod.name, entry]));
  for (const pod of listed) {
    const shown = byName.get(pod.name)?.pod;
    if (shown?.uid === pod.uid || (shown !== undefined && newer(shown, pod))) continue;
    if (matches(group.spec.selector, pod.labels) || carriesMark(group, pod)) {
      byName.set(pod.name, { pod, ...timesFrom(pod, nowMs) });
    }
  }
  return [...byName.values()];
}

const carriesMark = (group: LeaderGroup, pod: Pod): boolean =>
  Object.keys(pod.annotations).some((key) => key.endsWith(`.leadergroup.dev/${group.name}`));

type Remembered = {
  readonly memory: GroupMemory;
  readonly rivals: Rivals;
  /** By uid. */
  readonly deferred: ReadonlyMap<string, Deferral>;
};

function observePod(
  { clock, store, owners }: ObserverOptions,
  view: View,
  { memory, rivals, deferred }: Remembered,
  entry: StoredPod,
): ObservedPod {
  const { group, lock, nowMs } = view;
  const pod = newest(memory, entry.pod);
  const member = isMember(group, pod);
  const stored = pod === entry.pod ? entry : { pod, ...timesOf(entry, pod, clock) };
  const claimants = claimantsOf(rivals, pod, member);
  return {
    pod,
    member,
    claimedByOther: claimants.length > 0,
    costIsAnothers: countsCost(pod) && rivals.olderKeepsLast(pod),
    yields: nowMs < (memory.resigned.get(pod.uid)?.untilMs ?? 0),
    deferred: deferred.get(pod.uid) ?? null,
    ...placeOf(store, pod),
    owner: ownerView(owners, view, memory, pod),
    candidacy: candidacyOf(store, group, stored, nowMs),
    notReadyForMs: pod.ready ? 0 : nowMs - stored.readyChangedMs,
    ...refusalsOf(memory, pod.uid),
    neverPromoted: neverPromoted(memory, group, pod, lock?.record?.holder.uid ?? null),
    contest: contestOf(memory, pod.uid, nowMs),
    fencingConflicts: memory.conflicts.get(pod.uid) ?? 0,
  };
}

function placeOf(store: Store, { node }: Pod): Pick<ObservedPod, 'cordoned' | 'nodeLost' | 'zone' | 'host'> {
  const host = store.node(node);
  const zone = host?.labels['topology.kubernetes.io/zone'] || null;
  return { cordoned: host?.cordoned === true, nodeLost: store.nodeLost(node), zone, host };
}
