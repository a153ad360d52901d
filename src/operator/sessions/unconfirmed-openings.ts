/**
 * Openings of sessions whose outcome is not known. What one has left is taken, rather than another one made with each attempt: while
 * Consul is slow, sessions would pile up until their TTL is over, which may be a day. One look serves all that are unconfirmed.
 */
import type { PodUid } from '../../api/ids.ts';
import { parseSessionName } from '../../election/keys.ts';
import type { ConsulSession } from '../../ports/consul.ts';
import { groupKey } from '../cache/store.ts';
import { inParallel } from '../common/in-parallel.ts';

/** As it was asked for. */
export type Opening = { readonly ttlMs: number; readonly lockDelayMs: number };

export type UnconfirmedOpenings = {
  note(group: string, podUid: PodUid, opening: Opening): void;
  isUnconfirmed(group: string, podUid: PodUid): boolean;
  /**
   * Resolves once what an unconfirmed opening left, if anything, has been adopted. Throws ConsulError: nothing more is to be opened then.
   * A session that Consul makes later still is left to expire.
   */
  confirmed(group: string, podUid: PodUid, signal: AbortSignal): Promise<void>;
  drop(group: string): void;
};

const ADOPTIONS_AT_ONCE = 16;

export function createUnconfirmedOpenings(ports: {
  /** Consistent. */
  readonly sessions: (signal: AbortSignal) => Promise<readonly ConsulSession[]>;
  readonly adopt: (session: ConsulSession, signal: AbortSignal) => Promise<unknown>;
}): UnconfirmedOpenings {
  const byGroup = new Map<string, Map<PodUid, Opening>>();
  let looking: Promise<void> | null = null;

  const isUnconfirmed = (group: string, podUid: PodUid): boolean => byGroup.get(group)?.has(podUid) === true;

  function forget(group: string, podUid: PodUid): void {
    const pods = byGroup.get(group);
    pods?.delete(podUid);
    if (pods?.size === 0) byGroup.delete(group);
  }

  /** Those that became unconfirmed before it was sent are decided by its answer. */
  async function look(signal: AbortSignal): Promise<void> {
    const before = new Map([...byGroup].map(([group, pods]) => [group, new Map(pods)]));
    const left = newestOf((await ports.sessions(signal)).filter((session) => isLeft(session, before)));
    await inParallel(left, ADOPTIONS_AT_ONCE, async (session) => {
      // Its group may have been dropped meanwhile.
      if (isLeft(session, byGroup)) await ports.adopt(session, signal);
    });
    for (const [group, pods] of before) for (const uid of pods.keys()) forget(group, uid);
  }

  return {
    note: (group, podUid, opening) =>
      void byGroup.set(group, (byGroup.get(group) ?? new Map<PodUid, Opening>()).set(podUid, opening)),
    isUnconfirmed,
    confirmed: async (group, podUid, signal) => {
      while (isUnconfirmed(group, podUid)) {
        looking ??= look(signal).finally(() => {
          looking = null;
        });
        await looking;
      }
    },
    drop: (group) => void byGroup.delete(group),
  };
}

function isLeft(session: ConsulSession, openings: ReadonlyMap<string, ReadonlyMap<PodUid, Opening>>): boolean {
  const named = parseSessionName(session.name);
  if (named === null) return false;
  const opening = openings.get(groupKey({ namespace: named.namespace, name: named.group }))?.get(named.podUid);
  return opening?.ttlMs === session.ttlMs && opening.lockDelayMs === session.lockDelayMs;
}

/** Of several for one member the others are left to expire. */
const newestOf = (sessions: readonly ConsulSession[]): readonly ConsulSession[] => [
  ...new Map(sessions.toSorted((a, b) => a.createIndex - b.createIndex).map((each) => [each.name, each])).values(),
];
