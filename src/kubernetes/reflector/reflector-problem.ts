/** What keeps a reflector from its work, reported once per change: a server that is away for an hour is one line, not a thousand. */
import type { Log } from '../../ports/log.ts';
import type { ListWatchErrorKind } from './list-watch.ts';

export type ReflectorProblem = {
  /** `notInstalled`: the kind is unknown to the server. It is asked again every few seconds, as with all the others. */
  readonly kind: Exclude<ListWatchErrorKind, 'expired'>;
  /** A sentence that says what was tried and what to do. */
  readonly message: string;
};

export type ProblemReport = {
  /** `until`: what proves that it is over, a watch that stands or an event that could be read. */
  raise(problem: ReflectorProblem, until: 'opened' | 'delivered'): void;
  opened(): void;
  delivered(): void;
  current(): ReflectorProblem | null;
};

export type ProblemReportOptions = {
  readonly kind: string;
  readonly log: Log;
  readonly onProblem: (problem: ReflectorProblem | null) => void;
};

export function createProblemReport({ kind, log, onProblem }: ProblemReportOptions): ProblemReport {
  let current: { readonly problem: ReflectorProblem; readonly until: 'opened' | 'delivered' } | null = null;

  const tell = (problem: ReflectorProblem | null): void => {
    try {
      onProblem(problem);
    } catch (error) {
      log.error({ kind, error }, 'a listener of reflector problems failed');
    }
  };

  const heal = (): void => {
    current = null;
    log.info({ kind }, 'the watch has recovered');
    tell(null);
  };

  return {
    raise: (problem, until) => {
      const isNew = current?.problem.kind !== problem.kind;
      current = { problem, until };
      if (!isNew) return;
      log.warn({ kind, problem: problem.kind, reason: problem.message }, 'the watch failed; retrying');
      tell(problem);
    },
    opened: () => {
      if (current?.until === 'opened') heal();
    },
    delivered: () => {
      if (current !== null) heal();
    },
    current: () => current?.problem ?? null,
  };
}
