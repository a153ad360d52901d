/**
 * The record cannot be believed, so nothing says whose promotion may be under way: everyone but the nominee is written
 * off, from a fresh list, and the next token is above all that their answers show.
 */
import type { Pass, Plan, Verify } from './actions.ts';
import { askedFirst, unyielding } from './before-promotion.ts';
import { labelled, membersOf, needsNoFencing, rankedCandidates } from './candidates.ts';
import { fence, fencingTarget, labelledPods, promotion, refOf } from './fencing.ts';
import { type Nominees, nominees } from './judgement.ts';
import type { MemberSession, Observation, ObservedPod } from './observation.ts';
import type { FreeLock, HeldLock } from './owned-lock.ts';
import { lockDelayed, waitForCandidate, waitForPass } from './plan-free.ts';
import { fitnessOf } from './plan-held.ts';
import { electing, look, transition } from './plans.ts';
import { openingFor, suitableSession } from './sessions.ts';
import { tokenOf } from './token.ts';
import { transaction } from './transactions.ts';
import type { Trust } from './trust.ts';

export function planDistrusted(o: Observation, owned: FreeLock | HeldLock, trust: Exclude<Trust, 'good'>): Plan {
  if (trust === 'previousIncarnation' && !o.groupConfirmed)
    return look([{ do: 'readGroup' }], 'the record belongs to a previous incarnation of the group');
  if (membersOf(o).length === 0 && owned.kind === 'free') return waitForCandidate(o);
  if (isNew(o)) return o.untouched === 'unread' ? readAgain : elected(o, owned, trust);
  if (!o.freshList)
    return look([{ do: 'readLock' }, { do: 'listPods' }], `the record of the lock is not trusted (${trust})`);
  // Its status may be all that still knows the last token, and a cache may lag.
  if (!o.groupConfirmed) return look([{ do: 'readGroup' }], `the record of the lock is not trusted (${trust})`);
  return elected(o, owned, trust);
}

const readAgain = look([{ do: 'readLock' }], 'reading the lock after the finalizer was added');

/** Nobody can have led by it, so nobody's promotion may be under way: neither a list nor fencing patches are needed. (ADR 0020.) */
const isNew = (o: Observation): boolean => o.untouched !== 'no' && o.pods.every(({ neverPromoted }) => neverPromoted);

function elected(o: Observation, owned: FreeLock | HeldLock, trust: Exclude<Trust, 'good'>): Plan {
  const next = nomineesWithoutRecord(o, owned.session);
  if (next.kind !== 'known') return waitForPass(next);
  const [nominee] = next.ranked;
  if (nominee === undefined) return waitForCandidate(o);
  const delayed = lockDelayed(o);
  if (delayed !== null) return delayed;
  const asking = askedFirst(o, next.ranked);
  if (asking !== null) return asking;
  const session = suitableSession(o, nominee);
  if (session === null) return look([openingFor(nominee)], 'the nominee needs a session');
  return electAnew(o, owned, { pod: nominee, session }, trust);
}

/**
 * Who carries the label under the highest token is the last leader that anyone saw; else the holder of the lock, if it
 * is fit; else the best.
 */
function nomineesWithoutRecord(o: Observation, holder: MemberSession | null): Nominees {
  const ranked = rankedCandidates(o);
  const byToken = (a: ObservedPod, b: ObservedPod) => tokenOf(b.pod, o.group.name) - tokenOf(a.pod, o.group.name);
  const labels = unyielding(o, ranked).filter((pod) => labelled(o.group, pod));
  const lastSeen = labels.toSorted(byToken)[0];
  if (lastSeen !== undefined) return { kind: 'known', ranked: [lastSeen] };
  const holding = o.pods.find(({ pod }) => pod.uid === holder?.podUid) ?? null;
  if (holding !== null && fitnessOf(o, holding).kind === 'fit') return { kind: 'known', ranked: [holding] };
  return nominees(o);
}

/** Who gets the lock, and the session to lock it with. */
type Nominee = { readonly pod: ObservedPod; readonly session: MemberSession };

function electAnew(o: Observation, owned: FreeLock | HeldLock, next: Nominee, trust: Trust): Plan {
  const nominee = next.pod;
  const perhapsLed = isNew(o) ? labelledPods(o) : o.pods;
  const others = perhapsLed.filter(
    (observed) => observed.pod.uid !== nominee.pod.uid && concerned(o, owned.session, observed),
  );
  const cause = trust === 'missing' && tokenOf(nominee.pod, o.group.name) === 0 ? 'FirstElection' : 'RecordLost';
  const reason = `the record of the lock is not trusted (${trust}); electing ${nominee.pod.name}`;
  return transition(electing(cause, reason), {
    fence: fence(
      others.map((other) => fencingTarget(o, other)),
      'move',
    ),
    lock: lockFor(o, owned, next),
    after: [promotion(nominee)],
  });
}

/** Those fenced since the lock has this version are done, unless labelled again: else each would wake the group once more. */
function concerned(o: Observation, holder: MemberSession | null, observed: ObservedPod): boolean {
  if (labelled(o.group, observed)) return true;
  if (o.fenced.has(observed.pod.uid) || needsNoFencing(o, observed)) return false;
  // One that has led may be the last holder, whose record is lost, also when it is no member any more.
  return observed.member || tokenOf(observed.pod, o.group.name) > 0 || isHolder(o, holder, observed);
}

/** By the session that holds the lock, or by the record, be it an earlier group's: that may have taken all other traces off the pod. */
const isHolder = ({ lock }: Observation, holder: MemberSession | null, { pod: { uid } }: ObservedPod): boolean =>
  uid === holder?.podUid || uid === lock?.record?.holder.uid;

function lockFor(o: Observation, owned: FreeLock | HeldLock, next: Nominee): Pass | Verify {
  const pod = refOf(next.pod);
  if (owned.kind === 'free') return transaction.take(o, owned, next.session, pod);
  if (owned.session.podUid === pod.uid) return transaction.verify(o, owned, pod, true);
  return transaction.handOver(o, owned, { session: next.session, pod });
}
