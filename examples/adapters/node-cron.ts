/** node-cron (4.6): its task is told for which time it was scheduled. Copy this file and the client, and give each replica the same schedule. */
import { setTimeout as delay } from 'node:timers/promises';
import { type ScheduledTask, schedule, type TaskOptions } from 'node-cron';
import type { Claim, Gate, OnceOptions, Outcome } from '../clients/typescript/index.ts';

/** After a refusal, which people have to end. */
const REFUSED_MS = 10_000;

/**
 * `told`: what became of each tick; an error: what `fn` threw, or that the claim is wrong. `options.timezone` must be the same in all replicas.
 * One that fires late claims the tick for which it was scheduled. One that node-cron has left out, because the process stood still or was started
 * again, comes late as well, but for what is longer ago than `catchUpMs` (default: a minute, and with AtLeastOnce retryAfterSeconds more): a leader that
 * leaves a tick out and claims the next one would let it pass.
 */
export function scheduleOnce(
  {
    gate,
    series,
    expression,
    catchUpMs,
    ...options
  }: OnceOptions &
    TaskOptions & {
      readonly gate: Pick<Gate, 'once' | 'standing'>;
      readonly series: string;
      readonly expression: string;
      readonly catchUpMs?: number;
    },
  fn: (claim: Claim) => Promise<void> | void,
  told: (outcome: Outcome | Error) => void,
): ScheduledTask {
  const pendingMs = options.mode === 'AtLeastOnce' ? (options.retryAfterSeconds ?? 300) * 1000 : 0;
  const keptMs = catchUpMs ?? pendingMs + 60_000;
  const begunMs = Date.now();
  const over = new AbortController();
  const signal = options.signal === undefined ? over.signal : AbortSignal.any([over.signal, options.signal]);

  async function claim(position: number): Promise<void> {
    try {
      told(await gate.once(series, position, fn, options));
    } catch (error) {
      told(asError(error));
    }
  }

  /** The last that was given out, to whomever; null: none was, or it is told to stop. */
  async function lastGiven(): Promise<number | null> {
    while (!signal.aborted) {
      try {
        return (await gate.standing(series, signal))?.position ?? null;
      } catch (error) {
        told(asError(error));
        await delay(REFUSED_MS, undefined, { signal }).catch(() => undefined);
      }
    }
    return null;
  }

  /** What was due since then while this process started, one after the other. */
  async function catchUp(): Promise<void> {
    const stoodMs = (await lastGiven()) ?? begunMs;
    const stepMs = expression.trim().split(/\s+/).length === 6 ? 1000 : 60_000;
    let due = Math.max(begunMs - keptMs, stoodMs);
    for (due -= due % stepMs; due <= begunMs && !signal.aborted; due += stepMs)
      if (due > stoodMs && task.match(new Date(due))) await claim(due);
  }

  const tick = async ({ date }: { readonly date: Date }): Promise<void> => {
    await before;
    await claim(date.getTime());
  };
  const task = schedule(expression, tick, options);
  const before = catchUp();
  task.on('execution:missed', (context) => (Date.now() - context.date.getTime() > keptMs ? undefined : tick(context)));
  for (const end of ['task:stopped', 'task:destroyed'] as const) task.on(end, () => over.abort());
  return task;
}

const asError = (error: unknown): Error => (error instanceof Error ? error : new Error(String(error)));
