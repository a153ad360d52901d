/** `once` of examples/clients, each as its own process, at a gate that gives out positions as the operator does, or says what the test wants. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import {
  type AskedClaim,
  endAll,
  type FakeGate,
  grant,
  nobodyKnows,
  noMore,
  type Running,
  raw,
  run,
  type SaysToClaim,
  startFakeGate,
  UID,
} from '../kit/fakes/gate-server.ts';
import { type OnceProgram, writeOncePrograms } from '../kit/fakes/once-programs.ts';
import { createSeries, type FakeSeries, givenAs, refusing } from '../kit/fakes/series.ts';

const SOON = { timeout: 20_000, interval: 20 };
const LONG = { timeout: 60_000 };
const SERIES = 'daily "report" \\ é';
const LANGUAGES = ['TypeScript', 'Go', 'Python', 'shell'] as const;

let dir: string;
let programs: Readonly<Record<(typeof LANGUAGES)[number], OnceProgram>>;

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'leadergroup-once-'));
  programs = writeOncePrograms(dir);
}, 180_000);

afterAll(async () => {
  await endAll();
  rmSync(dir, { recursive: true, force: true });
});

type Calling = {
  readonly pod?: string;
  readonly series?: string;
  readonly position?: number | string;
  readonly mode?: 'AtMostOnce' | 'AtLeastOnce';
  readonly retrySeconds?: number;
  readonly waitSeconds?: number;
  readonly work?: number | 'fails';
  /** Before all other words. */
  readonly where?: readonly string[];
};

function callAt(url: string, program: OnceProgram, calling: Calling = {}): Running {
  const { pod = 'notifier-0', series = SERIES, position = 10, mode = 'AtMostOnce', where = [] } = calling;
  const { retrySeconds = 300, waitSeconds = 0, work = 0 } = calling;
  const env = {
    LEADERGROUP_NAME: 'notifier',
    POD_NAMESPACE: 'shop',
    POD_NAME: pod,
    POD_UID: pod.replace('notifier', 'uid'),
    LEADERGROUP_GATE: url,
  };
  const words = [series, position, mode, retrySeconds, waitSeconds, work].map(String);
  const [command, ...before] = program;
  return run(env, command, ...before, ...where, ...words);
}

const idsOf = (asked: readonly AskedClaim[]): readonly unknown[] =>
  asked.map(({ body }) => (body as Readonly<Record<string, unknown>> | null)?.['id']);
/** Claims, and reports by their last word. */
const whatOf = ({ claims }: FakeGate): readonly (string | undefined)[] =>
  claims.map(({ url }) => /claims\/?(\w*)\?/.exec(url)?.[1]);
const reportsOf = (gate: FakeGate): readonly (string | undefined)[] => whatOf(gate).filter((what) => what !== '');

