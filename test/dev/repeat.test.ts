/** `npm run test:repeat` says which runs have failed. */
import { expect, test } from 'vitest';
import { parseRepeat, type Run } from '../../dev/repeat/runs.ts';
import { summaryOf } from '../../dev/repeat/summary.ts';

test.each([
  [[], { stages: ['e2e'], times: 20, out: undefined }],
  [['--times', '3', 'unit', 'all'], { stages: ['unit', 'all'], times: 3, out: undefined }],
  [['--times', '0'], { wrong: '--times is a whole number above 0, not 0' }],
  [['e3e'], { wrong: 'there is no stage e3e: they are unit, integration, e2e, all' }],
])('%j', (argv, wish) => {
  expect(parseRepeat(argv, true)).toEqual(wish);
});

test('runs the end-to-end test only where real nodes are asked for', () => {
  expect(parseRepeat([], false)).toEqual({ wrong: expect.stringContaining('LEADERGROUP_REQUIRE_REAL_NODES=1') });
  expect(parseRepeat(['unit', 'integration'], false)).toMatchObject({ stages: ['unit', 'integration'] });
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
