/** Tells people of what happened: events, metrics, history and the log, each once per change. */
import type { MonotonicMs } from '../../api/clocks.ts';
import type { ReadyReason } from '../../api/condition-reasons.ts';
import { EVENT_REASONS, type EventReason } from '../../api/event-reasons.ts';
import type { LeaderGroup, TransitionStatus } from '../../api/leadergroup.ts';
import { KIND } from '../../api/names.ts';
import type { Pod } from '../../api/pod.ts';
import { timeTextOf } from '../../api/time.ts';
import type { TransitionCause } from '../../api/transition-causes.ts';
import type { Plan } from '../../election/actions.ts';
import { chosenBy } from '../../election/candidates.ts';
import { isFailure } from '../../election/deferral.ts';
import { labelledPods } from '../../election/fencing.ts';
import type { Observation } from '../../election/observation.ts';
import type { Clock } from '../../ports/clock.ts';
import type { EventSink } from '../../ports/kubernetes.ts';
import type { Log } from '../../ports/log.ts';
import type { Metrics } from '../../ports/metrics.ts';
import type { Traces } from '../../ports/traces.ts';
import { groupKey } from '../cache/store.ts';
import type { Fact } from '../execute/run.ts';
import { type LeaderChange, MOST_NOTED } from '../observe/memory.ts';
import type { Memory } from '../observe/remember.ts';
import { createChangeTraces, type Execution } from './change-traces.ts';
import { labelWarnings } from './label-warnings.ts';
import { labelsLeft } from './labels-left.ts';
import { contestedMessage, deferralNews, electedMessage, lastLeader, NOBODY } from './leader-news.ts';
import { evictionNews, routeNews, slicesLeft } from './route-news.ts';
import { tellSwitchover } from './switchover-news.ts';

export type Announcer = {
  /**
   * Takes note of what an execution brought, also of a failed one: what was done was done. A promotion is reported at once, a loss
   * only when nobody has followed by the time of `passEnded`.
   */
  executed(o: Observation, plan: Plan, memory: Memory, brought: Brought): void;
  /** After an idle plan or an action that failed, never between two plans. Reports a leader that was lost, and a change of the Ready reason. */
  passEnded(o: Observation, plan: Plan, memory: Memory): void;
  /** The finalizer has gone. Tells of pods that could not be cleaned. */
  deleted(o: Observation): void;
};

export type Brought = Execution & { readonly facts: readonly Fact[] };

type Promoted = Extract<Fact, { kind: 'promoted' }> & { readonly sinceMs: MonotonicMs };

type AnnouncerOptions = {
  readonly clock: Clock;
  readonly events: EventSink;
  readonly metrics: Metrics;
  readonly log: Log;
  readonly traces?: Traces | null;
};

