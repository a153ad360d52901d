/** The benchmark of claims works: its smallest size, through every row. What it measures here says nothing, but what is written. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

const ROOT = join(import.meta.dirname, '../..');
const LIMIT_MS = 170_000;

it('the benchmark of claims has a figure for each of its rows; a tick is one entry in the log of Consul, and rest none', async () => {
  const args = ['dev/bench-claims.ts', '--smoke'];
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: ROOT, timeout: LIMIT_MS });
  const lines = stdout.split('\n').filter((line) => line.startsWith('| '));
  const figures = new Map(
    lines.slice(2).map((line) => {
      const [, what = '', figure = ''] = line.split('|').map((part) => part.trim());
      return [what, Number.parseFloat(figure)];
    }),
  );
  expect([...figures].filter(([, figure]) => Number.isNaN(figure))).toEqual([]);
  // Consul writes one of its own now and then.
  expect(figures.get('AtMostOnce: Raft entries of a tick of three replicas')).toBeCloseTo(1, 0);
  expect(figures.get('AtLeastOnce: Raft entries of a tick of three replicas, and its done')).toBeCloseTo(2, 0);
  for (const what of ['reads', 'writes'])
    expect(figures.get(`at rest, with all these series: ${what} of the operator a minute`)).toBe(0);
  const wrong = [...figures].filter(([what, figure]) => /other than|not taken/.test(what) && figure > 0);
  expect(wrong).toEqual([]);
});
