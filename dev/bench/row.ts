/** What a row of the benchmark is, and what all rows need. */
import { setTimeout as delay } from 'node:timers/promises';
import type { OperatorProcess } from '../../test/kit/rig/operator-process.ts';
import { metricsOf } from './cost.ts';

export type Row = { readonly what: string; readonly figure: number; readonly unit: string };

export type Lengths = {
  readonly restMs: number;
  /** One after the other. */
  readonly failovers: number;
  /** At the same moment, at most. */
  readonly lostAtOnce: number;
  /** Of any row. */
  readonly limitMs: number;
};

/** The replicas that run: one operator to its users. */
export type Replicas = readonly OperatorProcess[];

export const ASK_AGAIN_MS = 50;
export const QUIET_MS = 3000;

export const row = (what: string, figure: number, unit: string): Row => ({ what, figure, unit });

/** Milliseconds that it took. */
export async function timed(work: () => Promise<unknown>): Promise<number> {
  const startedMs = performance.now();
  await work();
  return performance.now() - startedMs;
}

export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

/** As people read it: the more digits, the smaller it is. */
export function shown({ figure, unit }: Pick<Row, 'figure' | 'unit'>): string {
  const digits = Number.isInteger(figure) ? 0 : Math.abs(figure) < 10 ? 2 : Math.abs(figure) < 100 ? 1 : 0;
  return `${figure.toFixed(digits)} ${unit}`.trim();
}

export const sum = (figures: readonly number[]): number => figures.reduce((a, b) => a + b, 0);

const STATES = ['patch pods', 'patch leadergroups', 'patch leadergroups/status'];
const EVENTS = ['create events', 'patch events'];

/** Until no pod, group or status has been written for a while; events have their own pace, and are not waited for. */
export async function untilQuiet(replicas: Replicas, limitMs: number): Promise<void> {
  await untilNoMore(STATES, replicas, limitMs);
}

/** Until events have not been written either: what waits of them at most takes the better part of a minute. */
export async function untilAtRest(replicas: Replicas, limitMs: number): Promise<void> {
  await untilNoMore([...STATES, ...EVENTS], replicas, limitMs);
}

async function untilNoMore(operations: readonly string[], replicas: Replicas, limitMs: number): Promise<void> {
  const untilMs = performance.now() + limitMs;
  const writes = async (): Promise<number> => {
    const all = await Promise.all(replicas.map(({ url }) => metricsOf(url)));
    const of = (operation: string): number =>
      sum(all.map((metrics) => metrics.sum('leadergroup_kubernetes_requests_total', { operation })));
    return sum(operations.map(of));
  };
  for (let before = -1, now = await writes(); now !== before; ) {
    if (performance.now() > untilMs) throw new Error(`the operator still writes after ${limitMs} ms`);
    await delay(QUIET_MS);
    [before, now] = [now, await writes()];
  }
}
