/**
 * Who a process is, and locks held by processes.
 *
 * Plain JavaScript, because bootstrap.mjs needs it on whatever Node the machine has. A process is known by its pid AND the
 * time it started: a pid alone is reused, and whoever signals a reused one hits somebody else.
 */
import { execFileSync } from 'node:child_process';
import { linkSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

/**
 * What the system says about a process now, or undefined if there is none. A zombie counts as none: it runs no more. One whose main thread
 * has ended is shown as a zombie, too, but has its ports and files until its last thread has ended: it still runs.
 *
 * @param {number} pid
 * @returns {{ startTime: string, stopped: boolean } | undefined}
 */
export function inspectProcess(pid) {
  const found = process.platform === 'linux' ? inspectProc(pid) : inspectPs(pid);
  return found === undefined || found.state.startsWith('Z') || found.state.startsWith('X')
    ? undefined
    : { startTime: found.startTime, stopped: found.state.startsWith('T') };
}

/**
 * This process, in the form that locks and pid files keep.
 *
 * @returns {{ pid: number, startTime: string }}
 */
export function thisProcess() {
  return { pid: process.pid, startTime: inspectProcess(process.pid)?.startTime ?? '' };
}

/**
 * Whether the very process that was recorded still runs (a stopped one does).
 *
 * @param {{ pid: number, startTime: string }} known
 * @returns {boolean}
 */
export function isRunning(known) {
  return inspectProcess(known.pid)?.startTime === known.startTime;
}

/**
 * Takes the lock if it is free, and breaks one whose holder is dead. The file appears with its content in one step (a hard
 * link), so nobody ever reads half a lock.
 *
 * @param {string} file where the lock lives; its folder is created
 * @returns {{ release: () => void, [Symbol.dispose]: () => void } | { holder: { pid: number, startTime: string } }} the lock, or who has it
 */
export function tryLock(file) {
  mkdirSync(dirname(file), { recursive: true });
  const own = thisProcess();
  const draft = `${file}.${own.pid}`;
  for (;;) {
    writeFileSync(draft, JSON.stringify(own));
    try {
      linkSync(draft, file);
      const release = () => rmSync(file, { force: true });
      return { release, [Symbol.dispose]: release };
    } catch (error) {
      if (/** @type {NodeJS.ErrnoException} */ (error).code !== 'EEXIST') throw error;
    } finally {
      rmSync(draft, { force: true });
    }
    const holder = readHolder(file);
    if (holder !== undefined && isRunning(holder)) return { holder };
    breakLock(file, holder);
  }
}

/**
 * Takes the lock, waiting while a living process has it.
 *
 * @param {string} file
 * @param {{ signal?: AbortSignal | undefined, onWait?: (pid: number) => void }} [options] onWait is told once whom it waits for
 * @returns {Promise<{ release: () => void, [Symbol.dispose]: () => void }>} rejects with the signal's reason when aborted
 */
export async function takeLock(file, { signal, onWait } = {}) {
  for (let told = false; ; told = true) {
    signal?.throwIfAborted();
    const taken = tryLock(file);
    if ('release' in taken) return taken;
    if (!told) onWait?.(taken.holder.pid);
    await delay(200, undefined, { signal });
  }
}

/** @param {string} file */
function readHolder(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return undefined;
  }
}

/**
 * Removes a dead process's lock. Between the look and the removal somebody else may have done so and taken the lock: what
 * was moved away is looked at again, and a living lock is put back.
 *
 * @param {string} file
 * @param {{ pid: number, startTime: string } | undefined} dead
 */
function breakLock(file, dead) {
  const aside = `${file}.${process.pid}.stale`;
  try {
    renameSync(file, aside);
    const moved = readHolder(aside);
    if (moved !== undefined && moved.startTime !== dead?.startTime && isRunning(moved)) linkSync(aside, file);
  } catch (error) {
    const code = /** @type {NodeJS.ErrnoException} */ (error).code;
    if (code !== 'ENOENT' && code !== 'EEXIST') throw error;
  } finally {
    rmSync(aside, { force: true });
  }
}

/** @param {number} pid */
function inspectProc(pid) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name in parentheses may hold anything; state and start time are the 1st and 20th field after it.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const ending = fields[0] === 'Z' && readdirSync(`/proc/${pid}/task`).length > 1;
    return { state: ending ? 'ending' : (fields[0] ?? ''), startTime: `${bootId()}/${fields[19]}` };
  } catch {
    return undefined;
  }
}

/** Start times count from the boot, so a record must not outlive it. */
function bootId() {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
}

/** @param {number} pid */
function inspectPs(pid) {
  try {
    const line = execFileSync('ps', ['-o', 'state=,lstart=', '-p', String(pid)], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim();
    const [state = '', ...started] = line.split(/\s+/);
    return line === '' ? undefined : { state, startTime: started.join(' ') };
  } catch {
    return undefined;
  }
}
