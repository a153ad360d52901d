/**
 * Whether a candidate that spec.preferences rank above the leader is to take the lead from it. Pure: who plans it, who sets its timer, and who tells people
 * of it all ask this.
 *
 * **Guarantees** `due` only for a candidate that has been preferred, by its weights, to this very leader for the whole delay, while nothing spoke against it
 * in any pass. **Assumptions** `o.preemption.preferred` was brought up to date by `preferredSince` from this very observation.
 */
import type { MonotonicMs } from '../api/clocks.ts';
import type { Says } from '../api/condition-reasons.ts';
import type { PodUid } from '../api/ids.ts';
import type { IneligibleReason } from '../api/ineligible-reasons.ts';
import { eligibility, excluded, membersOf } from './candidates.ts';
import { promoted } from './gate.ts';
import { type Nominees, nomineesThatPass } from './judgement.ts';
import type { Observation, ObservedPod } from './observation.ts';
import { type HeldLock, ownedLockOf } from './owned-lock.ts';
import { isOutage } from './plan-restrained.ts';
import { delayAt, lastPreemption } from './preemption-record.ts';
import type { Moment, PreferredSince } from './preferred-since.ts';
import { failsBeforePromotion } from './promotion-answers.ts';
import { ranked, weightOf } from './ranking.ts';
import { isRollingOut } from './revisions.ts';
import { mayNotKeepIt } from './switchover-target.ts';
import { trustOf } from './trust.ts';

type Hindrance = Exclude<Extract<Says<'Preferred'>, { status: 'False' }>['reason'], 'NotLed' | 'Waiting'>;

export type JudgedPreemption =
  /** The group does not ask for it. */
  | { readonly kind: 'never' }
  /** No leader is there to be moved: an election goes first. */
  | { readonly kind: 'notLed' }
  | { readonly kind: 'preferred' }
  /** Nobody is moved just now, for the sake of the whole group. */
  | { readonly kind: 'hindered'; readonly pod: ObservedPod; readonly reason: Hindrance; readonly detail: string }
  /** `dueMs`: monotonic. `dueSeconds`: since 1970; null: they have all failed when their time came, and are looked at again. `level`: how often the delay has doubled. */
  | {
      readonly kind: 'waits';
      readonly pod: ObservedPod;
      readonly dueMs: MonotonicMs;
      readonly dueSeconds: number | null;
      readonly level: number;
    }
  /** Whether it passes the leader probe is to be found out first. */
  | { readonly kind: 'unsure'; readonly pod: ObservedPod; readonly next: Exclude<Nominees, { kind: 'known' }> }
  | { readonly kind: 'due'; readonly pod: ObservedPod };

type Led = { readonly held: HeldLock; readonly leader: ObservedPod };

export function judgePreemption(o: Observation): JudgedPreemption {
  if (o.group.spec.preemption.policy === 'Never') return { kind: 'never' };
  const led = ledBy(o);
  if (led === null) return { kind: 'notLed' };
  const rivals = rivalsOf(o, led.leader);
  const [best] = rivals;
  if (best === undefined) return { kind: 'preferred' };
  const against = hindered(o, led);
  if (against !== null) return { kind: 'hindered', pod: best, ...against };
  const due = rivals.filter((rival) => isDue(o, led, rival) && !failsBeforePromotion(o, rival));
  const [first] = due;
  if (first === undefined) return waits(o, led, best, rivals);
  const next = nomineesThatPass(o, due);
  if (next.kind !== 'known') return { kind: 'unsure', pod: first, next };
  const [nominee] = next.ranked;
  return nominee === undefined ? waits(o, led, best, rivals) : { kind: 'due', pod: nominee };
}

/** The first of them that can take the lead. Who fails again and again is told of by no time, which would be another after each delay. */
function waits(o: Observation, led: Led, best: ObservedPod, rivals: readonly ObservedPod[]): JudgedPreemption {
  const first = Math.min(...rivals.map((pod) => dueMs(o, led, pod)));
  const level = levelOf(o, led);
  const hopeful = rivals.filter((pod) => sinceOf(o, pod).failed !== true);
  const [pod] = hopeful.toSorted((a, b) => dueMs(o, led, a) - dueMs(o, led, b));
  if (pod === undefined) return { kind: 'waits', pod: best, dueMs: first, dueSeconds: null, level };
  const dueSeconds = sinceOf(o, pod).wallSeconds + Math.ceil(delayAt(o.group, level) / 1000);
  return { kind: 'waits', pod, dueMs: first, dueSeconds, level };
}

/** Of ours, fit, with its label and its token. null: there is none, or not one that is sure. */
function ledBy(o: Observation): Led | null {
  const owned = isOutage(o) ? null : ownedLockOf(o);
  if (owned?.kind !== 'held' || trustOf(o, owned.lock, owned.session) !== 'good') return null;
  const leader = promoted(o, owned.lock, owned.session);
  const found = o.pods.find(({ pod }) => pod.uid === leader?.uid);
  return found === undefined || found.candidacy.lacks !== null ? null : { held: owned, leader: found };
}

/** Who would be elected before the leader, and fits more: by weight alone nobody passes whoever has not failed lately, and by name or age nobody is preferred. */
function rivalsOf(o: Observation, leader: ObservedPod): readonly ObservedPod[] {
  const members = membersOf(o);
  const weight = weightOf(o.group, leader);
  const rivals = members.filter((member) => isWilling(o, member, leader) && weightOf(o.group, member) > weight);
  if (rivals.length === 0) return [];
  const order = ranked(o.group, [...rivals, leader], members);
  return order.slice(0, order.indexOf(leader));
}

