/** Runs commands one after the other, each announced and timed, and stops at the first that fails. */
import { execa } from 'execa';
import { Interrupted, interruption } from './interruption.ts';

export type Step = { readonly name: string; readonly command: string; readonly args: readonly string[] };

/** Resolves with the exit code of the first step that failed, or 0. Output goes straight to the terminal. */
export async function runSteps(steps: readonly Step[]): Promise<number> {
  using interrupted = interruption();
  for (const step of steps) {
    const begun = performance.now();
    console.log(`── ${step.name}`);
    const { failed, exitCode = 1, shortMessage } = await run(step, interrupted.signal);
    const seconds = ((performance.now() - begun) / 1000).toFixed(1);
    if (failed) {
      console.error(`── ${step.name} failed (${seconds} s): ${shortMessage}`);
      return exitCode;
    }
    console.log(`── ${step.name} passed (${seconds} s)`);
    if (interrupted.signal.reason instanceof Interrupted) return interrupted.signal.reason.exitCode;
  }
  return 0;
}

/** A terminal's ctrl-C reaches the child too; what else asks this process to end is passed on. Then the child is waited for. */
async function run({ command, args }: Step, signal: AbortSignal) {
  const child = execa(command, args, { stdio: 'inherit', reject: false, forceKillAfterDelay: false });
  const pass = () => signal.reason.by === 'SIGINT' || child.kill(signal.reason.by);
  signal.addEventListener('abort', pass, { once: true });
  return await child.finally(() => signal.removeEventListener('abort', pass));
}