describe.concurrent.each(LANGUAGES)('once, in %s,', (language) => {
  const call = (gate: { readonly url: string }, calling?: Calling): Running =>
    callAt(gate.url, programs[language], calling);
  /** What it says last: of the shell only its status. */
  const says = (words: string, status: number): string => (language === 'shell' ? `status ${status}` : words);

  async function aGate(series: FakeSeries, ...first: readonly SaysToClaim[]): Promise<FakeGate> {
    const gate = await startFakeGate();
    gate.sayToClaims(series.says(...first));
    return gate;
  }

  it('does what is given to it, with the token, and drops what was given out', LONG, async () => {
    const series = createSeries();
    await using gate = await aGate(series);
    await using first = call(gate);
    expect([await first.ended, first.lines]).toEqual([0, ['work 10 1 7', says('done 10 true', 0)]]);
    for (const position of [10, 9]) {
      await using other = call(gate, { position });
      await other.ended;
      expect(other.lines).toEqual([says('dropped Passed notifier-0', 0)]);
    }
    await using next = call(gate, { position: 11 });
    await next.ended;
    expect(next.lines[0]).toBe('work 11 1 7');
    // Each call has an id of its own, and asks as its pod.
    const ids = idsOf(gate.claims);
    expect(new Set(ids).size).toBe(4);
    for (const id of ids) expect(id).toMatch(/^[0-9a-f]{32}$/);
    expect(gate.claims[0]?.url).toBe(`/v1/namespaces/shop/leadergroups/notifier/members/notifier-0/claims?uid=${UID}`);
    expect([series.given, reportsOf(gate)]).toEqual([[10, 11], []]);
  });

  it('asks again with the same id when the answer got lost, or nobody could say, and does it once', LONG, async () => {
    const series = createSeries();
    await using gate = await aGate(series, nobodyKnows, series.lost, nobodyKnows);
    await using client = call(gate);
    await client.ended;
    expect(client.lines).toEqual(['work 10 1 7', says('done 10 true', 0)]);
    expect([gate.claims.length > 3, new Set(idsOf(gate.claims)).size, series.given]).toEqual([true, 1, [10]]);
  });

  it.skipIf(language === 'shell')(
    'asks for a later position of a series when the earlier one is settled',
    LONG,
    async () => {
      const series = createSeries();
      const real = series.says();
      await using gate = await startFakeGate();
      let unknown = 0;
      gate.sayToClaims((response, asked) => {
        const { position } = asked.body as { readonly position: number };
        if (position === 11 || unknown >= 6) real(response, asked);
        else {
          unknown += 1;
          nobodyKnows(response);
        }
      });
      await using client = call(gate, { position: '10,11', waitSeconds: 30 });
      await client.ended;
      expect(client.lines.toSorted()).toEqual(['done 10 true', 'done 11 true', 'work 10 1 7', 'work 11 1 7']);
      expect(series.given).toEqual([10, 11]);
      // Of one process, and still each has an id of its own.
      expect(new Set(idsOf(gate.claims)).size).toBe(2);
    },
  );

  it('asks another replica when one is silent', LONG, async () => {
    const series = createSeries();
    await using hung = await aGate(series, ...Array.from({ length: 9 }, () => series.silent));
    await using good = await aGate(series);
    // The one that is asked first is drawn by chance: with both, one of them.
    for (const position of [10, 11, 12]) {
      await using client = call({ url: `${hung.url},${good.url}` }, { position });
      await client.ended;
      expect(client.lines[0]).toBe(`work ${position} 1 7`);
    }
    expect(series.given).toEqual([10, 11, 12]);
  });

  it('gives up when nobody can say for two seconds, and says so', LONG, async () => {
    await using gate = await startFakeGate();
    await using client = call(gate);
    await client.ended;
    expect(client.lines).toEqual([says('unknown', 75)]);
    expect([gate.claims.length > 2, new Set(idsOf(gate.claims)).size]).toEqual([true, 1]);
  });

  it('drops it at once where another leads and it may not wait', LONG, async () => {
    await using gate = await aGate(createSeries('notifier-1'));
    await using client = call(gate);
    await client.ended;
    expect(client.lines).toEqual([says('dropped NotLeader -', 0)]);
  });

  it('says where a series stands, and asks until somebody says', LONG, async () => {
    const series = createSeries();
    await using gate = await aGate(series, nobodyKnows, refusing(403, 'NotMember'), nobodyKnows);
    await using before = call(gate, { where: ['standing'] });
    await before.ended;
    expect([before.lines, gate.claims.length]).toEqual([['stands -'], 4]);
    series.setMark(SERIES, 1_795_759_200_000);
    await using after = call(gate, { where: ['standing'] });
    await after.ended;
    expect(after.lines).toEqual(['stands 1795759200000']);
    expect([series.given, new Set(gate.claims.map(({ method }) => method))]).toEqual([[], new Set(['GET'])]);
  });

  it('says at once that it may not ask where a series stands', LONG, async () => {
    await using gate = await startFakeGate();
    gate.sayToClaims(refusing(400, 'BadSeries'));
    await using client = call(gate, { where: ['standing'] });
    await client.ended;
    expect([client.lines, gate.claims.length]).toEqual([[says('refused', 64)], 1]);
  });

  it('waits as a follower until the leader has it', LONG, async () => {
    const series = createSeries('notifier-1');
    await using gate = await aGate(series);
    await using client = call(gate, { waitSeconds: 30 });
    await vi.waitFor(() => expect(gate.claims.some(({ waitMs }) => waitMs > 0)).toBe(true), SOON);
    await using leader = call(gate, { pod: 'notifier-1', waitSeconds: 30 });
    await Promise.all([client.ended, leader.ended]);
    expect(client.lines).toEqual([says('dropped Passed notifier-1', 0)]);
    expect(leader.lines).toEqual(['work 10 1 7', says('done 10 true', 0)]);
    for (const { waitMs } of gate.claims) expect(waitMs).toBeLessThanOrEqual(2000);
  });

  it('waits through a handover, and does it where it leads first', LONG, async () => {
    const series = createSeries(null);
    await using gate = await aGate(series);
    await using client = call(gate, { waitSeconds: 30 });
    // Longer than one question waits.
    await vi.waitFor(() => expect(gate.claims.filter(({ waitMs }) => waitMs > 0).length).toBeGreaterThan(1), SOON);
    expect(client.lines).toEqual([]);
    series.lead('notifier-0');
    await client.ended;
    expect([client.lines[0], new Set(idsOf(gate.claims)).size]).toEqual(['work 10 1 8', 1]);
  });

  it('says so when nobody has claimed it in all the time that it may wait', LONG, async () => {
    await using gate = await aGate(createSeries(null));
    await using client = call(gate, { waitSeconds: 3 });
    await client.ended;
    expect(client.lines).toEqual([says('unknown', 75)]);
    // It waits, and does not ask again and again.
    expect(gate.claims.length).toBeLessThan(10);
  });

  it('rests for as long as it is told when the group claims too fast', LONG, async () => {
    const series = createSeries();
    await using gate = await aGate(series, refusing(429, 'TooFast', { retryAfterMilliseconds: 1500 }));
    await using client = call(gate, { waitSeconds: 30 });
    await client.ended;
    expect(client.lines[0]).toBe('work 10 1 7');
    const [first, second] = gate.claims;
    expect((second?.atMs ?? 0) - (first?.atMs ?? 0)).toBeGreaterThan(1400);
    expect(new Set(idsOf(gate.claims)).size).toBe(1);
  });

  it.each<[string, SaysToClaim, Calling, string, boolean]>([
    ['is wrong', createSeries().says(), { mode: 'AtLeastOnce', retrySeconds: 90_000 }, 'retryAfterSeconds', true],
    ['is of a group with a shared lock', refusing(400, 'SharedLock'), {}, 'SharedLock', true],
    [
      'would be one series too many',
      refusing(429, 'TooManySeries', { retryAfterMilliseconds: 10 }),
      {},
      'TooMany',
      true,
    ],
    ['does not come from the pod', refusing(403, 'CallerNotMember'), {}, 'CallerNotMember', false],
    ['has no token', refusing(401, 'TokenRequired'), {}, 'TokenRequired', false],
  ])('fails when the claim %s, and says why', LONG, async (_, answer, calling, word, atOnce) => {
    await using gate = await startFakeGate();
    gate.sayToClaims(answer);
    await using client = call(gate, { waitSeconds: 30, ...calling });
    await client.ended;
    expect([client.lines, client.errors.join('\n')]).toEqual([[says('refused', 64)], expect.stringContaining(word)]);
    // On a machine with much to do a question may be put twice.
    if (atOnce) expect(gate.claims.length).toBeLessThan(10);
  });

  it('asks again where a replica does not know the pod yet', LONG, async () => {
    const series = createSeries();
    await using gate = await aGate(series, refusing(403, 'CallerNotMember'), refusing(404, 'MemberUnknown'));
    await using client = call(gate);
    await client.ended;
    expect(client.lines[0]).toBe('work 10 1 7');
  });

  it('takes nothing for a claim that is none', LONG, async () => {
    const series = createSeries();
    await using gate = await aGate(
      series,
      raw(201, ''),
      raw(201, 'null'),
      raw(201, '<html>please log in</html>'),
      givenAs({ claimed: false }),
      givenAs({ series: 'another' }),
      givenAs({ position: 9 }),
      givenAs({ position: 11 }),
      givenAs({ token: 0 }),
      givenAs({ attempt: undefined }),
      raw(200, '{"claimed":true}'),
      raw(409, '{}'),
    );
    await using client = call(gate, { waitSeconds: 20 });
    await client.ended;
    expect(client.lines).toEqual(['work 10 1 7', says('done 10 true', 0)]);
  });

  const untilItWaits = (gate: FakeGate): Promise<void> =>
    vi.waitFor(() => expect(gate.claims.some(({ waitMs }) => waitMs > 0)).toBe(true), SOON);

  it('does what was given to it while it was told to stop', LONG, async () => {
    const series = createSeries();
    const atOnce = series.says(nobodyKnows);
    await using gate = await startFakeGate();
    // It is given what it waits for, and hears nothing of it.
    gate.sayToClaims((response, asked) => (asked.waitMs > 0 ? series.silent : atOnce)(response, asked));
    await using client = call(gate, { waitSeconds: 30 });
    await untilItWaits(gate);
    client.signal('SIGTERM');
    await client.ended;
    // The work hears that it is to stop.
    expect(client.lines.filter((line) => line !== 'lost')).toEqual(['work 10 1 7', says('done 10 true', 0)]);
    expect([series.given, new Set(idsOf(gate.claims)).size]).toEqual([[10], 1]);
  });

  it('does nothing when it was told to stop and nothing was given to it', LONG, async () => {
    await using gate = await aGate(createSeries(null));
    await using client = call(gate, { waitSeconds: 30 });
    await untilItWaits(gate);
    client.signal('SIGTERM');
    await client.ended;
    expect(client.lines).toEqual([says('unknown', 75)]);
  });

  // The shell hears it to its end.
  it.skipIf(language === 'shell')('ends a question that waits at once when it is told to stop', LONG, async () => {
    const series = createSeries('notifier-1');
    const tookMs: number[] = [];
    // By itself it takes two seconds; on a machine with much to do another try may be needed.
    while (tookMs.length < 3 && !tookMs.some((ms) => ms < 1400)) {
      await using gate = await startFakeGate();
      gate.sayToClaims((response, asked) => (asked.waitMs > 0 ? undefined : series.says()(response, asked)));
      await using client = call(gate, { waitSeconds: 30 });
      await untilItWaits(gate);
      const toldMs = performance.now();
      client.signal('SIGTERM');
      await client.ended;
      expect(client.lines).toEqual(['unknown']);
      tookMs.push(performance.now() - toldMs);
    }
    expect(Math.min(...tookMs)).toBeLessThan(1400);
  });

  it.skipIf(language === 'shell')('asks for nothing when it was told to stop before', LONG, async () => {
    const series = createSeries();
    await using gate = await aGate(series);
    await using client = call(gate, { where: ['stopped'] });
    await client.ended;
    expect([client.lines, gate.claims, series.given]).toEqual([['unknown'], [], []]);
  });

  it('fails as the work does, and says nothing to the gate', LONG, async () => {
    const series = createSeries();
    await using gate = await aGate(series);
    for (const mode of ['AtMostOnce', 'AtLeastOnce'] as const) {
      await using client = call(gate, { series: mode, mode, work: 'fails' });
      await client.ended;
      expect(client.lines).toEqual(['work 10 1 7', says('failed', 3)]);
      expect(series.mark(mode)?.state).toBe('Claimed');
    }
    expect(reportsOf(gate)).toEqual([]);
  });

  describe('at least once,', () => {
    const again = { mode: 'AtLeastOnce', retrySeconds: 3 } as const;

    it('says that it is done when it is, again until it is noted', LONG, async () => {
      const series = createSeries();
      const real = series.says();
      const reports = inTurnTo(series.lost, nobodyKnows, refusing(429, 'TooFast'), real);
      await using gate = await startFakeGate();
      gate.sayToClaims((response, asked) => (asked.method === 'PUT' ? reports : real)(response, asked));
      await using client = call(gate, again);
      await client.ended;
      expect(client.lines).toEqual(['work 10 1 7', says('done 10 true', 0)]);
      expect([series.mark(SERIES)?.state, new Set(idsOf(gate.claims)).size]).toEqual(['Done', 1]);
      expect(reportsOf(gate).length).toBeGreaterThan(1);
    });

    it('knows that it was noted where a later one was given out before the answer got lost', LONG, async () => {
      const series = createSeries();
      const real = series.says();
      await using gate = await startFakeGate();
      const reports = inTurnTo((response, asked) => {
        series.lost(response, asked);
        // To a call that has waited for it.
        series.take(SERIES, 11);
      }, real);
      gate.sayToClaims((response, asked) => (asked.method === 'PUT' ? reports : real)(response, asked));
      await using client = call(gate, again);
      await client.ended;
      expect(client.lines).toEqual(['work 10 1 7', says('done 10 true', 0)]);
      expect([client.errors.join('\n'), series.mark(SERIES)?.position]).toEqual(['', 11]);
    });

    it('says that it could not report it', LONG, async () => {
      const series = createSeries();
      const real = series.says();
      await using gate = await startFakeGate();
      gate.sayToClaims((response, asked) => (asked.method === 'PUT' ? nobodyKnows(response) : real(response, asked)));
      await using client = call(gate, again);
      await client.ended;
      expect(client.lines).toEqual(['work 10 1 7', says('done 10 false', 0)]);
      expect(client.errors.join('\n')).toContain(`${SERIES} 10 is done, but the gate has not noted it`);
    });

    it('renews while the work takes longer than a third of the time', LONG, async () => {
      const series = createSeries();
      await using gate = await aGate(series);
      await using client = call(gate, { ...again, work: 4500 });
      await client.ended;
      expect(client.lines).toEqual(['work 10 1 7', says('done 10 true', 0)]);
      const reports = reportsOf(gate);
      expect([reports.at(-1), reports.length > 3 && reports.length < 9]).toEqual(['done', true]);
    });

    it('renews what was given long before the answer came, however short the work', LONG, async () => {
      const series = createSeries();
      const real = series.says();
      await using gate = await startFakeGate();
      gate.sayToClaims((response, asked) => {
        const sinceMs = asked.atMs - (gate.claims[0]?.atMs ?? 0);
        (asked.method === 'POST' && sinceMs < 1200 ? series.lost : real)(response, asked);
      });
      // Patient for longer than its pauses may last.
      await using client = call(gate, { ...again, work: 900, waitSeconds: 5 });
      await client.ended;
      expect(client.lines).toEqual(['work 10 1 7', says('done 10 true', 0)]);
      expect([series.given, reportsOf(gate)[0]]).toEqual([[10], 'renew']);
    });

    it('tells the work that somebody else has it by now', LONG, async () => {
      const series = createSeries();
      const real = series.says();
      await using gate = await startFakeGate();
      gate.sayToClaims((response, asked) =>
        asked.method === 'PUT' ? refusing(409, 'NotYours')(response) : real(response, asked),
      );
      await using client = call(gate, { ...again, work: 4000 });
      await client.ended;
      // A command of the shell is not told.
      const lost = language === 'shell' ? [] : ['lost'];
      expect(client.lines).toEqual(['work 10 1 7', ...lost, says('done 10 false', 0)]);
    });

    it('does first what nobody has done, by a claim of its own, and then what it was called for', LONG, async () => {
      const series = createSeries();
      await using gate = await aGate(series);
      await using failed = call(gate, { ...again, work: 'fails' });
      await failed.ended;
      series.pass(3000);
      await using client = call(gate, { ...again, position: 20 });
      await client.ended;
      expect(client.lines).toEqual(['work 10 2 7', 'work 20 1 7', says('done 20 true', 0)]);
      expect([series.given, series.mark(SERIES)?.state, reportsOf(gate)]).toEqual([
        [10, 10, 20],
        'Done',
        ['done', 'done'],
      ]);
      expect(new Set(idsOf(gate.claims)).size).toBe(3);
    });

    it('claims no more when it is told to stop while it does an earlier one', LONG, async () => {
      const series = createSeries();
      await using gate = await aGate(series);
      await using failed = call(gate, { ...again, work: 'fails' });
      await failed.ended;
      series.pass(3000);
      await using client = call(gate, { ...again, position: 20, work: 1500 });
      await vi.waitFor(() => expect(client.lines).toEqual(['work 10 2 7']), SOON);
      client.signal('SIGTERM');
      await client.ended;
      expect(client.lines.at(-1)).toBe(says('unknown', 75));
      expect([series.given, series.mark(SERIES)?.state]).toEqual([[10, 10], 'Done']);
    });

    it('waits for what is pending', LONG, async () => {
      const series = createSeries();
      await using gate = await aGate(series);
      await using failed = call(gate, { ...again, retrySeconds: 60, work: 'fails' });
      await failed.ended;
      await using client = call(gate, { ...again, retrySeconds: 60, position: 20, waitSeconds: 30 });
      await vi.waitFor(() => expect(gate.claims.some(({ waitMs }) => waitMs > 0)).toBe(true), SOON);
      series.pass(60_000);
      await client.ended;
      expect(client.lines).toEqual(['work 10 2 7', 'work 20 1 7', says('done 20 true', 0)]);
    });

    it('says so where it is pending to the end', LONG, async () => {
      const series = createSeries();
      await using gate = await aGate(series);
      await using failed = call(gate, { ...again, retrySeconds: 300, work: 'fails' });
      await failed.ended;
      await using client = call(gate, { ...again, retrySeconds: 300, position: 20, waitSeconds: 1 });
      await client.ended;
      expect(client.lines).toEqual([says('dropped Pending notifier-0', 75)]);
    });
  });
});

