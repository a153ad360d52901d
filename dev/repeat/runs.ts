/** What `npm run test:repeat` is asked for, and one run of it. */
import { spawn } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import process from 'node:process';
import { pipeline } from 'node:stream/promises';
import { parseArgs } from 'node:util';
import { areRealNodesAskedFor, HOW_TO_ASK } from '../tools/consent.ts';

const COMMANDS = {
  unit: ['vitest', 'run', '--project', 'unit'],
  integration: ['vitest', 'run', '--project', 'integration', '--project', 'integration-alone'],
  e2e: ['vitest', 'run', '--project', 'e2e'],
  all: [process.execPath, join(import.meta.dirname, '..', 'test.ts')],
} as const;

export type Stage = keyof typeof COMMANDS;

export type Wish = { readonly stages: readonly Stage[]; readonly times: number; readonly out: string | undefined };

export type Run = {
  readonly stage: Stage;
  /** From 1. */
  readonly time: number;
  /** Null: ended by a signal. */
  readonly code: number | null;
  readonly seconds: number;
  /** File with all that it has printed. */
  readonly log: string;
};

const isStage = (name: string): name is Stage => Object.hasOwn(COMMANDS, name);

/** @param realNodes asked for; without them every run of the end-to-end test would pass, for it would test nothing */
export function parseRepeat(
  argv: readonly string[],
  realNodes: boolean = areRealNodesAskedFor(),
): Wish | { readonly wrong: string } {
  const { values, positionals } = parseArgs({
    args: [...argv],
    allowPositionals: true,
    options: { times: { type: 'string', default: '20' }, out: { type: 'string' } },
  });
  const times = Number(values.times);
  if (!Number.isSafeInteger(times) || times < 1)
    return { wrong: `--times is a whole number above 0, not ${values.times}` };
  const stages = positionals.length === 0 ? ['e2e' as const] : positionals.filter(isStage);
  const unknown = positionals.find((name) => !isStage(name));
  if (unknown === undefined && stages.includes('e2e') && !realNodes)
    return { wrong: `e2e runs on real nodes, which nobody has asked for (${HOW_TO_ASK})` };
  if (unknown === undefined) return { stages, times, out: values.out };
  return { wrong: `there is no stage ${unknown}: they are ${Object.keys(COMMANDS).join(', ')}` };
}

export async function runStage(stage: Stage, time: number, dir: string): Promise<Run> {
  await mkdir(dir, { recursive: true });
  const log = join(dir, `${stage}-${time}.log`);
  const begun = performance.now();
  const [command, ...args] = COMMANDS[stage];
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const closed = new Promise<number | null>((resolve, reject) => child.once('error', reject).once('close', resolve));
  const file = createWriteStream(log);
  const copied = Promise.all([child.stdout, child.stderr].map((stream) => pipeline(stream, file, { end: false })));
  const code = await closed;
  await copied;
  file.end();
  return { stage, time, code, seconds: (performance.now() - begun) / 1000, log };
}
