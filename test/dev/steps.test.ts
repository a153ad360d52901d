/** A runner of steps leaves nothing behind, however it ends. */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { inspectProcess } from '../../dev/lock.mjs';

const STEPS = join(import.meta.dirname, '../../dev/steps.ts');

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'steps-'));
});
afterEach(() => {
  const pid = Number(read('pid') ?? 0);
  if (pid > 0 && inspectProcess(pid) !== undefined) process.kill(pid, 'SIGKILL');
  rmSync(dir, { recursive: true });
});

/** A program of the steps that each of these scripts makes. */
function runner(...scripts: readonly string[]): readonly string[] {
  const steps = scripts.map((script, at) => ({
    name: `step ${at + 1}`,
    command: process.execPath,
    args: ['-e', script],
  }));
  const program = `import { runSteps } from '${STEPS}'; process.exitCode = await runSteps(${JSON.stringify(steps)});`;
  return ['--input-type=module', '-e', program];
}

const read = (file: string): string | null =>
  existsSync(join(dir, file)) ? readFileSync(join(dir, file), 'utf8') : null;

/** Waits until it has told its pid; ends 300 ms after it was asked to. */
const slow = () =>
  `const fs = require('node:fs');
  process.on('SIGTERM', () => setTimeout(() => { fs.writeFileSync('${dir}/ended', ''); process.exit(0); }, 300));
  setInterval(() => {}, 1000);
  fs.writeFileSync('${dir}/pid.new', String(process.pid));
  fs.renameSync('${dir}/pid.new', '${dir}/pid');`;

async function pidOfStep(): Promise<number> {
  await expect.poll(() => read('pid'), { timeout: 10_000 }).not.toBeNull();
  return Number(read('pid'));
}

test('the first step that fails is the last', async () => {
  const steps = runner('console.log("one")', 'process.exit(3)', 'console.log("three")');
  await expect(promisify(execFile)(process.execPath, steps)).rejects.toMatchObject({
    code: 3,
    stdout: expect.stringMatching(/── step 1\none\n── step 1 passed \(.* s\)\n── step 2\n$/),
    stderr: expect.stringMatching(/^── step 2 failed .*exit code 3/),
  });
});

test('a program that is not there is a step that fails, and is named', async () => {
  const program = `import { runSteps } from '${STEPS}';
    process.exitCode = await runSteps([{ name: 'x', command: 'no-such-program', args: [] }]);`;
  await expect(promisify(execFile)(process.execPath, ['--input-type=module', '-e', program])).rejects.toMatchObject({
    code: 1,
    stderr: expect.stringContaining('no-such-program'),
  });
});

test('a runner that is asked to end ends its step, waits for it, and begins no other', async () => {
  const child = spawn(process.execPath, runner(slow(), `require('node:fs').writeFileSync('${dir}/second', '')`));
  const pid = await pidOfStep();
  child.kill('SIGTERM');
  expect(await once(child, 'exit')).toEqual([143, null]);
  expect(read('ended')).toBe('');
  expect(inspectProcess(pid)).toBeUndefined();
  expect(read('second')).toBeNull();
});
