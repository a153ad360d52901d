/** What `kubectl get` and `kubectl describe` say: built anew from each observation, written only when it differs. */

import type { Says } from '../api/condition-reasons.ts';
import type {
  Condition,
  ConditionType,
  InvalidLeaderGroup,
  LeaderGroup,
  LeaderGroupStatus,
  LeaderStatus,
  TransitionStatus,
} from '../api/leadergroup.ts';
import { sinceAnnotation, tokenAnnotation } from '../api/names.ts';
import { plainText } from '../api/plain-text.ts';
import { MAX_TRANSITIONS } from '../api/status.ts';
import { isTime } from '../api/time.ts';
import type { TransitionCause } from '../api/transition-causes.ts';
import type { Verdict } from './actions.ts';
import { membersOf } from './candidates.ts';
import { historyOf, unshownIn } from './deferral.ts';
import { nameOfExternal } from './external-holder.ts';
import { labelledPods } from './fencing.ts';
import { candidatesShown, ineligibleOf } from './ineligible.ts';
import { failingDetail, judgementOf } from './judgement.ts';
import type { Observation, ObservedPod } from './observation.ts';
import { recordedToken } from './observed-tokens.ts';
import { preferredSaid } from './preemption-status.ts';
import type { Judgement } from './probe.ts';
import { routedOf } from './routed.ts';
import { lastSwitchover } from './switchover-status.ts';
import { tokenOf } from './token.ts';

/** The schema takes 32,768; nobody reads as much. */
const MESSAGE_LENGTH = 4096;

/**
 * The status that fits `o`. `verdict` null leaves the conditions as they stand. `news`: changes of leader that the
 * status does not show yet, oldest first. `now`: RFC 3339.
 */
export function buildStatus(
  o: Observation,
  verdict: Verdict | null,
  news: readonly TransitionStatus[],
  now: string,
): LeaderGroupStatus {
  const previous = o.group.status;
  const leaders = leadersOf(o, now);
  const switchover = lastSwitchover(o);
  const history = historyOf(o.group, news);
  const recentTransitions = [...vanished(previous, leaders, history, now), ...history].slice(0, MAX_TRANSITIONS);
  return {
    leader: leaders.map(({ pod }) => pod).join(','),
    leaders,
    members: membersOf(o).length,
    candidates: candidatesShown(o),
    ineligible: ineligibleOf(o),
    leaderTransitions:
      (previous?.leaderTransitions ?? 0) + unshownIn(previous, news).filter(({ to }) => to !== '').length,
    recentTransitions,
    ...(switchover === null ? {} : { lastSwitchover: switchover }),
    lockKey: o.keys.lock,
    lockedBy: lockedBy(o),
    onConsulLoss: o.group.spec.onConsulLoss,
    observedGeneration: o.group.generation,
    conditions:
      verdict === null ? (previous?.conditions ?? []) : conditionsOf(o, verdict, { leaders, recentTransitions }, now),
  };
}

/**
 * A leader that went while nothing could be decided about it (Consul was unreachable, its pod was deleted) was not fenced, so no news
 * tells of it. Its token must not vanish with it: when Consul is wiped afterwards, nobody else knows it. (Promise I5.)
 */
function vanished(
  previous: LeaderGroupStatus | null,
  leaders: readonly LeaderStatus[],
  history: readonly TransitionStatus[],
  now: string,
): readonly TransitionStatus[] {
  const known = Math.max(0, ...[...leaders, ...history].map(({ token }) => token));
  const gone = previous?.leaders.find(({ token }) => token > known);
  if (gone === undefined) return [];
  const reason: TransitionCause = 'LeaderGone';
  return [
    {
      time: now,
      from: gone.pod,
      fromUID: gone.uid,
      to: '',
      reason,
      chosenBy: '',
      token: gone.token,
      durationMilliseconds: 0,
    },
  ];
}

/** The status of a group whose spec cannot be acted on: what was true stays, and it says what to change. */
export function statusOfInvalid(group: InvalidLeaderGroup, now: string): LeaderGroupStatus {
  const message = `the spec is invalid: ${group.problems.join('; ')}. Correct it; until then the operator changes nothing.`;
  const make = (said: Said): Condition => condition(group, said, message, now);
  const others = group.status?.conditions.filter(({ type }) => type === 'Paused') ?? [];
  const conditions = [
    make({ type: 'Ready', status: 'False', reason: 'InvalidSpec' }),
    make({ type: 'Reconciling', status: 'False', reason: 'InvalidSpec' }),
    make({ type: 'Stalled', status: 'True', reason: 'InvalidSpec' }),
    ...others,
  ];
  return { ...(group.status ?? NOTHING_YET), observedGeneration: group.generation, conditions };
}

