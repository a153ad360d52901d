/** examples/clients, each as its own process, against a gate that says what the test wants. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';

const CLIENTS = join(import.meta.dirname, '../../examples/clients');
const SOON = { timeout: 20_000, interval: 20 };
const PATH = '/v1/namespaces/shop/leadergroups/notifier/members/notifier-0';

type Says = { readonly status: number; readonly token: number } | 'nothing';

let dir: string;
let says: Says = 'nothing';
const asked: string[] = [];
const held = new Set<ServerResponse>();
const releases: (() => unknown)[] = [];

const gate = createServer((request, response) => {
  asked.push(request.url ?? '');
  if (says === 'nothing') return void held.add(response);
  const { status, token } = says;
  const leader = status === 200;
  const body = { leader, pod: 'notifier-0', uid: 'u', token, validForMilliseconds: leader ? 1500 : 0, acquireTime: '' };
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
});

const environment = () => ({
  ...process.env,
  LEADERGROUP_GATE: `http://127.0.0.1:${(gate.address() as AddressInfo).port}`,
  LEADERGROUP_NAME: 'notifier',
  POD_NAMESPACE: 'shop',
  POD_NAME: 'notifier-0',
});

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'leadergroup-clients-'));
  gate.listen(0, '127.0.0.1');
  await once(gate, 'listening');
  execFileSync('go', ['build', '-o', join(dir, 'go-client'), '.'], { cwd: join(CLIENTS, 'go'), stdio: 'pipe' });
}, 180_000);

afterEach(async () => {
  for (const release of releases.splice(0)) await release();
});

afterAll(() => {
  for (const response of held) response.destroy();
  gate.closeAllConnections();
  gate.close();
  rmSync(dir, { recursive: true, force: true });
});

type Running = { readonly lines: readonly string[]; readonly ended: Promise<unknown> };

function run(command: string, ...args: readonly string[]): Running {
  const child: ChildProcess = spawn(command, args, { env: environment(), stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = once(child, 'close');
  const lines: string[] = [];
  if (child.stdout !== null) createInterface({ input: child.stdout }).on('line', (line) => lines.push(line));
  releases.push(async () => {
    child.kill('SIGKILL');
    await ended;
  });
  return { lines, ended };
}

describe.each([
  ['TypeScript', () => run(process.execPath, join(CLIENTS, 'typescript/example.ts'))],
  ['Go', () => run(join(dir, 'go-client'))],
  ['Python', () => run('python3', join(CLIENTS, 'python/leader.py'))],
])('the client in %s', (_, start) => {
  it('works while it leads, with its token, and by the member URL of its pod', { timeout: 60_000 }, async () => {
    says = { status: 409, token: 6 };
    asked.length = 0;
    const { lines } = start();
    await vi.waitFor(() => expect(asked.length).toBeGreaterThan(2), SOON);
    expect([lines, new Set(asked)]).toEqual([[], new Set([PATH])]);
    says = { status: 200, token: 7 };
    // For longer than one yes is good for.
    await vi.waitFor(() => expect(lines.length).toBeGreaterThan(25), SOON);
    expect(new Set(lines)).toEqual(new Set(['work 7']));
  });

  it.each<[string, Says]>([
    ['is told no', { status: 409, token: 8 }],
    ['gets no answer', 'nothing'],
    ['is told that nobody knows', { status: 503, token: 0 }],
  ])('stops when it %s, and works again with the next token', { timeout: 60_000 }, async (_why, then) => {
    says = { status: 200, token: 7 };
    const { lines } = start();
    await vi.waitFor(() => expect(lines).toContain('work 7'), SOON);
    says = then;
    await vi.waitFor(() => expect(lines).toContain('stopped'), SOON);
    const worked = lines.length;
    const before = asked.length;
    says = { status: 409, token: 8 };
    for (const response of held) response.destroy();
    held.clear();
    await vi.waitFor(() => expect(asked.length).toBeGreaterThan(before + 1), SOON);
    expect(lines).toHaveLength(worked);
    says = { status: 200, token: 9 };
    await vi.waitFor(() => expect(lines).toContain('work 9'), SOON);
  });
});

describe('the client for a shell', () => {
  it.each<[string, Says, readonly string[]]>([
    ['runs the command if the pod leads', { status: 200, token: 7 }, ['sent with 7']],
    ['does not run it if another leads', { status: 409, token: 8 }, []],
    ['does not run it if nobody knows', { status: 503, token: 0 }, []],
    ['does not run it without an answer', 'nothing', []],
  ])('%s', { timeout: 60_000 }, async (_, then, expected) => {
    says = then;
    const { lines, ended } = run(join(CLIENTS, 'shell/if-leader.sh'), 'sh', '-c', 'echo "sent with $LEADER_TOKEN"');
    await ended;
    expect(lines).toEqual(expected);
  });
});
