/** One pass over one group: observe, plan, execute, until there is nothing to do; then tell people. */
import type { PodUid } from '../../api/ids.ts';
import type { InvalidLeaderGroup, LeaderGroup } from '../../api/leadergroup.ts';
import { FINALIZER } from '../../api/names.ts';
import { plainText } from '../../api/plain-text.ts';
import { timeTextOf } from '../../api/time.ts';
import { actionsOf, type Plan, takesFrom } from '../../election/actions.ts';
import type { GateView } from '../../election/gate.ts';
import type { Observation, Ownership } from '../../election/observation.ts';
import { plan } from '../../election/plan.ts';
import { notReady, soonest } from '../../election/plans.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Log } from '../../ports/log.ts';
import type { GroupState, Metrics } from '../../ports/metrics.ts';
import { groupKey, type Store } from '../cache/store.ts';
import { execute } from '../execute/execute.ts';
import { beginRun, type ExecutorPorts, type Step } from '../execute/run.ts';
import { freshMemory } from '../observe/memory.ts';
import type { Observer } from '../observe/observe.ts';
import { createMemory, type Memory } from '../observe/remember.ts';
import type { GrantOutcome } from '../observe/remember-grants.ts';
import type { Announcer, Brought } from '../report/announce.ts';
import { claimsLead, stateOf } from '../report/group-state.ts';
import type { StatusWriter } from '../report/status-writer.ts';
import { createEndings } from './endings.ts';
import type { Next, Turn } from './queue.ts';
import { createWarnOnce } from './warn-once.ts';

/** Every plan that learns or changes something is followed by another; more than this in one pass is a loop. */
const PLANS_PER_PASS = 16;

/** Memory is all that is looked at, and once a namespace is listed its groups are woken at once. */
const UNKNOWN_AGAIN_MS = 30_000;

export type Reconciler = {
  /** One pass. Throws only when aborted or on a defect. */
  reconcile(key: string, turn: Turn): Promise<Next>;
  /** What an answer of the gate rests on now; noted as asked for, so that the lock is verified. null: no valid group. */
  asked(key: string): GateView | null;
  /** As `asked`, but nothing is noted. */
  glance(key: string): GateView | null;
  /** The leader asks that another may lead. */
  resigned(key: string, uid: PodUid, token: number): void;
  /** The bucket is another replica's: what was learnt of the group may be out of date when it comes back. */
  forget(key: string): void;
  /** Where each group stands, as of its last pass. */
  states(): ReadonlyMap<string, GroupState>;
};

export type ReconcilerOptions = {
  readonly store: Store;
  readonly observe: Observer;
  readonly executor: ExecutorPorts;
  readonly announcer: Announcer;
  readonly writeStatus: StatusWriter;
  readonly metrics: Metrics;
  readonly log: Log;
  readonly wake: (key: string) => void;
  /** All watches have delivered their first list; before that no pass begins, and each group comes again. */
  readonly synced: () => boolean;
  /** A plan is about to be made from this. */
  readonly observed: (o: Observation) => void;
  /** A pass begins. */
  readonly began: (key: string) => void;
  /** A pass is over and did not throw. */
  readonly ended: (key: string) => void;
  /** A group of this key that is not shown is not there. Of one that is shown: the others of its namespace are, too. */
  readonly known: (key: string) => boolean;
  /** The group is gone: nothing of it need be kept. */
  readonly dropped: (key: string) => void;
  readonly clock: Pick<Clock, 'nowMs'>;
  /** Of a group that cannot be acted on. */
  readonly ownership: (group: { namespace: string; name: string }) => Ownership['kind'];
  readonly consulUnreachable: () => boolean;
  readonly writeInvalid: (group: InvalidLeaderGroup, signal: AbortSignal) => Promise<boolean>;
  readonly signal: AbortSignal;
};