const NOTHING_YET: LeaderGroupStatus = {
  leader: '',
  leaders: [],
  members: 0,
  candidates: 0,
  ineligible: [],
  leaderTransitions: 0,
  recentTransitions: [],
  lockKey: '',
  lockedBy: '',
  onConsulLoss: 'Hold',
  observedGeneration: 0,
  conditions: [],
};

/** Not who has the label from its pod template, or by somebody's hand: such a one was never promoted. */
function leadersOf(o: Observation, now: string): readonly LeaderStatus[] {
  return labelledPods(o)
    .filter(({ pod }) => pod.annotations[tokenAnnotation(o.group.name)] !== undefined)
    .slice(0, 1)
    .map((leader) => leaderStatus(o, leader, now));
}

function leaderStatus(o: Observation, { pod }: ObservedPod, now: string): LeaderStatus {
  const known = o.group.status?.leaders.find(({ uid }) => uid === pod.uid);
  const session = o.sessions.find(({ id, podUid }) => id === o.lock?.session && podUid === pod.uid);
  return {
    slot: 0,
    pod: pod.name,
    uid: pod.uid,
    node: pod.node ?? '',
    token: tokenOf(pod, o.group.name) || (o.lock === null ? 0 : recordedToken(o.lock)),
    sessionID: session?.id ?? known?.sessionID ?? '',
    acquireTime: timeOf(pod.annotations[sinceAnnotation(o.group.name)]) ?? known?.acquireTime ?? now,
  };
}

/** Annotations can hold anything. */
const timeOf = (text = ''): string | undefined => (isTime(text) ? text : undefined);

function lockedBy(o: Observation): string {
  const { holderSession, lock } = o;
  if (lock?.session == null || holderSession?.kind !== 'external') return '';
  return nameOfExternal(holderSession, lock, lock.session);
}

function conditionsOf(
  o: Observation,
  verdict: Verdict,
  { leaders, recentTransitions }: Pick<LeaderGroupStatus, 'leaders' | 'recentTransitions'>,
  now: string,
): readonly Condition[] {
  const make = (said: Said, message: string): Condition => condition(o.group, said, message, now);
  const working = progressOf(verdict);
  return [
    make({ type: 'Ready', ...verdict.ready }, readyMessage(verdict, leaders, recentTransitions)),
    make({ type: 'Reconciling', ...working }, working.status === 'True' ? verdict.detail : ''),
    make({ type: 'Stalled', ...stalledOf(verdict) }, verdict.stalled?.message ?? ''),
    make({ type: 'Paused', ...pausedOf(o.group) }, ''),
    ...probeCondition(o, leaders, make),
    ...preferredCondition(o, make),
    ...routeCondition(o, make),
  ];
}

/**
 * Only where there is a probe. That there is nothing to judge yet is no news where something was found before of the same leader by the same spec: what is
 * said is whom the next owner may take for one that asks in its rhythm (judgedBefore).
 */
function probeCondition(
  o: Observation,
  leaders: readonly LeaderStatus[],
  make: (said: Said, message: string) => Condition,
): readonly Condition[] {
  const { status, spec, generation } = o.group;
  if (spec.leaderProbe === null) return [];
  const found = judgementOf(o);
  const before = status?.conditions.find(({ type }) => type === 'LeaderProbe');
  const same = before?.observedGeneration === generation && status?.leaders[0]?.uid === leaders[0]?.uid;
  if (before !== undefined && same && nothingFound(found)) return [before];
  const { said, message } = probeSaid(found);
  return [make({ type: 'LeaderProbe', ...said }, message)];
}

const nothingFound = (found: Judgement | null): boolean =>
  found === null || (found.kind === 'notJudged' && found.why === 'NotJudged');

/** Only where a preferred candidate may take the lead. */
function preferredCondition(o: Observation, make: (said: Said, message: string) => Condition): readonly Condition[] {
  const found = preferredSaid(o);
  if (found === 'unchanged') return o.group.status?.conditions.filter(({ type }) => type === 'Preferred') ?? [];
  return found === null ? [] : [make({ type: 'Preferred', ...found.said }, found.message)];
}

