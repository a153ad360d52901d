/** node-cron (4.6): its task is told for which time it was scheduled. Copy this file and the client, and give each replica the same schedule. */
import { type ScheduledTask, schedule, type TaskOptions } from 'node-cron';
import type { Claim, Once, OnceOptions, Outcome } from '../clients/typescript/once.ts';

/**
 * `told`: what became of each tick; an error: what `fn` threw, or that the claim is wrong. `options.timezone` must be the same in all replicas.
 * One that fires late, within node-cron's missedExecutionTolerance, claims the tick for which it was scheduled.
 */
export function scheduleOnce(
  {
    once,
    series,
    expression,
    ...options
  }: OnceOptions & TaskOptions & { readonly once: Once; readonly series: string; readonly expression: string },
  fn: (claim: Claim) => Promise<void> | void,
  told: (outcome: Outcome | Error) => void,
): ScheduledTask {
  return schedule(
    expression,
    async ({ date }) => {
      try {
        told(await once(series, date.getTime(), fn, options));
      } catch (error) {
        told(error instanceof Error ? error : new Error(String(error)));
      }
    },
    options,
  );
}
