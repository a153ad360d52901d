/** `npm run fix`: mends what the linter can mend, and formats. */
import process from 'node:process';
import { script } from './command-line.ts';
import { runSteps } from './steps.ts';

script('fix', 'Mends what the linter can mend, and formats.').parse();
const mended = await runSteps([{ name: 'lint', command: 'oxlint', args: ['--fix', '--quiet'] }]);
// Also where something is left that only a person can mend.
const formatted = await runSteps([{ name: 'format', command: 'biome', args: ['check', '--write', '.'] }]);
process.exitCode = Math.max(mended, formatted);
