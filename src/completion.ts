/** What completion needs of this machine: kubectl itself, and no Kubernetes client. */
import { execFile } from 'node:child_process';
import process from 'node:process';
import { promisify } from 'node:util';
import { complete } from './cli/complete.ts';

const TIMEOUT_MS = 3_000;

/** Prints what may follow on the command line of this process. */
export async function runCompletion(): Promise<void> {
  const lines = await complete(process.argv.slice(2), async (args) => {
    try {
      return (await promisify(execFile)('kubectl', [...args], { timeout: TIMEOUT_MS })).stdout;
    } catch {
      return '';
    }
  });
  process.stdout.write(`${lines.join('\n')}\n`);
}
