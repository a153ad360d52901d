import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { mutants } from '../../mutants/list.ts';

describe('the list of mutants', () => {
  it.each(mutants)('$id fits the code as it is: its text stands exactly once', ({ edits }) => {
    for (const { file, find, replace } of edits) {
      expect(readFileSync(file, 'utf8').split(find), file).toHaveLength(2);
      expect(replace).not.toBe(find);
    }
  });

  it('has at least two for each promise, and one for each attack', () => {
    for (const promise of ['I1', 'I2', 'I3', 'I4', 'I5', 'I6', 'I7', 'I8', 'I9', 'I10'])
      expect(mutants.filter(({ promises }) => promises.includes(promise)).length, promise).toBeGreaterThanOrEqual(2);
    for (let attack = 1; attack <= 20; attack += 1)
      expect(
        mutants.some(({ attacks }) => attacks.includes(attack)),
        `attack ${attack}`,
      ).toBe(true);
  });

  it('names each once', () => {
    expect(new Set(mutants.map(({ id }) => id)).size).toBe(mutants.length);
  });
});
