/**
 * What the record of a lock says of switchovers: which was handled last, and whether the leader was put there by one. Every transaction on the lock
 * carries it on, so a move and the word that it was asked for stand or fall together.
 */
import type { PodUid } from '../api/ids.ts';
import { sinceAnnotation } from '../api/names.ts';
import { isTime, millisecondsOf } from '../api/time.ts';
import type { LockView, Observation } from './observation.ts';
import { recordedToken, rememberedToken } from './observed-tokens.ts';
import type { KnownLock } from './owned-lock.ts';
import type { HandledSwitchover, LockRecord } from './record.ts';
import { trustOf } from './trust.ts';

/** So far ahead of the clock of the replica that handles it may the time of a switchover be. */
export const AHEAD_MS = 60_000;

type Premises = Pick<Observation, 'group' | 'highestObserved' | 'pods' | 'wallSeconds'>;
type Known = Pick<KnownLock, 'lock' | 'session'>;

/**
 * What the record says, where it can be believed. Where it cannot (it is lost, Consul was restored, a version that knows no switchovers wrote it), nothing
 * is handled that could have been handled before the present leader was promoted; where nobody ever led, nothing can have been.
 */
export function handledSwitchover(o: Premises, known: Known): HandledSwitchover {
  const { lock } = known;
  const recorded = lock.record?.switchover;
  if (recorded !== undefined && isUpToDate(o, known)) return ofThisGroup(o, lock) ? recorded : bound(recorded.atMs);
  if (recorded === undefined && neverLed(o, lock)) return bound(0);
  return bound(Math.max(recorded?.atMs ?? 0, lastPromotionMs(o, known) + AHEAD_MS));
}

const bound = (atMs: number): HandledSwitchover => ({ atMs, to: null });

/** A record of an earlier group of this name is as good as one of this group, if nothing shows a later token. */
function isUpToDate(o: Premises, { lock, session }: Known): boolean {
  const trust = trustOf(o, lock, session);
  return trust === 'good' || (trust === 'previousIncarnation' && recordedToken(lock) >= o.highestObserved);
}

const ofThisGroup = ({ group }: Premises, { record }: LockView): boolean => record?.groupUid === group.uid;

const neverLed = (o: Premises, lock: LockView): boolean =>
  lock.record === null && rememberedToken(lock) === 0 && o.highestObserved === 0;

/** Milliseconds since 1970. Of a holder that is believed, its own promotion; else somebody is promoted now. */
function lastPromotionMs(o: Premises, { lock, session }: Known): number {
  const nowMs = o.wallSeconds * 1000;
  const holder = lock.record?.holder.uid;
  if (session === null || holder === undefined || trustOf(o, lock, session) !== 'good') return nowMs;
  const pod = o.pods.find((observed) => observed.pod.uid === holder)?.pod;
  const since = pod?.annotations[sinceAnnotation(o.group.name)] ?? '';
  return isTime(since) ? Math.min(nowMs, millisecondsOf(since)) : nowMs;
}

/**
 * What a record says of switchovers once `to` has the lock; null: nobody has it. `moved`: by this switchover. That the holder was put there by somebody is
 * believed also of a record whose token or generation is not (etcd was restored, say): at worst nobody is preferred to it.
 */
export function switchoverAfter(
  o: Premises,
  known: Known,
  to: PodUid | null,
  moved: HandledSwitchover | null,
): Pick<LockRecord, 'switchover' | 'pinned'> {
  const { record } = known.lock;
  const stays = record?.pinned === true && record.holder.uid === to && ofThisGroup(o, known.lock);
  const switchover = moved ?? handledSwitchover(o, known);
  return moved !== null || stays ? { switchover, pinned: true } : { switchover };
}
