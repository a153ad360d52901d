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
