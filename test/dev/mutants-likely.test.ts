import { expect, it } from 'vitest';
import { likelyToKill } from '../../dev/mutants-likely.ts';
import type { Mutant } from '../mutants/patches.ts';

const aMutant = (file: string): Mutant => ({
  id: 'x',
  promises: [],
  attacks: [],
  what: '',
  patch: 'test/mutants/patches/nobody-has-committed-this.patch',
  files: [file],
});

it('the tests named as the file that a mutant changes are asked first', async () => {
  const likely = await likelyToKill(aMutant('src/election/preemption.ts'));
  expect(likely.toSorted()).toEqual(['test/properties/preemption.test.ts', 'test/unit/election/preemption.test.ts']);
});

it('where no test is named so none is', async () => {
  expect(await likelyToKill(aMutant('src/election/nothing-is-called-so.ts'))).toEqual([]);
});