it.concurrent('once, in shell, runs a command whatever it is called', LONG, async () => {
  await using gate = await startFakeGate();
  gate.sayToClaims(createSeries().says());
  const bin = mkdtempSync(join(dir, 'bin-'));
  for (const name of ['claim', 'line']) {
    writeFileSync(join(bin, name), '#!/bin/sh\necho "sent $CLAIM_POSITION"\n', { mode: 0o755 });
    const env = {
      LEADERGROUP_NAME: 'notifier',
      POD_NAMESPACE: 'shop',
      POD_NAME: 'notifier-0',
      POD_UID: UID,
      LEADERGROUP_GATE: gate.url,
      PATH: `${bin}:${process.env['PATH'] ?? ''}`,
    };
    const script = join(import.meta.dirname, '../../examples/clients/shell/if-leader.sh');
    await using client = run(env, script, '--once', name, '--position', '10', '--', name);
    expect([await client.ended, client.lines]).toEqual([0, ['sent 10']]);
  }
});

describe.concurrent('a call of the shell', () => {
  it.each([
    [7, [8, 9, 10]],
    [2, [7, 8, 9, 10]],
    [null, [10]],
    [9, [10]],
    [10, []],
  ])('catches up after position %s, up to three before its own', LONG, async (mark, done) => {
    const series = createSeries();
    series.setMark(SERIES, mark);
    await using gate = await startFakeGate();
    gate.sayToClaims(series.says());
    await using client = callAt(gate.url, programs.shell, { where: ['catch-up'] });
    await client.ended;
    expect(client.lines).toEqual([...done.map((position) => `work ${position} 1 7`), 'status 0']);
    expect(series.given).toEqual(done);
  });

  it('catches up with the others also where the work of one fails', LONG, async () => {
    const series = createSeries();
    series.setMark(SERIES, 8);
    await using gate = await startFakeGate();
    gate.sayToClaims(series.says());
    await using client = callAt(gate.url, programs.shell, { where: ['catch-up'], work: 'fails' });
    await client.ended;
    expect([client.lines, series.given]).toEqual([
      ['work 9 1 7', 'work 10 1 7', 'status 3'],
      [9, 10],
    ]);
  });
});