export function createAnnouncer({ clock, events, metrics, log, traces = null }: AnnouncerOptions): Announcer {
  const changes = createChangeTraces(traces);

  function executed(o: Observation, plan: Plan, memory: Memory, brought: Brought): void {
    const { facts, sinceMs } = brought;
    changes.executed(groupKey(o.group), brought);
    for (const fact of facts) {
      if (fact.kind === 'promoted') promoted(o, plan, memory, { ...fact, sinceMs });
      if (fact.kind === 'refused') emitGroup(o.group, 'WriteRefused', fact.message);
      if (fact.kind === 'evicted') emitGroup(o.group, ...evictionNews(fact));
      if (fact.kind !== 'fenced' || !fact.wasLeader || fact.because === 'stray') continue;
      if (plan.cause === 'LeaderUnresponsive') unresponsive(o, plan, fact.pod);
      const { pod: from, uid: fromUid, token } = fact;
      memory.learn({
        kind: 'leaderFenced',
        change: { cause: causeOf(plan), reason: plan.reason, from, fromUid, token, sinceMs, reported: false },
      });
    }
  }

  function promoted(o: Observation, plan: Plan, memory: Memory, fact: Promoted): void {
    const { pod, token, atMs, sinceMs } = fact;
    const change = memory.now.change ?? {
      cause: causeOf(plan),
      ...lastLeader(o, memory),
      token: 0,
      sinceMs,
      reported: false,
    };
    const { from, fromUid: fromUID } = change.reported ? NOBODY : change;
    const milliseconds = Math.round(atMs - change.sinceMs);
    memory.learn({ kind: 'leaderBack' });
    log.info(
      { group: groupKey(o.group), pod: pod.name, token, reason: change.cause, from, milliseconds },
      'leader promoted',
    );
    if (from === pod.name && o.group.status?.leaders.some(({ uid }) => uid === pod.uid)) return;
    const by = chosenBy(o, pod.uid, change.fromUid);
    // Its leaders fail on purpose, and nobody is to be called for that.
    if (!o.group.isVerification) {
      metrics.electionWon();
      metrics.failoverSeconds((atMs - sinceMs) / 1000);
      if (from !== '') metrics.handover(change.cause);
      metrics.leaderChosen(by);
    }
    const chosen = { chosenBy: by ?? '', token, durationMilliseconds: milliseconds };
    note(o, memory, { from, fromUID, to: pod.name, reason: change.cause, ...chosen });
    changes.promoted({ group: groupKey(o.group), reason: change.cause, from, to: pod.name, token });
    const message = electedMessage({ pod: pod.name, token, cause: change.cause, from, by, milliseconds });
    emitGroup(o.group, from === '' ? 'LeaderElected' : 'LeaderHandedOver', message);
    emitPod(pod, 'LeaderElected', `leads LeaderGroup ${o.group.name} with token ${token} (${change.cause})`);
  }

  /** A change of the reason of Routed to one that somebody must act on. */
  function reportRoute(o: Observation, plan: Plan, memory: Memory): void {
    const found = routeNews(o, plan, memory);
    if (found === null) return;
    log.warn({ group: groupKey(o.group), ...found }, 'the Service is not routed to the leader');
    emitGroup(o.group, 'NotRouted', found.detail);
  }

  function unresponsive(o: Observation, { reason }: Plan, name: string): void {
    emitGroup(o.group, 'LeaderUnresponsive', `${name} was ready and failed the leader probe. ${reason}`);
    const found = o.pods.find(({ pod }) => pod.name === name);
    if (found !== undefined)
      emitPod(found.pod, 'LeaderUnresponsive', `failed the leader probe of LeaderGroup ${o.group.name}`);
  }

  function passEnded(o: Observation, plan: Plan, memory: Memory): void {
    const { change } = memory.now;
    if (change !== null && labelledPods(o).length > 0) memory.learn({ kind: 'leaderBack' });
    else if (change !== null && !change.reported) lost(o, memory, change);
    if (plan.kind === 'idle' && memory.now.change === null) changes.over(groupKey(o.group));
    reportVerdict(o, plan, memory);
    reportRoute(o, plan, memory);
    reportLabels(o, memory);
    reportContests(o, memory);
    forgetWarnings(o, memory);
    tellSwitchover(o, memory, { metrics, log, emit: (why) => emitGroup(o.group, 'SwitchoverRefused', why) });
  }

  function lost(o: Observation, memory: Memory, change: LeaderChange): void {
    const { cause, from, fromUid, reason, token } = change;
    memory.learn({ kind: 'lossReported' });
    const milliseconds = Math.round(clock.nowMs() - change.sinceMs);
    log.info({ group: groupKey(o.group), pod: from, reason: cause, milliseconds }, 'leader fenced, no successor yet');
    if (cause === 'ConsulUnreachable') metrics.demotedByDeadline();
    // With the leader's token: the history may be all that still knows it when the pod is gone and Consul is wiped.
    const chosen = { chosenBy: '', token, durationMilliseconds: milliseconds };
    note(o, memory, { from, fromUID: fromUid, to: '', reason: cause, ...chosen });
    emitGroup(o.group, 'LeaderLost', `${from} no longer leads (${cause}): ${reason}`);
  }

  /** Once for each fight over a label. */
  function reportContests(o: Observation, memory: Memory): void {
    for (const { pod, contest } of o.pods) {
      const warning = contestOf(pod);
      const warned = memory.now.warned.has(warning);
      if (warned && contest === null) memory.learn({ kind: 'warningOver', of: warning });
      if (contest?.by == null || warned) continue;
      memory.learn({ kind: 'warned', of: warning });
      log.warn({ group: groupKey(o.group), pod: pod.name, by: contest.by }, 'the leader label is contested');
      emitGroup(o.group, 'LabelContested', contestedMessage(o, pod.name, contest.by));
    }
  }

  /** Once each, for the life of the group in this replica. */
  function reportLabels(o: Observation, memory: Memory): void {
    if (o.ownership.kind !== 'owned') return;
    for (const { reason, message } of labelWarnings(o)) {
      if (memory.now.warned.has(message)) continue;
      memory.learn({ kind: 'warned', of: message });
      emitGroup(o.group, reason, message);
    }
  }

  /** A change of the Ready reason that no promotion or loss has reported already. */
  function reportVerdict(o: Observation, { verdict }: Plan, memory: Memory): void {
    if (verdict === null) return;
    const { reason } = verdict.ready;
    const before = memory.now.reportedReason ?? readyReason(o);
    memory.learn({ kind: 'reasonReported', reason });
    if (before === reason || isQuiet(reason)) return;
    log.info({ group: groupKey(o.group), reason, detail: verdict.detail }, 'group state changed');
    emitGroup(o.group, reason, verdict.detail);
  }

  /** Into the history, which defers whoever has failed. */
  function note(o: Observation, memory: Memory, transition: Transition): void {
    memory.learn({ kind: 'transition', transition: { time: timeText(clock), ...transition } });
    if (!isFailure(transition.reason)) return;
    const news = deferralNews(o, memory, transition, { nowMs: clock.nowMs(), wallSeconds: clock.wallMs() / 1000 });
    if (news.deferred) metrics.leaderDeferred();
    if (news.message !== null) emitGroup(o.group, 'LeaderDeferred', news.message);
  }

  function emitGroup(group: LeaderGroup, reason: EventReason, message: string): void {
    if (!group.isVerification) metrics.eventGiven(reason);
    emit(KIND, group, reason, message);
  }

  const emitPod = (pod: Pod, reason: EventReason, message: string): void => emit('Pod', pod, reason, message);

  function emit(kind: typeof KIND | 'Pod', about: LeaderGroup | Pod, reason: EventReason, message: string): void {
    const { namespace, name, uid, resourceVersion } = about;
    const { type } = EVENT_REASONS[reason];
    events.emit({ regarding: { kind, namespace, name, uid, resourceVersion }, type, reason, message });
  }

  function deleted(o: Observation): void {
    changes.over(groupKey(o.group));
    const slices = slicesLeft(o);
    if (slices !== null) emitGroup(o.group, 'NotRouted', slices);
    const { retained, left } = labelsLeft(o);
    if (retained !== null) emitGroup(o.group, 'LeaderRetained', retained);
    if (left === null) return;
    const { message, ...who } = left;
    log.warn({ group: groupKey(o.group), ...who }, 'the group is deleted, but pods still carry the leader label');
    emitGroup(o.group, 'LabelsLeft', message);
  }

  return { executed, passEnded, deleted };
}

