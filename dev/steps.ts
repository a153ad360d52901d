/** Runs commands, each announced and timed: one after the other, or two side by side. */
import { randomUUID } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { execa } from 'execa';
import { Interrupted, interruption } from './interruption.ts';

type Command = { readonly name: string; readonly command: string; readonly args: readonly string[] };

export type Step = Command & {
  /** Runs at the same time, and what it prints is kept until both have ended. Each runs to its end, whatever becomes of the other. */
  readonly beside?: Command;
};

export type StepOptions = {
  /** The steps after one that failed run all the same, and the last line says which failed. Default: false. */
  readonly goOn?: boolean;
  /** How often a step whose output is kept says that it still runs, once nothing else is to be seen. Default: 60,000. */
  readonly tellEveryMs?: number;
};

/** The environment variable with the file into which a command may write, in few lines, what failed in it: what it prints may be far above at the end. */
export const FAILURES_FILE = 'STEP_FAILURES_FILE';

type Ended = {
  readonly name: string;
  readonly exitCode: number;
  readonly printed: string;
  /** What it says that failed; empty where it says nothing. */
  readonly failures: string;
};

type Run = { readonly signal: AbortSignal; readonly dir: string; readonly tellEveryMs: number };

/**
 * Resolves with the exit code of the first step that failed, in the order in which they are given, or 0. Output goes straight to the terminal.
 * When this process is asked to end, the steps that run are asked, too, and waited for, and no other begins.
 */
export async function runSteps(steps: readonly Step[], options: StepOptions = {}): Promise<number> {
  const { goOn = false, tellEveryMs = 60_000 } = options;
  using interrupted = interruption();
  const { signal } = interrupted;
  const dir = await mkdtemp(join(tmpdir(), 'leadergroup-steps-'));
  try {
    const failed = await failedOf(steps, goOn, { signal, dir, tellEveryMs });
    // Else it is what was printed last.
    const isFarAbove = goOn || steps.some(({ beside }) => beside !== undefined);
    if (isFarAbove) for (const line of lastLines(failed)) console.error(line);
    return failed[0]?.exitCode ?? exitCodeOf(signal);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

async function failedOf(steps: readonly Step[], goOn: boolean, of: Run): Promise<readonly Ended[]> {
  const failed: Ended[] = [];
  for (const step of steps) {
    const ended = await runStep(step, of);
    failed.push(...ended.filter(({ exitCode }) => exitCode !== 0));
    if (of.signal.aborted || (failed.length > 0 && !goOn)) break;
  }
  return failed;
}

const lastLines = (failed: readonly Ended[]): readonly string[] => [
  ...failed.flatMap(({ name, failures }) => (failures === '' ? [] : [`── of ${name}, ${failures.trimEnd()}`])),
  ...(failed.length === 0 ? [] : [`── failed: ${failed.map(({ name }) => name).join(', ')}`]),
];

const exitCodeOf = ({ reason }: AbortSignal): number => (reason instanceof Interrupted ? reason.exitCode : 0);

async function runStep(step: Step, of: Run): Promise<readonly Ended[]> {
  const { beside } = step;
  if (beside === undefined) {
    console.log(`── ${step.name}`);
    return [await run(step, of, 'inherit')];
  }
  console.log(`── ${step.name}; ${beside.name} at the same time, whose output follows when both have ended`);
  const [begunMs, running] = [performance.now(), run(beside, of, 'pipe')];
  const first = await run(step, of, 'inherit');
  const telling = setInterval(
    () => console.log(`── ${beside.name} still runs (${secondsSince(begunMs)} s)`),
    of.tellEveryMs,
  );
  const second = await running.finally(() => clearInterval(telling));
  console.log(`── output of ${beside.name}`);
  process.stdout.write(second.printed);
  return [first, second];
}

/** A terminal's ctrl-C reaches the child too; what else asks this process to end is passed on. Then the child is waited for. */
async function run({ name, command, args }: Command, of: Run, output: 'inherit' | 'pipe'): Promise<Ended> {
  const { signal, dir } = of;
  const failuresFile = join(dir, randomUUID());
  const begunMs = performance.now();
  const stdio = output === 'inherit' ? output : (['ignore', output, output] as const);
  const options = { all: true, stripFinalNewline: false, reject: false, forceKillAfterDelay: false } as const;
  const child = execa(command, args, { ...options, stdio, env: { [FAILURES_FILE]: failuresFile } });
  const pass = () => signal.reason.by === 'SIGINT' || child.kill(signal.reason.by);
  signal.addEventListener('abort', pass, { once: true });
  const { failed, exitCode = 1, shortMessage, all } = await child;
  signal.removeEventListener('abort', pass);
  const took = `(${secondsSince(begunMs)} s)`;
  if (failed) console.error(`── ${name} failed ${took}: ${shortMessage}`);
  else console.log(`── ${name} passed ${took}`);
  const failures = await readFile(failuresFile, 'utf8').catch(() => '');
  return { name, exitCode: failed ? exitCode : 0, printed: all ?? '', failures };
}

const secondsSince = (begunMs: number): string => ((performance.now() - begunMs) / 1000).toFixed(1);
