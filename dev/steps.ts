/** Runs commands one after the other, each announced and timed, and stops at the first that fails. */
import { spawn } from 'node:child_process';
import process from 'node:process';

export type Step = { readonly name: string; readonly command: string; readonly args: readonly string[] };

/** Resolves with the exit code of the first step that failed, or 0. Output goes straight to the terminal. */
export async function runSteps(steps: readonly Step[]): Promise<number> {
  for (const step of steps) {
    const begun = performance.now();
    console.log(`── ${step.name}`);
    const code = await run(step);
    const seconds = ((performance.now() - begun) / 1000).toFixed(1);
    if (code !== 0) {
      console.error(
        `── ${step.name} failed (exit code ${code}, ${seconds} s): ${[step.command, ...step.args].join(' ')}`,
      );
      return code;
    }
    console.log(`── ${step.name} passed (${seconds} s)`);
  }
  return 0;
}

/** A terminal's ctrl-C reaches the child too; this process waits for it to clean up. */
function run({ command, args }: Step): Promise<number> {
  const ignore = () => undefined;
  process.on('SIGINT', ignore);
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: 'inherit' });
    child.once('error', reject);
    child.once('close', (code) => {
      process.off('SIGINT', ignore);
      resolve(code ?? 1);
    });
  });
}
