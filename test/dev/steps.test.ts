/** A runner of steps leaves nothing behind, however it ends. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { inspectProcess } from '../../dev/lock.mjs';
import type { Step, StepOptions } from '../../dev/steps.ts';
import vitestConfig from '../../vitest.config.ts';
import lastLinesReporter from '../kit/rig/last-lines.ts';

const STEPS = join(import.meta.dirname, '../../dev/steps.ts');
const VITEST = join(import.meta.dirname, '../../node_modules/vitest/vitest.mjs');
const REPORTER = join(import.meta.dirname, '../kit/rig/last-lines.ts');
const SOON = { timeout: 10_000 };

let dir: string;
const started: ChildProcess[] = [];

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'steps-'));
});
afterEach(() => {
  for (const child of started.splice(0)) child.kill('SIGKILL');
  for (const id of ['', '-beside']) {
    const pid = Number(read(`pid${id}`) ?? 0);
    if (pid > 0 && inspectProcess(pid) !== undefined) process.kill(pid, 'SIGKILL');
  }
  rmSync(dir, { recursive: true });
});

type Runner = {
  readonly kill: () => boolean;
  /** So far. */
  readonly said: () => { readonly stdout: string; readonly stderr: string };
  readonly ended: Promise<{ readonly code: number | null; readonly stdout: string; readonly stderr: string }>;
};

/** A program of these steps. */
function runnerOf(steps: readonly Step[], options: StepOptions = {}): Runner {
  const wanted = `${JSON.stringify(steps)}, ${JSON.stringify(options)}`;
  const program = `import { runSteps } from '${STEPS}'; process.exitCode = await runSteps(${wanted});`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], { stdio: ['ignore', 'pipe', 'pipe'] });
  started.push(child);
  const said = { stdout: '', stderr: '' };
  for (const stream of ['stdout', 'stderr'] as const)
    child[stream].on('data', (chunk: Buffer) => {
      said[stream] += chunk.toString();
    });
  return {
    kill: () => child.kill('SIGTERM'),
    said: () => said,
    ended: once(child, 'close').then(([code]) => ({ code, ...said })),
  };
}

const step = (name: string, script: string) => ({ name, command: process.execPath, args: ['-e', script] });

/** A program of the steps that each of these scripts makes. */
const runner = (...scripts: readonly string[]): Runner =>
  runnerOf(scripts.map((script, at) => step(`step ${at + 1}`, script)));

const read = (file: string): string | null =>
  existsSync(join(dir, file)) ? readFileSync(join(dir, file), 'utf8') : null;

/** Tells its pid and waits; ends 300 ms after it was asked to. */
const slow = (id = ''): string =>
  `const fs = require('node:fs');
  process.on('SIGTERM', () => setTimeout(() => { fs.writeFileSync('${dir}/ended${id}', ''); process.exit(0); }, 300));
  setInterval(() => {}, 1000);
  fs.writeFileSync('${dir}/pid${id}.new', String(process.pid));
  fs.renameSync('${dir}/pid${id}.new', '${dir}/pid${id}');`;

const writes = (file: string): string => `require('node:fs').writeFileSync('${dir}/${file}', '');`;

/** Ends with the code as soon as that file is there, or with its runner. */
const endsAt = (file: string, code = 0): string =>
  `const [{ existsSync }, parent] = [require('node:fs'), process.ppid];
  setInterval(() => (existsSync('${dir}/${file}') || process.ppid !== parent) && process.exit(${code}), 10);`;

async function pidOfStep(id = ''): Promise<number> {
  await expect.poll(() => read(`pid${id}`), SOON).not.toBeNull();
  return Number(read(`pid${id}`));
}

test('the first step that fails is the last', async () => {
  const { ended } = runner('console.log("one")', 'process.exit(3)', 'console.log("three")');
  const { code, stdout, stderr } = await ended;
  expect(code).toBe(3);
  expect(stdout).toMatch(/^── step 1\none\n── step 1 passed \(.* s\)\n── step 2\n$/);
  expect(stderr).toMatch(/^── step 2 failed .*exit code 3/);
});

test('a program that is not there is a step that fails, and is named', async () => {
  const { ended } = runnerOf([{ name: 'x', command: 'no-such-program', args: [] }]);
  expect(await ended).toMatchObject({ code: 1, stderr: expect.stringContaining('no-such-program') });
});

test.each([false, true])(
  'one that is asked to end ends its step, waits for it, and begins no other (goes on: %s)',
  async (goOn) => {
    const { kill, ended } = runnerOf([step('one', slow()), step('two', writes('second'))], { goOn });
    const pid = await pidOfStep();
    kill();
    expect((await ended).code).toBe(143);
    expect(read('ended')).toBe('');
    expect(inspectProcess(pid)).toBeUndefined();
    expect(read('second')).toBeNull();
  },
);

test('one that goes on runs what comes after a failure, says at last what failed, and ends as the first that did', async () => {
  const steps = [step('one', 'process.exit(3)'), step('two', 'console.log("2")'), step('three', 'process.exit(4)')];
  const { code, stdout, stderr } = await runnerOf(steps, { goOn: true }).ended;
  expect(code).toBe(3);
  expect(stdout).toContain('\n2\n── two passed');
  expect(stderr).toMatch(/── one failed[^]*── three failed[^]*\n── failed: one, three\n$/);
});

/** Says what failed in it, prints more than anybody keeps, and fails. */
const fails = (failures: string): string =>
  `require('node:fs').writeFileSync(process.env.STEP_FAILURES_FILE, '${failures}');
  for (let line = 0; line < 500; line += 1) console.log('line', line);
  process.exitCode = 1;`;

