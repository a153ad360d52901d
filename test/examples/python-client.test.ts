/** examples/clients/python, called as an application would, against a gate that says what the test wants. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import {
  endAll,
  type FakeGate,
  grant,
  inTurn,
  nobodyKnows,
  noMore,
  nothing,
  type Running,
  run,
  startFakeGate,
  UID,
} from '../kit/fakes/gate-server.ts';

const CLIENT = join(import.meta.dirname, '../../examples/clients/python');
const POD = { LEADERGROUP_NAME: 'notifier', POD_NAMESPACE: 'shop', POD_NAME: 'notifier-0', POD_UID: UID };
const SOON = { timeout: 20_000, interval: 20 };
const LONG = { timeout: 60_000 };

let dir: string;

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'leadergroup-python-'));
});

afterAll(async () => {
  await endAll();
  rmSync(dir, { recursive: true, force: true });
});

let programs = 0;

/** `work`: the body of work(term). `options`: of run_while_leader. A file: a process that is spawned imports it. */
function program(gate: FakeGate, work: readonly string[], options = ''): Running {
  programs += 1;
  const file = join(dir, `program_${programs}.py`);
  const lines = [
    'import os, signal, subprocess, sys, threading, time',
    'from leader import Gate',
    'def say(*words): print(*words, flush=True)',
    'def work(term):',
    ...work.map((line) => `    ${line}`),
    'if __name__ == "__main__":',
    '    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))',
    `    Gate().run_while_leader(work${options === '' ? '' : `, ${options}`})`,
  ];
  writeFileSync(file, `${lines.join('\n')}\n`);
  const env = { ...POD, LEADERGROUP_GATE: gate.url, PYTHONPATH: CLIENT, PYTHONDONTWRITEBYTECODE: '1' };
  return run(env, 'python3', file);
}

describe.concurrent.each([
  ['a thread', ''],
  ['a process', 'process=True'],
])('work of the Python client in %s', (where, options) => {
  it('works while its grant is renewed, and is released when it has ended, before it is run again', LONG, async () => {
    await using gate = await startFakeGate();
    gate.say(grant(7, 2000));
    await using client = program(gate, ['term.wait(2.5)', 'say("worked", term.token, term.holds())'], options);
    await vi.waitFor(() => expect(client.lines).toEqual(['worked 7 True', 'worked 7 True']), SOON);
    expect(gate.released.length).toBeGreaterThan(0);
    expect(new Set(gate.released.map(({ secret }) => secret)).size).toBe(gate.released.length);
  });

  it('resigns', LONG, async () => {
    await using gate = await startFakeGate();
    gate.say(grant(7, 2000));
    await using _ = program(gate, ['term.resign()'], options);
    await vi.waitFor(() => expect(gate.released[0]?.url).toContain('&resign=true'), SOON);
  });

  it('is told that its term is over, and released after it has ended', LONG, async () => {
    await using gate = await startFakeGate();
    gate.say(grant(7, 2000));
    const work = ['signal.signal(signal.SIGTERM, signal.SIG_IGN)', ...untilOver, 'time.sleep(0.3)', 'say("ended")'];
    await using client = program(gate, where === 'a thread' ? work.slice(1) : work, options);
    await vi.waitFor(() => expect(client.lines).toContain('begun'), SOON);
    gate.say(noMore('Revoking'));
    await vi.waitFor(() => expect(client.lines).toContain('ended'), SOON);
    await vi.waitFor(() => expect(gate.released).toHaveLength(1), SOON);
  });

  it('is waited for on SIGTERM, and released', LONG, async () => {
    await using gate = await startFakeGate();
    gate.say(grant(7, 2000));
    await using client = program(gate, untilOver, options);
    await vi.waitFor(() => expect(client.lines).toContain('begun'), SOON);
    client.signal('SIGTERM');
    expect([await client.ended, gate.released.length]).toEqual([0, 1]);
  });

  it('that fails is released, and fails where it was asked for', LONG, async () => {
    await using gate = await startFakeGate();
    gate.say(grant(7, 2000));
    await using client = program(gate, ['raise ValueError("no paper")'], options);
    expect([await client.ended, gate.released.length]).toEqual([1, 1]);
    expect(client.errors.join('\n')).toContain('no paper');
  });
});

