/**
 * Every block of shell commands in README and docs says above itself which test runs it, or why none does: `<!-- run by: test/… -->` or
 * `<!-- not run: why -->`. Whatever it is, a shell can read it, and the files and scripts that it names are there.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import manifest from '../../package.json' with { type: 'json' };
import { blocksOf, documentedBlocks, type Said, saidBy } from '../kit/rig/documented.ts';

const ROOT = join(import.meta.dirname, '../..');
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');
/** A test that runs a page's commands reads them from the page, or all that name it from all pages, so that it runs what is printed. */
const runs = (test: string, page: string): boolean =>
  existsSync(join(ROOT, test)) && (read(test).includes(page) || read(test).includes(`blocksRunBy('${test}')`));

const blocks = documentedBlocks();
const named = blocks.map((block) => [block.at, block] as const);

describe('a block of commands', () => {
  it('stands in many pages', () => {
    expect(blocks.length).toBeGreaterThan(30);
  });

  it.each(named)('says which test runs it, or why none does: %s', (_, block) => {
    const said = saidBy(block);
    expect(said).not.toBeNull();
    if (said !== null && 'runBy' in said) expect(runs(said.runBy, 'docs/install.md')).toBe(true);
  });

  it.each(named.filter(([, { text }]) => !/^[*\d/,-]+ [*\d/,-]+ [*\d/,-]+ /m.test(text)))(
    'can be read by a shell: %s',
    (_, { text }) => {
      expect(spawnSync('bash', ['-n'], { input: text, encoding: 'utf8' })).toMatchObject({ status: 0, stderr: '' });
    },
  );

  it.each(named)('names files and scripts that are there: %s', (_, { text }) => {
    const files = [...text.matchAll(/(?<![\w./$-])(?:deploy|examples|crds|dev|docs)\/[\w./-]*/g)].map(([path]) => path);
    expect(files.filter((path) => !existsSync(join(ROOT, path)))).toEqual([]);
    const scripts = [...text.matchAll(/npm run ([\w:]+)/g)].map(([, script = '']) => script);
    expect(scripts.filter((script) => !(script in manifest.scripts))).toEqual([]);
  });
});

describe('a test that a comment or its reason names', () => {
  const paths = blocks.flatMap(({ above }) =>
    [...above.matchAll(/(?:test|dev)\/[\w/-]+(?:\.test)?\.ts/g)].map(([path]) => path),
  );
  it.each([...new Set(paths)])('is there: %s', (path) => {
    expect(existsSync(join(ROOT, path))).toBe(true);
  });
});

describe('what is missed', () => {
  const of = (text: string): Said => {
    const [block] = blocksOf('x.md', text);
    return block === undefined ? null : saidBy(block);
  };

  it('is a block without a word above it, or with another comment', () => {
    expect(of('Do this:\n\n```sh\nls\n```\n')).toBeNull();
    expect(of('<!-- todo -->\n\n```sh\nls\n```\n')).toBeNull();
    expect(of('<!-- not run: why -->\n\nDo this:\n\n```sh\nls\n```\n')).toBeNull();
  });

  it('is a test that is not there, or that does not read the page', () => {
    expect(of('- Do:\n\n  <!-- run by: test/gone.test.ts -->\n\n  ```sh\n  ls\n  ```\n')).toEqual({
      runBy: 'test/gone.test.ts',
    });
    expect(runs('test/gone.test.ts', 'docs/install.md')).toBe(false);
    expect(runs('test/dev/lock.test.ts', 'docs/install.md')).toBe(false);
  });
});
