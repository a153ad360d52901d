/** examples/clients, each as its own process, against a gate that says what the test wants. */
import { execFile, execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import {
  type Asked,
  cutShort,
  endAll,
  type FakeGate,
  grant,
  inTurn,
  late,
  no,
  nobodyKnows,
  noMore,
  nothing,
  type Running,
  raw,
  run,
  type Says,
  startFakeGate,
  UID,
} from '../kit/fakes/gate-server.ts';

const CLIENTS = join(import.meta.dirname, '../../examples/clients');
const SOON = { timeout: 20_000, interval: 20 };
const LONG = { timeout: 60_000 };
const PATH = `/v1/namespaces/shop/leadergroups/notifier/members/notifier-0?uid=${UID}`;

let dir: string;

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'leadergroup-clients-'));
  execFileSync('go', ['build', '-o', join(dir, 'go-client'), '.'], { cwd: join(CLIENTS, 'go'), stdio: 'pipe' });
}, 180_000);

afterAll(async () => {
  await endAll();
  rmSync(dir, { recursive: true, force: true });
});

const POD = { LEADERGROUP_NAME: 'notifier', POD_NAMESPACE: 'shop', POD_NAME: 'notifier-0', POD_UID: UID };

type Command = readonly [string, ...string[]];

/** A command of the shell that was told too late, on a machine with much to do, was killed. */
const hasStopped = ({ lines, errors }: Running): boolean => /^stopped$|Killed/m.test([...lines, ...errors].join('\n'));

const start = (
  command: Command,
  gate: { readonly url: string },
  env: Readonly<Record<string, string>> = POD,
): Running => run({ ...env, LEADERGROUP_GATE: gate.url }, ...command);

/** What has status 200 and is no grant to this pod, whatever made it. */
const NO_YES: ReadonlyMap<string, Says> = new Map([
  ['nothing', raw(200, '')],
  ['no JSON', raw(200, '<html>please log in</html>')],
  ['null', raw(200, 'null')],
  ['a list', raw(200, '[]')],
  ['an object without fields', raw(200, '{}')],
  ['a body that was cut short', cutShort(5)],
  ['no leader', grant(5, 1500, { leader: false })],
  ["another pod's uid", grant(5, 1500, { uid: 'uid-1' })],
  ['no uid', grant(5, 1500, { uid: undefined })],
  ['no token', grant(5, 1500, { token: undefined })],
  ['token 0', grant(0)],
  ['a token below 0', grant(-5)],
  ['half a token', grant(5.5)],
  ['a token in quotes', grant(5, 1500, { token: '5' })],
  ['a token larger than any', raw(200, `{"leader":true,"uid":"${UID}","validForMilliseconds":1500,"token":1e300}`)],
  ['a token too large for JavaScript', grant(2 ** 53)],
  ['no time', grant(5, 1500, { validForMilliseconds: undefined })],
  ['no time at all', grant(5, 0)],
  ['a time below 0', grant(5, -1500)],
  ['half a millisecond', grant(5, 1500.5)],
  ['a time that is no number', raw(200, `{"leader":true,"uid":"${UID}","token":5,"validForMilliseconds":NaN}`)],
  ['a time in quotes', grant(5, 1500, { validForMilliseconds: '1500' })],
  ['more time than is ever given', grant(5, 2001)],
  ['as much time as there is', grant(5, Number.MAX_SAFE_INTEGER)],
]);

const NO_WITH_PROBE = JSON.stringify({ leader: false, token: 8, askWithinMilliseconds: 150 });

const WORK_IN_SHELL = 'trap "echo stopped; exit" TERM; while :; do echo "work $LEADER_TOKEN"; sleep 0.1; done';

const RUNNING: readonly (readonly [string, () => Command])[] = [
  ['TypeScript', () => [process.execPath, join(CLIENTS, 'typescript/example.ts')]],
  ['Go', () => [join(dir, 'go-client')]],
  ['Python', () => ['python3', join(CLIENTS, 'python/leader.py')]],
  ['shell', () => [join(CLIENTS, 'shell/while-leader.sh'), 'sh', '-c', WORK_IN_SHELL]],
];
const SHELL: Command = [join(CLIENTS, 'shell/if-leader.sh'), 'sh', '-c', 'echo "sent with $LEADER_TOKEN"'];

