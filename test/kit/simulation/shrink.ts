/** Finds the shortest list of acts of a failing history that still fails: what is left is the story to read. */
import { type Act, scenarioOf } from './acts.ts';
import { runHistory } from './run.ts';

export type Fails = (acts: readonly Act[]) => Promise<boolean>;

const stillBroken =
  (seed: number): Fails =>
  async (acts) =>
    (await runHistory(seed, acts)).breaches.length > 0;

/** Leaves out halves, quarters, ... and at last single acts, as long as it still fails. */
export async function shrink(seed: number, fails: Fails = stillBroken(seed)): Promise<readonly Act[]> {
  let acts = scenarioOf(seed).acts;
  for (let size = Math.ceil(acts.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    acts = await without(acts, size, fails);
  }
  return acts;
}

/** Leaves out every part of this size that is not needed. */
async function without(acts: readonly Act[], size: number, fails: Fails): Promise<readonly Act[]> {
  let kept = acts;
  for (let from = 0; from < kept.length; ) {
    const some = [...kept.slice(0, from), ...kept.slice(from + size)];
    if (await fails(some)) kept = some;
    else from += size;
  }
  return kept;
}
