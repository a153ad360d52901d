/** The prober: when it begins, what it asks of whom, when it goes on, and what it says of it. */
import { describe, expect, it } from 'vitest';
import type { Asked } from '../../../src/verify/ask.ts';
import { type Answerer, type FaultName, type Line, lineText, readLine } from '../../../src/verify/lines.ts';
import { probe } from '../../../src/verify/prober.ts';
import { createRuns, SPLIT_MS } from '../../../src/verify/runs.ts';
import { processOf } from '../../kit/fakes/cli/measured.ts';
import { createFakeClock } from '../../kit/fakes/clock.ts';

/** Two Services that lead to `leader`; null: to nobody. */
function aProber({
  faults = [],
  slice = true,
}: {
  readonly faults?: readonly FaultName[];
  readonly slice?: boolean;
} = {}) {
  const clock = createFakeClock();
  const lines: Line[] = [];
  const posted: string[] = [];
  const stop = new AbortController();
  const world: { leader: Answerer | null } = { leader: processOf(0) };
  const ask = async ({ method, url }: Asked): Promise<Answerer | null> => {
    if (method === 'POST') posted.push(url);
    return url.startsWith('http://slice') && !slice ? null : world.leader;
  };
  const urls = { label: 'http://label', slice: 'http://slice' };
  const ended = probe({
    clock,
    urls,
    faults,
    baselineMs: 10_000,
    ask,
    tell: (line) => void lines.push(line),
    signal: stop.signal,
  });
  const phases = () => lines.filter((line) => line.kind === 'phase').map(({ phase, leader }) => [phase, leader.pod]);
  const end = () => lines.find((line) => line.kind === 'end');
  return { clock, lines, posted, world, stop, ended, phases, end };
}

describe('the prober', () => {
  it('begins when somebody has answered for a while, with a baseline, and ends after it where nothing is to befall anybody', async () => {
    const p = aProber();
    await p.clock.advance(2_900);
    expect(p.phases()).toEqual([]);
    await p.clock.advance(500);
    expect(p.phases()).toEqual([['baseline', 'verify-0']]);
    await p.clock.advance(11_000);
    await p.ended;
    expect(p.end()).toMatchObject({ why: '' });
    expect(p.lines.filter(({ kind }) => kind === 'run')).toHaveLength(2);
  });

  it('says so where nobody answers', async () => {
    const p = aProber();
    p.world.leader = null;
    await p.clock.advance(100_000);
    await p.ended;
    expect(p.end()?.why).toContain('nobody answered through the Service by label');
  });

  it('goes on without the Service by slice where nobody answers through it', async () => {
    const p = aProber({ slice: false });
    await p.clock.advance(30_000);
    await p.ended;
    expect([p.phases(), p.end()?.why]).toEqual([[['baseline', 'verify-0']], '']);
  });

  it.each([
    ['kill', 'http://label/exit?uid=uid-0'],
    ['freeze', 'http://label/freeze?uid=uid-0'],
  ] as const)('asks the leader alone to %s itself, by its uid', async (fault, url) => {
    const p = aProber({ faults: [fault] });
    await p.clock.advance(14_000);
    expect([p.phases().at(-1), p.posted]).toEqual([[fault, 'verify-0'], [url]]);
    p.stop.abort();
    await p.ended;
  });

  it.each(['delete', 'evict'] as const)('asks no pod to %s, which is for the command', async (fault) => {
    const p = aProber({ faults: [fault] });
    await p.clock.advance(14_000);
    expect([p.phases().at(-1), p.posted]).toEqual([[fault, 'verify-0'], []]);
    p.stop.abort();
    await p.ended;
  });

  it('begins the next fault only when another process has answered for a while', async () => {
    const p = aProber({ faults: ['delete', 'evict'] });
    await p.clock.advance(13_500);
    expect(p.phases()).toHaveLength(2);
    p.world.leader = processOf(1);
    await p.clock.advance(2_800);
    expect(p.phases()).toHaveLength(2);
    await p.clock.advance(600);
    expect(p.phases().at(-1)).toEqual(['evict', 'verify-1']);
    p.world.leader = processOf(2);
    await p.clock.advance(2_000);
    await p.ended;
    expect(p.end()).toMatchObject({ why: '' });
  });

  it('rests longer after a handover that took long, so that a proxy which waits is at rest again', async () => {
    const p = aProber({ faults: ['delete', 'evict'] });
    await p.clock.advance(13_500);
    await p.clock.advance(6_000);
    p.world.leader = processOf(1);
    await p.clock.advance(11_500);
    expect(p.phases()).toHaveLength(2);
    await p.clock.advance(2_000);
    expect(p.phases()).toHaveLength(3);
    p.stop.abort();
    await p.ended;
  });

  it('gives up where no other process answers, and names the fault', async () => {
    const p = aProber({ faults: ['delete', 'evict'] });
    await p.clock.advance(90_000);
    await p.ended;
    expect([p.phases().length, p.end()?.why]).toEqual([2, expect.stringContaining('within 60 s of delete')]);
  });
});

describe('runs', () => {
  function told() {
    const runs: unknown[] = [];
    const made = createRuns(
      'label',
      ({ boot, firstMs, lastMs, answers }) => void runs.push([boot, firstMs, lastMs, answers]),
    );
    return { runs, ...made };
  }

  it('end with another process, and with a gap that counts', () => {
    const { runs, answered, flush } = told();
    answered(processOf(0), 0);
    answered(processOf(0), SPLIT_MS);
    answered(processOf(1), SPLIT_MS + 1);
    answered(processOf(1), 2 * SPLIT_MS + 2);
    flush();
    flush();
    expect(runs).toEqual([
      ['boot-0', 0, SPLIT_MS, 2],
      ['boot-1', SPLIT_MS + 1, SPLIT_MS + 1, 1],
      ['boot-1', 2 * SPLIT_MS + 2, 2 * SPLIT_MS + 2, 1],
    ]);
  });
});

describe('a line', () => {
  it('is read as it was written', () => {
    const line: Line = { kind: 'phase', phase: 'kill', atMs: 5, leader: processOf(0) };
    expect(readLine(lineText(line, 7))).toEqual({ number: 7, line });
  });

  it.each(['', 'Error: Cannot find module', '{', '{"kind":"else","number":1}', '{"kind":"alive","atMs":1}'])(
    'that the prober has not written is none: %s',
    (text) => {
      expect(readLine(text)).toBeNull();
    },
  );
});