/** Only where there is a route. */
function routeCondition(o: Observation, make: (said: Said, message: string) => Condition): readonly Condition[] {
  const routed = routedOf(o);
  return routed === null ? [] : [make({ type: 'Routed', ...routed.said }, routed.message)];
}

function probeSaid(found: Judgement | null): { readonly said: Says<'LeaderProbe'>; readonly message: string } {
  switch (found?.kind) {
    case undefined:
      return { said: { status: 'False', reason: 'NotJudged' }, message: 'nobody leads' };
    case 'passing':
      return { said: { status: 'True', reason: 'Passing' }, message: '' };
    case 'notJudged':
      return { said: { status: 'False', reason: found.why }, message: `the leader is not judged: ${found.detail}` };
    case 'failing':
      return {
        said: { status: 'False', reason: 'NoPassingCandidate' },
        message: `the leader: ${failingDetail(found)}`,
      };
  }
}

/** Whether the operator is at work on the group; if not, whether there is nothing to do or others must do something first. */
function progressOf({ ready }: Verdict): Says<'Reconciling'> {
  switch (ready.reason) {
    case 'Electing':
    case 'LockDelay':
    case 'Deleting':
      return { status: 'True', reason: ready.reason };
    case 'Led':
    case 'LedElsewhere':
    case 'ScaledToZero':
      return { status: 'False', reason: 'Settled' };
    case 'NoMembers':
    case 'NoCandidate':
    case 'BeforePromotionFailed':
    case 'ConsulUnreachable':
    case 'LabelContested':
      return { status: 'False', reason: 'Waiting' };
    case 'SelectorOverlap':
    case 'LockKeyNotAllowed':
    case 'KeyConflict':
    case 'LabelInWorkloadSelector':
    case 'NodesNotReadable':
    case 'PermissionDenied':
    case 'WriteRefused':
      return { status: 'False', reason: 'Stalled' };
    case 'InvalidSpec':
      return { status: 'False', reason: 'InvalidSpec' };
  }
}

const stalledOf = ({ stalled }: Verdict): Says<'Stalled'> =>
  stalled === null ? { status: 'False', reason: 'NotStalled' } : { status: 'True', reason: stalled.reason };

const pausedOf = ({ spec }: LeaderGroup): Says<'Paused'> =>
  spec.paused ? { status: 'True', reason: 'PausedBySpec' } : { status: 'False', reason: 'NotPaused' };

type Said = { [Type in ConditionType]: { readonly type: Type } & Says<Type> }[ConditionType];

/** lastTransitionTime changes with the status only, as metav1.Condition wants it. */
function condition(
  group: LeaderGroup | InvalidLeaderGroup,
  { type, status, reason }: Said,
  message: string,
  now: string,
): Condition {
  const before = group.status?.conditions.find((known) => known.type === type);
  const lastTransitionTime = before?.status === status ? before.lastTransitionTime : now;
  const text = plainText(message, MESSAGE_LENGTH);
  return { type, status, reason, message: text, lastTransitionTime, observedGeneration: group.generation };
}

/** What matters comes first: who leads, since when, with which token and why; or else what is wrong, and what to do. */
function readyMessage(
  { ready, detail }: Verdict,
  [leader]: readonly LeaderStatus[],
  transitions: readonly TransitionStatus[],
): string {
  if (leader === undefined) return detail;
  const { pod, acquireTime, token } = leader;
  const cause = causeOf(leader, transitions);
  const since = `since ${acquireTime} with token ${token}${cause === '' ? '' : ` (cause: ${cause})`}`;
  if (ready.status !== 'True') return withMore(detail, `${pod} still carries the leader label, ${since}`);
  return withMore(`${pod} leads ${since}`, detail);
}

const withMore = (first: string, more: string): string =>
  more === '' ? first : `${first}${first.endsWith('.') ? '' : ';'} ${more}`;

/** Why this very lead began: another one of a pod of that name had another token. */
const causeOf = ({ pod, token }: LeaderStatus, transitions: readonly TransitionStatus[]): string =>
  transitions.find((transition) => transition.to === pod && transition.token === token)?.reason ?? '';
