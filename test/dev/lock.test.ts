import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { inspectProcess, isRunning, takeLock, thisProcess, tryLock } from '../../dev/lock.mjs';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'lock-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

describe('a known process', () => {
  test('runs while its pid belongs to the same start time', () => {
    expect(isRunning(thisProcess())).toBe(true);
  });

  test('does not run when its pid was given to another process', () => {
    expect(isRunning({ pid: process.pid, startTime: 'some other time' })).toBe(false);
  });

  test('does not run once it has ended', async () => {
    const child = spawn(process.execPath, ['-e', 'setTimeout(() => {}, 60_000)']);
    const known = { pid: child.pid as number, startTime: inspectProcess(child.pid as number)?.startTime ?? '' };
    expect(isRunning(known)).toBe(true);
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(isRunning(known)).toBe(false);
  });

  test.runIf(process.platform === 'linux')(
    'still runs when only its main thread has ended: its ports are taken',
    async () => {
      const script = [
        'import ctypes, threading, time',
        'threading.Thread(target=time.sleep, args=(60,)).start()',
        'ctypes.CDLL(None).pthread_exit(None)',
      ];
      const child = spawn('python3', ['-c', script.join('\n')]);
      const pid = child.pid as number;
      const known = { pid, startTime: inspectProcess(pid)?.startTime ?? '' };
      await expect.poll(() => readFileSync(`/proc/${pid}/stat`, 'utf8')).toContain(') Z ');
      expect(isRunning(known)).toBe(true);
      child.kill('SIGKILL');
      await once(child, 'exit');
      expect(isRunning(known)).toBe(false);
    },
  );

  test('still runs when it is stopped', async () => {
    const child = spawn(process.execPath, ['-e', 'setTimeout(() => {}, 60_000)']);
    child.kill('SIGSTOP');
    await expect.poll(() => inspectProcess(child.pid as number)?.stopped).toBe(true);
    child.kill('SIGKILL');
    await once(child, 'exit');
  });
});

describe('a lock', () => {
  test('is refused while a living process holds it, and names that process', () => {
    const file = join(dir, 'lock');
    const first = tryLock(file);
    expect(tryLock(file)).toEqual({ holder: thisProcess() });
    if ('release' in first) first.release();
    expect(tryLock(file)).toHaveProperty('release');
  });

  test('is taken from a dead process', () => {
    const file = join(dir, 'lock');
    writeFileSync(file, JSON.stringify({ pid: process.pid, startTime: 'an earlier life' }));
    expect(tryLock(file)).toHaveProperty('release');
  });

  test('is taken from one who left half a lock', () => {
    const file = join(dir, 'lock');
    writeFileSync(file, '{"pid":');
    expect(tryLock(file)).toHaveProperty('release');
  });

  test('creates the folder it lives in and leaves nothing behind', () => {
    const file = join(dir, 'a', 'b', 'lock');
    const lock = tryLock(file);
    if ('release' in lock) lock.release();
    expect(existsSync(file)).toBe(false);
  });

  test('waits for its holder, and says so once', async () => {
    const file = join(dir, 'lock');
    const first = tryLock(file);
    const told: number[] = [];
    const second = takeLock(file, { onWait: (pid) => told.push(pid) });
    await expect.poll(() => told).toEqual([process.pid]);
    if ('release' in first) first.release();
    (await second).release();
    expect(told).toHaveLength(1);
  });

  test('gives up waiting when aborted', async () => {
    const file = join(dir, 'lock');
    tryLock(file);
    await expect(takeLock(file, { signal: AbortSignal.timeout(20) })).rejects.toThrow();
  });
});
