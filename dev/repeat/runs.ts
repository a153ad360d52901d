/** What `npm run test:repeat` is asked for, and one run of it. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import process from 'node:process';
import { Argument } from '@commander-js/extra-typings';
import { execa } from 'execa';
import { script, wholeNumber } from '../command-line.ts';
import { areRealNodesAskedFor, HOW_TO_ASK } from '../tools/consent.ts';

const COMMANDS = {
  unit: ['vitest', 'run', '--project', 'unit'],
  integration: ['vitest', 'run', '--project', 'integration', '--project', 'integration-alone'],
  e2e: ['vitest', 'run', '--project', 'e2e'],
  all: [process.execPath, join(import.meta.dirname, '..', 'test.ts')],
} as const;

export type Stage = keyof typeof COMMANDS;

export type Wish = { readonly stages: readonly Stage[]; readonly times: number; readonly out?: string };

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

const STAGES = Object.keys(COMMANDS) as Stage[];

/** @param realNodes asked for; without them every run of the end-to-end test would pass, for it would test nothing */
export function parseRepeat(argv: readonly string[], realNodes: boolean = areRealNodesAskedFor()): Wish {
  const command = script(
    'test:repeat',
    'Whether tests can be trusted: runs them again and again, says which runs failed.',
  )
    .addArgument(
      new Argument('[stage...]', 'what to run; all is everything that `npm test` runs')
        .choices(STAGES)
        .default(['e2e'] as Stage[]),
    )
    .option('--times <number>', 'how often', wholeNumber(1), 20)
    .option('--out <dir>', 'where the output of every run is kept; a new temporary folder by default')
    .parse(argv, { from: 'user' });
  const [stages] = command.processedArgs;
  if (stages.includes('e2e') && !realNodes)
    command.error(`error: e2e runs on real nodes, which nobody has asked for (${HOW_TO_ASK})`);
  return { stages, ...command.opts() };
}

export async function runStage(stage: Stage, time: number, dir: string): Promise<Run> {
  await mkdir(dir, { recursive: true });
  const log = join(dir, `${stage}-${time}.log`);
  const begun = performance.now();
  const [command, ...args] = COMMANDS[stage];
  const file = { file: log };
  const { exitCode } = await execa(command, args, { stdin: 'ignore', stdout: file, stderr: file, reject: false });
  return { stage, time, code: exitCode ?? null, seconds: (performance.now() - begun) / 1000, log };
}
