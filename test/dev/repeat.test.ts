/** `npm run test:repeat` says which runs have failed. */
import { expect, test } from 'vitest';
import { parseRepeat, type Run } from '../../dev/repeat/runs.ts';
import { summaryOf } from '../../dev/repeat/summary.ts';
import { commandLine } from './command-line.ts';

const asked = (argv: readonly string[], realNodes: boolean) =>
  commandLine(async (note) => note(parseRepeat(argv, realNodes)));

test.each([
  [[], { stages: ['e2e'], times: 20 }],
  [['--times', '3', 'unit', 'all'], { stages: ['unit', 'all'], times: 3 }],
  [['--out', 'd'], { stages: ['e2e'], times: 20, out: 'd' }],
])('%j', async (argv, command) => {
  expect(await asked(argv, true)).toEqual({ command, said: '', exitCode: undefined });
});

test.each([
  [['--times', '0'], "argument '0' is invalid. It must be a whole number above 0."],
  [['--times', ''], "argument '' is invalid"],
  [['e3e'], 'Allowed choices are unit, integration, e2e, all'],
])('%j is refused: %s', async (argv, words) => {
  expect(await asked(argv, true)).toMatchObject({ said: expect.stringContaining(words), exitCode: 2 });
});

test('runs the end-to-end test only where real nodes are asked for', async () => {
  const { said, exitCode } = await asked([], false);
  expect(said).toContain('LEADERGROUP_REQUIRE_REAL_NODES=1');
  expect(exitCode).toBe(2);
  expect(await asked(['unit', 'integration'], false)).toMatchObject({ command: { stages: ['unit', 'integration'] } });
});

test('names every run that failed, and where to read of it', () => {
  const run = (time: number, code: number | null): Run => ({
    stage: 'e2e',
    time,
    code,
    seconds: 10 * time,
    log: `e2e-${time}.log`,
  });
  expect(summaryOf([run(1, 0), run(2, 1), run(3, null)])).toEqual([
    'e2e: 1 of 3 runs passed, 10 to 30 s',
    'e2e 2: FAILED (exit code 1) in 20 s; the last lines of e2e-2.log say what',
    'e2e 3: FAILED (ended by a signal) in 30 s; the last lines of e2e-3.log say what',
  ]);
});
