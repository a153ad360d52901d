/** Tests, mutants and pages cite the schedules of docs/attacks.md by number. */
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { mutants } from '../mutants/patches.ts';

const ROOT = join(import.meta.dirname, '../..');
const numbersIn = (text: string, pattern: RegExp): readonly number[] =>
  [...text.matchAll(pattern)].map(([, number]) => Number(number));

const described = numbersIn(readFileSync(join(ROOT, 'docs/attacks.md'), 'utf8'), /^## (\d+)\. /gm);

/** By file, those that a test's title or a page names. */
function cited(pattern: string): ReadonlyMap<string, readonly number[]> {
  const files = globSync(pattern, { cwd: ROOT });
  return new Map(files.map((file) => [file, numbersIn(readFileSync(join(ROOT, file), 'utf8'), /\battack (\d+)\b/g)]));
}

describe('docs/attacks.md', () => {
  it('numbers its schedules from 1 on, without a gap', () => {
    expect(described).toEqual(described.map((_, index) => index + 1));
  });

  it('has every schedule that a test, a mutant or a page cites', () => {
    const all = [...cited('test/**/*.ts'), ...cited('docs/*.md')];
    const unknown = all.filter(([, numbers]) => numbers.some((number) => !described.includes(number)));
    expect(unknown).toEqual([]);
    expect(mutants.flatMap(({ attacks }) => attacks).filter((number) => !described.includes(number))).toEqual([]);
  });

  it('has no schedule without a test that cites it', () => {
    const tested = new Set([...cited('test/**/*.test.ts').values()].flat());
    expect(described.filter((number) => !tested.has(number))).toEqual([]);
  });
});
