/** Tells people: status, events, metrics and the log, each once per change and nothing at rest. */
import { isDeepStrictEqual } from 'node:util';
import type { LeaderGroup, LeaderGroupStatus, TransitionStatus } from '../api/leadergroup.ts';
import { KIND } from '../api/names.ts';
import type { Pod } from '../api/pod.ts';
import type { Plan } from '../election/actions.ts';
import type { Observation } from '../election/observation.ts';
import { buildStatus } from '../election/status.ts';
import type { Clock } from '../ports/clock.ts';
import type { EventSink, Kubernetes } from '../ports/kubernetes.ts';
import type { Log } from '../ports/log.ts';
import type { Metrics } from '../ports/metrics.ts';
import type { GroupMemory } from './memory.ts';
import type { Fact } from './run.ts';
import { groupKey } from './store.ts';

/** Without a change of leader at most one status write per group in this time. */
const STATUS_INTERVAL_MS = 5000;

export type Reporter = {
  /**
   * Tells of what an execution brought. `sinceMs`: when the event that led to it arrived. Call once per execution,
   * also of a failed one: what was done was done.
   */
  tell(o: Observation, plan: Plan, facts: readonly Fact[], memory: GroupMemory, sinceMs: number): void;
  /** Writes the status if it differs. Returns milliseconds until it should be tried again, null when it is as it should be. */
  writeStatus(o: Observation, plan: Plan, memory: GroupMemory, signal: AbortSignal): Promise<number | null>;
};

export type ReporterOptions = {
  readonly clock: Clock;
  readonly kubernetes: Pick<Kubernetes, 'replaceStatus' | 'getGroup'>;
  readonly events: EventSink;
  readonly metrics: Metrics;
  readonly log: Log;
};

