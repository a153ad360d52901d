/** What a change of leader took, step by step, for whoever collects traces. Records and returns; never throws. The adapter is src/traces.ts. */
import type { MonotonicMs } from '../api/clocks.ts';
import type { TransitionCause } from '../api/transition-causes.ts';

export type StepName = 'fence' | 'transaction' | 'promotion' | 'route';

export type TimedStep = {
  readonly name: StepName;
  readonly beginMs: MonotonicMs;
  readonly endMs: MonotonicMs;
  /** `ok`, or how it went on. */
  readonly outcome: string;
};

export type LeaderChangeTrace = {
  /** `namespace/name` */
  readonly group: string;
  readonly reason: TransitionCause;
  /** Names of pods; `from` is empty where nobody led. */
  readonly from: string;
  readonly to: string;
  readonly token: number;
  /** What made it necessary has arrived. */
  readonly noticedMs: MonotonicMs;
  /** The first plan with a step of it was made. */
  readonly decidedMs: MonotonicMs;
  /** In the order in which they ended; of several plans, where one was not enough. */
  readonly steps: readonly TimedStep[];
};

export type Traces = {
  leaderChanged(trace: LeaderChangeTrace): void;
};
