/** Sessions that Consul has ended, of pods that may still carry a label: until when each could be believed. */
import type { MonotonicMs } from '../../api/clocks.ts';
import type { PodUid, SessionId } from '../../api/ids.ts';

export type EndedSession = { readonly id: SessionId; readonly deadlineMs: MonotonicMs };

export type EndedSessions = {
  note(key: string, podUid: PodUid, session: EndedSession): void;
  /** The pod has another one, or leads by another one. */
  followed(key: string, podUid: PodUid): void;
  drop(key: string): void;
  of(key: string): ReadonlyMap<PodUid, EndedSession>;
  keys(): readonly string[];
};

/** Of a group those of the last pods. */
const KEPT = 8;
const NONE: ReadonlyMap<PodUid, EndedSession> = new Map();

export function createEndedSessions(): EndedSessions {
  const byGroup = new Map<string, Map<PodUid, EndedSession>>();
  return {
    note: (key, podUid, session) => {
      const ended = byGroup.get(key) ?? new Map<PodUid, EndedSession>();
      ended.delete(podUid);
      byGroup.set(key, ended.set(podUid, session));
      for (const uid of ended.keys()) if (ended.size > KEPT) ended.delete(uid);
    },
    followed: (key, podUid) => {
      const ended = byGroup.get(key);
      if (ended?.delete(podUid) === true && ended.size === 0) byGroup.delete(key);
    },
    drop: (key) => void byGroup.delete(key),
    of: (key) => byGroup.get(key) ?? NONE,
    keys: () => [...byGroup.keys()],
  };
}
