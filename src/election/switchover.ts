/**
 * Whether the switchover that a group's annotation asks for is to be done. Pure: who plans, and who tells people of it, both ask this.
 *
 * **Guarantees** It says `moves` only for a request that is later than every one that was handled, and only for a candidate.
 * **Assumptions** Whoever moves the lock for it writes its time into the record by that very transaction.
 */

import type { SwitchoverAsked } from '../api/switchover.ts';
import { switchoverTime } from '../api/switchover.ts';
import type { SwitchoverRefusal } from '../api/switchover-reasons.ts';
import { rankedCandidates } from './candidates.ts';
import { nameOfExternal } from './external-holder.ts';
import { noCandidateMessage } from './ineligible.ts';
import type { Nominees } from './judgement.ts';
import type { Observation, ObservedPod, SwitchoverRefused } from './observation.ts';
import { type HeldLock, type KnownLock, ownedLockOf } from './owned-lock.ts';
import { unreadOwners } from './owners.ts';
import { isOutage } from './plan-restrained.ts';
import type { HandledSwitchover } from './record.ts';
import { AHEAD_MS, handledSwitchover } from './switchover-record.ts';
import { shownSwitchoverMs } from './switchover-shown.ts';
import { targetOf } from './switchover-target.ts';
import { trustOf } from './trust.ts';

export type AskedSwitchover = Extract<SwitchoverAsked, { kind: 'asked' }>;

export type JudgedSwitchover =
  /** Nothing is asked for, or what came of it has been said. */
  | { readonly kind: 'none' }
  /** It cannot be decided now; whatever changes that wakes the group. */
  | { readonly kind: 'waits' }
  /** For good: the same request is not done later either. */
  | ({ readonly kind: 'refused' } & SwitchoverRefused)
  /** Whether the next leader passes the leader probe is to be found out first. */
  | { readonly kind: 'unsure'; readonly next: Exclude<Nominees, { kind: 'known' }> }
  /** `others`: who comes next where the nominee does not pass spec.beforePromotion. */
  | {
      readonly kind: 'moves';
      readonly asked: AskedSwitchover;
      readonly nominee: ObservedPod;
      readonly others: readonly ObservedPod[];
    };

const NONE: JudgedSwitchover = { kind: 'none' };
const WAITS: JudgedSwitchover = { kind: 'waits' };

const refusal = (reason: SwitchoverRefusal, message: string): JudgedSwitchover => ({
  kind: 'refused',
  reason,
  message,
});

const OLDEST_MS = 600_000;
const APART_MS = 30_000;

/** Only the owner of the bucket decides, with the lock before it and Consul within reach: what is decided must be written there. */
export function judgeSwitchover(o: Observation): JudgedSwitchover {
  const { switchover: asked } = o.group;
  if (asked === null) return NONE;
  const owned = isOutage(o) ? null : ownedLockOf(o);
  if (owned === null || owned.kind === 'unread') return WAITS;
  if (asked.kind === 'malformed') return refusal('Malformed', asked.problem);
  const byTime = judgeTime(o, owned, asked);
  if (byTime?.kind === 'none') return byTime;
  const { refusal: told } = o.switchover;
  if (told !== null) return { kind: 'refused', ...told };
  return byTime ?? judgeGroup(o, owned) ?? judgeLock(o, owned, asked);
}

/** By the record, by what was said, and by the clock. null: its time is as it should be. */
function judgeTime(o: Observation, owned: KnownLock, { atMs }: AskedSwitchover): JudgedSwitchover | null {
  const handled = handledSwitchover(o, owned);
  const shownMs = shownSwitchoverMs(o);
  if (atMs === shownMs || (atMs === handled.atMs && handled.to !== null)) return NONE;
  // It stands in Git for good, say: nobody need hear of it each time that the operator starts.
  if (shownMs !== null && atMs < shownMs) return isOld(o, atMs) ? NONE : replayed(atMs, shownMs);
  return judgeByRecord(o, handled, atMs) ?? judgeByClock(o, atMs) ?? judgePace(handled, atMs);
}

const isOld = ({ wallSeconds }: Observation, atMs: number): boolean => wallSeconds * 1000 - atMs > OLDEST_MS;

