/** Histories of the real operator in a simulated world: the promises hold where no hand-written test would look. */
import { Worker } from 'node:worker_threads';
import { describe, expect, it } from 'vitest';
import { describeAct, scenarioOf } from '../kit/simulation/acts.ts';
import { add, explain, noHistories, sentence } from '../kit/simulation/report.ts';
import { type Outcome, runHistory } from '../kit/simulation/run.ts';
import { shrink } from '../kit/simulation/shrink.ts';

const HISTORIES = Number(process.env['SIMULATION_HISTORIES'] ?? 200);
const SEED = Number(process.env['SIMULATION_SEED'] ?? Math.floor(Math.random() * 1e9));

describe('simulated histories', () => {
  it('keep every promise, and come to rest with one leader for each group', { timeout: 600_000 }, async () => {
    const sum = noHistories();
    for (let seed = SEED; seed < SEED + HISTORIES; seed += 1) {
      const outcome = await runHistory(seed);
      add(sum, outcome);
      if (outcome.breaches.length > 0) expect.fail(await explain(outcome));
    }
    console.log(`simulation from seed ${SEED} on: ${sentence(sum)}`);
    expect(sum.fewestSteps).toBeGreaterThanOrEqual(200);
    // Histories in which nothing happened would prove nothing.
    for (const what of [
      'promotions',
      'handovers',
      'bucketMoves',
      'memberExpiries',
      'grants',
      'claims',
      'claimsAgain',
      'conflicts',
      'lostAnswers',
      'late',
    ])
      expect(sum.counts[what], what).toBeGreaterThan(0);
  });
});

describe('a history', () => {
  const SOME = [7, 1306, 4711];

  it.each(SOME)('is the same, bit for bit, whenever its seed is used: %i', async (seed) => {
    const [first, second] = [await runHistory(seed), await runHistory(seed)];
    expect(second).toEqual(first);
    expect(await inAnotherThread(seed)).toEqual(first);
  });

  it('is another with another seed', async () => {
    const hashes = await Promise.all(SOME.map(async (seed) => (await runHistory(seed)).hash));
    expect(new Set(hashes).size).toBe(SOME.length);
  });

  it('that fails is shortened to the acts that it takes', async () => {
    const seed = 1306;
    const words = scenarioOf(seed).acts.map(describeAct);
    const needed = [words[3], words.at(-2)];
    const shortest = await shrink(seed, (acts) => {
      const some = acts.map(describeAct);
      return Promise.resolve(needed.every((act) => act !== undefined && some.includes(act)));
    });
    expect(shortest.map(describeAct)).toEqual(needed);
  });
});

function inAnotherThread(seed: number): Promise<Outcome> {
  const worker = new Worker(new URL('../kit/simulation/worker.ts', import.meta.url));
  return new Promise((resolve, reject) => {
    worker.once('error', reject);
    worker.once('message', (outcome: Outcome) => {
      void worker.terminate();
      resolve(outcome);
    });
    worker.postMessage(seed);
  });
}
