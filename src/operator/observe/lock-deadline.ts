/** Until when a group's lock is known, whatever Consul says. */
import type { MonotonicMs } from '../../api/clocks.ts';
import { labelled } from '../../election/candidates.ts';
import { sessionDeadlineMs } from '../../election/deadline.ts';
import type { LockView, MemberSession, ObservedPod } from '../../election/observation.ts';
import { holderAmong } from '../../election/sessions.ts';
import { groupKey } from '../cache/store.ts';
import type { ObserverOptions, View } from './view.ts';

type Known = Pick<View, 'group' | 'ownership' | 'lock'>;

/**
 * The holder's deadline. While it is unknown who that is, the earliest of those who carry the label, each by a session of its own: where adoption has
 * got to others only, their sessions say nothing of the leader's. With nobody labelled there is nothing to be late for: the
 * earliest of the group's.
 */
export function lockDeadlineMs(
  options: ObserverOptions,
  known: Known,
  sessions: readonly MemberSession[],
  pods: readonly ObservedPod[],
): MonotonicMs {
  const holder = holderAmong(sessions, known.lock);
  if (holder !== null) return holder.deadlineMs;
  const leaders = judged(options, known, sessions, pods);
  if (leaders.length > 0)
    return Math.min(...leaders.map((leader) => leaderDeadlineMs(options, known, sessions, leader)));
  return earliest(sessions) ?? deadlineSince(options, known, othersSinceMs(options, known));
}

/**
 * Whoever carries the label. Where the sessions are adopted, one that has none was labelled by somebody else: it is a stray beside one that has, and
 * says nothing of how long the lock is known.
 */
function judged(
  { sessionManager, unproven }: ObserverOptions,
  { group, ownership }: Known,
  sessions: readonly MemberSession[],
  pods: readonly ObservedPod[],
): readonly ObservedPod[] {
  const leaders = pods.filter((pod) => labelled(group, pod));
  if (ownership.kind !== 'owned' || unproven(group) !== null) return leaders;
  const ended = sessionManager.ended(groupKey(group));
  const had = leaders.filter(({ pod: { uid } }) => ended.has(uid) || sessions.some(({ podUid }) => podUid === uid));
  return had.length > 0 ? had : leaders;
}

/** A session of the pod's own that is not the one that holds the lock says nothing either. */
function leaderDeadlineMs(
  options: ObserverOptions,
  known: Known,
  sessions: readonly MemberSession[],
  { pod }: ObservedPod,
): MonotonicMs {
  const own = earliest(sessions.filter(({ podUid }) => podUid === pod.uid));
  if (own !== null && !heldByAnotherOf(known.lock, pod)) return own;
  return known.ownership.kind === 'notOwned'
    ? deadlineSince(options, known, othersSinceMs(options, known))
    : unkeptDeadlineMs(options, known, pod);
}

/** No session of ours holds it, and it is this pod's all the same. */
const heldByAnotherOf = (lock: LockView | null, { uid }: ObservedPod['pod']): boolean =>
  lock !== null && lock.session !== null && lock.record?.holder.uid === uid;

/**
 * Of a leader whose session we do not keep. Alone with the bucket, whoever renewed it did so before we were. Where another may have had the bucket
 * since, that one may have renewed it, until this replica could prove no more that it has it: else a replica that wakes up would demote the
 * leader of the one that took over meanwhile. One that Consul has ended is over when it could be believed no more, unless the lock is held by another.
 */
function unkeptDeadlineMs(options: ObserverOptions, known: Known, { uid }: ObservedPod['pod']): MonotonicMs {
  const { aloneSinceMs, heldSinceMs, sessionManager } = options;
  const { group, lock } = known;
  const unproven = options.unproven(group);
  const ended = sessionManager.ended(groupKey(group)).get(uid);
  const endedMs = ended !== undefined && [null, ended.id].includes(lock?.session ?? null) ? ended.deadlineMs : Infinity;
  const ownSinceMs = unproven?.sinceMs ?? null;
  const sinceMs = ownSinceMs === null ? aloneSinceMs(group) : Math.max(othersSinceMs(options, known), ownSinceMs);
  const learntMs = Math.max(unproven?.noticedMs ?? 0, heldSinceMs(group) ?? 0);
  return Math.max(Math.min(deadlineSince(options, known, sinceMs), endedMs), learntMs + ADOPTION_MS);
}

/** Where another replica has the bucket it may have renewed until this one lost Consul. */
const othersSinceMs = ({ aloneSinceMs, contact }: ObserverOptions, { group }: Known): MonotonicMs =>
  Math.max(aloneSinceMs(group), contact.outageSinceMs() ?? 0);

const deadlineSince = ({ marginMs }: ObserverOptions, { group }: Known, sinceMs: MonotonicMs): MonotonicMs =>
  sessionDeadlineMs(sinceMs, group.spec.sessionTtlMs, marginMs);

const earliest = (sessions: readonly MemberSession[]): MonotonicMs | null =>
  sessions.length === 0 ? null : Math.min(...sessions.map(({ deadlineMs }) => deadlineMs));

/** Whoever hears late that it got a bucket, or has it no more, is given so long to learn more, before it counts a healthy leader as lost. */
export const ADOPTION_MS = 1000;
