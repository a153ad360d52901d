/** What docs/threat-model.md says to be stopped is stopped by tests that are there, by their names. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

const DOCS = join(import.meta.dirname, '../../docs');
const page = readFileSync(join(DOCS, 'threat-model.md'), 'utf8');

/** Links to tests: what a test is called, and its file. */
const testsIn = (text: string): readonly (readonly [name: string, file: string])[] =>
  [...text.matchAll(/\[([^\]]+)\]\((\.\.\/test\/[^)]+)\)/g)].map(([, name = '', file = '']) => [name, file]);

function isThere([name, file]: readonly [string, string]): boolean {
  const path = join(DOCS, file);
  return existsSync(path) && readFileSync(path, 'utf8').replaceAll("\\'", "'").includes(name);
}

describe('docs/threat-model.md', () => {
  it.each(testsIn(page))('names a test that is there: %s (%s)', (name, file) => {
    expect(isThere([name, file])).toBe(true);
  });

  it('has a test in each row that says what stops somebody', () => {
    const rows = page.split('\n').filter((line) => line.startsWith('| ') && line.split(' | ').length >= 3);
    const stops = rows.filter((line) => !/^\| (-+|who, by|field)/.test(line));
    expect(stops.length).toBeGreaterThan(15);
    expect(stops.filter((line) => testsIn(line).length === 0)).toEqual([]);
  });

  it('would miss a test of another name, or in another file', () => {
    const gone =
      '[is put back for ever](../test/properties/fights.test.ts), [is put back at once the first times](../test/gone.ts)';
    expect(testsIn(gone).map(isThere)).toEqual([false, false]);
  });
});
