/** The checks of names and texts are tried on files that break them: a check that cannot fail holds nothing. */
import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checks } from '../../dev/check.ts';

const ROOT = join(import.meta.dirname, '../..');
const CONFIGURATION = ['.oxlintrc.json', 'dev/lint', '.gitignore', '.remarkrc.json', 'cspell.json', 'cspell-words.txt'];
let dir: string;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'leadergroup-checks-'));
  for (const file of CONFIGURATION) await cp(join(ROOT, file), join(dir, file), { recursive: true });
  await symlink(join(ROOT, 'node_modules'), join(dir, 'node_modules'));
});

afterAll(() => rm(dir, { recursive: true, force: true }));

/** What a check says of these files, and no others. Empty: nothing. */
async function warnings(name: string, files: Readonly<Record<string, string>>): Promise<string> {
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(dir, path)), { recursive: true });
    await writeFile(join(dir, path), content);
  }
  const said = await run(name);
  for (const path of Object.keys(files)) await rm(join(dir, path));
  return said;
}

function run(name: string): Promise<string> {
  const { command, args } = checks.find((check) => check.name === name) ?? { command: 'no such check', args: [] };
  const program = join(ROOT, 'node_modules/.bin', command);
  return new Promise((resolve) => {
    execFile(program, args, { cwd: dir }, (error, stdout, stderr) => resolve(error === null ? '' : stdout + stderr));
  });
}

describe('npm run check refuses', () => {
  it('a file whose name is not in kebab-case', async () => {
    expect(await warnings('lint', { 'dev/lockKeys.ts': 'export const a = 1;\n' })).toContain('filename-case');
  });

  it('a function of a module that is an arrow with a body', async () => {
    const files = { 'src/a.ts': 'export const one = (): number => {\n  return 1;\n};\n' };
    expect(await warnings('lint', files)).toContain('Declare one with function');
  });

  it('a function with five parameters, but for tests', async () => {
    const five =
      'export function sum(a: number, b: number, c: number, d: number, e: number): number {\n  return a + b + c + d + e;\n}\n';
    expect(await warnings('lint', { 'src/a.ts': five })).toContain('max-params');
    expect(await warnings('lint', { 'test/a.ts': five })).toBe('');
    expect(await warnings('lint', { 'src/a.ts': five.replace('e: number', '').replace(' + e', '') })).toBe('');
  });

  it.each([
    ['a page', { 'README.md': 'The leeder of a group.\n' }, 'leeder'],
    ['a comment', { 'src/a.ts': '/** The leeder of a group. */\nexport const a = 1;\n' }, 'leeder'],
    ['a manifest', { 'deploy/a.yaml': 'description: The leeder.\n' }, 'leeder'],
  ])('a misspelt word in %s', async (_, files, word) => {
    expect(await warnings('spelling', files)).toContain(word);
  });

  it.each([
    ['file', 'docs/none.md'],
    ['heading', 'docs/a.md#none'],
    ['heading of its own', '#none'],
  ])('a link to a %s that does not exist', async (_, target) => {
    expect(await warnings('links', { 'README.md': `# A\n\n[x](${target})\n`, 'docs/a.md': '# A\n' })).toContain('none');
  });
});

describe('npm run check refuses a mutant', () => {
  const FILE = 'src/election/promotion-answers.ts';
  const { args: [script = '', ...args] = [] } = checks.find(({ name }) => name === 'mutants') ?? {};

  /** Of the mutant that weakens this one line. */
  async function said(code: string): Promise<string> {
    await cp(join(ROOT, 'docs/mutants.md'), join(dir, 'docs/mutants.md'));
    await mkdir(join(dir, dirname(FILE)), { recursive: true });
    await writeFile(join(dir, FILE), code);
    const only = [join(ROOT, script), ...args, '--only', 'answer-too-old'];
    const ended = promisify(execFile)(process.execPath, only, { cwd: dir });
    const { stdout, stderr } = await ended.catch((error: { stdout: string; stderr: string }) => error);
    for (const file of [FILE, 'docs/mutants.md']) await rm(join(dir, file));
    return stdout + stderr;
  }

  it('that does not fit the code any more', async () => {
    const code = await readFile(join(ROOT, FILE), 'utf8');
    expect(await said(code)).toBe('1 of 1 mutants fit the code\n');
    expect(await said(code.replaceAll('ANSWER_MS', 'COUNTS_MS'))).toContain('answer-too-old: the patch does not fit');
  });
});

describe('npm run check passes', () => {
  it('correct names, words and links', async () => {
    const files = {
      'README.md': '# A\n\n[kubelet](docs/a.md#b-c), [here](#a)\n',
      'docs/a.md': '# B c\n',
      'dev/a-b.ts': 'export const a = 1;\n',
    };
    expect(await warnings('lint', files)).toBe('');
    expect(await warnings('spelling', files)).toBe('');
    expect(await warnings('links', files)).toBe('');
  });
});

describe('the arrows that npm run check lets be', () => {
  it.each([
    ['a single expression', 'export const twice = (n: number): number => n * 2;\n'],
    ['one that has a type of its own', 'export const f: (n: number) => number = (n) => {\n  return n;\n};\n'],
    [
      'one inside a function',
      'export function f(): () => number {\n  const g = (): number => {\n    return 1;\n  };\n  return g;\n}\n',
    ],
  ])('%s', async (_, content) => {
    expect(await warnings('lint', { 'src/a.ts': content })).not.toContain('function-declarations');
  });
});

describe('oxlint --fix', () => {
  it.each([
    ['const f = <T>(x: T): T => {\n  return x;\n};', 'function f<T>(x: T): T {\n  return x;\n}'],
    [
      'const f = async (g: () => void): Promise<() => void> => {\n  return g;\n};',
      'async function f(g: () => void): Promise<() => void> {\n  return g;\n}',
    ],
    ['const f = ({ a = () => 1 }) => {\n  return a;\n};', 'function f({ a = () => 1 }) {\n  return a;\n}'],
  ])('declares the function of %j', async (arrow, declaration) => {
    const file = join(dir, 'src/fixed.ts');
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, `export ${arrow}\n`);
    await promisify(execFile)(join(ROOT, 'node_modules/.bin/oxlint'), ['--fix', file], { cwd: dir }).catch(
      () => undefined,
    );
    expect(await readFile(file, 'utf8')).toBe(`export ${declaration}\n`);
    await rm(file);
  });
});
