/** What the pages say of the code and draw of it must stay true: paths that are there, diagrams that can be drawn. */
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import DOMPurify from 'dompurify';
import mermaid from 'mermaid';
import { describe, expect, it } from 'vitest';
import { mutants } from '../mutants/patches.ts';

const ROOT = join(import.meta.dirname, '../..');
const read = (page: string): string => readFileSync(join(ROOT, page), 'utf8');
const pages = ['README.md', 'CONTRIBUTING.md', ...globSync('docs/**/*.md', { cwd: ROOT }).toSorted()];

/** Mermaid cleans labels with it while it parses, and it has no functions without a DOM. The grammar does not ask what it did. */
Object.assign(DOMPurify, { addHook: () => undefined, sanitize: (text: string) => text });

type Diagram = { readonly page: string; readonly line: number; readonly text: string };

function diagramsOf(page: string, text: string): readonly Diagram[] {
  return [...text.matchAll(/^```mermaid\n(.*?)^```$/gms)].map((match) => ({
    page,
    line: text.slice(0, match.index).split('\n').length,
    text: match[1] ?? '',
  }));
}

/** What is wrong with it; null: Mermaid can draw it. */
const problemOf = async ({ text }: Pick<Diagram, 'text'>): Promise<string | null> =>
  await mermaid.parse(text).then(
    () => null,
    (error: unknown) => (error instanceof Error ? error.message : String(error)),
  );

/** Files and folders, also with `*`; the end of a sentence is no part of them. */
const pathsIn = (text: string): readonly string[] => [
  ...new Set([...text.matchAll(/(?<![\w/.-])(?:src|test)\/[\w./*-]+/g)].map(([path]) => path.replace(/[./]+$/, ''))),
];

const missingIn = (text: string): readonly string[] =>
  pathsIn(text).filter((path) => globSync(path, { cwd: ROOT }).length === 0);

describe('a diagram', () => {
  const diagrams = pages.flatMap((page) => diagramsOf(page, read(page)));

  it('stands in the pages at all', () => {
    expect(diagrams.map(({ page }) => page)).toContain('docs/architecture.md');
  });

  it.each(diagrams.map((diagram) => [`${diagram.page}:${diagram.line}`, diagram] as const))(
    'can be drawn: %s',
    async (_, diagram) => expect(await problemOf(diagram)).toBeNull(),
  );

  it.each([
    ['a sequence with an arrow that there is not', 'sequenceDiagram\n  A->>>B: x\n'],
    ['a state without an arrow head', 'stateDiagram-v2\n  a -- > b\n'],
    ['a box that does not end', 'flowchart LR\n  a[x --> b\n'],
    ['another language', 'digraph { a -> b }\n'],
  ])('cannot be drawn from %s', async (_, text) => {
    expect(await problemOf({ text })).not.toBeNull();
  });
});

/** docs/guarantees.md names tests from `test/` on, without their ending. */
const testsIn = (text: string): readonly string[] => [
  ...new Set(
    [...text.matchAll(/(?<![\w/])(?:unit|properties|integration|robustness|kit)\/[\w/-]+/g)].map(([name]) => name),
  ),
];

const isTest = (name: string): boolean => globSync(`test/${name}{,.ts,.test.ts}`, { cwd: ROOT }).length > 0;

describe('a test that the guarantees name', () => {
  it.each(testsIn(read('docs/guarantees.md')))('is there: %s', (name) => {
    expect(isTest(name)).toBe(true);
  });

  it('is missed when it is not there', () => {
    expect(testsIn('_Tested by_ properties/walk, unit/gone.').map(isTest)).toEqual([true, false]);
  });
});

describe('the number of mutants that the guarantees name', () => {
  const sections = read('docs/guarantees.md')
    .split(/^## (?=I\d+ )/m)
    .slice(1);

  it.each(sections.map((text) => [text.split(' ', 1)[0] ?? '', text]))('is that of %s', (promise, text) => {
    const named = Number(/Mutants: (\d+)/.exec(text)?.[1]);
    expect(named).toBe(mutants.filter(({ promises }) => promises.includes(promise)).length);
  });
});

describe('a path that a page names', () => {
  it.each(pages)('is there: %s', (page) => {
    expect(missingIn(read(page))).toEqual([]);
  });

  it('is missed when it is not there, as a file, a folder or a pattern', () => {
    const text = 'See `src/election/plan.ts`, src/gone.ts, `src/election/plan-*.ts`, `test/gone/`, `test/none-*.ts`.';
    expect(missingIn(text)).toEqual(['src/gone.ts', 'test/gone', 'test/none-*.ts']);
  });
});
