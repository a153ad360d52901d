import { existsSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { mutants } from '../../mutants/patches.ts';

describe('the mutants', () => {
  it('are at least two for each promise, and one for each attack', () => {
    for (const promise of ['I1', 'I2', 'I3', 'I4', 'I5', 'I6', 'I7', 'I8', 'I9', 'I10'])
      expect(mutants.filter(({ promises }) => promises.includes(promise)).length, promise).toBeGreaterThanOrEqual(2);
    for (let attack = 1; attack <= 20; attack += 1)
      expect(
        mutants.some(({ attacks }) => attacks.includes(attack)),
        `attack ${attack}`,
      ).toBe(true);
  });

  it('each say what they weaken, and change files that are there', () => {
    const empty = mutants.filter(({ files }) => files.length === 0 || !files.every((file) => existsSync(file)));
    expect(empty.map(({ id }) => id)).toEqual([]);
  });
});
