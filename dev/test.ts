/** `npm test`: the checks, the tests that need only this checkout, those on real components, then the images on real nodes. */
import process from 'node:process';
import { checks } from './check.ts';
import { ensureRealNodeParts, whyNoRealNodes } from './cluster/real/index.ts';
import { ensureImages } from './images/index.ts';
import { runSteps, type Step } from './steps.ts';
import { ensureTools } from './tools/index.ts';
import { binaries } from './tools/products.ts';

const fast: readonly Step[] = [
  ...checks,
  { name: 'unit tests and properties', command: 'vitest', args: ['run', '--project', 'unit'] },
];

const real: readonly Step[] = [
  {
    name: 'integration tests',
    command: 'vitest',
    args: ['run', '--project', 'integration', '--project', 'integration-alone'],
  },
  { name: 'end-to-end test', command: 'vitest', args: ['run', '--project', 'e2e'] },
];

process.exitCode = await testAll();

async function testAll(): Promise<number> {
  const code = await runSteps(fast);
  if (code !== 0) return code;
  await ensureAll();
  return await runSteps(real);
}

/** Builds take minutes, which no test should be timed with. */
async function ensureAll(): Promise<void> {
  const withoutRealNodes = (await whyNoRealNodes()) !== null;
  await ensureTools({ names: binaries.filter(({ needed }) => needed || !withoutRealNodes).map(({ name }) => name) });
  if (!withoutRealNodes) {
    await ensureRealNodeParts();
    await ensureImages();
  }
}
