/** `npm run test:exploration -- --depth D`: every interleaving of the small world to depth D. */
import process from 'node:process';
import { script, wholeNumber } from './command-line.ts';
import { runSteps } from './steps.ts';

const { depth } = script('test:exploration', 'Every interleaving of a small world.')
  .option('--depth <number>', 'how many steps', wholeNumber(1), 10)
  .parse()
  .opts();

process.env['EXPLORATION_DEPTH'] = String(depth);
process.exitCode = await runSteps([
  {
    name: `exploration to depth ${depth}`,
    command: 'vitest',
    args: ['run', '--project', 'unit', 'test/model-checking'],
  },
]);