test('one that goes on ends with what the failed ones say that failed in them, each under its name', async () => {
  const steps = [
    { ...step('one', fails('1 failed:\\n  x')), beside: step('beside', fails('2 failed:\\n  y')) },
    step('two', fails('1 failed:\\n  z')),
    step('silent', 'process.exit(1)'),
    step('well', `${fails('nothing')} process.exitCode = 0;`),
  ];
  const { stderr } = await runnerOf(steps, { goOn: true }).ended;
  const said = ['── of one, 1 failed:\n  x', '── of beside, 2 failed:\n  y', '── of two, 1 failed:\n  z'];
  const end = [...said, '── failed: one, beside, two, silent', ''].join('\n');
  expect(stderr.slice(-end.length)).toBe(end);
});

test('of tests that failed the names and the first lines of their errors are told at the end, also of those run beside', async () => {
  for (const name of ['one', 'beside'])
    writeFileSync(join(dir, `${name}.test.js`), `test('rule of ${name}', () => expect('is ${name}').toBe('other'));`);
  const options = `{ globals: true, reporters: ['default', reporter] }`;
  const config = `import reporter from '${REPORTER}'; export default { test: ${options} };`;
  writeFileSync(join(dir, 'vitest.config.js'), config);
  const tests = (name: string): Step => ({
    name,
    command: process.execPath,
    args: [VITEST, 'run', '--root', dir, `${name}.test.js`],
  });
  const steps = [{ ...tests('one'), beside: tests('beside') }, step('two', '')];
  const { code, stderr } = await runnerOf(steps, { goOn: true }).ended;
  expect(code).toBe(1);
  const of = (name: string): string => `── of ${name}, 1 failed:
  ${name}.test.js > rule of ${name}
    expected 'is ${name}' to be 'other' // Object.is equality
`;
  expect(stderr).toContain('── of');
  expect(stderr.slice(stderr.indexOf('── of'))).toBe(`${of('one')}${of('beside')}── failed: one, beside\n`);
});

test("every run of this project's tests has the reporter that says what failed", () => {
  expect(vitestConfig.test?.reporters).toContain(lastLinesReporter);
});

describe('of two steps side by side', () => {
  const sideBySide = (first: string, second: string): readonly Step[] => [
    { ...step('first', first), beside: step('second', second) },
  ];

  test('each runs while the other does', async () => {
    const steps = sideBySide(`${writes('one')} ${endsAt('two')}`, `${writes('two')} ${endsAt('one')}`);
    expect((await runnerOf(steps).ended).code).toBe(0);
  });

  test('the output of the second follows when both have ended, also where it ends first', async () => {
    const second = `console.log('from second'); console.error('error of second');`;
    const { said, ended } = runnerOf(sideBySide(`console.log('from first'); ${endsAt('enough')}`, second));
    await expect
      .poll(() => said().stdout, SOON)
      .toMatch(/from first[^]*── second passed|── second passed[^]*from first/);
    expect(said().stdout).not.toContain('from second');
    writeFileSync(join(dir, 'enough'), '');
    const { code, stdout } = await ended;
    expect(code).toBe(0);
    expect(stdout).toMatch(/── first passed .*\n── output of second\nfrom second\nerror of second\n$/);
  });

  test('the second says again and again that it still runs, once the first has ended', async () => {
    const { said, ended } = runnerOf(sideBySide('', endsAt('enough')), { tellEveryMs: 20 });
    const twice = /── first passed .*\n(── second still runs \([\d.]+ s\)\n){2}/;
    await expect.poll(() => said().stdout, SOON).toMatch(twice);
    writeFileSync(join(dir, 'enough'), '');
    expect((await ended).code).toBe(0);
  });

  test.each([
    ['the first', 3, 0],
    ['the second', 0, 4],
  ])('the other runs to its end when one fails: %s', async (_, first, second) => {
    const script = (name: string, code: number): string =>
      `console.log('from ${name}'); ${code === 0 ? endsAt('enough') : `process.exit(${code});`}`;
    const { said, ended } = runnerOf(sideBySide(script('first', first), script('second', second)));
    await expect.poll(() => said().stderr, SOON).toContain(' failed ');
    writeFileSync(join(dir, 'enough'), '');
    const { code, stdout } = await ended;
    expect(code).toBe(first + second);
    expect(stdout).toContain(` ${first === 0 ? 'first' : 'second'} passed `);
    expect(stdout).toMatch(/from first\n[^]*from second\n$/);
  });

  test('the first gives the exit code where both fail', async () => {
    const { said, ended } = runnerOf(sideBySide(endsAt('enough', 3), 'process.exit(4)'));
    await expect.poll(() => said().stderr, SOON).toContain('second failed');
    writeFileSync(join(dir, 'enough'), '');
    expect((await ended).code).toBe(3);
  });

  test('nothing begins after a failure of the second', async () => {
    const steps = [...sideBySide('', 'process.exit(4)'), step('third', writes('third'))];
    expect((await runnerOf(steps).ended).code).toBe(4);
    expect(read('third')).toBeNull();
  });

  test('both are asked to end with the runner, which waits for them and shows what it has kept', async () => {
    const second = `console.log('from second'); ${slow('-beside')}`;
    const { kill, ended } = runnerOf([...sideBySide(slow(), second), step('third', writes('third'))]);
    const pids = [await pidOfStep(), await pidOfStep('-beside')];
    kill();
    const { code, stdout } = await ended;
    expect(code).toBe(143);
    expect([read('ended'), read('ended-beside'), read('third')]).toEqual(['', '', null]);
    expect(pids.map(inspectProcess)).toEqual([undefined, undefined]);
    expect(stdout).toMatch(/── output of second\nfrom second\n$/);
  });
});
