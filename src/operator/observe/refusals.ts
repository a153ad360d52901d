/** Refused writes and contested labels: what is remembered of them, for how long, and how a decision sees them. */

import type { MonotonicMs, WallMs } from '../../api/clocks.ts';
import type { PodUid } from '../../api/ids.ts';
import type { LeaderGroup } from '../../api/leadergroup.ts';
import { tokenAnnotation } from '../../api/names.ts';
import type { Pod } from '../../api/pod.ts';
import { timeTextOf } from '../../api/time.ts';
import { type Backoff, backoffMs } from '../../common/backoff.ts';
import { labelled } from '../../election/candidates.ts';
import type { Contest } from '../../election/hindered.ts';
import type { Observation, ObservedPod } from '../../election/observation.ts';
import type { Clock } from '../../ports/clock.ts';
import type { WriteOutcome } from '../../ports/kubernetes.ts';
import { type GroupMemory, type Repairs, refusedAgain, type WriteRefusal } from './memory.ts';

export type Refused = Extract<WriteOutcome<unknown>, { kind: 'refused' }>;

/** Whatever has changed, a refused write is not repeated before this. */
const AT_LEAST_MS = 1000;

/** What was refused, in the refuser's own words. */
export const refusalWords = (what: string, { status, message }: Refused): string =>
  `the API server refuses ${what} (${status}): ${message}`;

/** As `refusedAgain`, in the refuser's own words and with the time of the next try. `pod`: null where it is not known any more. */
export function writeRefusal(
  clock: Clock,
  previous: WriteRefusal | null | undefined,
  outcome: Refused,
  about: { readonly what: string; readonly pod: Pod | null; readonly generation: number },
): WriteRefusal {
  const atMs = clock.nowMs();
  const next = refusedAgain(previous, '', atMs);
  const retry = timeTextOf(clock.wallMs() + next.retryAtMs - atMs);
  return {
    ...next,
    message: `${refusalWords(about.what, outcome)}; the operator retries at ${retry}, or when the ${about.pod === null ? 'group' : 'pod'} changes`,
    status: outcome.status,
    atMs,
    resourceVersion: about.pod?.resourceVersion ?? '',
    generation: about.generation,
  };
}

type Refusals = Pick<GroupMemory, 'promotionRefusals' | 'fencingRefusals' | 'followersRefused'>;

/** A refusal ends with the pod; it is tried again at once when somebody else has changed the pod, or edited the group. */
export function refreshRefusals(before: Refusals, group: LeaderGroup, known: ReadonlyMap<PodUid, Pod>): Refusals {
  const { followersRefused } = before;
  return {
    promotionRefusals: refreshed(before.promotionRefusals, group, known),
    fencingRefusals: refreshed(before.fencingRefusals, group, known),
    followersRefused: followersRefused?.generation === group.generation ? followersRefused : null,
  };
}

const refreshed = (
  refusals: ReadonlyMap<PodUid, WriteRefusal>,
  group: LeaderGroup,
  known: ReadonlyMap<PodUid, Pod>,
): ReadonlyMap<PodUid, WriteRefusal> =>
  new Map(
    [...refusals].flatMap(([uid, refusal]): [PodUid, WriteRefusal][] => {
      const pod = known.get(uid);
      if (pod === undefined) return [];
      return [[uid, changed(refusal, pod, group) ? sooner(refusal, pod, group) : refusal]];
    }),
  );

const changed = (refusal: WriteRefusal, pod: Pod, group: LeaderGroup): boolean =>
  refusal.generation !== group.generation ||
  (BigInt(pod.resourceVersion) > BigInt(refusal.resourceVersion || '0') && refusal.resourceVersion !== '');

const sooner = (refusal: WriteRefusal, { resourceVersion }: Pod, { generation }: LeaderGroup): WriteRefusal => ({
  ...refusal,
  resourceVersion,
  generation,
  retryAtMs: Math.min(refusal.retryAtMs, refusal.atMs + AT_LEAST_MS),
});

/**
 * Nobody can have a promotion of this pod under way: ours was the request that put the finalizer on the group, which comes before the first
 * lock; the bucket has been ours ever since; whatever we have sent for this pod was refused, so it was not applied;
 * and if the record names it, it was our own transaction that put it there. `recorded`: uid of the recorded holder. (ADR 0013.)
 */
export const neverPromoted = (
  memory: GroupMemory,
  { name }: LeaderGroup,
  { uid, annotations }: Pod,
  recorded: PodUid | null,
): boolean =>
  memory.wholeIncarnation &&
  !memory.perhapsPromoted.has(uid) &&
  (recorded !== uid || memory.recordedByUs.has(uid)) &&
  annotations[tokenAnnotation(name)] === undefined;

/** What was refused of this pod, as a decision sees it. */
export function refusalsOf(
  memory: GroupMemory,
  uid: PodUid,
): Pick<ObservedPod, 'promotionRefused' | 'fencingRefusedUntilMs'> {
  const promotion = memory.promotionRefusals.get(uid);
  const fence = memory.fencingRefusals.get(uid);
  return {
    promotionRefused: promotion ?? null,
    fencingRefusedUntilMs: fence?.retryAtMs ?? null,
  };
}

/** The refused fencing patch that holds the group up, if one does. */
export function blockingRefusal(
  memory: GroupMemory,
  group: LeaderGroup,
  pods: readonly ObservedPod[],
  nowMs: MonotonicMs,
): Observation['fencingRefused'] {
  for (const observed of pods) {
    const refusal = memory.fencingRefusals.get(observed.pod.uid);
    if (refusal === undefined || nowMs >= refusal.retryAtMs) continue;
    if (observed.neverPromoted && !labelled(group, observed)) continue;
    const { message, retryAtMs, status } = refusal;
    return { message, retryAtMs, status };
  }
  return null;
}

const WINDOW_MS = 60_000;
/** So many repairs of one pod, or slice, within a minute are made without a pause. */
const FREE_REPAIRS = 3;
const REPAIRS: Backoff = { firstMs: 500, lastMs: 5000 };

/** Something was put right once more: a stray's label, the leader's, a follower's. */
export function repairedAgain(before: Repairs | undefined, atMs: MonotonicMs, atWallMs: WallMs): Repairs {
  const known = before !== undefined && isRecent(before, atMs) ? before : { count: 0, sinceWallMs: atWallMs, by: null };
  return { ...known, count: known.count + 1, lastMs: atMs };
}

/** When the window after the last one is over. */
const overAtMs = ({ lastMs }: Repairs): MonotonicMs => lastMs + WINDOW_MS;

/** By the moment that people are told, and timers are set for: a difference is rounded otherwise, and the last timer would come too early. */
export const isRecent = (repairs: Repairs, nowMs: MonotonicMs): boolean => nowMs < overAtMs(repairs);

export function contestOf(memory: GroupMemory, uid: PodUid, nowMs: MonotonicMs): Contest | null {
  const repairs = memory.repairs.get(uid);
  return repairs === undefined ? null : contestIn(repairs, nowMs);
}

/** Nothing for the first repairs, then 0.5 s, 1 s, 2 s, 4 s, 5 s; over when nothing had to be repaired for a minute. */
export function contestIn(repairs: Repairs, nowMs: MonotonicMs): Contest | null {
  const beyond = repairs.count - FREE_REPAIRS;
  if (beyond < 0 || !isRecent(repairs, nowMs)) return null;
  const pauseMs = backoffMs(beyond + 1, REPAIRS);
  return { notBeforeMs: repairs.lastMs + pauseMs, overAtMs: overAtMs(repairs), by: repairs.by };
}
