/** The files that docs/architecture.md lists from a pod's event to the promoting patch are those that a failover passes. */
import { readFileSync } from 'node:fs';
import { Session } from 'node:inspector';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Scenario } from '../kit/simulation/acts.ts';
import { openStage, type Stage } from '../kit/simulation/stage.ts';

const ROOT = join(import.meta.dirname, '../..');
const page = readFileSync(join(ROOT, 'docs/architecture.md'), 'utf8');

const listed = [...page.matchAll(/^(\d+)\. `(src\/[^`]+)`: /gm)].map(([, number, file]) => ({
  number: Number(number),
  file: file ?? '',
}));

/** The simulated world stands in their place: it has no HTTP. */
const OF_HTTP: ReadonlySet<string> = new Set([
  'src/kubernetes/reflector/watch-transport.ts',
  'src/kubernetes/client/kubernetes.ts',
  'src/kubernetes/client/transport.ts',
]);

const ROLE = 'leadergroup.dev/role';

const SCENARIO: Scenario = {
  seed: 1,
  lengthMs: 60_000,
  replicas: 1,
  gate: false,
  claims: false,
  probed: [],
  steady: true,
  acts: [],
  groups: [
    {
      name: 'notifier',
      ttlMs: 15_000,
      lockDelayMs: 0,
      lockKey: null,
      onConsulLoss: 'Hold',
      follower: null,
      failoverDelayMs: 0,
      pods: 3,
    },
  ],
};

const profiler = new Session();

/** Commands of the profiler answer before `post` returns. */
function post(method: string, parameters: object = {}): unknown {
  let said: unknown;
  profiler.post(method, parameters, (_, answer) => {
    said = answer;
  });
  return said;
}

type Coverage = {
  readonly result: readonly {
    readonly url: string;
    readonly functions: readonly {
      readonly functionName: string;
      readonly ranges: readonly { readonly count: number }[];
    }[];
  }[];
};

/** Files of `src` of which a named function has run since the last look. */
function filesRun(): readonly string[] {
  const coverage = post('Profiler.takePreciseCoverage') as Coverage | undefined;
  return (coverage?.result ?? []).flatMap(({ url, functions }) => {
    const [, file] = /\/(src\/(?:(?!\/src\/).)*\.ts)$/.exec(url) ?? [];
    const ran = functions.some(({ functionName, ranges }) => functionName !== '' && (ranges[0]?.count ?? 0) > 0);
    return file !== undefined && ran ? [file] : [];
  });
}

const leaderOf = ({ api }: Stage): string => api.pods().find(({ labels }) => labels[ROLE] === 'leader')?.name ?? '';

describe('from a leader that is not ready to the promoting patch', () => {
  let passed: readonly string[] = [];

  beforeAll(async () => {
    let leader = '';
    const stage = openStage(SCENARIO, ({ patch }) => {
      if (leader !== '' && passed.length === 0 && patch.labels[ROLE] === 'leader') passed = filesRun();
    });
    await stage.loop.runUntil(25_000);
    leader = leaderOf(stage);
    profiler.connect();
    post('Profiler.enable');
    post('Profiler.startPreciseCoverage', { callCount: true, detailed: false });
    stage.api.foreign.changePod(leader, () => ({ ready: false }));
    await stage.loop.runUntil(26_000);
    post('Profiler.stopPreciseCoverage');
    expect([leader, leaderOf(stage)]).toEqual(['notifier-0', 'notifier-1']);
  });

  afterAll(() => profiler.disconnect());

  it.each(listed.filter(({ file }) => !OF_HTTP.has(file)).map(({ file }) => file))('%s is passed', (file) => {
    expect(passed).toContain(file);
  });

  it('a file that has no part in it is not', () => {
    expect(passed).not.toContain('src/election/plan-deletion.ts');
  });

  it('the page numbers them, and says how many there are', () => {
    expect(listed.map(({ number }) => number)).toEqual(listed.map((_, at) => at + 1));
    expect(page).toContain(`There are ${listed.length} files:`);
  });

  it('the page says how many files run in all', () => {
    const [, least, most] = /functions of (\d+) to (\d+) files of `src` run/.exec(page) ?? [];
    expect(passed.length).toBeGreaterThanOrEqual(Number(least));
    expect(passed.length).toBeLessThanOrEqual(Number(most));
  });
});
