/** Answers through one Service, put together to runs, so that the log stays short however often it is asked. */
import type { Answerer, Run, Way } from './lines.ts';

/** A run ends where nobody has answered for so long: whatever is longer is a gap that counts. */
export const SPLIT_MS = 250;

export type Runs = {
  /** Somebody has answered. */
  answered(by: Answerer, atMs: number): void;
  /** The last answer; null: there was none. */
  last(): Run | null;
  /** Tells the run that is under way, and begins another with the next answer. */
  flush(): void;
};

/** `tell` hears of each run that is over. */
export function createRuns(way: Way, tell: (run: Run) => void): Runs {
  let run: Run | null = null;
  let told = true;
  const flush = (): void => {
    if (run !== null && !told) tell(run);
    told = true;
  };
  return {
    answered: ({ pod, uid, boot }, atMs) => {
      const goesOn = run !== null && !told && run.boot === boot && atMs - run.lastMs <= SPLIT_MS;
      if (run !== null && goesOn) run = { ...run, lastMs: atMs, answers: run.answers + 1 };
      else {
        flush();
        run = { kind: 'run', way, pod, uid, boot, firstMs: atMs, lastMs: atMs, answers: 1 };
      }
      told = false;
    },
    last: () => run,
    flush,
  };
}