const isWilling = (o: Observation, member: ObservedPod, leader: ObservedPod): boolean =>
  member.pod.uid !== leader.pod.uid && member.deferred === null && !member.yields && isFit(o, member);

/** Who has not passed spec.beforePromotion is preferred all the same, and is asked again after the delay. */
function isFit(o: Observation, member: ObservedPod): boolean {
  const found = eligibility(o, member);
  const fails = found.kind === 'ineligible' && found.reason === 'BeforePromotionFailed';
  return (fails || found.kind === 'candidate') && mayNotKeepIt(member) === null;
}

/** What speaks against moving anybody. null: nothing does. */
function hindered(
  o: Observation,
  { held, leader }: Led,
): { readonly reason: Hindrance; readonly detail: string } | null {
  if (o.group.spec.paused) return { reason: 'Paused', detail: 'spec.paused is true' };
  if (held.lock.record?.pinned === true)
    return { reason: 'Pinned', detail: `a switchover has put ${leader.pod.name} there` };
  const members = membersOf(o);
  const leaving = leavingDetail(o, members);
  if (leaving !== null) return { reason: 'NodeCordoned', detail: leaving };
  if (isRollingOut(members)) return { reason: 'RollingOut', detail: 'a workload has pods of more than one revision' };
  const missing = members.find((member) => isMissing(o, member));
  return missing === undefined
    ? null
    : { reason: 'MembersNotReady', detail: `${missing.pod.name} is not ready, or is being deleted` };
}

/** null: no work on the nodes of members is under way, as far as this operator may see. What it was shown before its right was taken away is old. */
function leavingDetail({ nodesReadable }: Observation, members: readonly ObservedPod[]): string | null {
  if (!nodesReadable && members.some(({ host }) => host !== null))
    return 'the operator cannot watch nodes any more, and what it knows of them is old';
  const leaving = members.find(({ cordoned, pod }) => cordoned || pod.disrupted);
  if (leaving === undefined) return null;
  return leaving.cordoned
    ? `the node ${leaving.pod.node ?? ''} of ${leaving.pod.name} is cordoned`
    : `${leaving.pod.name} is about to be evicted`;
}

const MISSING: ReadonlySet<IneligibleReason> = new Set<IneligibleReason>([
  'NotReady',
  'ContainerNotRunning',
  'NodeNotReady',
  'NodeLost',
]);

/** Whoever is not meant to lead does not count: a pod of a Job, say. */
function isMissing(o: Observation, member: ObservedPod): boolean {
  if (member.pod.deleting) return true;
  if (excluded(member.pod)) return false;
  const found = eligibility(o, member);
  return found.kind === 'ineligible' && MISSING.has(found.reason);
}

const levelOf = (o: Observation, { held }: Led): number => lastPreemption(o, held.lock)?.level ?? 0;

const sinceOf = ({ nowMs, wallSeconds, preemption: { preferred } }: Observation, { pod }: ObservedPod): Moment =>
  preferred?.since.get(pod.uid) ?? { atMs: nowMs, wallSeconds };

const dueMs = (o: Observation, led: Led, rival: ObservedPod): MonotonicMs =>
  sinceOf(o, rival).atMs + delayAt(o.group, levelOf(o, led));

const isDue = (o: Observation, led: Led, rival: ObservedPod): boolean => dueMs(o, led, rival) <= o.nowMs;

/**
 * What is to be remembered of who is preferred, after what was remembered `before`. It begins anew for whoever was not preferred in the pass before or has not
 * been ready since, with another leader, with whatever speaks against moving anybody, and where a time has come and the pod does not pass the leader
 * probe, or spec.beforePromotion. null: nobody is.
 */
export function preferredSince(before: PreferredSince | null, o: Observation): PreferredSince | null {
  const led = o.group.spec.preemption.policy === 'Never' ? null : ledBy(o);
  if (led === null || hindered(o, led) !== null) return null;
  const rivals = rivalsOf(o, led.leader);
  if (rivals.length === 0) return null;
  const over = led.leader.pod.uid;
  const known = before?.over === over ? before.since : new Map<PodUid, Moment>();
  const seen = { ...o, preemption: { ...o.preemption, preferred: { over, since: known } } };
  const now = { atMs: o.nowMs, wallSeconds: o.wallSeconds };
  const momentOf = (rival: ObservedPod): Moment => {
    const moment = known.get(rival.pod.uid);
    if (moment === undefined || o.nowMs - rival.candidacy.forMs > moment.atMs) return now;
    return fails(seen, led, rival) ? { ...now, failed: true } : moment;
  };
  return { over, since: new Map(rivals.map((rival) => [rival.pod.uid, momentOf(rival)] as const)) };
}

/** Its time has come, and it was asked, or listened for, and does not pass. */
function fails(o: Observation, led: Led, rival: ObservedPod): boolean {
  if (!isDue(o, led, rival)) return false;
  if (failsBeforePromotion(o, rival)) return true;
  const next = nomineesThatPass(o, [rival]);
  return next.kind === 'known' && next.ranked.length === 0;
}

/** Monotonic milliseconds at which time alone changes what is judged. */
export function preemptionMoments(o: Observation): readonly MonotonicMs[] {
  if (o.group.spec.preemption.policy === 'Never') return [];
  const judged = judgePreemption(o);
  const deferred = membersOf(o).flatMap(({ deferred: until }) => until?.untilMs ?? []);
  const turn = judged.kind === 'due' && o.preemption.turnMs !== null ? [o.preemption.turnMs] : [];
  return [...(judged.kind === 'waits' ? [judged.dueMs] : []), ...turn, ...deferred, ...o.preemption.yieldsUntilMs];
}
