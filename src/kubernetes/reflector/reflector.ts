/**
 * Keeps handlers informed of all objects of one kind: a list, then a watch from there, for as long as it runs, whatever
 * happens to the server or the network. It knows neither HTTP nor the resource; reflector-state.ts has its states.
 */
import { type Context, createContext, type ReflectorCounts, type ReflectorOptions } from './reflector-context.ts';
import { listStep } from './reflector-list.ts';
import type { ReflectorProblem } from './reflector-problem.ts';
import { pauseBefore, type State } from './reflector-state.ts';
import { watchStep } from './reflector-watch.ts';

export type { ReflectorOptions } from './reflector-context.ts';

export type Reflector = {
  /** Begins; a second call changes nothing. */
  start(): void;
  /** Resolves when nothing is open any more: no request and no call of a handler follows. For good. */
  stop(): Promise<void>;
  /** The first full list has been delivered. */
  synced(): boolean;
  /** Monotonic time of the server's last sign of life; null before the first. */
  lastContactMs(): number | null;
  /** What keeps it from its work now. */
  problem(): ReflectorProblem | null;
  counts(): Readonly<ReflectorCounts>;
};

/**
 * **Guarantees**: handlers are called in order, never concurrently; each object's changes in the order the server made
 * them, though not each of them; an object that went while nothing was watching is reported as gone; a name used again as a
 * removal, then an addition. A handler that throws is logged and counted, and misses that call.
 *
 * **Not guaranteed**: that `before` and `after` differ in anything the projection kept.
 */
export function createReflector<T>(options: ReflectorOptions<T>): Reflector {
  const stopping = new AbortController();
  const context = createContext(options, stopping.signal);
  let running: Promise<void> | null = null;
  return {
    start: () => {
      if (!stopping.signal.aborted) running ??= run(context);
    },
    stop: async () => {
      stopping.abort(new Error('the reflector is stopped'));
      await running;
    },
    synced: () => context.health.synced,
    lastContactMs: () => context.health.contactMs,
    problem: () => context.problems.current(),
    counts: () => ({ ...context.counts }),
  };
}

async function run<T>(context: Context<T>): Promise<void> {
  const { stopped, log, kind, random } = context;
  let state: State<T> = { kind: 'listing', failures: 0 };
  for (;;) {
    try {
      stopped.throwIfAborted();
      state = await step(context, state);
    } catch (error) {
      if (stopped.aborted) return;
      // A fault of our own must not leave a process that looks alive and hears nothing.
      log.error({ kind, error }, 'the reflector failed; relisting');
      state = pauseBefore({ kind: 'listing', failures: AFTER_FAULT }, null, random.next());
    }
  }
}

/** As many failures as make the longest pause. */
const AFTER_FAULT = 10;

async function step<T>(context: Context<T>, state: State<T>): Promise<State<T>> {
  switch (state.kind) {
    case 'listing':
    case 'paging':
      return await listStep(context, state);
    case 'watching':
      return await watchStep(context, state);
    case 'pausing':
      await context.clock.sleep(state.delayMs, context.stopped);
      return state.next;
  }
}
