/** How often properties are tried, and from which seed: the same on every machine unless somebody explores. */
import process from 'node:process';
import type { Parameters } from 'fast-check';

/**
 * `PROPERTY_RUNS` multiplies the runs, `PROPERTY_SEED` chooses others (a number, or `random`). fast-check prints the seed
 * and the path of a failure; both in the environment replay it alone.
 */
export function trying(runs: number): Parameters<unknown> {
  const { PROPERTY_RUNS: times = '1', PROPERTY_SEED: seed = '1', PROPERTY_PATH: path } = process.env;
  return {
    numRuns: Math.ceil(runs * Number(times)),
    ...(seed === 'random' ? {} : { seed: Number(seed) }),
    ...(path === undefined ? {} : { path }),
  };
}