describe.concurrent.each([...RUNNING, ['shell, once', () => SHELL] as const])('the client in %s', (_, command) => {
  it.each(Object.keys(POD))('says so when %s is not set, and does nothing', LONG, async (missing) => {
    await using gate = await startFakeGate();
    await using client = start(command(), gate, { ...POD, [missing]: '' });
    const { ended, errors, lines } = client;
    expect(await ended).toBeGreaterThan(0);
    expect(errors.join('\n')).toContain(`${missing} is not set`);
    expect([lines, gate.asked]).toEqual([[], []]);
  });
});

describe.concurrent.each([...RUNNING, ['shell, once', () => SHELL] as const])('the client in %s', (name, command) => {
  it('sends the token of its file, and none that it cannot read', LONG, async () => {
    await using gate = await startFakeGate();
    gate.say(grant(7));
    const file = join(dir, `token-of-${name}`);
    for (const token of [null, 'a.b-c.d_e']) {
      if (token !== null) writeFileSync(file, `${token}\n`);
      await using client = start(command(), gate, { ...POD, LEADERGROUP_TOKEN_FILE: file });
      await vi.waitFor(() => expect(client.lines.length).toBeGreaterThan(0), SOON);
      expect(gate.authorization()).toBe(token === null ? undefined : `Bearer ${token}`);
    }
  });
});

