/** One pass over one group that can be acted on: observe, plan, execute, until there is nothing to do. */
import type { LeaderGroup } from '../../api/leadergroup.ts';
import { actionsOf, type Plan, takesFrom } from '../../election/actions.ts';
import type { Observation } from '../../election/observation.ts';
import { plan } from '../../election/plan.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Log } from '../../ports/log.ts';
import type { Metrics } from '../../ports/metrics.ts';
import type { Store } from '../cache/store.ts';
import { execute } from '../execute/execute.ts';
import { beginRun, type ExecutorPorts, type Step } from '../execute/run.ts';
import type { Observer } from '../observe/observe.ts';
import type { Memory } from '../observe/remember.ts';
import type { Announcer, Brought } from '../report/announce.ts';
import type { Concluded, Conclusion } from './conclusion.ts';
import type { Memories } from './memories.ts';
import { learnOfMove } from './moves.ts';
import type { Next, Turn } from './queue.ts';
import type { WarnOnce } from './warn-once.ts';

/** Every plan that learns or changes something is followed by another; more than this in one pass is a loop. */
const PLANS_PER_PASS = 16;

export type GroupPassOptions = {
  readonly store: Store;
  readonly observe: Observer;
  readonly executor: ExecutorPorts;
  readonly announcer: Announcer;
  /** A plan is about to be made from this. */
  readonly observed: (o: Observation) => void;
  readonly metrics: Pick<Metrics, 'gateRevocation'>;
  readonly log: Log;
  readonly clock: Pick<Clock, 'nowMs'>;
  readonly signal: AbortSignal;
};

/** Throws only when aborted or on a defect. */
export type GroupPass = (key: string, group: LeaderGroup, turn: Turn) => Promise<Next>;

export function createGroupPass(
  options: GroupPassOptions,
  memories: Memories,
  { conclusion, warnOnce }: { readonly conclusion: Conclusion } & Pick<WarnOnce, 'warnOnce'>,
): GroupPass {
  const { store, observe, executor, announcer, metrics } = options;

  /** The bucket was another's meanwhile, or the group is gone: the next of its name would be a rival, and a fencing patch would leave it the label. */
  const isOver = (key: string, { uid }: LeaderGroup, memory: Memory): boolean =>
    !memories.isCurrent(key, memory) || store.group(key)?.group.uid !== uid;

  function observed(key: string, group: LeaderGroup, memory: Memory): Observation {
    const sight = observe.sight(group, memory.now);
    memory.learn(sight);
    const all = observe.all(sight, memory.now);
    memory.learn(all.observed);
    const { lock } = all.observation;
    if (lock !== null) executor.sessionManager.holds(key, lock.session);
    return all.observation;
  }

  /** The next thing to do is done. null: observe and plan again. */
  async function proceed(concluded: Concluded, turn: Turn): Promise<Next | null> {
    const { o, planned, memory } = concluded;
    if (planned.kind === 'idle') return await conclusion.settled(concluded, turn);
    if (planned.kind === 'look' && planned.canWait && turn.othersWait())
      return { kind: 'whenQuiet', delayMs: planned.againMs };
    const { step, brought } = await carryOut(options, concluded);
    announcer.executed(o, planned, memory, { ...brought, sinceMs: turn.sinceMs });
    if (step.kind === 'later') return { kind: 'after', delayMs: step.delayMs };
    if (step.kind === 'failed') return await conclusion.failed(concluded, step.reason);
    if (!finalizerRemoved(planned, step)) return null;
    announcer.deleted(o);
    return { kind: 'done' };
  }

  async function untilSettled(key: string, group: LeaderGroup, memory: Memory, turn: Turn): Promise<Next> {
    for (let plans = 0; plans < PLANS_PER_PASS; plans += 1) {
      if (isOver(key, group, memory)) return { kind: 'retry' };
      const o = observed(key, group, memory);
      options.observed(o);
      const planned = plan(o);
      learnOfMove(memory, { kind: 'planned', from: takesFrom(planned, o.revoked), rests: rests(planned) }, metrics);
      const next = await proceed({ o, planned, memory }, turn);
      if (next !== null) return next;
    }
    warnOnce(key, `the group did not settle within ${PLANS_PER_PASS} plans; retrying later`);
    return { kind: 'retry' };
  }

  return async (key, group, turn) => {
    const memory = memories.of(key, group);
    try {
      return await untilSettled(key, group, memory, turn);
    } finally {
      memory.learn({ kind: 'passEnded' });
    }
  };
}

/** There is nothing to do, nor to wait for. */
const rests = (planned: Plan): boolean => planned.kind === 'idle' && planned.verdict !== null;

const finalizerRemoved = (planned: Plan, step: Step): boolean =>
  step.kind === 'ok' && planned.kind === 'look' && planned.after.at(-1)?.do === 'removeFinalizer';

async function carryOut(
  { executor, log, signal, clock }: Pick<GroupPassOptions, 'executor' | 'log' | 'signal' | 'clock'>,
  { o, planned, memory }: Concluded,
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