describe.concurrent('calls of the shell for one series that overlap', () => {
  /** The earlier one has to ask again and again, until `settled`. */
  async function overlap(program: OnceProgram, settled: (series: FakeSeries, asked: number) => boolean) {
    const series = createSeries();
    const real = series.says();
    const gate = await startFakeGate();
    onTestFinished(() => gate[Symbol.asyncDispose]());
    gate.sayToClaims((response, asked) => {
      const { position } = asked.body as { readonly position: number };
      if (position === 10 && !settled(series, gate.claims.length)) nobodyKnows(response);
      else real(response, asked);
    });
    const earlier = callAt(gate.url, program, { waitSeconds: 30 });
    await vi.waitFor(() => expect(gate.claims.length).toBeGreaterThan(0), SOON);
    const later = callAt(gate.url, program, { waitSeconds: 30, position: 11 });
    await Promise.all([earlier.ended, later.ended]);
    return { series, lines: [earlier, later].map(({ lines }) => lines) };
  }

  it('do not know of each other: the later position lets the earlier one pass', LONG, async () => {
    const { series, lines } = await overlap(programs.shell, ({ given }) => given.includes(11));
    expect([series.given, lines]).toEqual([[11], [['status 0'], ['work 11 1 7', 'status 0']]]);
  });

  it('come one after the other by flock', LONG, async () => {
    const program: OnceProgram = ['flock', join(dir, 'overlap.lock'), ...programs.shell];
    const { series, lines } = await overlap(program, (_, asked) => asked > 4);
    expect([series.given, lines[0]]).toEqual([
      [10, 11],
      ['work 10 1 7', 'status 0'],
    ]);
  });
});

