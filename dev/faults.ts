/**
 * `npm run test:faults -- --minutes M --seed S [--keep DIR]`: faults on the real components. Exit code 1 when a promise is broken; then the last
 * lines say where the logs and the observed history are. Without --keep they go when all is well.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { InvalidArgumentError } from '@commander-js/extra-typings';
import { runFaults } from '../test/kit/rig/faults/run.ts';
import { script, wholeNumber } from './command-line.ts';
import { interruption } from './interruption.ts';
import { ToldError } from './told-error.ts';

const LONGEST_MINUTES = 120;
const wish = script('test:faults', 'Faults on the real components; fails when a promise is broken.')
  .option('--minutes <number>', `how long, up to ${LONGEST_MINUTES}`, parseMinutes, 15)
  .option('--seed <number>', 'of the faults; another one each time by default', wholeNumber(0))
  .option('--keep <dir>', 'where logs and the observed history are kept, also when all is well')
  .parse()
  .opts();
const { minutes, seed = Math.floor(Math.random() * 1e6) } = wish;
/** Promised: every group is led again so soon after the last fault. Printed; a busy machine may be late. */
const PROMISED_MS = 5000;

const { signal } = interruption();

process.exitCode = await runKept();

/** Not only whole ones. */
function parseMinutes(text: string): number {
  const number = Number(text);
  if (number > 0 && number <= LONGEST_MINUTES) return number;
  throw new InvalidArgumentError(`It must be a number above 0 and up to ${LONGEST_MINUTES}.`);
}

async function runKept(): Promise<number> {
  const keep = wish.keep ?? (await mkdtemp(join(tmpdir(), 'leadergroup-faults-kept-')));
  const code = await run(keep).catch((error: unknown) => {
    console.error(error instanceof ToldError ? error.message : error, `seed ${seed}`);
    return 1;
  });
  if (code === 0 && wish.keep === undefined) await rm(keep, { recursive: true });
  else console.error(`Logs of operators and components, and the observed history: ${keep}`);
  return code;
}

async function run(keep: string): Promise<number> {
  const report = await runFaults({ minutes, seed, signal, keep }, (line) => console.log(line));
  for (const line of report.words) console.log(line);
  for (const [kind, count] of report.kinds) console.log(`  ${count} x ${kind}`);
  const kept = Math.max(...report.ledAfterMs) <= PROMISED_MS;
  console.log(`led again within ${PROMISED_MS / 1000} s: ${kept ? 'yes' : 'NO'}`);
  for (const error of report.errors) console.error(`an operator logged an error: ${error}`);
  for (const breach of report.breaches) console.error(breach);
  console.log(`${report.breaches.length} breaches, ${report.errors.length} errors logged; seed ${seed}`);
  return report.breaches.length + report.errors.length === 0 ? 0 : 1;
}
