/**
 * `npm test [-- --real-nodes]`: the checks, the tests that need only this checkout, those on real components, and where asked for the images
 * on real nodes. `npm run test:quick`: the checks and the quickest tests.
 */
import process from 'node:process';
import { ensureRealNodeParts, whyNoRealNodes } from './cluster/real/index.ts';
import { script } from './command-line.ts';
import { ensureImages, whyNoTestsOfImages } from './images/index.ts';
import { runSteps } from './steps.ts';
import { testPlan } from './test-plan.ts';
import { areRealNodesAskedFor, askForRealNodes } from './tools/consent.ts';
import { buildProgram, ensureTools, sayWhereToolsComeFrom } from './tools/index.ts';
import { type BinaryName, binaries, leaseCandidate } from './tools/products.ts';

const options = script('test', 'The checks, the tests that need only this checkout, and those on real components.')
  .option('--quick', 'only the checks and the quickest tests')
  .option('--real-nodes', 'also those on real nodes: installs packages and makes kernel settings')
  .parse()
  .opts();
if (options.realNodes === true) askForRealNodes();
const realNodes = areRealNodesAskedFor();
const plan = testPlan({ quick: options.quick === true, realNodes });

process.exitCode = await testAll();
// A run that fails ends with what failed.
if (process.exitCode === 0) sayWhatIsLeftOut();

function sayWhatIsLeftOut(): void {
  for (const what of plan.leftOut) console.error(`── NOT TESTED: ${what}`);
}

async function testAll(): Promise<number> {
  if (plan.onComponents.length > 0) await sayWhereToolsComeFrom(await namesOfTools());
  sayWhatIsLeftOut();
  const code = await runSteps(plan.fast);
  if (code !== 0 || plan.onComponents.length === 0) return code;
  await ensureAll();
  // Each takes minutes, so that one run tells all that fails.
  return await runSteps(plan.onComponents, { goOn: true });
}

/** Declared: the script runs before constants below it have their values. */
async function canRunPods(): Promise<boolean> {
  return realNodes && (await whyNoRealNodes()) === null;
}

async function namesOfTools(): Promise<readonly BinaryName[]> {
  const pods = await canRunPods();
  return binaries.filter(({ use }) => use !== 'real nodes' || pods).map(({ name }) => name);
}

/** Builds take minutes, which no test should be timed with. */
async function ensureAll(): Promise<void> {
  await ensureTools({ names: await namesOfTools() });
  if (await canRunPods()) {
    await ensureRealNodeParts();
    await buildProgram(leaseCandidate);
  }
  if ((await whyNoTestsOfImages()) === null) await ensureImages();
}
