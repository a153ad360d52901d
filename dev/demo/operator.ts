/** The operator as one more process of the demo's cluster, its log among the cluster's. It ends with the cluster, at the latest. */
import { join } from 'node:path';
import process from 'node:process';
import type { Cluster } from '../cluster/index.ts';
import { reservePort } from '../cluster/ports.ts';
import { endProcess, startProcess } from '../cluster/processes.ts';
import { waitUntilReady } from '../cluster/run.ts';

export type OperatorProcess = AsyncDisposable & { readonly url: string; readonly logPath: string };

const MAIN = join(import.meta.dirname, '../../src/main.ts');
const GRACE_MS = 10_000;

/**
 * Resolves when the operator says that it is ready, or without `waits` as soon as it runs; rejects with its last log lines when it ends before it is
 * ready.
 */
export async function startOperator(
  { dir, env, diagnosticsPort }: Pick<Cluster, 'dir' | 'env' | 'diagnosticsPort'>,
  signal: AbortSignal,
  { waits = true }: { readonly waits?: boolean } = {},
): Promise<OperatorProcess> {
  const address = `127.0.0.1:${await reservePort(dir)}`;
  const url = `http://${address}`;
  const logPath = join(dir, 'logs', 'operator.log');
  const running = await startProcess({
    root: dir,
    path: process.execPath,
    args: [MAIN],
    env: { ...env, LEADERGROUP_HTTP_ADDRESS: address, LEADERGROUP_DIAGNOSTICS_PORT: String(diagnosticsPort) },
    cwd: process.cwd(),
    logPath,
    pidPath: join(dir, 'pids', 'operator.json'),
  });
  const end = () => endProcess(running, GRACE_MS);
  const isReady = async () => (await fetch(`${url}/readyz`)).ok;
  try {
    if (waits) await waitUntilReady({ name: 'the operator', log: logPath, isReady }, { running, signal });
  } catch (error) {
    await end();
    throw error;
  }
  return { url, logPath, [Symbol.asyncDispose]: end };
}