const untilOver = ['say("begun")', 'while term.wait(30): pass'];

/** Goes on whatever it is told, and says so by a process id. */
const deaf = [
  'signal.signal(signal.SIGTERM, signal.SIG_IGN)',
  'say("begun", os.getpid())',
  'while True: time.sleep(0.1)',
];

describe.concurrent('work of the Python client that goes on after its term', () => {
  it('in a thread ends the whole process, which says so, and releases nothing', LONG, async () => {
    await using gate = await startFakeGate();
    gate.say(inTurn(grant(7, 2000), noMore('Revoking')));
    await using client = program(gate, deaf.slice(1), 'patience=0.5');
    expect(await client.ended).toBe(70);
    expect(client.errors.join('\n')).toContain('the work of token 7 goes on 0.5 s after its term: this process ends');
    expect(gate.released).toEqual([]);
  });

  it('in a thread is told of again and again where the program wants to live', LONG, async () => {
    await using gate = await startFakeGate();
    gate.say(inTurn(grant(7, 2000), noMore('Revoking')));
    await using client = program(gate, deaf.slice(1), 'patience=0.3, overrun=say');
    await vi.waitFor(() => expect(client.lines.length).toBeGreaterThan(3), SOON);
    expect(new Set(client.lines.slice(1))).toEqual(new Set(['the work of token 7 goes on 0.3 s after its term']));
    // Nor is anything asked for it.
    expect(gate.released).toEqual([]);
  });

  it('in a process is killed, which is said, and released', LONG, async () => {
    await using gate = await startFakeGate();
    gate.say(grant(7, 2000));
    await using client = program(gate, deaf, 'process=True, patience=0.5');
    await vi.waitFor(() => expect(client.lines[0]).toContain('begun'), SOON);
    gate.say(noMore('Revoking'));
    await vi.waitFor(() => expect(gate.released).toHaveLength(1), SOON);
    const said = 'the work of token 7 goes on 0.5 s after its term: killed';
    await vi.waitFor(() => expect(client.errors).toContain(said), SOON);
    const pid = Number(client.lines[0]?.split(' ')[1]);
    expect(() => process.kill(pid, 0)).toThrow('ESRCH');
  });

  it('in a process ends by itself when its parent was killed', LONG, async () => {
    await using gate = await startFakeGate();
    gate.say(grant(7, 2000));
    await using client = program(gate, deaf, 'process=True, patience=0.5');
    await vi.waitFor(() => expect(client.lines[0]).toContain('begun'), SOON);
    client.signal('SIGKILL');
    // Its output is open until the work has gone.
    await client.ended;
  });

  it('draws a secret of its own for the next term', LONG, async () => {
    await using gate = await startFakeGate();
    gate.say(inTurn(grant(7, 1500), noMore('Revoking'), nobodyKnows, grant(8, 1500)));
    await using client = program(gate, ['say(term.token)', 'while term.wait(30): pass']);
    await vi.waitFor(() => expect(client.lines).toContain('8'), SOON);
    expect(gate.secrets.at(-1)).not.toBe(gate.released[0]?.secret);
  });
});

it('the Python client takes each address behind a name for a replica, of one family', LONG, async () => {
  await using gate = await startFakeGate();
  gate.say(inTurn(nothing, grant(7, 2000)));
  const port = new URL(gate.url).port;
  const file = join(dir, 'addresses.py');
  const found = [
    '(2, 1, 6, "", ("127.0.0.1", 0))',
    '(10, 1, 6, "", ("::1", 0, 0, 0))',
    '(2, 1, 6, "", ("127.0.0.1", 0))',
  ];
  writeFileSync(
    file,
    [
      'import os, socket',
      'from leader import Gate',
      `gate = Gate({**os.environ, "LEADERGROUP_GATE": "http://replicas:${port}"}, lookup=lambda *_, **__: [${found.join(', ')}])`,
      'print(gate.ask().token)',
    ].join('\n'),
  );
  const env = { ...POD, PYTHONPATH: CLIENT, PYTHONDONTWRITEBYTECODE: '1' };
  await using client = run(env, 'python3', file);
  expect([await client.ended, client.lines]).toEqual([0, ['7']]);
  expect([gate.questions.length, gate.mostAtOnce()]).toEqual([2, 1]);
});