export function createReconciler(options: ReconcilerOptions): Reconciler {
  const { store, observe, executor, announcer, writeStatus, log, signal } = options;
  const memories = new Map<string, { readonly uid: string; readonly memory: Memory }>();
  const states = new Map<string, GroupState>();
  const { warnOnce, over: warningOver } = createWarnOnce(log);
  const endings = createEndings({ ...options, kubernetes: executor.kubernetes });

  async function reconcile(key: string, turn: Turn): Promise<Next> {
    if (!options.synced()) return { kind: 'done' };
    options.began(key);
    const next = await measured(options, () => pass(key, turn));
    options.ended(key);
    return next;
  }

  async function pass(key: string, turn: Turn): Promise<Next> {
    const parsed = store.group(key);
    if (!options.known(key)) return unknownYet(executor.sessionManager.of(key).length);
    if (parsed === null) return drop(key);
    if (parsed.kind === 'invalid') return await refuse(key, parsed.group);
    const memory = memoryOf(key, parsed.group);
    try {
      return await reconcileGroup(key, parsed.group, memory, turn);
    } finally {
      memory.learn({ kind: 'passEnded' });
    }
  }

  /** A group recreated under the same name starts with a clean memory. */
  function memoryOf(key: string, group: LeaderGroup): Memory {
    const known = knownMemory(key, group);
    if (known !== null) return known;
    const memory = createMemory();
    memories.set(key, { uid: group.uid, memory });
    return memory;
  }

  function knownMemory(key: string, { uid }: LeaderGroup): Memory | null {
    const known = memories.get(key);
    return known?.uid === uid ? known.memory : null;
  }

  function glance(key: string): GateView | null {
    const parsed = store.group(key);
    if (parsed?.kind !== 'valid') return null;
    const memory = knownMemory(key, parsed.group)?.now ?? freshMemory();
    return observe.holder(parsed.group, memory);
  }

  function asked(key: string): GateView | null {
    const observation = glance(key);
    if (observation === null) return null;
    const memory = memoryOf(key, observation.group);
    if (!memory.now.asked && observation.ownership.kind === 'owned') {
      memory.learn({ kind: 'asked' });
      options.wake(key);
    }
    return observation;
  }

  function resigned(key: string, uid: PodUid, token: number): void {
    const view = glance(key);
    if (view !== null) memoryOf(key, view.group).learn({ kind: 'resigned', uid, token, atMs: view.nowMs });
  }

  function forget(key: string): void {
    memories.delete(key);
    states.delete(key);
  }

  function drop(key: string): Next {
    forget(key);
    warningOver(key);
    endings.forget(key);
    options.dropped(key);
    return { kind: 'done' };
  }

  /**
   * It passed an older schema, or none. Its sessions are renewed and its pods left as they are, as if it were paused, and
   * nobody else's group suffers.
   */
  async function refuse(key: string, group: InvalidLeaderGroup): Promise<Next> {
    const ownership = options.ownership(group);
    if (ownership === 'owned') states.set(key, 'stalled');
    else states.delete(key);
    if (group.deleting && group.finalizers.includes(FINALIZER)) return await endings.end(key, group, ownership);
    if (ownership !== 'owned') return { kind: 'done' };
    warnOnce(key, `the spec of LeaderGroup ${group.name} is invalid: ${group.problems.join('; ')}`);
    return { kind: (await options.writeInvalid(group, signal)) ? 'done' : 'retry' };
  }

  /** The bucket was another's meanwhile, or the group is gone: the next of its name would be a rival, and a fencing patch would leave it the label. */
  const isOver = (key: string, { uid }: LeaderGroup, memory: Memory): boolean =>
    memories.get(key)?.memory !== memory || store.group(key)?.group.uid !== uid;

  function observed(key: string, group: LeaderGroup, memory: Memory): Observation {
    const sight = observe.sight(group, memory.now);
    memory.learn(sight);
    const all = observe.all(sight, memory.now);
    memory.learn(all.observed);
    const { lock } = all.observation;
    if (lock !== null) executor.sessionManager.holds(key, lock.session);
    return all.observation;
  }

  async function reconcileGroup(key: string, group: LeaderGroup, memory: Memory, turn: Turn): Promise<Next> {
    for (let plans = 0; plans < PLANS_PER_PASS; plans += 1) {
      if (isOver(key, group, memory)) return { kind: 'retry' };
      const o = observed(key, group, memory);
      options.observed(o);
      const planned = plan(o);
      learnOfMove(memory, { kind: 'planned', from: takesFrom(planned, o.revoked), rests: rests(planned) }, options);
      if (planned.kind === 'idle') return await finishPass(o, planned, memory, turn);
      if (planned.kind === 'look' && planned.canWait && turn.othersWait())
        return { kind: 'whenQuiet', delayMs: planned.againMs };
      const { step, brought } = await carryOut(options, o, planned, memory);
      announcer.executed(o, planned, memory, { ...brought, sinceMs: turn.sinceMs });
      if (step.kind === 'later') return { kind: 'after', delayMs: step.delayMs };
      if (step.kind === 'failed') return await onActionFailed(o, planned, memory, step.reason);
      if (finalizerRemoved(planned, step)) {
        announcer.deleted(o);
        return { kind: 'done' };
      }
    }
    warnOnce(key, `the group did not settle within ${PLANS_PER_PASS} plans; retrying later`);
    return { kind: 'retry' };
  }

  /** Nothing to do: the state is as it should be, or must be waited for. */
  async function finishPass(o: Observation, planned: Plan, memory: Memory, { othersWait }: Turn): Promise<Next> {
    const key = groupKey(o.group);
    memory.learn({ kind: 'settled' });
    if (planned.verdict !== null) warningOver(key);
    noteState(key, planned, o);
    const statusMs = await report(o, planned, memory, othersWait);
    if (statusMs === 'putOff') return { kind: 'whenQuiet', delayMs: planned.againMs };
    return againIn(soonest([planned.againMs, statusMs]));
  }

  /** Only own groups are counted: one that another replica owns is that one's to judge. */
  function noteState(key: string, planned: Pick<Plan, 'verdict'>, o: Observation): void {
    if (o.ownership.kind === 'notOwned') states.delete(key);
    else states.set(key, stateOf(planned.verdict, o, states.get(key)));
  }

  /** An action failed: people see that the group is not settled, and why. */
  async function onActionFailed(o: Observation, planned: Plan, memory: Memory, reason: string): Promise<Next> {
    const key = groupKey(o.group);
    learnOfFailure(o, memory, reason, options);
    warnOnce(key, reason);
    const said = planned.verdict ?? (claimsLead(o) ? notReady('Electing', planned.reason) : null);
    const verdict = said === null ? null : { ...said, detail: `${said.detail}: ${reason}` };
    noteState(key, { verdict }, o);
    if (o.group.deleting || !o.consulUnreachable) await report(o, { ...planned, verdict }, memory, () => false);
    return { kind: 'retry' };
  }

  async function report(
    o: Observation,
    planned: Plan,
    memory: Memory,
    othersWait: () => boolean,
  ): Promise<number | null | 'putOff'> {
    announcer.passEnded(o, planned, memory);
    return await writeStatus(o, planned, memory, { othersWait, signal });
  }

  return {
    reconcile,
    asked,
    glance,
    resigned,
    forget,
    states: () => states,
  };
}

