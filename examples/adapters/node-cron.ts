/** node-cron (4.6): its task is told for which time it was scheduled. Copy this file and the client, and give each replica the same schedule. */
import { type ScheduledTask, schedule, type TaskOptions } from 'node-cron';
import type { Claim, Once, OnceOptions, Outcome } from '../clients/typescript/once.ts';

/**
 * `told`: what became of each tick; an error: what `fn` threw, or that the claim is wrong. `options.timezone` must be the same in all replicas.
 * One that fires late claims the tick for which it was scheduled; one that node-cron has left out, because the process stood still, comes late as well, but for
 * what is longer ago than `catchUpMs` (default: a minute): a leader that leaves a tick out and claims the next one would let it pass.
 */
export function scheduleOnce(
  {
    once,
    series,
    expression,
    catchUpMs = 60_000,
    ...options
  }: OnceOptions &
    TaskOptions & {
      readonly once: Once;
      readonly series: string;
      readonly expression: string;
      readonly catchUpMs?: number;
    },
  fn: (claim: Claim) => Promise<void> | void,
  told: (outcome: Outcome | Error) => void,
): ScheduledTask {
  const tick = async ({ date }: { readonly date: Date }): Promise<void> => {
    try {
      told(await once(series, date.getTime(), fn, options));
    } catch (error) {
      told(error instanceof Error ? error : new Error(String(error)));
    }
  };
  const task = schedule(expression, tick, options);
  task.on('execution:missed', (context) =>
    Date.now() - context.date.getTime() > catchUpMs ? undefined : tick(context),
  );
  return task;
}
