/**
 * `npm run test:simulation -- --histories N --seed S`: N histories from seed S on, on all cores. Exit code 1 when a promise is broken.
 *
 * --state FILE: keeps there how far it got, after each batch; run again with the same numbers it goes on where it stopped.
 * --coverage: which acts the histories held, and which of them overlapped or never did.
 */
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { Worker } from 'node:worker_threads';
import { scenarioOf } from '../test/support/simulation/acts.ts';
import { createCoverage, describeCoverage } from '../test/support/simulation/coverage.ts';
import { add, explain, noHistories, type Sum, sentence } from '../test/support/simulation/report.ts';
import type { Outcome } from '../test/support/simulation/run.ts';

const PROGRESS_MS = 5000;
const HISTORIES_OF_A_WORKER = 250;
/** Between two notes of how far it got. */
const BATCH = 500;
/** Explained in full; of more only the number is told. */
const EXPLAINED = 3;

const { values } = parseArgs({
  options: {
    histories: { type: 'string', default: '1000' },
    seed: { type: 'string' },
    state: { type: 'string' },
    coverage: { type: 'boolean', default: false },
  },
});
const histories = wholeNumber('--histories', values.histories);
const seed = values.seed === undefined ? Math.floor(Math.random() * 1e9) : wholeNumber('--seed', values.seed);

process.exitCode = await simulate();

function wholeNumber(name: string, text: string): number {
  const number = Number(text);
  if (Number.isSafeInteger(number) && number >= 0) return number;
  console.error(`${name} is ${text}, but must be a whole number.`);
  process.exit(2);
}

/** What a run that goes on later needs to know of the batches before. */
type State = { readonly seed: number; readonly histories: number; done: number; sum: Sum; broken: number[] };

async function simulate(): Promise<number> {
  const state = begin();
  console.log(
    `simulating ${histories} histories from seed ${seed} on${state.done > 0 ? `, ${state.done} of them before` : ''}`,
  );
  const begun = performance.now();
  const before = state.done;
  const failed: Outcome[] = [];
  const progress = setInterval(() => {
    const left =
      ((performance.now() - begun) / Math.max(1, state.sum.histories - before)) * (histories - state.sum.histories);
    console.error(
      `${state.sum.histories} of ${histories}, ${state.sum.broken} broken, about ${Math.round(left / 1000)} s left`,
    );
  }, PROGRESS_MS);
  while (state.done < histories) {
    const count = values.state === undefined ? histories : Math.min(BATCH, histories - state.done);
    await batch(state, count, failed);
    state.done += count;
    keep(state);
  }
  clearInterval(progress);
  for (const outcome of failed.slice(0, EXPLAINED)) console.error(await explain(outcome));
  if (state.broken.length > EXPLAINED) console.error(`seeds that broke a promise: ${state.broken.join(', ')}`);
  if (values.coverage) for (const line of coverage()) console.log(line);
  console.log(`${sentence(state.sum)}; ${Math.round((performance.now() - begun) / 1000)} s`);
  return state.broken.length === 0 ? 0 : 1;
}

async function batch(state: State, count: number, failed: Outcome[]): Promise<void> {
  const next = numbers(seed + state.done, count);
  const workers = Math.max(1, Math.min(availableParallelism(), count));
  await Promise.all(
    Array.from({ length: workers }, () =>
      work(next, (outcome) => {
        add(state.sum, outcome);
        if (outcome.breaches.length === 0) return;
        failed.push(outcome);
        state.broken.push(outcome.seed);
        console.error(`history ${outcome.seed}: ${outcome.breaches[0]}`);
      }),
    ),
  );
}

/** Where an earlier run of the same histories stopped, or the beginning. */
function begin(): State {
  const fresh: State = { seed, histories, done: 0, sum: noHistories(), broken: [] };
  if (values.state === undefined || !existsSync(values.state)) return fresh;
  const kept = JSON.parse(readFileSync(values.state, 'utf8')) as State;
  if (kept.seed === seed && kept.histories === histories) return kept;
  console.error(
    `${values.state} is of ${kept.histories} histories from seed ${kept.seed} on: take other numbers, or another file.`,
  );
  process.exit(2);
}

/** Whole or not at all: a run may be ended at any moment. */
function keep(state: State): void {
  if (values.state === undefined) return;
  writeFileSync(`${values.state}.new`, JSON.stringify(state));
  renameSync(`${values.state}.new`, values.state);
}

function coverage(): readonly string[] {
  const met = createCoverage();
  const lasting = new Set<string>();
  for (let at = 0; at < histories; at += 1) met.add(scenarioOf(seed + at));
  for (const pair of met.pairs.keys()) for (const kind of pair.split('+')) lasting.add(kind);
  return describeCoverage(met, [...lasting]);
}

/** Each number once, whoever asks. */
function numbers(from: number, count: number): () => number | null {
  let given = 0;
  return () => (given < count ? from + given++ : null);
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
  const worker = new Worker(new URL('../test/support/simulation/worker.ts', import.meta.url));
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
