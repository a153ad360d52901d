/** `npm run check`: everything that is judged without running the product. */
import process from 'node:process';
import { script } from './command-line.ts';
import { runSteps, type Step } from './steps.ts';

export const checks: readonly Step[] = [
  { name: 'format', command: 'biome', args: ['ci', '.'] },
  { name: 'lint', command: 'oxlint', args: ['--deny-warnings'] },
  { name: 'types', command: 'tsc', args: ['-p', '.'] },
  { name: 'types of the dashboard', command: 'tsc', args: ['-p', 'src/cli/dashboard/page'] },
  {
    name: 'generated files',
    command: 'node',
    args: ['--disable-warning=ExperimentalWarning', 'dev/generate.ts', '--check'],
  },
  { name: 'mutants', command: 'node', args: ['dev/mutants.ts', '--check'] },
  { name: 'licences', command: 'node', args: ['dev/licences.ts'] },
  { name: 'unused code', command: 'knip', args: [] },
  { name: 'spelling', command: 'cspell', args: ['lint', '--no-progress', '--no-summary'] },
  { name: 'links', command: 'remark', args: ['--frail', '--quiet', '--ignore-path', '.gitignore', '.'] },
];

if (import.meta.main) {
  const names = checks.map(({ name }) => name).join(', ');
  script('check', `Judges everything that can be judged without running the product: ${names}.`).parse();
  process.exitCode = await runSteps(checks);
  if (process.exitCode !== 0)
    console.error(
      '── `npm run fix` mends the format and what the linter can mend; `npm run generate` makes the generated files',
    );
}
