/**
 * `npm run drill`: something is broken in a cluster made for it, and whoever is on call finds out what and mends it, with docs/on-call.md. It ends when that is
 * done, after Enter (the answer is shown, and done), or after ctrl-C.
 */
import { join } from 'node:path';
import process from 'node:process';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { InvalidArgumentError } from '@commander-js/extra-typings';
import { startCluster } from './cluster/index.ts';
import { script } from './command-line.ts';
import { type Drill, drills, isMended } from './drill/drills.ts';
import { openPractice, type Practice } from './drill/practice.ts';
import { interruption } from './interruption.ts';
import { sayWhereToolsComeFrom } from './tools/index.ts';

const LOOK_MS = 3000;

const options = script('drill', 'Something is broken in a cluster made for it: find out what, and mend it.')
  .option('--fault <number>', `which, from 1 to ${drills.length}; one at random by default`, faultOf)
  .option('--answers', 'run nothing, say what there is and how it is mended')
  .parse()
  .opts();
const { signal } = interruption();

if (options.answers === true) answers();
else await begin();

function faultOf(text: string): number {
  const number = Number(text);
  if (drills[number - 1] !== undefined) return number;
  throw new InvalidArgumentError(`It must be a number from 1 to ${drills.length}.`);
}

function answers(): void {
  for (const [at, { name, call, finding, answer }] of drills.entries()) {
    console.log(`${at + 1}. ${name}${finding === null ? '' : ` (doctor: ${finding})`}\n   "${call}"\n   ${answer}\n`);
  }
}

async function begin(): Promise<void> {
  try {
    await practise(drills[(options.fault ?? 1 + Math.floor(Math.random() * drills.length)) - 1]);
  } catch (error) {
    if (!signal.aborted) console.error(`\n${error instanceof Error ? error.message : String(error)}`);
    process.exitCode = signal.aborted ? 130 : 1;
  }
}

async function practise(drill: Drill | undefined): Promise<void> {
  if (drill === undefined) return;
  await sayWhereToolsComeFrom();
  console.log('A cluster with an operator and two groups in the namespace mail; half a minute.');
  await using cluster = await startCluster({ consulAcl: true, signal });
  await using practice = await openPractice(cluster, signal);
  const planted = await drill.plant(practice);
  console.log(`\nYou are on call. "${drill.call}"\n`);
  console.log('In another terminal, with docs/on-call.md beside you:');
  console.log(`    . ${join(cluster.dir, 'env')} && export PATH=${practice.bin}:$PATH`);
  console.log('    kubectl leadergroup doctor');
  console.log(
    '\nThe nodes are fake, so there is no `kubectl logs`: the logs are in .cluster/logs, that of the operator too.',
  );
  console.log('`npm run cluster -- thaw|stop|start|restart NAME` is for a server, such as consul.');
  console.log(
    'When you have mended it, it is noticed here, and the cluster ends. Enter shows the answer; ctrl-C ends it.',
  );
  await untilMended(practice, drill, planted);
  console.log(`\n${drill.name}. ${drill.answer}`);
}

/** Or until Enter, which mends it. */
async function untilMended(practice: Practice, drill: Drill, planted: AsyncDisposable | undefined): Promise<void> {
  const gaveUp = new AbortController();
  using lines = createInterface({ input: process.stdin });
  lines.once('line', () => gaveUp.abort());
  const either = AbortSignal.any([signal, gaveUp.signal]);
  // What was broken takes a moment to show.
  let seen = false;
  while (!either.aborted) {
    const mended = await isMended(practice, drill).catch(() => false);
    if (seen && mended) {
      console.log('\nMended.');
      return await planted?.[Symbol.asyncDispose]();
    }
    seen ||= !mended;
    await delay(LOOK_MS, undefined, { signal: either }).catch(() => undefined);
  }
  signal.throwIfAborted();
  await drill.mend(practice, planted);
}
