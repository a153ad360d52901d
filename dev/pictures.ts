/** `npm run pictures`: the pictures of docs/how-to/dashboard.md, made by the test that runs the dashboard in a browser. */
import process from 'node:process';
import { script } from './command-line.ts';
import { runSteps } from './steps.ts';
import { askForRealNodes } from './tools/consent.ts';

if (import.meta.main) {
  script('pictures', 'Makes the pictures in docs/how-to/dashboard.md; installs Chromium where there is none.').parse();
  // The browser is a Debian package.
  askForRealNodes();
  process.env['LEADERGROUP_PICTURES'] = '1';
  const args = ['run', '--project', 'e2e', 'test/e2e/dashboard.test.ts'];
  process.exitCode = await runSteps([{ name: 'pictures', command: 'vitest', args }]);
}
