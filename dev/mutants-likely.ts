/** Which tests are likely to notice a mutant that was never run: all of them take minutes. */
import { existsSync, globSync } from 'node:fs';
import { basename } from 'node:path';
import { execa } from 'execa';
import type { Mutant } from '../test/mutants/patches.ts';

const TESTS = /^test\/(?:unit|properties)\/.*\.test\.ts$/;
const MOST = 6;

/** The tests named as the files that it changes, and those of the commit that it came with, where git knows it. */
export async function likelyToKill({ patch, files }: Mutant): Promise<readonly string[]> {
  const names = files.map((file) => basename(file, '.ts'));
  const all = globSync('test/{unit,properties}/**/*.test.ts');
  const named = all.filter((file) => names.includes(basename(file, '.test.ts')));
  const commit = await git('log', '--diff-filter=A', '--format=%h', '-1', '--', patch);
  const changed = commit === '' ? '' : await git('show', '--name-only', '--format=', commit);
  const came = changed.split('\n').filter((file) => TESTS.test(file) && existsSync(file));
  return [...new Set([...named, ...came])].slice(0, MOST);
}

/** Empty where it fails. */
async function git(...args: readonly string[]): Promise<string> {
  const { exitCode, stdout } = await execa('git', args, { reject: false });
  return exitCode === 0 ? stdout.trim() : '';
}
