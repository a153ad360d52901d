/**
 * When each member was last heard: the arrivals of questions that were verified as its own. Kept for groups alone in which somebody judges by it.
 */
import type { MonotonicMs } from '../../api/clocks.ts';
import type { PodUid } from '../../api/ids.ts';

/** What is kept of a group's members. Both are looked up with each arrival, so they may change at any time. */
export type Window = {
  /** Arrivals nearer to each other than this are one. At most half of the time in which each member must be heard once. */
  readonly grainMs: number;
  /** What arrived longer ago is forgotten; the last arrival never. */
  readonly keepMs: number;
};

export type Heard = {
  /** `arrivedMs` may lie in the past, or have been told before. */
  note(key: string, podUid: PodUid, arrivedMs: MonotonicMs): void;
  /**
   * When the member's questions arrived, rising: the last one exactly, of the earlier ones two for each grain at most,
   * and of each silence longer than that the one before and the one after it. Empty: not heard since this replica
   * began, nor since the group is one in which it matters.
   */
  arrivals(key: string, podUid: PodUid): readonly MonotonicMs[];
  /** The pod is gone, or is no member any more. */
  gone(key: string, podUid: PodUid): void;
  /** The group is gone, or all that was heard belongs to another time: its bucket was another replica's. */
  dropped(key: string): void;
};

/** Of one member, whatever its group asks for. */
const MOST = 512;

/** `window`: null where nobody judges by it. */
export function createHeard(window: (key: string) => Window | null): Heard {
  const groups = new Map<string, Map<PodUid, readonly MonotonicMs[]>>();
  return {
    note: (key, podUid, arrivedMs) => {
      const wanted = window(key);
      if (wanted === null) return void groups.delete(key);
      const members = groups.get(key) ?? new Map<PodUid, readonly MonotonicMs[]>();
      members.set(podUid, withArrival(members.get(podUid) ?? [], arrivedMs, wanted));
      groups.set(key, members);
    },
    arrivals: (key, podUid) => groups.get(key)?.get(podUid) ?? [],
    gone: (key, podUid) => {
      groups.get(key)?.delete(podUid);
      if (groups.get(key)?.size === 0) groups.delete(key);
    },
    dropped: (key) => void groups.delete(key),
  };
}

/** The new one takes the place of the last while it is within a grain of the one before that: so each silence begins and ends where it did. */
function withArrival(known: readonly MonotonicMs[], arrivedMs: MonotonicMs, { grainMs, keepMs }: Window) {
  const last = known.at(-1) ?? Number.NEGATIVE_INFINITY;
  if (arrivedMs <= last) return known;
  const before = known.at(-2) ?? Number.NEGATIVE_INFINITY;
  const kept = arrivedMs - before < grainMs ? known.slice(0, -1) : known;
  return [...kept.slice(-MOST).filter((ms) => arrivedMs - ms <= keepMs), arrivedMs];
}