describe.concurrent.each(RUNNING)('the client in %s', (name, command) => {
  it('says once that the gate does not know it, and works all the same', LONG, async () => {
    await using gate = await startFakeGate();
    gate.say(grant(7));
    gate.know(raw(404, '{"reason":"CallerUnknown"}'));
    await using client = start(command(), gate);
    const { errors, lines } = client;
    await vi.waitFor(() => expect(errors.join('\n')).toContain('404 {"reason":"CallerUnknown"}'), SOON);
    const before = lines.length;
    await vi.waitFor(() => expect(lines.length).toBeGreaterThan(before + 12), SOON);
    // On a machine with much to do one may be put again.
    const told = errors.filter((line) => line.includes('CallerUnknown'));
    expect([told.length, gate.selves() >= 10 && gate.selves() < 20]).toEqual([1, true]);
  });

  it('is known at once in most cases, and asks no more', LONG, async () => {
    await using gate = await startFakeGate();
    gate.say(grant(7));
    await using client = start(command(), gate);
    await vi.waitFor(() => expect(client.lines.length).toBeGreaterThan(20), SOON);
    expect([client.errors, gate.selves()]).toEqual([[], 1]);
  });

  it('works while it leads, with its token, and by the member URL of its pod with its uid', LONG, async () => {
    await using gate = await startFakeGate();
    gate.say(no(6));
    await using client = start(command(), gate);
    const { lines } = client;
    await vi.waitFor(() => expect(gate.waits.length).toBeGreaterThan(1), SOON);
    expect([lines, new Set(gate.asked)]).toEqual([[], new Set([PATH])]);
    expect(gate.waits[0]?.url).toMatch(/^\/v1\/namespaces\/shop\/.*\?uid=uid-0&wait=\d+ms&token=6$/);
    gate.say(grant(7));
    // For longer than one grant is good for.
    await vi.waitFor(() => expect(lines.length).toBeGreaterThan(25), SOON);
    expect(new Set(lines)).toEqual(new Set(['work 7']));
  });

  it.each<[string, Says]>([
    ['is told no', no(8)],
    ['gets no answer', nothing],
    ['is told that nobody knows', nobodyKnows],
  ])('stops when it %s, and works again with the next token', LONG, async (_why, then) => {
    await using gate = await startFakeGate();
    gate.say(grant(7));
    await using client = start(command(), gate);
    const { lines } = client;
    await vi.waitFor(() => expect(lines).toContain('work 7'), SOON);
    gate.say(then);
    await vi.waitFor(() => expect(hasStopped(client)).toBe(true), SOON);
    const worked = lines.length;
    const before = gate.waits.length;
    gate.say(no(8));
    await vi.waitFor(() => expect(gate.waits.length).toBeGreaterThan(before + 1), SOON);
    expect(lines).toHaveLength(worked);
    gate.say(grant(9));
    await vi.waitFor(() => expect(lines).toContain('work 9'), SOON);
  });

  it('takes nothing for a grant that is none', LONG, async () => {
    await using gate = await startFakeGate();
    const others = [...NO_YES.values(), grant(7)];
    gate.say(inTurn(raw(503, ''), ...others));
    await using client = start(command(), gate);
    const { lines } = client;
    await vi.waitFor(() => expect(lines.length).toBeGreaterThan(0), { ...SOON, timeout: 50_000 });
    expect([...new Set(lines)]).toEqual(['work 7']);
    expect(gate.asked.length).toBeGreaterThan(NO_YES.size);
  });

  it('does not begin on a grant that was over when it came', LONG, async () => {
    await using gate = await startFakeGate();
    gate.say(late(300, grant(5, 250)));
    await using client = start(command(), gate);
    const { lines } = client;
    await vi.waitFor(() => expect(gate.asked.length).toBeGreaterThan(3), SOON);
    gate.say(grant(7));
    await vi.waitFor(() => expect(lines.length).toBeGreaterThan(0), SOON);
    expect([...new Set(lines)]).toEqual(['work 7']);
  });

  it.each<[string, Says]>([
    ['a later grant was over when it came', late(300, grant(7, 250))],
    ['a later grant is shorter', inTurn(grant(7, 100), nobodyKnows)],
  ])('works as long as its grant is good, no less and no longer, when %s', LONG, async (_why, then) => {
    await using gate = await startFakeGate();
    // Its first questions take longer than others.
    gate.say(inTurn(nobodyKnows, nobodyKnows, grant(7, 2000), then));
    await using client = start(command(), gate);
    await vi.waitFor(() => expect(gate.asked.length).toBeGreaterThan(2), { ...SOON, interval: 5 });
    const askedMs = performance.now();
    await vi.waitFor(() => expect(hasStopped(client)).toBe(true), { timeout: 10_000, interval: 5 });
    // Well after the next answer, which came when a third of the time had passed.
    expect(performance.now() - askedMs).toBeGreaterThan(1200);
  });

  it('releases its term on SIGTERM, with the secret that it asked with', LONG, async () => {
    await using gate = await startFakeGate();
    gate.say(grant(7));
    await using client = start(command(), gate);
    await vi.waitFor(() => expect(client.lines).toContain('work 7'), SOON);
    client.signal('SIGTERM');
    await client.ended;
    const secret = gate.secrets.at(-1);
    expect(secret).toMatch(/^[\w-]{22,64}$/);
    expect(gate.released).toEqual([{ url: PATH.replace('?', '/release?'), secret }]);
  });

  it('does not act when it wakes up and its grant is over', LONG, async () => {
    await using gate = await startFakeGate();
    gate.say(grant(7));
    await using running = start(command(), gate);
    await vi.waitFor(() => expect(running.lines.length).toBeGreaterThan(2), SOON);
    running.signal('SIGSTOP');
    gate.say(no(8));
    // The grant runs out meanwhile.
    await delay(1600);
    const before = running.lines.length;
    running.signal('SIGCONT');
    await vi.waitFor(() => expect(gate.waits.length).toBeGreaterThan(0), SOON);
    // Of the shell the command is a process of its own, which its watchdog has killed.
    expect(running.lines.slice(before)).toEqual(name === 'shell' ? [] : ['stopped']);
  });
});

/** The questions that came within a time, waiting ones too, in the order in which they came. */
const allOf = ({ questions, waits }: FakeGate): readonly Asked[] =>
  [...questions, ...waits].toSorted((one, other) => one.atMs - other.atMs);

const gapsMs = (asked: readonly Asked[]): readonly number[] =>
  asked.slice(1).map(({ atMs }, at) => atMs - (asked[at]?.atMs ?? 0));

function medianGapMs(asked: readonly Asked[]): number {
  const gaps = gapsMs(asked).toSorted((one, other) => one - other);
  return gaps[Math.floor(gaps.length / 2)] ?? 0;
}

