/** Two minutes of faults of every kind on the real components, another seed each time. `npm run test:faults` does it for as long as one likes. */
import { expect, it } from 'vitest';
import { runFaults } from '../kit/rig/faults/run.ts';

const MINUTES = 2;
const SEED = Number(process.env['FAULTS_SEED'] ?? Math.floor(Math.random() * 1e6));

it('three replicas and twelve groups keep the promises through it', { timeout: 600_000 }, async () => {
  console.log(`faults from seed ${SEED}; again with FAULTS_SEED=${SEED}`);
  const never = new AbortController().signal;
  const lines: string[] = [];
  const report = await runFaults({ minutes: MINUTES, seed: SEED, signal: never }, (line) => lines.push(line)).catch(
    (error: unknown) => {
      console.log(lines.join('\n'));
      throw error;
    },
  );
  const broken = [...report.breaches, ...report.errors];
  if (broken.length > 0) console.log(lines.join('\n'));
  console.log(report.words.slice(0, 3).join('\n'));
  // What is broken stands in the first line, which is all that the end of a long run repeats.
  expect(broken.join('\n')).toBe('');
  expect(report.kinds.size).toBeGreaterThan(10);
});
