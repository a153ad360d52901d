/** Runs commands, each announced and timed: one after the other, or two side by side. */
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

type Ended = { readonly name: string; readonly exitCode: number; readonly printed: string };

/**
 * Resolves with the exit code of the first step that failed, in the order in which they are given, or 0. Output goes straight to the terminal.
 * When this process is asked to end, the steps that run are asked, too, and waited for, and no other begins.
 */
export async function runSteps(steps: readonly Step[], options: StepOptions = {}): Promise<number> {
  const { goOn = false, tellEveryMs = 60_000 } = options;
  using interrupted = interruption();
  const { signal } = interrupted;
  const failed: Ended[] = [];
  for (const step of steps) {
    const ended = await runStep(step, signal, tellEveryMs);
    failed.push(...ended.filter(({ exitCode }) => exitCode !== 0));
    if (signal.aborted || (failed.length > 0 && !goOn)) break;
  }
  // What they have printed may be far above.
  if (failed.length > 0 && goOn) console.error(`── failed: ${failed.map(({ name }) => name).join(', ')}`);
  return failed[0]?.exitCode ?? exitCodeOf(signal);
}

const exitCodeOf = ({ reason }: AbortSignal): number => (reason instanceof Interrupted ? reason.exitCode : 0);

async function runStep(step: Step, signal: AbortSignal, tellEveryMs: number): Promise<readonly Ended[]> {
  const { beside } = step;
  if (beside === undefined) {
    console.log(`── ${step.name}`);
    return [await run(step, signal, 'inherit')];
  }
  console.log(`── ${step.name}; ${beside.name} at the same time, whose output follows when both have ended`);
  const [begunMs, running] = [performance.now(), run(beside, signal, 'pipe')];
  const first = await run(step, signal, 'inherit');
  const telling = setInterval(
    () => console.log(`── ${beside.name} still runs (${secondsSince(begunMs)} s)`),
    tellEveryMs,
  );
  const second = await running.finally(() => clearInterval(telling));
  console.log(`── output of ${beside.name}`);
  process.stdout.write(second.printed);
  return [first, second];
}

/** A terminal's ctrl-C reaches the child too; what else asks this process to end is passed on. Then the child is waited for. */
async function run({ name, command, args }: Command, signal: AbortSignal, output: 'inherit' | 'pipe'): Promise<Ended> {
  const begunMs = performance.now();
  const stdio = output === 'inherit' ? output : (['ignore', output, output] as const);
  const options = { all: true, stripFinalNewline: false, reject: false, forceKillAfterDelay: false } as const;
  const child = execa(command, args, { ...options, stdio });
  const pass = () => signal.reason.by === 'SIGINT' || child.kill(signal.reason.by);
  signal.addEventListener('abort', pass, { once: true });
  const { failed, exitCode = 1, shortMessage, all } = await child;
  signal.removeEventListener('abort', pass);
  const took = `(${secondsSince(begunMs)} s)`;
  if (failed) console.error(`── ${name} failed ${took}: ${shortMessage}`);
  else console.log(`── ${name} passed ${took}`);
  return { name, exitCode: failed ? exitCode : 0, printed: all ?? '' };
}

const secondsSince = (begunMs: number): string => ((performance.now() - begunMs) / 1000).toFixed(1);
