/** Sessions that Consul has ended, of pods that may still carry a label: until when each could be believed. */
import type { MonotonicMs } from '../../api/clocks.ts';
import type { PodUid } from '../../api/ids.ts';

export type EndedSessions = {
  note(key: string, podUid: PodUid, deadlineMs: MonotonicMs): void;
  /** The pod has another one. */
  followed(key: string, podUid: PodUid): void;
  drop(key: string): void;
  of(key: string): ReadonlyMap<PodUid, MonotonicMs>;
};

/** Of a group those of the last pods. */
const KEPT = 8;
const NONE: ReadonlyMap<PodUid, MonotonicMs> = new Map();

export function createEndedSessions(): EndedSessions {
  const byGroup = new Map<string, Map<PodUid, MonotonicMs>>();
  return {
    note: (key, podUid, deadlineMs) => {
      const ended = byGroup.get(key) ?? new Map<PodUid, MonotonicMs>();
      ended.delete(podUid);
      byGroup.set(key, ended.set(podUid, deadlineMs));
      for (const uid of ended.keys()) if (ended.size > KEPT) ended.delete(uid);
    },
    followed: (key, podUid) => void byGroup.get(key)?.delete(podUid),
    drop: (key) => void byGroup.delete(key),
    of: (key) => byGroup.get(key) ?? NONE,
  };
}
