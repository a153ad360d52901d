/** The blocks of shell commands in README and docs, and what the comment above each says of it. */
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '../../..');

export type Block = { readonly at: string; readonly text: string; readonly above: string };

/** Of the comment above: the test that runs it, or why none does. null: neither. */
export type Said = { readonly runBy: string } | { readonly whyNot: string } | null;

const documentedPages: readonly string[] = [
  'README.md',
  'SECURITY.md',
  ...globSync('docs/**/*.md', { cwd: ROOT }).toSorted(),
];

/** Also those that are indented, as in a list. */
export function blocksOf(page: string, text: string): readonly Block[] {
  return [...text.matchAll(/^( *)```(?:sh|bash|shell|console)\n(.*?)^ *```$/gms)].map((match) => {
    const before = text.slice(0, match.index);
    return {
      at: `${page}:${before.split('\n').length}`,
      text: (match[2] ?? '').replaceAll(new RegExp(`^${match[1] ?? ''}`, 'gm'), ''),
      above: before.trimEnd().split('\n').at(-1)?.trim() ?? '',
    };
  });
}

export function saidBy({ above }: Block): Said {
  const [, how = '', what = ''] = /^<!-- (run by|not run): (.+) -->$/.exec(above) ?? [];
  if (how === 'run by') return { runBy: /^test\/[\w/.-]+\.test\.ts/.exec(what)?.[0] ?? '' };
  return how === '' ? null : { whyNot: what };
}

export const documentedBlocks = (): readonly Block[] =>
  documentedPages.flatMap((page) => blocksOf(page, readFileSync(join(ROOT, page), 'utf8')));

/** Those that this test runs, in the order of the pages. */
export const blocksRunBy = (test: string): readonly Block[] =>
  documentedBlocks().filter((block) => {
    const said = saidBy(block);
    return said !== null && 'runBy' in said && said.runBy === test;
  });
