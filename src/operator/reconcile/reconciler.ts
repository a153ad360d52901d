/** A key of the queue becomes a pass over its group, or what is due where there is no group that can be acted on. */
import type { InvalidLeaderGroup } from '../../api/leadergroup.ts';
import { FINALIZER } from '../../api/names.ts';
import type { Ownership } from '../../election/observation.ts';
import type { Clock } from '../../ports/clock.ts';
import type { GroupState, Metrics } from '../../ports/metrics.ts';
import { type ConclusionOptions, createConclusion } from './conclusion.ts';
import { createEndings } from './endings.ts';
import { createGroupPass, type GroupPassOptions } from './group-pass.ts';
import { createMemories } from './memories.ts';
import type { Next, Turn } from './queue.ts';
import { createViews, type Views } from './views.ts';
import { createWarnOnce } from './warn-once.ts';

/** Memory is all that is looked at, and once a namespace is listed its groups are woken at once. */
const UNKNOWN_AGAIN_MS = 30_000;

export type Reconciler = Views & {
  /** One pass. Throws only when aborted or on a defect. */
  reconcile(key: string, turn: Turn): Promise<Next>;
  /** The bucket is another replica's: what was learnt of the group may be out of date when it comes back. */
  forget(key: string): void;
  /** Where each group stands, as of its last pass. */
  states(): ReadonlyMap<string, GroupState>;
};

export type ReconcilerOptions = Omit<GroupPassOptions, 'metrics'> &
  Omit<ConclusionOptions, 'metrics'> & {
    readonly metrics: Metrics;
    readonly wake: (key: string) => void;
    /** All watches have delivered their first list; before that no pass begins, and each group comes again. */
    readonly synced: () => boolean;
    /** A pass begins. */
    readonly began: (key: string) => void;
    /** A pass is over and did not throw. */
    readonly ended: (key: string) => void;
    /** A group of this key that is not shown is not there. Of one that is shown: the others of its namespace are, too. */
    readonly known: (key: string) => boolean;
    /** The group is gone: nothing of it need be kept. */
    readonly dropped: (key: string) => void;
    /** Of a group that cannot be acted on. */
    readonly ownership: (group: { namespace: string; name: string }) => Ownership['kind'];
    readonly consulUnreachable: () => boolean;
    readonly writeInvalid: (group: InvalidLeaderGroup, signal: AbortSignal) => Promise<boolean>;
  };

export function createReconciler(options: ReconcilerOptions): Reconciler {
  const { store, executor, log, signal } = options;
  const memories = createMemories();
  const states = new Map<string, GroupState>();
  const warning = createWarnOnce(log);
  const endings = createEndings({ ...options, kubernetes: executor.kubernetes });
  const conclusion = createConclusion(options, states, warning);
  const groupPass = createGroupPass(options, memories, { conclusion, warnOnce: warning.warnOnce });

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
    return await groupPass(key, parsed.group, turn);
  }

  function forget(key: string): void {
    memories.forget(key);
    states.delete(key);
  }

  function drop(key: string): Next {
    forget(key);
    warning.over(key);
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
    warning.warnOnce(key, `the spec of LeaderGroup ${group.name} is invalid: ${group.problems.join('; ')}`);
    return { kind: (await options.writeInvalid(group, signal)) ? 'done' : 'retry' };
  }

  return { reconcile, ...createViews(options, memories), forget, states: () => states };
}

/** It is as if it were paused: the sessions of its members live on, and nothing is written. Looked at again in case it is known by then, and gone. */
const unknownYet = (sessions: number): Next =>
  sessions === 0 ? { kind: 'done' } : { kind: 'after', delayMs: UNKNOWN_AGAIN_MS };

async function measured<T>(
  { clock, metrics }: { readonly clock: Pick<Clock, 'nowMs'>; readonly metrics: Pick<Metrics, 'reconciled'> },
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