describe.concurrent.each(RUNNING)('the client in %s, with two replicas,', (name, command) => {
  /** A shell on a machine with much to do takes its time. */
  const allWork = (lines: readonly string[]): void =>
    expect(new Set(lines)).toEqual(
      new Set(['work 7', ...(name === 'shell' && lines.includes('stopped') ? ['stopped'] : [])]),
    );

  it('asks another one that is silent, takes the first good answer, and asks none twice at once', LONG, async () => {
    await using silent = await startFakeGate();
    await using good = await startFakeGate();
    good.say(grant(7));
    await using client = start(command(), { url: `${silent.url}, ${good.url}` });
    await vi.waitFor(() => expect(client.lines).toContain('work 7'), SOON);
    await vi.waitFor(() => expect(client.lines.length).toBeGreaterThan(15), SOON);
    // The one that answers falls silent, and the other one begins to answer.
    silent.say(grant(7));
    good.say(nothing);
    const before = client.lines.length;
    await vi.waitFor(() => expect(client.lines.length).toBeGreaterThan(before + 25), SOON);
    allWork(client.lines);
    expect([silent.mostAtOnce(), good.mostAtOnce()]).toEqual([1, 1]);
  });

  it('asks the other one after a bad answer, also to a release, which an older one does not know', LONG, async () => {
    await using older = await startFakeGate();
    await using newer = await startFakeGate();
    for (const gate of [older, newer]) gate.say(grant(7));
    await using client = start(command(), { url: `${older.url},${newer.url}` });
    await vi.waitFor(() => expect(client.lines).toContain('work 7'), SOON);
    const asked = older.questions.length === 0 ? newer : older;
    const other = asked === older ? newer : older;
    for (const status of [404, 405, 503]) {
      asked.say(raw(status, '{"reason":"NothingHere"}'));
      const before = client.lines.length;
      await vi.waitFor(() => expect(client.lines.length).toBeGreaterThan(before + 5), SOON);
    }
    allWork(client.lines);
    // Now the other one is asked first.
    other.sayToRelease(raw(405, ''));
    client.signal('SIGTERM');
    await client.ended;
    expect(other.released.length).toBeGreaterThan(0);
    expect(asked.released.length).toBeGreaterThan(0);
  });
});

it.concurrent.each(RUNNING)(
  'the client in %s gives up a question that has no answer within 150 ms, and asks again',
  LONG,
  async (_, command) => {
    await using gate = await startFakeGate();
    gate.say(inTurn(nothing, grant(7)));
    await using client = start(command(), gate);
    await vi.waitFor(() => expect(client.lines).toContain('work 7'), SOON);
    const [first, second] = gate.questions;
    // As the gate sees it: the first one may have been on its way for a while.
    expect((second?.atMs ?? 0) - (first?.atMs ?? 0)).toBeGreaterThan(20);
    expect((second?.atMs ?? 0) - (first?.atMs ?? 0)).toBeLessThan(900);
  },
);

