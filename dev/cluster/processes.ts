/**
 * Components as processes: started so that they outlive us, recorded so that others find them, ended whatever state they are
 * in. A record holds the start time beside the pid, so a reused pid is never signalled.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, open, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { inspectProcess, isRunning, type KnownProcess } from '../lock.mjs';
import { ClusterError } from './errors.ts';

/**
 * In the environment of every component, with the cluster's folder; finds those whose starter was killed before it could record
 * them. Whatever else carries it ends with the cluster, too: an operator, which refuses variables like its own.
 */
export const MARK = 'DEVELOPMENT_CLUSTER_DIR';
const POLL_MS = 10;

export interface StartOptions {
  readonly root: string;
  readonly path: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  readonly logPath: string;
  readonly pidPath: string;
}

/** Starts a program in a session of its own, so that a terminal's ctrl-C does not reach it, and records it. */
export async function startProcess(options: StartOptions): Promise<KnownProcess> {
  await mkdir(dirname(options.pidPath), { recursive: true });
  await mkdir(dirname(options.logPath), { recursive: true });
  await mkdir(options.cwd, { recursive: true });
  await using log = await open(options.logPath, 'a');
  const child = spawn(options.path, options.args, {
    cwd: options.cwd,
    env: { ...plainEnvironment(), ...options.env, [MARK]: options.root },
    detached: true,
    stdio: ['ignore', log.fd, log.fd],
  });
  await once(child, 'spawn');
  child.unref();
  const pid = child.pid as number;
  const known = { pid, startTime: inspectProcess(pid)?.startTime ?? '' };
  await writeRecord(options.pidPath, known);
  return known;
}

/** Not our whole environment: etcd, kwok and Go read settings from theirs, and nobody means the cluster by those. */
function plainEnvironment(): Readonly<Record<string, string>> {
  const kept = ['HOME', 'PATH', 'TMPDIR'].map((name) => [name, process.env[name]] as const);
  return Object.fromEntries(kept.filter(([, value]) => value !== undefined)) as Record<string, string>;
}

/** The recorded process if it still runs (frozen or not), else undefined. */
export function recordedProcess(pidPath: string): KnownProcess | undefined {
  if (!existsSync(pidPath)) return undefined;
  const known = JSON.parse(readFileSync(pidPath, 'utf8')) as KnownProcess;
  return isRunning(known) ? known : undefined;
}

/** Sends a signal to that very process. Returns false if it runs no more. */
export function signalProcess(known: KnownProcess, signal: NodeJS.Signals): boolean {
  if (!isRunning(known)) return false;
  try {
    return process.kill(known.pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
    throw error;
  }
}

/**
 * Ends a process: asks it, also a frozen one, and kills it if it has not ended after the grace. Returns when it is gone.
 *
 * @param graceMs 0 kills at once
 */
export async function endProcess(known: KnownProcess, graceMs: number): Promise<void> {
  if (graceMs > 0) {
    signalProcess(known, 'SIGTERM');
    signalProcess(known, 'SIGCONT');
    if (await isGone(known, graceMs)) return;
  }
  signalProcess(known, 'SIGKILL');
  if (!(await isGone(known, 5_000))) {
    throw new ClusterError(
      `Process ${known.pid} does not end, not even killed: it hangs in the kernel, most likely on a disk.`,
    );
  }
}

/** Whether a process is stopped by SIGSTOP. */
export function isFrozen(known: KnownProcess): boolean {
  const now = inspectProcess(known.pid);
  return now?.startTime === known.startTime && now.stopped;
}

/**
 * All running components of the cluster in `root`, recorded or not, found by their environment. Empty where the system does
 * not show environments (anything but Linux).
 */
export async function markedProcesses(root: string): Promise<readonly KnownProcess[]> {
  const entries = await readdir('/proc').catch(() => []);
  const pids = entries.filter((name) => /^\d+$/.test(name));
  const marked = await Promise.all(pids.map(async (pid) => ((await hasMark(pid, root)) ? Number(pid) : undefined)));
  return marked.flatMap((pid) => {
    const found = pid === undefined ? undefined : inspectProcess(pid);
    return pid === undefined || found === undefined ? [] : [{ pid, startTime: found.startTime }];
  });
}

async function hasMark(pid: string, root: string): Promise<boolean> {
  const environment = await readFile(`/proc/${pid}/environ`, 'utf8').catch(() => '');
  return environment.split('\0').includes(`${MARK}=${root}`);
}

async function writeRecord(path: string, known: KnownProcess): Promise<void> {
  await writeFile(`${path}.new`, JSON.stringify(known));
  await rename(`${path}.new`, path);
}

async function isGone(known: KnownProcess, timeoutMs: number): Promise<boolean> {
  const deadline = performance.now() + timeoutMs;
  while (isRunning(known)) {
    if (performance.now() > deadline) return false;
    await delay(POLL_MS);
  }
  return true;
}
