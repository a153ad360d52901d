/** Why a group is led as it is, in the words of its owner: the observation and the plan that it would act on now. Pure. */
import type { ExplainedMember, Explanation, Supposition } from '../api/diagnostics.ts';
import { formatSupposition } from '../api/diagnostics.ts';
import { actionsOf, type Plan } from './actions.ts';
import { eligibility, membersOf, rankedCandidates } from './candidates.ts';
import { nameOfExternal } from './external-holder.ts';
import { labelledPods } from './fencing.ts';
import { foresee } from './foresee.ts';
import type { LockView, Observation, ObservedPod } from './observation.ts';
import { recordedToken } from './observed-tokens.ts';
import { plan } from './plan.ts';
import { fitnessOf } from './plan-held.ts';
import { until } from './plans.ts';
import { holderAmong, suitableSession } from './sessions.ts';
import { suppose } from './suppose.ts';

/** Of a group with thousands of members the best are what somebody looks for. */
const MEMBERS = 200;
const TOUCHED = 50;

export type Explained = Omit<Explanation, 'replica' | 'version'>;

/** `what`: null: as things are. */
export function explain(o: Observation, what: Supposition | null): Explained {
  const { namespace, name } = o.group;
  const members = inOrder(o);
  const leaders = new Set(labelledPods(o));
  return {
    namespace,
    name,
    lock: lockOf(o),
    leader: labelledPods(o)[0]?.pod.name ?? null,
    members: members
      .slice(0, MEMBERS)
      .map((member, at) => ({ ...explained(o, member, at), leads: leaders.has(member) })),
    membersLeftOut: Math.max(0, members.length - MEMBERS),
    plan: planOf(plan(o)),
    waits: waitsOf(o),
    supposed: what === null ? null : supposedOf(o, what),
  };
}

function supposedOf(o: Observation, what: Supposition): Explanation['supposed'] {
  const supposed = suppose(o, what);
  return {
    what: formatSupposition(what),
    touches: supposed.touches.slice(0, TOUCHED),
    foreseen: foresee(supposed),
  };
}

/** Candidates as they are ranked, then the others by name. */
function inOrder(o: Observation): readonly ObservedPod[] {
  const candidates = rankedCandidates(o);
  const known = new Set(candidates);
  const others = membersOf(o)
    .filter((member) => !known.has(member))
    .toSorted((one, other) => (one.pod.name < other.pod.name ? -1 : 1));
  return [...candidates, ...others];
}

function explained(o: Observation, observed: ObservedPod, at: number): Omit<ExplainedMember, 'leads'> {
  const { pod, deferred, yields } = observed;
  const found = eligibility(o, observed);
  return {
    pod: pod.name,
    node: pod.node ?? '',
    rank: found.kind === 'candidate' ? at + 1 : null,
    whyNot: found.kind === 'candidate' ? null : found.reason,
    inMs: found.kind === 'waiting' ? found.inMs : null,
    failedLately: deferred !== null,
    resigned: yields,
    session: suitableSession(o, observed) !== null,
  };
}

function lockOf(o: Observation): Explanation['lock'] {
  const { lock, keys } = o;
  const goodForMs = until(o, o.lockDeadlineMs);
  if (lock === null)
    return { key: keys.lock, state: 'unread', holder: null, session: null, token: null, recorded: null, goodForMs };
  const own = holderAmong(o.sessions, lock);
  const held = lock.session === null ? 'free' : own === null ? 'elsewhere' : 'held';
  const holder = o.pods.find(({ pod }) => pod.uid === own?.podUid)?.pod.name ?? externalHolder(o, lock);
  return {
    key: keys.lock,
    state: held,
    holder,
    session: lock.session,
    token: recordedToken(lock),
    recorded: lock.record?.holder.pod ?? null,
    goodForMs,
  };
}

const externalHolder = ({ holderSession }: Observation, lock: LockView): string | null =>
  holderSession?.kind === 'external' && lock.session !== null
    ? nameOfExternal(holderSession, lock, lock.session)
    : null;

function planOf(planned: Plan): Explanation['plan'] {
  const { reason, cause, verdict, againMs } = planned;
  const ready = verdict === null ? null : `${verdict.ready.status} (${verdict.ready.reason})`;
  return { actions: actionsOf(planned).map((action) => action.do), reason, cause, ready, againMs };
}

type Wait = Explanation['waits'][number];

function waitsOf(o: Observation): Explanation['waits'] {
  const at = (what: string, atMs: number | null | undefined): readonly Wait[] =>
    atMs == null || atMs <= o.nowMs ? [] : [{ for: what, inMs: atMs - o.nowMs }];
  return [
    ...leaderWaits(o),
    ...at('Consul to give the lock again (lockDelaySeconds)', o.lockDelayedUntilMs),
    ...at('another try after Consul has denied a right', o.consulDenied?.retryAtMs),
    ...at('another try after a write was refused', o.fencingRefused?.retryAtMs),
    ...youngest(o),
  ];
}

/** failoverDelaySeconds of a leader that is not ready. */
function leaderWaits(o: Observation): readonly Wait[] {
  const holder = holderAmong(o.sessions, o.lock);
  const leader = o.pods.find(({ pod }) => pod.uid === holder?.podUid);
  const fitness = leader === undefined ? null : fitnessOf(o, leader);
  return fitness?.kind === 'degraded'
    ? [{ for: 'the leader to be ready again (failoverDelaySeconds)', inMs: fitness.graceMs }]
    : [];
}

function youngest(o: Observation): readonly Wait[] {
  const left = membersOf(o).flatMap((member) => {
    const found = eligibility(o, member);
    return found.kind === 'waiting' ? [found.inMs] : [];
  });
  return left.length === 0
    ? []
    : [{ for: 'the next member to have been ready for long enough (minReadySeconds)', inMs: Math.min(...left) }];
}
