/** What `npm test` runs, and what it leaves out. */
import { globSync } from 'node:fs';
import { join } from 'node:path';
import { checks } from './check.ts';
import type { Step } from './steps.ts';
import { HOW_TO_ASK } from './tools/consent.ts';

export type TestOptions = {
  /** Only what takes less than a minute. */
  readonly quick: boolean;
  /** Whether pods may run on this machine; see tools/consent.ts. */
  readonly realNodes: boolean;
};

export type TestPlan = {
  /** They need nothing but this checkout. */
  readonly fast: readonly Step[];
  /** They need the real components, which may have to be built first. */
  readonly onComponents: readonly Step[];
  /** What a complete run has besides. */
  readonly leftOut: readonly string[];
};

const ROOT = join(import.meta.dirname, '..');

/** They start a program for each case. */
const NOT_QUICK = ['checks', 'command-line', 'import-rules'].map((name) => `test/dev/${name}.test.ts`);

const vitest = (name: string, ...args: readonly string[]): Step => ({
  name,
  command: 'vitest',
  args: ['run', ...args],
});

/**
 * The rules one at a time. Properties, simulation, exploration and the example clients take the rest of the unit tests' minutes. Files by name:
 * what the command line excludes, a project includes all the same.
 */
function quickTests(): Step {
  const ofDev = globSync('test/dev/*.test.ts', { cwd: ROOT }).filter((file) => !NOT_QUICK.includes(file));
  return vitest('quick unit tests', '--project', 'unit', 'test/unit', ...ofDev);
}

const unitTests = vitest('unit tests and properties', '--project', 'unit');
const integrationTests = vitest('integration tests', '--project', 'integration');
const testsAlone = vitest('integration tests that run alone', '--project', 'integration-alone');
/** Most of it is waiting, as of the integration tests: side by side they take as long as the longer. That holds only while their pods run few programs. */
const endToEndTests = vitest('end-to-end tests', '--project', 'e2e');

export function testPlan({ quick, realNodes }: TestOptions): TestPlan {
  if (quick) {
    const leftOut = [
      'properties, simulation, exploration, examples, the linter (npm run test:unit)',
      'all that npm test runs on real components',
    ];
    return { fast: [...checks, quickTests()], onComponents: [], leftOut };
  }
  const fast = [...checks, unitTests];
  if (realNodes)
    return { fast, onComponents: [{ ...integrationTests, beside: endToEndTests }, testsAlone], leftOut: [] };
  return {
    fast,
    onComponents: [integrationTests, testsAlone],
    leftOut: [`the end-to-end tests, and what integration tests need real nodes: ask for them (${HOW_TO_ASK})`],
  };
}
