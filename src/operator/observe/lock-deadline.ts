/** Until when a group's lock is known, whatever Consul says. */
import type { MonotonicMs } from '../../api/clocks.ts';
import { labelled } from '../../election/candidates.ts';
import { sessionDeadlineMs } from '../../election/deadline.ts';
import type { MemberSession, ObservedPod } from '../../election/observation.ts';
import { holderAmong } from '../../election/sessions.ts';
import type { ObserverOptions, View } from './view.ts';

/**
 * The holder's deadline. While the lock is unknown, that of whoever carries the label, and with nobody labelled the earliest of the group's: where
 * adoption has got to others only, their sessions say nothing of the leader's.
 * A labelled pod without any session of ours was last renewed by somebody who did so before this one was alone with it. With
 * nobody labelled there is nothing to be late for, and where another replica owns the bucket it may have renewed until
 * this one lost Consul: there the time of the outage counts.
 */
export function lockDeadlineMs(
  { aloneSinceMs, heldSinceMs, outageSinceMs, marginMs }: ObserverOptions,
  { group, ownership, lock }: Pick<View, 'group' | 'ownership' | 'lock'>,
  sessions: readonly MemberSession[],
  pods: readonly ObservedPod[],
): MonotonicMs {
  const holder = holderAmong(sessions, lock);
  if (holder !== null) return holder.deadlineMs;
  const leaders = pods.filter((pod) => labelled(group, pod)).map(({ pod }) => pod.uid);
  const theirs = leaders.length > 0 ? sessions.filter(({ podUid }) => leaders.includes(podUid)) : sessions;
  const deadlines = theirs.map(({ deadlineMs }) => deadlineMs);
  if (deadlines.length > 0) return Math.min(...deadlines);
  const mine = leaders.length > 0 && ownership.kind !== 'notOwned';
  const sinceMs = mine ? aloneSinceMs(group) : Math.max(aloneSinceMs(group), outageSinceMs() ?? 0);
  const deadlineMs = sessionDeadlineMs(sinceMs, group.spec.sessionTtlMs, marginMs);
  return mine ? Math.max(deadlineMs, (heldSinceMs(group) ?? 0) + ADOPTION_MS) : deadlineMs;
}

/** Whoever hears late that it got a bucket is given so long to adopt its sessions, before it counts a healthy leader as lost. */
export const ADOPTION_MS = 1000;
