/**
 * `kubectl leadergroup` as a single executable (dev/executables.ts): one CommonJS script with Node in one file, so there is no package.json beside it and
 * no await at the top. Under the name of the completion, a link, it is that.
 */
import { basename } from 'node:path';
import process from 'node:process';
import { runCompletion } from './completion.ts';
import { runPlugin } from './plugin.ts';

/** Put in when it is built. */
declare const LEADERGROUP_VERSION: string;

const COMPLETION = 'kubectl_complete-leadergroup';

async function run(): Promise<void> {
  if (basename(process.argv0) === COMPLETION) await runCompletion();
  else process.exitCode = await runPlugin(LEADERGROUP_VERSION);
}

void run();
