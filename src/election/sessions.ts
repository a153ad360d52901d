/** Which of a member's sessions counts, and which are missing or left over. */
import type { SessionId } from '../api/ids.ts';
import type { PodRef } from '../api/pod.ts';
import type { Preparation } from './actions.ts';
import { rankedCandidates } from './candidates.ts';
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

/**
 * Opens what `first` lacks, which need not be a candidate (a recorded holder within minReadySeconds, say), and what the
 * candidates lack.
 */
export const openingFor = (o: Observation, first: ObservedPod): Preparation => ({
  do: 'openSessions',
  pods: [refOf(first), ...unsuited(o).filter(({ uid }) => uid !== first.pod.uid)],
});

/** Candidates for whom a session must be opened; everyone at once, so that the next handover waits for none. */
export const unsuited = (o: Observation): readonly PodRef[] =>
  rankedCandidates(o)
    .filter((candidate) => suitableSession(o, candidate) === null)
    .map(refOf);

/**
 * Sessions that no one needs any more: their pod is not known here any more, or a newer one of the same pod suits and
 * this one does not hold the lock.
 */
export function leftOver(o: Observation): readonly SessionId[] {
  const needed = new Set(o.pods.flatMap((observed) => suitableSession(o, observed)?.id ?? []));
  const replaced = ({ podUid }: MemberSession) =>
    o.sessions.some((other) => other.podUid === podUid && needed.has(other.id));
  const gone = ({ podUid }: MemberSession) => !o.pods.some(({ pod }) => pod.uid === podUid);
  return o.sessions
    .filter(
      (session) => session.id !== o.lock?.session && !needed.has(session.id) && (gone(session) || replaced(session)),
    )
    .map(({ id }) => id);
}
