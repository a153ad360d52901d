/** Which of a member's sessions counts, and which are missing or left over. */
import type { PodUid, SessionId } from '../api/ids.ts';
import type { PodRef } from '../api/pod.ts';
import type { Preparation } from './actions.ts';
import { excluded, membersOf, neverAgain, rankedCandidates } from './candidates.ts';
import { refOf } from './fencing.ts';
import type { LockView, MemberSession, Observation, ObservedPod } from './observation.ts';

/** The session of ours that holds the lock; null when nobody or somebody else does, or the lock is unknown. */
export const holderAmong = (sessions: readonly MemberSession[], lock: LockView | null): MemberSession | null =>
  sessions.find(({ id }) => id === lock?.session) ?? null;

/** Opened under the TTL and lock-delay that the spec has now. */
export const suits = (o: Observation, session: MemberSession): boolean =>
  session.ttlMs === o.group.spec.sessionTtlMs && session.lockDelayMs === o.group.spec.lockDelayMs;

/**
 * The session to lock with for this pod: the newest that suits the spec (sessions are listed oldest first); null when
 * one must be opened.
 */
export const suitableSession = (o: Observation, { pod }: ObservedPod): MemberSession | null =>
  o.sessions.findLast((session) => session.podUid === pod.uid && suits(o, session)) ?? null;

/** The nominee's alone: the others can wait until it leads. */
export const openingFor = (nominee: ObservedPod): Preparation => ({ do: 'openSessions', pods: [refOf(nominee)] });

/** Besides the holder's: for the next leader, and for the one after it. More would be renewed for nothing (ADR 0022). */
const SPARES = 2;

/**
 * For whom a session is to be opened ahead of the next handover: always for the best candidate, and for others while there are fewer spares
 * than there may be. One whose pod is not ready just now counts, so that a pod that flaps opens nothing.
 */
export function unsuited(o: Observation): readonly PodRef[] {
  const candidates = rankedCandidates(o);
  const others = candidates.filter(({ pod }) => pod.uid !== holderUid(o));
  const without = others.filter((candidate) => suitableSession(o, candidate) === null);
  const missing = SPARES - spares(o, candidates).length;
  return without.slice(0, Math.max(missing, without[0] === others[0] ? 1 : 0)).map(refOf);
}

const holderUid = (o: Observation): PodUid | null => holderAmong(o.sessions, o.lock)?.podUid ?? null;

/** Who has a suitable session without the lock, and may lead: the best first, then those that cannot just now. */
function spares(o: Observation, candidates: readonly ObservedPod[]): readonly ObservedPod[] {
  const now = new Set(candidates);
  const later = membersOf(o).filter((each) => !now.has(each) && !neverAgain(each.pod) && !excluded(each.pod));
  const holder = holderUid(o);
  return [...candidates, ...later].filter((each) => each.pod.uid !== holder && suitableSession(o, each) !== null);
}

/**
 * Sessions that are renewed for nothing: all but that which holds the lock, the holder's next one while the spec's timing is being changed, and
 * the best spares; while nobody holds the lock, one more. Where there is room, a pod's session stays until the pod is gone.
 */
export function leftOver(o: Observation): readonly SessionId[] {
  if (o.lock === null) return [];
  const holder = o.pods.find(({ pod }) => pod.uid === holderUid(o));
  const best = spares(o, rankedCandidates(o));
  const known = new Set(holder === undefined ? best : [holder, ...best]);
  const others = o.pods.filter((each) => !known.has(each) && suitableSession(o, each) !== null);
  const room = holder === undefined ? SPARES + 1 : SPARES;
  const stay = [...best, ...others].slice(0, room);
  const needed = new Set(
    [...stay, ...(holder === undefined ? [] : [holder])].map((each) => suitableSession(o, each)?.id),
  );
  return o.sessions.filter(({ id }) => id !== o.lock?.session && !needed.has(id)).map(({ id }) => id);
}
