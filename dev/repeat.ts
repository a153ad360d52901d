/**
 * `npm run test:repeat -- [--times N] [--out DIR] STAGE...`: whether tests can be trusted. Runs each stage so often, one run after the other,
 * keeps what each run has printed, and says at the end which have failed. Exit code 1 when one has.
 */
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { parseRepeat, type Run, runStage, type Wish } from './repeat/runs.ts';
import { lineOf, summaryOf } from './repeat/summary.ts';

process.exitCode = await repeat(parseRepeat(process.argv.slice(2)));

async function repeat({ stages, times, out }: Wish): Promise<number> {
  const dir = out ?? (await mkdtemp(join(tmpdir(), 'leadergroup-repeat-')));
  console.log(`Output of every run: ${dir}`);
  const runs: Run[] = [];
  for (let time = 1; time <= times; time += 1) {
    for (const stage of stages) {
      const run = await runStage(stage, time, dir);
      runs.push(run);
      console.log(lineOf(run));
    }
  }
  for (const line of summaryOf(runs)) console.log(line);
  return runs.every(({ code }) => code === 0) ? 0 : 1;
}
