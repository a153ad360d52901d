/** What is told to those who ask, and taken from those who release: both keep the grants. */
import type { Gate } from '../../ports/gate.ts';
import type { Reconciler } from '../reconcile/reconciler.ts';
import { createAsk } from './gate.ts';
import type { Grants } from './grants.ts';
import { createRelease } from './release.ts';

/** `wake`: the group is to be looked at. `validityMs`: of a grant. */
export const createAnswers = (
  reconciler: Reconciler,
  grants: Grants,
  wake: (key: string) => void,
  validityMs: number,
): Pick<Gate, 'ask' | 'release'> => ({
  ask: createAsk(reconciler, grants, validityMs),
  release: createRelease(reconciler, grants, wake),
});
