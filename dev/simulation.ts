/**
 * `npm run test:simulation -- --histories N --seed S`: N histories from seed S on, on all cores. Exit code 1 when a promise is broken.
 *
 * --state FILE: how far it has come is kept there; ended at any time and begun again, it goes on where it stopped, up to N in all.
 */
import { availableParallelism } from 'node:os';
import process from 'node:process';
import { Worker } from 'node:worker_threads';
import { coverage } from '../test/kit/simulation/coverage.ts';
import { add, explain, sentence } from '../test/kit/simulation/report.ts';
import { type Outcome, runHistory } from '../test/kit/simulation/run.ts';
import {
  codeHash,
  finish,
  freshState,
  loadState,
  numbersLeft,
  type State,
  saveState,
} from '../test/kit/simulation/state.ts';
import { script, wholeNumber } from './command-line.ts';

const PROGRESS_MS = 5000;
const HISTORIES_OF_A_WORKER = 250;
/** Explained in full; of more only the number is told. */
const EXPLAINED = 3;

const options = script('test:simulation', 'The whole operator in a simulated world; fails when a promise is broken.')
  .option('--histories <number>', 'how many', wholeNumber(0), 1000)
  .option('--seed <number>', 'of the first history; another one each time by default', wholeNumber(0))
  .option('--state <file>', 'how far it has come is kept there; begun again, it goes on where it stopped')
  .parse()
  .opts();
const { histories } = options;
const state = begin(options.seed ?? null);

process.exitCode = await simulate();

function begin(seed: number | null): State {
  const code = codeHash(process.cwd());
  const fresh = (): State => freshState(seed ?? Math.floor(Math.random() * 1e9), code);
  if (options.state === undefined) return fresh();
  try {
    return loadState(options.state, seed, code) ?? fresh();
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exit(2);
  }
}

function save(): void {
  if (options.state !== undefined) saveState(options.state, state);
}

async function simulate(): Promise<number> {
  const { seed, sum, broken } = state;
  const before = sum.histories;
  console.log(
    `simulating ${histories} histories from seed ${seed} on${before === 0 ? '' : `, ${before} of them done before`}`,
  );
  const begun = performance.now();
  const progress = setInterval(() => {
    save();
    const eachMs = (performance.now() - begun) / Math.max(1, sum.histories - before);
    const leftS = Math.round((eachMs * (histories - sum.histories)) / 1000);
    console.error(`${sum.histories} of ${histories}, ${sum.broken} broken, about ${leftS} s left`);
  }, PROGRESS_MS);
  const next = numbersLeft(state, histories);
  const workers = Math.max(1, Math.min(availableParallelism(), histories - before));
  await Promise.all(Array.from({ length: workers }, () => work(() => seedOf(next()), ended)));
  clearInterval(progress);
  save();
  for (const each of broken.slice(0, EXPLAINED)) console.error(await explain(await runHistory(each)));
  if (broken.length > EXPLAINED) console.error(`seeds that broke a promise: ${broken.join(', ')}`);
  for (const line of coverage(sum.met)) console.log(line);
  console.log(`${sentence(sum)}; ${Math.round((performance.now() - begun) / 1000)} s`);
  return broken.length === 0 ? 0 : 1;
}

function seedOf(number: number | null): number | null {
  return number === null ? null : state.seed + number;
}

function ended(outcome: Outcome): void {
  add(state.sum, outcome);
  finish(state, outcome.seed - state.seed);
  if (outcome.breaches.length === 0) return;
  state.broken.push(outcome.seed);
  console.error(`history ${outcome.seed}: ${outcome.breaches[0]}`);
}

/**
 * One worker after the other: a killed process of a history never ends its waits, and Node keeps signals that somebody waits for,
 * so a worker grows by nearly a megabyte with each history.
 */
async function work(next: () => number | null, done: (outcome: Outcome) => void): Promise<void> {
  for (let number = next(); number !== null; ) number = await oneWorker(number, next, done);
}

/** Resolves with the seed that is next when the worker has done its share, null when there is none. */
function oneWorker(first: number, next: () => number | null, done: (outcome: Outcome) => void): Promise<number | null> {
  if (codeHash(process.cwd()) !== state.code)
    throw new Error('the code has changed while histories of it ran; begin anew');
  const worker = new Worker(new URL('../test/kit/simulation/worker.ts', import.meta.url));
  const { promise, resolve, reject } = Promise.withResolvers<number | null>();
  let given = 1;
  worker.on('message', (outcome: Outcome) => {
    done(outcome);
    const number = next();
    given += 1;
    if (number !== null && given <= HISTORIES_OF_A_WORKER) return worker.postMessage(number);
    void worker.terminate();
    resolve(number);
  });
  worker.on('error', reject);
  worker.postMessage(first);
  return promise;
}
