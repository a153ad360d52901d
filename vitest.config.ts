import { defineConfig } from 'vitest/config';
import lastLinesReporter from './test/kit/rig/last-lines.ts';
import LongestFirst from './test/kit/rig/longest-first.ts';

/** On machines of two cores: more clusters side by side would only take turns. */
const CLUSTERS_AT_ONCE = 2;

/**
 * They compare times with times, or look at the whole machine: nothing runs beside them. `npm test` runs `integration` beside `e2e`, which has the
 * machine's real nodes, so whatever needs those is here, too.
 */
const alone = ['failover', 'real-node', 'real-node-remains'].map((name) => `test/integration/${name}.test.ts`);

/** Vitest's own second is over on a busy machine before a program has begun. */
const patient = { expect: { poll: { timeout: 15_000 } } };

const onClusters = {
  ...patient,
  setupFiles: ['test/kit/rig/keep-setup.ts'],
  testTimeout: 180_000,
  hookTimeout: 300_000,
};

/**
 * `unit` needs nothing but this checkout, and for examples/adapters the libraries for Python and Go, and NestJS, which are fetched; `integration` starts real components on loopback (dev/cluster), two files at a time, and
 * `integration-alone` one; `e2e` runs the images on real nodes. Groups run one after the other.
 */
export default defineConfig({
  test: {
    reporters: ['default', lastLinesReporter],
    sequence: { sequencer: LongestFirst },
    projects: [
      {
        test: {
          ...patient,
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: ['test/integration/**', 'test/e2e/**'],
          // By default one core is left free: half of the machine where there are two.
          maxWorkers: '100%',
          testTimeout: 30_000,
        },
      },
      {
        test: {
          ...onClusters,
          name: 'integration',
          include: ['test/integration/**/*.test.ts'],
          exclude: alone,
          maxWorkers: CLUSTERS_AT_ONCE,
          sequence: { groupOrder: 1 },
        },
      },
      {
        test: {
          ...onClusters,
          name: 'integration-alone',
          include: alone,
          fileParallelism: false,
          sequence: { groupOrder: 2 },
        },
      },
      {
        test: {
          ...onClusters,
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts'],
          fileParallelism: false,
          sequence: { groupOrder: 3 },
        },
      },
    ],
  },
});
