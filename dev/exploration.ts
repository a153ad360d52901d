/** `npm run test:exploration -- --depth D`: every interleaving of the small world to depth D. */
import process from 'node:process';
import { parseArgs } from 'node:util';
import { runSteps } from './steps.ts';

const { values } = parseArgs({ options: { depth: { type: 'string', default: '10' } } });
const depth = Number(values.depth);

if (Number.isSafeInteger(depth) && depth > 0) {
  process.env['EXPLORATION_DEPTH'] = String(depth);
  process.exitCode = await runSteps([
    {
      name: `exploration to depth ${depth}`,
      command: 'vitest',
      args: ['run', '--project', 'unit', 'test/model-checking'],
    },
  ]);
} else {
  console.error(`--depth is ${values.depth}, but must be a whole number above 0.`);
  process.exitCode = 2;
}
