/** A failure says in its last lines what it was, and keeps what explains it. */
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { briefly, type Failure, lastLines } from '../../kit/rig/failures.ts';
import { handOver, hasFailed, settle, stayUntilSettled } from '../../kit/rig/keep.ts';

const failure = (messages: readonly string[]): Failure => ({
  where: 'test/a.test.ts > a rule',
  startedAtMs: Date.UTC(2026, 0, 1),
  ms: 1500,
  messages,
});

describe('the last lines of a run', () => {
  it('name rule, moment, what was broken, and the folder', () => {
    expect(lastLines([failure(['1 promises broken:\nI2 ns/a [index 7]: pod x(1234)'])], ['/kept'])).toEqual([
      '1 failed:',
      '  test/a.test.ts > a rule (failed at 2026-01-01T00:00:01.500Z)',
      '    1 promises broken:',
      '    I2 ns/a [index 7]: pod x(1234)',
      'Logs of operators, components and pods, and the observed history: /kept',
    ]);
  });

  it('are no more than can be read at once', () => {
    const lines = Array.from({ length: 30 }, (_, at) => `line ${at}`);
    expect(lastLines([failure([lines.join('\n')])], []).at(-1)).toBe('    and 22 lines more, above');
    expect(lastLines([failure([lines.join('\n')])], [])).toHaveLength(11);
  });

  it('are none where all is well', () => {
    expect(lastLines([], [])).toEqual([]);
  });
});

describe('what is told of a run briefly', () => {
  it('are rules and the first lines of what was broken', () => {
    expect(briefly([failure(['expected 1\n\nto be 2\nthree\nfour'])])).toEqual([
      '1 failed:',
      '  test/a.test.ts > a rule',
      '    expected 1',
      '    to be 2',
      '    three',
    ]);
  });

  it('is less than 60 lines, however much has failed, and says how much it leaves out', () => {
    const lines = briefly(Array.from({ length: 1000 }, () => failure(['x'.repeat(10_000), 'y\n'.repeat(100)])));
    expect(lines.length).toBeLessThan(60);
    expect(lines.every(({ length }) => length < 350)).toBe(true);
    expect([lines[0], lines.at(-1)]).toEqual(['1000 failed:', '  and 972 more, above']);
  });

  it('is nothing where all is well', () => {
    expect(briefly([])).toEqual([]);
  });
});

describe('a folder', () => {
  let dir: string;
  const history = () => ({ groups: [], pods: [], keys: [], sessions: new Map([['id', null as never]]) });

  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'leadergroup-keep-'));
  });
  afterEach(() => rm(dir, { recursive: true, force: true }));

  it('stays with the history when a test has failed', async () => {
    stayUntilSettled();
    await handOver({ dir, history });
    expect(await settle(true)).toEqual([dir]);
    expect(JSON.parse(await readFile(join(dir, 'history.json'), 'utf8'))).toMatchObject({ sessions: [['id', null]] });
  });

  it('goes when none has', async () => {
    stayUntilSettled();
    await handOver({ dir, history });
    expect(existsSync(dir)).toBe(true);
    expect(await settle(false)).toEqual([]);
    expect(existsSync(dir)).toBe(false);
  });

  it('goes at once outside of tests', async () => {
    await handOver({ dir, history });
    expect(existsSync(dir)).toBe(false);
  });

  it('is kept for a failure at any depth', () => {
    const passed = { result: { state: 'pass' } };
    expect(hasFailed({ ...passed, tasks: [{ ...passed, tasks: [{ result: { state: 'fail' } }] }] })).toBe(true);
    expect(hasFailed({ ...passed, tasks: [passed, {}] })).toBe(false);
  });
});