export function createReporter({ clock, kubernetes, events, metrics, log }: ReporterOptions): Reporter {
  const nowText = (): string => new Date(clock.wallMs()).toISOString().replace(/\.\d+Z$/, 'Z');

  function tell(o: Observation, plan: Plan, facts: readonly Fact[], memory: GroupMemory, sinceMs: number): void {
    if (facts.length === 0) return;
    const taken = facts.find((fact) => fact.kind === 'writtenOff' && fact.wasLeader);
    const promoted = facts.find((fact) => fact.kind === 'promoted');
    if (promoted !== undefined) tellPromotion(o, plan, promoted, memory, sinceMs);
    else if (taken?.kind === 'writtenOff') tellLoss(o, plan, taken.pod, memory, sinceMs);
  }

  type Promoted = Extract<Fact, { kind: 'promoted' }>;

  function tellPromotion(o: Observation, plan: Plan, fact: Promoted, memory: GroupMemory, sinceMs: number): void {
    const { pod, token } = fact;
    const from = lastLeader(o, memory);
    const milliseconds = Math.round(fact.atMs - (memory.leaderlessSinceMs ?? sinceMs));
    memory.leaderlessSinceMs = null;
    log.info(
      { group: groupKey(o.group), pod: pod.name, token, reason: plan.cause, from, milliseconds },
      'leader promoted',
    );
    if (from === pod.name && o.group.status?.leaders.some(({ uid }) => uid === pod.uid)) return;
    metrics.electionWon();
    metrics.failoverSeconds((fact.atMs - sinceMs) / 1000);
    if (from !== '') metrics.handover(plan.cause);
    noteTransition(memory, {
      time: nowText(),
      from,
      to: pod.name,
      reason: plan.cause,
      token,
      durationMilliseconds: milliseconds,
    });
    const message = `${pod.name} leads with token ${token} (${plan.cause}${from === '' ? '' : `, before: ${from}`}; took ${milliseconds} ms)`;
    emitGroup(o.group, 'Normal', from === '' ? 'LeaderElected' : 'LeaderHandedOver', message);
    emitPod(pod, 'LeaderElected', `leads LeaderGroup ${o.group.name} with token ${token} (${plan.cause})`);
  }

  function tellLoss(o: Observation, plan: Plan, pod: string, memory: GroupMemory, sinceMs: number): void {
    memory.leaderlessSinceMs ??= sinceMs;
    const milliseconds = Math.round(clock.nowMs() - sinceMs);
    const cause = plan.cause === '' ? 'GroupDeleted' : plan.cause;
    log.info({ group: groupKey(o.group), pod, reason: cause, milliseconds }, 'leader written off, nobody follows yet');
    if (cause === 'ConsulUnreachable') metrics.demotedByDeadline();
    noteTransition(memory, {
      time: nowText(),
      from: pod,
      to: '',
      reason: cause,
      token: 0,
      durationMilliseconds: milliseconds,
    });
    emitGroup(o.group, 'Warning', 'LeaderLost', `${pod} does not lead any more (${cause}): ${plan.reason}`);
  }

  function emitGroup(group: LeaderGroup, type: 'Normal' | 'Warning', reason: string, message: string): void {
    const { namespace, name, uid, resourceVersion } = group;
    events.emit({ regarding: { kind: KIND, namespace, name, uid, resourceVersion }, type, reason, message });
  }

  function emitPod(pod: Pod, reason: string, message: string): void {
    const { namespace, name, uid, resourceVersion } = pod;
    events.emit({ regarding: { kind: 'Pod', namespace, name, uid, resourceVersion }, type: 'Normal', reason, message });
  }

  async function writeStatus(
    o: Observation,
    plan: Plan,
    memory: GroupMemory,
    signal: AbortSignal,
  ): Promise<number | null> {
    if (plan.verdict === null && memory.transitions.length === 0) return null;
    const status = buildStatus(o, plan.verdict, memory.transitions, nowText());
    if (overruled(o, plan, memory)) return null;
    tellVerdict(o, plan, memory);
    if (isDeepStrictEqual(status, o.group.status)) return null;
    const waitMs = statusWaitMs(o, status, memory);
    return waitMs > 0 ? waitMs : await sendStatus(o, plan, status, memory, signal);
  }

  function statusWaitMs(o: Observation, status: LeaderGroupStatus, memory: GroupMemory): number {
    const sameLeader = status.leaders[0]?.uid === o.group.status?.leaders[0]?.uid;
    if (!sameLeader || memory.statusWrittenMs === null) return 0;
    return memory.statusWrittenMs + STATUS_INTERVAL_MS - clock.nowMs();
  }

  async function sendStatus(
    o: Observation,
    plan: Plan,
    status: LeaderGroupStatus,
    memory: GroupMemory,
    signal: AbortSignal,
  ): Promise<number | null> {
    const outcome = await kubernetes.replaceStatus(o.group, o.group.resourceVersion, status, signal);
    switch (outcome.kind) {
      case 'done':
        memory.statusWrittenMs = clock.nowMs();
        memory.transitions = [];
        memory.silenceTold = plan.verdict?.ready.reason === SILENT;
        if (outcome.object.kind === 'valid') memory.newerGroup = outcome.object.group;
        return null;
      case 'gone':
        return null;
      case 'conflict':
        await adoptNewer(o.group, memory, signal);
        return 1;
      case 'refused':
      case 'unknown':
        log.warn(
          { group: groupKey(o.group), reason: outcome.message },
          'the status could not be written; trying again',
        );
        return STATUS_INTERVAL_MS;
    }
  }

  async function adoptNewer(group: LeaderGroup, memory: GroupMemory, signal: AbortSignal): Promise<void> {
    const found = await kubernetes.getGroup(group.namespace, group.name, signal).catch(() => null);
    if (found?.kind === 'valid' && found.group.uid === group.uid) memory.newerGroup = found.group;
  }

  /** A change of the Ready reason that no promotion or loss has told of already. */
  function tellVerdict(o: Observation, { verdict }: Plan, memory: GroupMemory): void {
    if (verdict === null) return;
    const { reason } = verdict.ready;
    const before = memory.toldReason ?? readyReason(o);
    memory.toldReason = reason;
    if (before === reason || QUIET.has(reason)) return;
    log.info({ group: groupKey(o.group), reason, detail: verdict.detail }, 'group state changed');
    emitGroup(o.group, verdict.ready.status === 'True' ? 'Normal' : 'Warning', reason, verdict.detail);
  }

  return { tell, writeStatus };
}

const SILENT = 'ConsulUnreachable';

/**
 * This replica has said once that Consul is silent and the status says otherwise since: another one reaches Consul, and
 * two must not write over each other.
 */
const overruled = (o: Observation, { verdict }: Plan, memory: GroupMemory): boolean =>
  memory.silenceTold && verdict?.ready.reason === SILENT && readyReason(o) !== SILENT;

const readyReason = (o: Observation): string =>
  o.group.status?.conditions.find(({ type }) => type === 'Ready')?.reason ?? '';

/** Reasons that other events tell better, or that are over before anyone reads of them. */
const QUIET: ReadonlySet<string> = new Set(['Led', 'Electing', 'ScaledToZero']);

const noteTransition = (memory: GroupMemory, transition: TransitionStatus): void => {
  memory.transitions = [...memory.transitions, transition].slice(-10);
};

/** Pod name of who was last told to lead; empty for nobody. */
function lastLeader(o: Observation, memory: GroupMemory): string {
  const last = memory.transitions.at(-1) ?? o.group.status?.recentTransitions[0];
  return last === undefined ? (o.group.status?.leader ?? '') : last.to;
}
