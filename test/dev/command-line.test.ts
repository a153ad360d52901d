/** Every npm script of ours says what it can do, and refuses what it cannot; neither starts anything. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import manifest from '../../package.json' with { type: 'json' };

const ROOT = join(import.meta.dirname, '../..');

/** Script and flags: none may be lost. */
const FLAGS: Readonly<Record<string, readonly string[]>> = {
  bench: ['--groups', '--members', '--namespaces', '--large', '--smoke', '--short', '--beside', '--json', '--svg'],
  'bench:claims': ['--smoke'],
  'bench:gate': [],
  'bench:others': [],
  bundle: ['--image', '--out'],
  check: [],
  cluster: ['--dir', '--consul-acl', '--consul-servers', '--node', '--real-nodes', '--proxy-period'],
  demo: ['--exit'],
  executables: ['--platform', '--node', '--out'],
  fix: [],
  generate: ['--check'],
  images: ['--out'],
  krew: ['--archives', '--url', '--homepage', '--out'],
  manifests: ['--image', '--out'],
  moves: ['--times'],
  pictures: [],
  pin: ['--out'],
  sbom: ['--out'],
  drill: ['--fault', '--answers'],
  test: ['--quick', '--real-nodes'],
  'test:consul': ['--version'],
  'test:exploration': ['--depth'],
  'test:faults': ['--minutes', '--seed', '--keep'],
  'test:mutants': ['--only', '--killer', '--list', '--write'],
  'test:repeat': ['--times', '--out', 'unit', 'integration', 'e2e', 'all'],
  'test:simulation': ['--histories', '--seed', '--state'],
  'test:upgrade': ['--from'],
};

const scripts = Object.entries(manifest.scripts).flatMap(([name, line]) => {
  const file = /node (dev\/[\w-]+\.ts)$/.exec(line)?.[1];
  return file === undefined ? [] : [[name, file] as const];
});

async function run(file: string, ...args: readonly string[]): Promise<{ code: unknown; said: string }> {
  try {
    const { stdout, stderr } = await promisify(execFile)(process.execPath, [file, ...args], { cwd: ROOT });
    return { code: 0, said: stdout + stderr };
  } catch (error) {
    const { code, stdout, stderr } = error as { code: unknown; stdout: string; stderr: string };
    return { code, said: stdout + stderr };
  }
}

test('the flags of every script are known here', () => {
  expect(scripts.map(([name]) => name).toSorted()).toEqual(Object.keys(FLAGS).toSorted());
});

/** What a script does not begin without. */
const NEEDED: Readonly<Record<string, readonly string[]>> = {
  bundle: ['--image', 'a', '--out', 'b'],
  krew: ['--archives', 'a', '--url', 'b', '--homepage', 'c'],
  manifests: ['--image', 'a'],
  'test:consul': ['--version', '1.19.2'],
  'test:upgrade': ['--from', 'HEAD'],
};

test.each(scripts)('npm run %s -- --help has all of its flags', async (name, file) => {
  const { code, said } = await run(file, '--help');
  expect(code).toBe(0);
  expect(said).toContain(`Usage: npm run ${name} --`);
  for (const flag of FLAGS[name] ?? []) expect(said).toContain(flag);
});

test.each(scripts)('npm run %s -- --no-such-flag is refused, and told where the flags are', async (name, file) => {
  const { code, said } = await run(file, '--no-such-flag', ...(NEEDED[name] ?? []));
  expect(said).toBe(`error: unknown option '--no-such-flag'\n\`npm run ${name} -- --help\` says what there is.\n`);
  expect(code).toBe(2);
});

/** A script that fails once its command line is read. */
async function failing(error: string): Promise<{ code: unknown; said: string }> {
  const from = (file: string): string => JSON.stringify(join(ROOT, 'dev', file));
  const program = `import { script } from ${from('command-line.ts')}; import { ToolError } from ${from('tools/failures.ts')};
    script('demo', 'A demo.').parse([], { from: 'user' });
    await Promise.resolve();
    throw ${error};`;
  return await run('--input-type=module', '-e', program);
}

test('what is meant for a person is all that a script says that fails by it', async () => {
  expect(await failing(`new ToolError('Go is needed: install it.')`)).toEqual({
    code: 1,
    said: 'Go is needed: install it.\n',
  });
});

test('of any other error the stack is shown', async () => {
  const { code, said } = await failing(`new TypeError('x is not a function')`);
  expect(code).toBe(1);
  expect(said).toMatch(/^TypeError: x is not a function\n {4}at /);
});
