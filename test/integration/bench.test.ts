/** The benchmark works: its smallest size, through every row. What it measures here says nothing. */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it, onTestFinished } from 'vitest';

const ROOT = join(import.meta.dirname, '../..');
const LIMIT_MS = 600_000;

it(
  'the benchmark has a figure for each of its rows, draws them, and never sees two leaders',
  async () => {
    const dir = await mkdtemp(join(tmpdir(), 'leadergroup-bench-test-'));
    onTestFinished(() => rm(dir, { recursive: true, force: true }));
    const json = join(dir, 'figures.json');
    const args = ['dev/bench.ts', '--smoke', '--json', json, '--svg', dir];
    const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: ROOT, timeout: LIMIT_MS });
    expect(stdout).toContain('### 10 groups of 3 in 2 namespaces, the gate in use');
    const [{ rows }] = JSON.parse(await readFile(json, 'utf8')) as [
      { readonly rows: readonly { readonly what: string; readonly figure: number | null }[] },
    ];
    expect(rows.filter(({ figure }) => figure === null)).toEqual([]);
    const figureOf = (what: string): unknown => rows.find((row) => row.what === what)?.figure;
    for (const what of [
      'restart after SIGKILL',
      'take-over after SIGTERM',
      'take-over after SIGKILL',
      'take-over after SIGSTOP',
    ])
      expect(figureOf(`${what}: labels that moved`)).toBe(0);
    expect(figureOf('at rest: changes of groups and their leaders in etcd, by anybody')).toBe(0);
    expect(figureOf('at rest: sessions')).toBe(30);
    expect(figureOf('gate: questions that nobody answered')).toBe(0);
    expect(figureOf('moments at which a group had two leaders')).toBe(0);
    expect(await readFile(join(dir, 'failover.svg'), 'utf8')).toContain('</svg>');
  },
  LIMIT_MS + 20_000,
);