describe.concurrent.each(RUNNING)('the client in %s, at a gate that answers at once for a long time,', (_, command) => {
  const bounded = async (gate: FakeGate): Promise<readonly Asked[]> => {
    await using client = start(command(), gate);
    await vi.waitFor(() => expect(allOf(gate).length).toBeGreaterThan(0), SOON);
    await delay(4000);
    expect(client.lines).toEqual([]);
    const asked = allOf(gate);
    // Not every millisecond, and not as if it had gone.
    expect([asked.length > 4, asked.length < 40]).toEqual([true, true]);
    return asked;
  };

  it('asks with pauses while its pod is revoked', LONG, async () => {
    await using gate = await startFakeGate();
    gate.say(noMore('Revoking'));
    await bounded(gate);
  });

  it('asks with pauses, and with a new secret each time, while its term is released', LONG, async () => {
    await using gate = await startFakeGate();
    gate.say(noMore('Released'));
    const asked = await bounded(gate);
    // A question that has no answer in time is put again with its secret.
    expect(new Set(asked.map(({ secret }) => secret)).size).toBeGreaterThan(asked.length / 2);
  });

  it.each<[string, Says]>([
    ['revoked', noMore('Revoking')],
    ['released', noMore('Released')],
    ['told no', no(8)],
    ['told that too many wait', raw(429, '{"reason":"TooManyWaiting"}')],
    ['told of a grant that is none', grant(8)],
  ])('waits with pauses where it is %s', LONG, async (_what, says) => {
    await using gate = await startFakeGate();
    gate.say(no(7));
    gate.sayToWaiting(says);
    await bounded(gate);
  });

  it.each<[string, Says, Says | null]>([
    ['is revoked', noMore('Revoking', 7, { retryAfterMilliseconds: 1500 }), null],
    ['may not wait', no(7), raw(429, '{"reason":"TooManyWaiting","retryAfterMilliseconds":1500}')],
    ['gets no answer for now', raw(429, '{"reason":"TooManyWaiting","retryAfterMilliseconds":1500}'), null],
  ])('asks again no sooner than it is told when it %s', LONG, async (_what, says, saysToWaiting) => {
    await using gate = await startFakeGate();
    gate.say(says);
    if (saysToWaiting !== null) gate.sayToWaiting(saysToWaiting);
    await using client = start(command(), gate);
    // By itself it pauses for a second at most. Three of them: on a machine with much to do it may have given up before it was told.
    const rests = (): number => gapsMs(gate.questions).filter((ms) => ms > 1400).length;
    await vi.waitFor(() => expect(rests()).toBeGreaterThan(2), SOON);
    expect(client.lines).toEqual([]);
  });
});

