/** Folders with what explains a failure: they stay until the file of tests is through, and go unless one of its tests has failed. */
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { History } from '../checker/history.ts';

declare module 'vitest' {
  interface TaskMeta {
    /** Of a file: the folders that were kept of it, for last-lines.ts. */
    kept?: readonly string[];
  }
}

/** What a harness leaves. `history`: what was observed, for whoever looks into a failure. */
export type Remains = { readonly dir: string; readonly history: () => History };
/** Only what this reads of vitest's tasks. */
export type Task = { readonly result?: { readonly state: string } | undefined; readonly tasks?: readonly Task[] };

const remains: Remains[] = [];
let waits = false;

/** From now on folders stay until `settle`. Outside of tests they go at once. */
export function stayUntilSettled(): void {
  waits = true;
}

/** The folder is written no more. */
export async function handOver(left: Remains): Promise<void> {
  remains.push(left);
  if (!waits) await settle(false);
}

/** Keeps the folders handed over so far, and answers them, or removes them. */
export async function settle(keep: boolean): Promise<readonly string[]> {
  const left = remains.splice(0);
  waits = false;
  for (const { dir, history } of left) {
    if (keep) await writeFile(join(dir, 'history.json'), historyText(history()));
    else await rm(dir, { recursive: true, force: true });
  }
  return keep ? left.map(({ dir }) => dir) : [];
}

/** Whether the task, or one within it, has failed. */
export const hasFailed = ({ result, tasks = [] }: Task): boolean => result?.state === 'fail' || tasks.some(hasFailed);

/** Its sets and maps as lists. */
const historyText = (history: History): string =>
  JSON.stringify(history, (_, value: unknown) =>
    value instanceof Map || value instanceof Set ? [...(value as Iterable<unknown>)] : value,
  );
