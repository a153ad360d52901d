import { expect, it } from 'vitest';
import type { Act } from '../../support/simulation/acts.ts';
import { createCoverage, describeCoverage } from '../../support/simulation/coverage.ts';

const freeze = (atMs: number, forMs: number): Act => ({ act: 'freeze', atMs, replica: 0, clockStops: false, forMs });
const wipe: Act = { act: 'wipe', atMs: 5 };

it('counts acts, and pairs that go on at the same time once in each history', () => {
  const met = createCoverage();
  met.add({
    acts: [
      freeze(0, 10),
      { act: 'pause', atMs: 9, group: 0, forMs: 5 },
      { act: 'pause', atMs: 9, group: 1, forMs: 5 },
      wipe,
    ],
  });
  met.add({ acts: [freeze(0, 10), freeze(10, 10)] });
  expect([...met.acts]).toEqual([
    ['freeze', 3],
    ['pause', 2],
    ['wipe', 1],
  ]);
  expect(Object.fromEntries(met.pairs)).toEqual({ 'freeze+pause': 1, 'pause+pause': 1 });
  expect(describeCoverage(met, ['freeze', 'pause']).at(-1)).toBe('never: freeze+freeze');
});
