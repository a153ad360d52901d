/** `npm run test:simulation -- --histories N --seed S`: N histories from seed S on, on all cores. Exit code 1 when a promise is broken. */
import { availableParallelism } from 'node:os';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { Worker } from 'node:worker_threads';
import { add, explain, noHistories, sentence } from '../test/support/simulation/report.ts';
import type { Outcome } from '../test/support/simulation/run.ts';

const PROGRESS_MS = 5000;
const HISTORIES_OF_A_WORKER = 250;
/** Explained in full; of more only the number is told. */
const EXPLAINED = 3;

const { values } = parseArgs({
  options: { histories: { type: 'string', default: '1000' }, seed: { type: 'string' } },
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

async function simulate(): Promise<number> {
  console.log(`simulating ${histories} histories from seed ${seed} on`);
  const begun = performance.now();
  const sum = noHistories();
  const failed: Outcome[] = [];
  const progress = setInterval(() => {
    const left = ((performance.now() - begun) / Math.max(1, sum.histories)) * (histories - sum.histories);
    console.error(`${sum.histories} of ${histories}, ${sum.broken} broken, about ${Math.round(left / 1000)} s left`);
  }, PROGRESS_MS);
  const next = numbers(seed, histories);
  const workers = Math.max(1, Math.min(availableParallelism(), histories));
  await Promise.all(
    Array.from({ length: workers }, () =>
      work(next, (outcome) => {
        add(sum, outcome);
        if (outcome.breaches.length === 0) return;
        failed.push(outcome);
        console.error(`history ${outcome.seed}: ${outcome.breaches[0]}`);
      }),
    ),
  );
  clearInterval(progress);
  for (const outcome of failed.slice(0, EXPLAINED)) console.error(await explain(outcome));
  if (failed.length > EXPLAINED)
    console.error(`seeds that broke a promise: ${failed.map(({ seed: each }) => each).join(', ')}`);
  console.log(`${sentence(sum)}; ${Math.round((performance.now() - begun) / 1000)} s`);
  return failed.length === 0 ? 0 : 1;
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