function judgeByRecord(o: Observation, handled: HandledSwitchover, atMs: number): JudgedSwitchover | null {
  if (atMs <= handled.atMs) return replayed(atMs, handled.atMs);
  return atMs <= o.group.createdMs
    ? refusal('Replayed', `it is of ${switchoverTime(atMs)}, and the group was created after that`)
    : null;
}

function judgeByClock(o: Observation, atMs: number): JudgedSwitchover | null {
  const asked = `it is of ${switchoverTime(atMs)}`;
  if (isOld(o, atMs)) return refusal('Expired', `${asked}, more than ten minutes ago. ${ANEW}`);
  return atMs - o.wallSeconds * 1000 > AHEAD_MS
    ? refusal('Future', `${asked}, more than a minute ahead of the operator's clock. ${ANEW}`)
    : null;
}

const judgePace = (handled: HandledSwitchover, atMs: number): JudgedSwitchover | null =>
  handled.to !== null && atMs - handled.atMs < APART_MS
    ? refusal(
        'TooSoon',
        `the last switchover was of ${switchoverTime(handled.atMs)}; there must be 30 seconds between two`,
      )
    : null;

const ANEW = 'Write the annotation anew if it is still meant.';

const replayed = (atMs: number, handledMs: number): JudgedSwitchover =>
  refusal(
    'Replayed',
    `it is of ${switchoverTime(atMs)}, and nothing up to ${switchoverTime(handledMs)} is done any more. ${ANEW}`,
  );

/** What forbids every change of leader. null: nothing does. */
function judgeGroup(o: Observation, owned: KnownLock): JudgedSwitchover | null {
  if (o.group.deleting) return refusal('Deleting', 'the group is being deleted');
  if (o.labelStop !== null)
    return unreadOwners(o).length > 0
      ? WAITS
      : refusal('Stalled', `labels must not be written: ${o.labelStop.message}`);
  if (o.overlapsWith !== null)
    return o.overlapConfirmed ? refusal('Stalled', `the older LeaderGroup ${o.overlapsWith} has the same pods`) : WAITS;
  if (o.lockKeyProblem !== null) return refusal('Stalled', o.lockKeyProblem);
  if (o.group.spec.paused) return refusal('Paused', 'spec.paused is true, so the leader does not change');
  const denied = o.consulDenied ?? o.fencingRefused;
  if (denied !== null && o.nowMs < denied.retryAtMs) return refusal('Stalled', denied.message);
  return owned.lock.foreignEntry
    ? refusal('Stalled', `the Consul key ${o.keys.lock} holds an entry that is not a lock`)
    : null;
}

function judgeLock(o: Observation, owned: KnownLock, asked: AskedSwitchover): JudgedSwitchover {
  switch (owned.kind) {
    case 'elsewhere':
      return o.holderSession?.kind === 'external'
        ? refusal('LedElsewhere', `the lock is held by ${nameOfExternal(o.holderSession, owned.lock, owned.by)}`)
        : WAITS;
    case 'free':
      return rankedCandidates(o).length === 0 ? refusal('NotLed', `nobody leads: ${noCandidateMessage(o)}`) : WAITS;
    case 'held':
      return judgeTarget(o, owned, asked);
  }
}

/** An election goes first: who leads then is moved, or is who was asked for. */
function judgeTarget(o: Observation, held: HeldLock, asked: AskedSwitchover): JudgedSwitchover {
  const leader = o.pods.find(({ pod }) => pod.uid === held.session.podUid);
  if (leader === undefined || trustOf(o, held.lock, held.session) !== 'good') return WAITS;
  if (asked.to === leader.pod.name) return refusal('AlreadyLeads', `${asked.to} leads already`);
  if (o.switchover.failure !== null)
    return refusal(
      'HandoverFailed',
      `the handover was begun and failed, and the leader stays: ${o.switchover.failure}`,
    );
  const found = targetOf(o, leader, asked.to);
  switch (found.kind) {
    case 'nobody':
      return refusal('NotACandidate', found.message);
    case 'waiting':
    case 'unasked':
      return { kind: 'unsure', next: found };
    case 'known':
      return { kind: 'moves', asked, nominee: found.pod, others: found.others };
  }
}
