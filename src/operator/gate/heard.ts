/**
 * When each member was last heard: the arrivals of questions that were verified as its own. Kept for groups alone in which somebody judges by it.
 */
import type { MonotonicMs } from '../../api/clocks.ts';
import type { PodUid } from '../../api/ids.ts';
import type { Arrivals } from '../../election/probe.ts';

/** What is kept of a group's members. Both are looked up with each arrival, so they may change at any time. */
export type Window = {
  /** Arrivals nearer to each other than this are one. At most half of the time in which each member must be heard once. */
  readonly grainMs: number;
  /** What arrived so long before the last arrival is forgotten. */
  readonly keepMs: number;
  /** A silence of more than this is one. */
  readonly steadyMs: number;
};

export type Heard = {
  /** `arrivedMs` may lie in the past, or have been told before. */
  note(key: string, podUid: PodUid, arrivedMs: MonotonicMs): void;
  /**
   * When the member's questions arrived: the last one exactly, of the earlier ones two for each grain at most,
   * and of each silence longer than that the one before and the one after it. null: not heard since this replica
   * began, nor since the group is one in which it matters.
   */
  arrivals(key: string, podUid: PodUid): Arrivals | null;
  /** The pod is gone, or is no member any more. */
  gone(key: string, podUid: PodUid): void;
  /** The group is gone, or all that was heard belongs to another time: its bucket was another replica's. */
  dropped(key: string): void;
};

/** `steadyMs`: by which its silences were measured. */
type OfMember = Arrivals & Pick<Window, 'steadyMs'>;

/** `window`: null where nobody judges by it. */
export function createHeard(window: (key: string) => Window | null): Heard {
  const groups = new Map<string, Map<PodUid, OfMember>>();
  return {
    note: (key, podUid, arrivedMs) => {
      const wanted = window(key);
      if (wanted === null) return void groups.delete(key);
      const members = groups.get(key) ?? new Map<PodUid, OfMember>();
      members.set(podUid, withArrival(members.get(podUid) ?? null, arrivedMs, wanted));
      groups.set(key, members);
    },
    arrivals: (key, podUid) => groups.get(key)?.get(podUid) ?? null,
    gone: (key, podUid) => {
      groups.get(key)?.delete(podUid);
      if (groups.get(key)?.size === 0) groups.delete(key);
    },
    dropped: (key) => void groups.delete(key),
  };
}

/** The new one takes the place of the last while it is within a grain of the one before that: so each silence begins and ends where it did. */
function withArrival(known: OfMember | null, arrivedMs: MonotonicMs, { grainMs, keepMs, steadyMs }: Window): OfMember {
  const earlier = known?.recentMs ?? [];
  const lastMs = earlier.at(-1) ?? Number.NEGATIVE_INFINITY;
  if (known !== null && arrivedMs <= lastMs) return known;
  const before = earlier.at(-2) ?? Number.NEGATIVE_INFINITY;
  const kept = arrivedMs - before < grainMs ? earlier.slice(0, -1) : earlier;
  const goesOn = known !== null && known.steadyMs === steadyMs && arrivedMs - lastMs <= steadyMs;
  return {
    recentMs: [...kept.filter((ms) => arrivedMs - ms <= keepMs), arrivedMs],
    steadySinceMs: goesOn ? known.steadySinceMs : arrivedMs,
    steadyMs,
  };
}
