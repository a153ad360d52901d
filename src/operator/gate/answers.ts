/** What is told to those who ask, and taken from those who release: both keep the grants. */
import type { Gate } from '../../ports/gate.ts';
import type { Metrics } from '../../ports/metrics.ts';
import type { Reconciler } from '../reconcile/reconciler.ts';
import { createAsk } from './gate.ts';
import type { Grants } from './grants.ts';
import { createRelease } from './release.ts';

/** `wake`: the group is to be looked at. `gateValidityMs`: of a grant. */
export const createAnswers = (
  reconciler: Reconciler,
  grants: Grants,
  options: { readonly gateValidityMs: number; readonly metrics: Metrics; readonly unwatched?: Gate['unwatched'] },
  wake: (key: string) => void,
): Pick<Gate, 'ask' | 'release' | 'unwatched'> => ({
  unwatched: options.unwatched ?? (() => null),
  ask: createAsk(reconciler, grants, options.gateValidityMs),
  release: createRelease(reconciler, grants, { wake, metrics: options.metrics }),
});
