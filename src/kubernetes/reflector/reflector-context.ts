/** What the steps of one reflector share: its ports, what it has reported so far, and what it has met. */
import type { Clock, Random } from '../../ports/clock.ts';
import type { ReflectorHandler } from '../../ports/kubernetes.ts';
import type { Log } from '../../ports/log.ts';
import { type ListWatch, ListWatchError } from './list-watch.ts';
import { createGuard, createReflectorCache, type ReflectorCache } from './reflector-cache.ts';
import { createProblemReport, type ProblemReport, type ReflectorProblem } from './reflector-problem.ts';

export type ReflectorOptions<T> = {
  /** What is followed, for logs: pods, leadergroups, nodes. */
  readonly kind: string;
  readonly source: ListWatch;
  /** Keeps what is needed of an object, before anything is stored. null: it is not what it should be. */
  readonly project: (raw: unknown) => T | null;
  readonly handler: ReflectorHandler<T>;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Called when what keeps the reflector from its work becomes another, and with null when it works again. */
  readonly onProblem?: (problem: ReflectorProblem | null) => void;
  /** A list other than the first has been delivered. */
  readonly onRelist?: () => void;
  readonly limits?: Partial<ReflectorLimits>;
};

type ReflectorLimits = {
  /** Objects in a page of a list, 250 by default: the event loop stops for no more than a page. */
  readonly pageSize: number;
  /** For a page to arrive. 30,000 by default. */
  readonly pageTimeoutMs: number;
  /** For a watch to be answered. 10,000 by default. */
  readonly openTimeoutMs: number;
  /** Without a byte, bookmarks included (they come about each minute), after which a watch counts as dead. 90,000 by default. */
  readonly idleMs: number;
};

/** How often each thing happened since the start. `failures`: lists and watches that were refused or cut. */
export type ReflectorCounts = {
  lists: number;
  watches: number;
  expired: number;
  failures: number;
  stalls: number;
  malformed: number;
  errorEvents: number;
  handlerErrors: number;
};

export type Context<T> = {
  readonly kind: string;
  readonly source: ListWatch;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly limits: ReflectorLimits;
  readonly stopped: AbortSignal;
  readonly cache: ReflectorCache<T>;
  readonly problems: ProblemReport;
  readonly counts: ReflectorCounts;
  /** What others ask for. `contactMs`: monotonic, null before the server's first sign of life. */
  readonly health: { synced: boolean; contactMs: number | null };
  /** The caller's functions, guarded: one that throws must not end the watch. */
  readonly project: (raw: unknown) => T | null;
  readonly reportSynced: () => void;
  readonly reportRelisted: () => void;
};

const DEFAULT_LIMITS: ReflectorLimits = { pageSize: 250, pageTimeoutMs: 30_000, openTimeoutMs: 10_000, idleMs: 90_000 };

export function createContext<T>(options: ReflectorOptions<T>, stopped: AbortSignal): Context<T> {
  const { kind, source, project, handler, clock, random, log } = options;
  const counts = createCounts();
  const failed = (error: unknown): void => {
    counts.handlerErrors += 1;
    log.error({ kind, error }, 'a handler of the reflector failed');
  };
  const guarded = createGuard(failed);
  return {
    kind,
    source,
    clock,
    random,
    log,
    stopped,
    counts,
    limits: { ...DEFAULT_LIMITS, ...options.limits },
    cache: createReflectorCache<T>((before, after) => handler.changed(before, after), failed),
    problems: createProblemReport({ kind, log, onProblem: (problem) => guarded(() => options.onProblem?.(problem)) }),
    health: { synced: false, contactMs: null },
    project: (raw) => guarded(() => project(raw)) ?? null,
    reportSynced: () => guarded(() => handler.synced()),
    reportRelisted: () => guarded(() => options.onRelist?.()),
  };
}

const createCounts = (): ReflectorCounts => ({
  lists: 0,
  watches: 0,
  expired: 0,
  failures: 0,
  stalls: 0,
  malformed: 0,
  errorEvents: 0,
  handlerErrors: 0,
});

/** Counts an error, and says what is wrong if it is news. `until`: what will prove that it is over. */
export function noteError<T>(
  { counts, problems }: Context<T>,
  error: ListWatchError,
  until: 'opened' | 'delivered',
): void {
  if (error.kind === 'expired') {
    counts.expired += 1;
    return;
  }
  counts[error.kind === 'malformed' ? 'malformed' : 'failures'] += 1;
  problems.raise({ kind: error.kind, message: error.message }, until);
}

export const noAnswer = (kind: string, milliseconds: number): ListWatchError =>
  new ListWatchError('unreachable', `Cannot watch ${kind}: the API server gave no answer within ${milliseconds} ms`);