const contestOf = ({ uid }: Pod): string => `contest ${uid}`;

/** Of pods and workloads that are gone, once there are many: a group may be led for months. Whatever could be told again stays. */
function forgetWarnings(o: Observation, memory: Memory): void {
  if (memory.now.warned.size <= MOST_NOTED) return;
  const labels = labelWarnings(o).map(({ message }) => message);
  const current = new Set([...labels, ...o.pods.map(({ pod }) => contestOf(pod))]);
  for (const of of memory.now.warned) if (!current.has(of)) memory.learn({ kind: 'warningOver', of });
}

/** Reasons that other events tell better, or that are over before anyone reads of them. Any other one of Ready is an event, says the compiler. */
const QUIET = ['Led', 'Electing', 'ScaledToZero', 'NoMembers', 'InvalidSpec'] as const satisfies readonly ReadyReason[];

const isQuiet = (reason: ReadyReason): reason is (typeof QUIET)[number] =>
  (QUIET as readonly ReadyReason[]).includes(reason);

type Transition = Omit<TransitionStatus, 'time' | 'reason'> & { readonly reason: TransitionCause };

export const timeText = (clock: Clock): string => timeTextOf(clock.wallMs());

export const readyReason = (o: Observation): string =>
  o.group.status?.conditions.find(({ type }) => type === 'Ready')?.reason ?? '';

/** Only of a deletion no cause is said: nobody is to lead after it. */
const causeOf = ({ cause }: Plan): TransitionCause => cause ?? 'GroupDeleted';