/** What the status takes. */
const ERROR_LENGTH = 1024;

function learnOfFailure(
  { wallSeconds }: Observation,
  memory: Memory,
  reason: string,
  options: Pick<ReconcilerOptions, 'metrics'>,
): void {
  learnOfMove(memory, { kind: 'moveFailed' }, options);
  const error = { time: timeTextOf(wallSeconds * 1000), message: plainText(reason, ERROR_LENGTH) };
  memory.learn({ kind: 'actionFailed', error });
}

/** The leader may be given grants again. */
function learnOfMove(memory: Memory, outcome: GrantOutcome, { metrics }: Pick<ReconcilerOptions, 'metrics'>): void {
  const { revoked } = memory.now;
  memory.learn(outcome);
  if (revoked !== null && memory.now.revoked === null) metrics.gateRevocation('resumed');
}

const againIn = (ms: number | null): Next =>
  ms === null ? { kind: 'done' } : { kind: 'after', delayMs: Math.max(1, ms) };

/** It is as if it were paused: the sessions of its members live on, and nothing is written. Looked at again in case it is known by then, and gone. */
const unknownYet = (sessions: number): Next =>
  sessions === 0 ? { kind: 'done' } : { kind: 'after', delayMs: UNKNOWN_AGAIN_MS };

/** There is nothing to do, nor to wait for. */
const rests = (planned: Plan): boolean => planned.kind === 'idle' && planned.verdict !== null;

const finalizerRemoved = (planned: Plan, step: Step): boolean =>
  step.kind === 'ok' && planned.kind === 'look' && planned.after.at(-1)?.do === 'removeFinalizer';

async function measured<T>(
  { clock, metrics }: Pick<ReconcilerOptions, 'clock' | 'metrics'>,
  pass: () => Promise<T>,
): Promise<T> {
  const startedMs = clock.nowMs();
  let outcome: 'done' | 'failed' = 'failed';
  try {
    const result = await pass();
    outcome = 'done';
    return result;
  } finally {
    metrics.reconciled(outcome, clock.nowMs() - startedMs);
  }
}

async function carryOut(
  { executor, log, signal, clock }: Pick<ReconcilerOptions, 'executor' | 'log' | 'signal' | 'clock'>,
  o: Observation,
  planned: Plan,
  memory: Memory,
): Promise<{ step: Step; brought: Omit<Brought, 'sinceMs'> }> {
  const { group } = o;
  const run = beginRun({ ports: executor, observation: o, memory, signal });
  log.debug(
    {
      group: `${group.namespace}/${group.name}`,
      actions: actionsOf(planned).map((action) => action.do),
      reason: planned.reason,
    },
    'plan',
  );
  const decidedMs = clock.nowMs();
  const step = await execute(planned, run);
  return { step, brought: { facts: run.facts, decidedMs, steps: run.timings } };
}