/** As `inTurn`, to claims. */
function inTurnTo(...all: readonly SaysToClaim[]): SaysToClaim {
  const left = [...all];
  return (response, asked) => (left.length > 1 ? left.shift() : left[0])?.(response, asked);
}

describe.concurrent.each([
  ['TypeScript', 'TypeScript', ['term']],
  ['Go', 'Go', ['term']],
  ['Python, in a thread', 'Python', ['term']],
  ['Python, in a process', 'Python', ['process']],
] as const)('once of a term, in %s,', (_, language, where) => {
  const call = (gate: FakeGate, calling: Calling = {}): Running =>
    callAt(gate.url, programs[language], { where, ...calling });

  it('does what is given to it, and does not wait', LONG, async () => {
    const series = createSeries();
    await using gate = await startFakeGate();
    gate.say(grant(7, 2000));
    gate.sayToClaims(series.says());
    await using client = call(gate, { mode: 'AtLeastOnce' });
    await vi.waitFor(() => expect(client.lines).toEqual(['work 10 1 7', 'done 10 true']), SOON);
    await client.ended;
    expect(gate.claims.every(({ waitMs }) => waitMs === 0)).toBe(true);
  });

  it('drops at once what is not its own any more', LONG, async () => {
    await using gate = await startFakeGate();
    gate.say(grant(7, 2000));
    gate.sayToClaims(createSeries('notifier-1').says());
    await using client = call(gate);
    await vi.waitFor(() => expect(client.lines).toEqual(['dropped NotLeader -']), SOON);
  });

  it('begins nothing under the token of another term', LONG, async () => {
    const series = createSeries();
    series.lead('notifier-0');
    await using gate = await startFakeGate();
    gate.say(grant(7, 2000));
    gate.sayToClaims(series.says());
    await using client = call(gate);
    await vi.waitFor(() => expect(client.lines).toEqual(['dropped TermOver -']), SOON);
  });

  it('begins nothing when the term is over before the answer', LONG, async () => {
    await using gate = await startFakeGate();
    gate.say(grant(7, 2000));
    const series = createSeries();
    // What is on its way when the term ends has been given out.
    gate.sayToClaims((response, asked) => {
      series.silent(response, asked);
      gate.say(noMore('Revoking'));
    });
    await using client = call(gate);
    await vi.waitFor(() => expect(gate.released).toHaveLength(1), SOON);
    expect([series.given, client.lines.filter((line) => line.startsWith('work'))]).toEqual([[10], []]);
  });
});