describe.concurrent.each(RUNNING)('the client in %s', (name, command) => {
  it('stops when it is revoked, releases its term, and asks with another secret from then on', LONG, async () => {
    await using gate = await startFakeGate();
    gate.say(grant(7, 2000));
    await using client = start(command(), gate);
    await vi.waitFor(() => expect(client.lines).toContain('work 7'), SOON);
    const secret = gate.secrets.at(-1);
    gate.say(noMore('Revoking'));
    await vi.waitFor(() => expect(gate.released).toEqual([{ url: PATH.replace('?', '/release?'), secret }]), SOON);
    expect(client.lines.at(-1)).toBe('stopped');
    const before = gate.questions.length;
    await vi.waitFor(() => expect(gate.questions.length).toBeGreaterThan(before + 1), SOON);
    expect(gate.secrets.slice(before)).not.toContain(secret);
    expect(gate.secrets.at(-1)).toMatch(/^[\w-]{22,64}$/);
  });

  it('is heard while nobody answers its release', LONG, async () => {
    await using gate = await startFakeGate();
    gate.say(grant(7));
    gate.sayToRelease(nothing);
    await using client = start(command(), gate);
    await vi.waitFor(() => expect(client.lines).toContain('work 7'), SOON);
    gate.say(noMore('Revoking'));
    await vi.waitFor(() => expect(gate.released.length).toBeGreaterThan(0), SOON);
    const releasedMs = performance.now();
    const [{ secret } = { secret: '' }] = gate.released;
    const next = (): Asked | undefined => gate.questions.find((asked) => asked.secret !== secret);
    await vi.waitFor(() => expect(next()).toBeDefined(), SOON);
    expect((next()?.atMs ?? 0) - releasedMs).toBeLessThan(950);
  });

  it('ends a question that waits for news at once on SIGTERM', LONG, async () => {
    const tookMs: number[] = [];
    // By itself it takes two seconds; on a machine with much to do another try may be needed.
    while (tookMs.length < 3 && !tookMs.some((ms) => ms < 1400)) {
      await using gate = await startFakeGate();
      gate.say(no(7));
      gate.sayToWaiting(nothing);
      await using client = start(command(), gate);
      await vi.waitFor(() => expect(gate.waits.length).toBe(1), SOON);
      const toldMs = performance.now();
      client.signal('SIGTERM');
      expect(await client.ended).toBe(name === 'shell' ? 143 : 0);
      tookMs.push(performance.now() - toldMs);
    }
    expect(Math.min(...tookMs)).toBeLessThan(1400);
  });

  it('resigns when it is told to, with the release of its term', LONG, async () => {
    await using gate = await startFakeGate();
    gate.say(grant(7));
    await using client = start(command(), gate);
    await vi.waitFor(() => expect(client.lines).toContain('work 7'), SOON);
    client.signal('SIGUSR2');
    await vi.waitFor(() => expect(gate.released.length).toBeGreaterThan(0), SOON);
    expect(gate.released[0]?.url).toBe(`${PATH.replace('?', '/release?')}&resign=true`);
    expect(client.lines).toContain('stopped');
  });

  it('says once why its releases are refused', LONG, async () => {
    await using gate = await startFakeGate();
    gate.say(grant(7));
    gate.sayToRelease(raw(403, '{"reason":"CallerNotMember","message":"set gate.authentication to Token"}'));
    await using client = start(command(), gate);
    for (let times = 1; times < 3; times += 1) {
      await vi.waitFor(() => expect(client.lines.at(-1)).toBe('work 7'), SOON);
      client.signal('SIGUSR2');
      await vi.waitFor(() => expect(gate.released).toHaveLength(times), SOON);
    }
    expect(client.errors.filter((line) => line.includes('set gate.authentication to Token'))).toHaveLength(1);
  });

  it.each<[string, Says]>([
    ['that it leads', grant(7, 1500, { askWithinMilliseconds: 150 })],
    ['that another leads', raw(409, NO_WITH_PROBE)],
    ['that nobody knows', inTurn(grant(7, 100, { askWithinMilliseconds: 150 }), nobodyKnows)],
    ['to wait', noMore('Revoking', 7, { askWithinMilliseconds: 150, retryAfterMilliseconds: 5000 })],
  ])('asks as often as it must be heard when it is told %s', LONG, async (_what, says) => {
    await using gate = await startFakeGate();
    gate.say(says);
    gate.sayToWaiting(late(110, raw(409, NO_WITH_PROBE)));
    await using client = start(command(), gate);
    await vi.waitFor(() => expect(allOf(gate).length).toBeGreaterThan(15), SOON);
    client.signal('SIGTERM');
    // Half of them: this machine may stand still now and then. Without a leader probe a third of a grant, or half a second.
    expect(medianGapMs(allOf(gate))).toBeLessThan(400);
  });

  it('reads its token anew for each question', LONG, async () => {
    await using gate = await startFakeGate();
    gate.say(grant(7));
    const file = join(dir, `rotated-${command().join('-').replaceAll(/\W/g, '').slice(0, 60)}`);
    writeFileSync(file, 'first\n');
    await using client = start(command(), gate, { ...POD, LEADERGROUP_TOKEN_FILE: file });
    await vi.waitFor(() => expect(client.lines).toContain('work 7'), SOON);
    writeFileSync(file, 'second\n');
    await vi.waitFor(() => expect(gate.questions.at(-1)?.authorization).toBe('Bearer second'), SOON);
    expect(gate.questions[0]?.authorization).toBe('Bearer first');
    expect(new Set(client.lines)).toEqual(new Set(['work 7']));
  });
});

it.concurrent('the client in Go passes its own tests', { timeout: 180_000 }, async () => {
  const tests = await promisify(execFile)('go', ['test', '-count=1', '.'], { cwd: join(CLIENTS, 'go') });
  expect(tests.stdout).toMatch(/^ok/);
});

