/** Gathers what the steps of a change of leader took, which may be several plans, until the next leader is promoted. */
import type { MonotonicMs } from '../../api/clocks.ts';
import type { LeaderChangeTrace, TimedStep, Traces } from '../../ports/traces.ts';

/** What one execution of a plan took. `sinceMs`: when what led to it arrived; `decidedMs`: when it was planned. */
export type Execution = {
  readonly sinceMs: MonotonicMs;
  readonly decidedMs: MonotonicMs;
  readonly steps: readonly TimedStep[];
};

export type ChangeTraces = {
  executed(group: string, execution: Execution): void;
  promoted(change: Pick<LeaderChangeTrace, 'group' | 'reason' | 'from' | 'to' | 'token'>): void;
  /** Nothing is under way: steps of before belong to no change. */
  over(group: string): void;
};

/** Of a change that is tried again and again only the first so many are kept. */
const STEPS = 64;
/** Groups that go to another replica meanwhile leave theirs behind: so many are kept at most. */
const CHANGES = 1000;

/** `traces` null: nobody collects them, and nothing is gathered. */
export function createChangeTraces(traces: Traces | null): ChangeTraces {
  const open = new Map<string, Execution>();

  function executed(group: string, execution: Execution): void {
    if (traces === null || execution.steps.length === 0) return;
    const before = open.get(group);
    if (before === undefined && open.size >= CHANGES) forgetOldest();
    const steps = [...(before?.steps ?? []), ...execution.steps].slice(0, STEPS);
    open.set(group, { ...(before ?? execution), steps });
  }

  function forgetOldest(): void {
    for (const group of open.keys()) return void open.delete(group);
  }

  function promoted(change: Parameters<ChangeTraces['promoted']>[0]): void {
    const found = open.get(change.group);
    open.delete(change.group);
    if (found === undefined) return;
    traces?.leaderChanged({ ...change, noticedMs: found.sinceMs, decidedMs: found.decidedMs, steps: found.steps });
  }

  return { executed, promoted, over: (group) => void open.delete(group) };
}
