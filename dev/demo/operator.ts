/** The operator as a child process of the demo, its log in a file. */
import { spawn } from 'node:child_process';
import { openSync, readFileSync } from 'node:fs';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Environment } from './kubectl.ts';

export type OperatorProcess = AsyncDisposable & { readonly url: string; readonly logPath: string };

/** Resolves when the operator says that it is ready; rejects with its last log lines when it ends before. */
export async function startOperator(env: Environment, port: number, logPath: string): Promise<OperatorProcess> {
  const log = openSync(logPath, 'a');
  const child = spawn(process.execPath, ['src/main.ts'], {
    env: { ...env, LEADERGROUP_HTTP_ADDRESS: `127.0.0.1:${port}` },
    stdio: ['ignore', log, log],
    detached: true,
  });
  const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
  const url = `http://127.0.0.1:${port}`;
  const stop = async () => {
    child.kill('SIGTERM');
    await ended;
  };
  await ready(url, () => child.exitCode, logPath).catch(async (error: unknown) => {
    await stop();
    throw error;
  });
  return { url, logPath, [Symbol.asyncDispose]: stop };
}

async function ready(url: string, exitCode: () => number | null, logPath: string): Promise<void> {
  for (let tries = 0; tries < 300; tries += 1) {
    if (exitCode() !== null) break;
    const answer = await fetch(`${url}/readyz`).catch(() => null);
    if (answer?.ok === true) return;
    await sleep(100);
  }
  const lines = readFileSync(logPath, 'utf8').trim().split('\n').slice(-10);
  throw new Error(`the operator did not become ready; its last lines (${logPath}):\n${lines.join('\n')}`);
}