describe.concurrent('the client for a shell', () => {
  it.each<[string, Says, number, readonly string[]]>([
    ['runs the command if the pod leads', grant(7), 0, ['sent with 7']],
    ['does not run it if another leads', no(8), 0, []],
    ['fails if nobody knows', nobodyKnows, 75, []],
    ['fails without an answer', nothing, 75, []],
    ['fails if the grant was over when it came', late(300, grant(7, 250)), 75, []],
    ...[...NO_YES].map(([what, says]): [string, Says, number, readonly string[]] => [`fails at ${what}`, says, 75, []]),
  ])('%s', LONG, async (_, says, status, expected) => {
    await using gate = await startFakeGate();
    gate.say(says);
    await using client = start(SHELL, gate);
    const { lines, ended } = client;
    expect(await ended).toBe(status);
    expect(lines).toEqual(expected);
  });

  it('takes each address behind a name for a replica, of one family', LONG, async () => {
    await using gate = await startFakeGate();
    gate.say(inTurn(nothing, grant(7)));
    const bin = mkdtempSync(join(dir, 'bin-'));
    const found = ['127.0.0.1       STREAM replicas', '::1             STREAM', '127.0.0.1       DGRAM'];
    writeFileSync(join(bin, 'getent'), `#!/bin/sh\n[ "$*" = 'ahosts replicas' ] && printf '${found.join('\\n')}\\n'\n`);
    chmodSync(join(bin, 'getent'), 0o755);
    const env = { ...POD, PATH: `${bin}:${process.env['PATH'] ?? ''}` };
    await using client = start(SHELL, { url: `http://replicas:${new URL(gate.url).port}` }, env);
    expect([await client.ended, client.lines]).toEqual([0, ['sent with 7']]);
    expect([gate.questions.length, gate.mostAtOnce()]).toEqual([2, 1]);
  });

  it('ends with the status of the command, and asks by the uid of its pod', LONG, async () => {
    await using gate = await startFakeGate();
    gate.say(grant(7));
    const [script] = SHELL;
    await using client = start([script, 'sh', '-c', 'exit 3'], gate);
    expect(await client.ended).toBe(3);
    expect(gate.asked).toEqual([PATH]);
    const [secret] = gate.secrets;
    expect(secret).toMatch(/^[0-9a-f]{32}$/);
    expect(gate.released).toEqual([{ url: PATH.replace('?', '/release?'), secret }]);
  });

  it('says by --self whether the gate knows the pod, and runs nothing', LONG, async () => {
    await using gate = await startFakeGate();
    const [script] = SHELL;
    await using known = start([script, '--self'], gate);
    expect(await known.ended).toBe(0);
    gate.know(raw(401, '{"reason":"TokenRequired"}'));
    await using unknown = start([script, '--self'], gate);
    expect([await unknown.ended, unknown.lines.join('')]).toEqual([75, '{"reason":"TokenRequired"}']);
    expect(gate.asked).toEqual([]);
  });

  describe('for longer than a grant, once,', () => {
    const once = (command: string): Command => [join(CLIENTS, 'shell/while-leader.sh'), '--once', 'sh', '-c', command];

    it('does not wait to lead', LONG, async () => {
      await using gate = await startFakeGate();
      gate.say(no(8));
      await using client = start(once('echo run'), gate);
      expect([await client.ended, client.lines, gate.waits]).toEqual([0, [], []]);
    });

    it('renews the grant, ends with the status of the command, and releases before', LONG, async () => {
      await using gate = await startFakeGate();
      gate.say(grant(7, 2000));
      await using client = start(once('sleep 3; echo "sent with $LEADER_TOKEN"; exit 3'), gate);
      expect([await client.ended, client.lines, gate.released.length]).toEqual([3, ['sent with 7'], 1]);
    });

    it('ends when its term does', LONG, async () => {
      await using gate = await startFakeGate();
      gate.say(inTurn(grant(7), noMore('Revoking')));
      await using client = start(once('echo begun; sleep 30; echo sent'), gate);
      expect([await client.ended, client.lines]).toEqual([137, ['begun']]);
    });

    it('has its command killed when its grant is over, although it was killed itself', LONG, async () => {
      await using gate = await startFakeGate();
      gate.say(grant(7));
      await using client = start(once('trap "" TERM; while :; do echo working; sleep 0.05; done'), gate);
      await vi.waitFor(() => expect(client.lines).toContain('working'), SOON);
      client.signal('SIGKILL');
      // Its output is open until the command has gone.
      await client.ended;
    });
  });

  it('kills the command and its children when the grant is over', LONG, async () => {
    await using gate = await startFakeGate();
    // The longest that there is: a busy machine is slow to begin the command, which takes far longer.
    gate.say(grant(7, 2000));
    const [script] = SHELL;
    // Its output is open until the last of them has gone.
    await using client = start([script, 'sh', '-c', 'echo begun; sleep 30; echo sent'], gate);
    const { lines, ended } = client;
    expect(await ended).toBe(137);
    expect([lines, gate.released]).toEqual([['begun'], []]);
  });
});
