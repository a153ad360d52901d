/** For how long `once` waits for what is pending, in each language, by a clock that each question takes two seconds further. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished, vi } from 'vitest';
import { createOnce, type OnceOptions } from '../../examples/clients/typescript/once.ts';

const CLIENTS = join(import.meta.dirname, '../../examples/clients');
const POD = { LEADERGROUP_NAME: 'notifier', POD_NAMESPACE: 'shop', POD_NAME: 'notifier-0', POD_UID: 'uid-0' };
const PENDING = '{"claimed":false,"reason":"Pending","position":1}';

const PYTHON = `
import leader
clock = 0.0
def now(): return clock
def tell(self, method, end, body, wait=0, stopped=None):
    global clock
    clock += 2
    return leader.Reply('', 409, {'claimed': False, 'reason': 'Pending'}, '', 0)
leader.now, leader.Gate.tell = now, tell
said = leader.Gate().once('digest', 2, print, mode='AtLeastOnce', retry_after=60)
assert said.reason == 'Pending'
print(clock)
`;

const SHELL = `
set -eu
. '${CLIENTS}/shell/gate.sh'
. '${CLIENTS}/shell/once.sh'
clock=0
tell() { clock=$((clock + 2000)) answer='${PENDING}=409'; }
uptime_ms() { echo "$clock"; }
end() { echo "$clock $2"; exit 0; }
once digest --position 2 --at-least-once 60 -- true
`;

async function inTypeScript(): Promise<number> {
  let nowMs = 0;
  const clock = vi.spyOn(performance, 'now').mockImplementation(() => nowMs);
  onTestFinished(() => clock.mockRestore());
  const once = createOnce(
    () => {
      nowMs += 2000;
      return Promise.resolve({ status: 409, text: PENDING });
    },
    () => undefined,
  );
  // As from a configuration that does not say.
  const unsaid = Object.fromEntries(['waitMs', 'patienceMs'].map((name) => [name, undefined])) as OnceOptions;
  const options = { ...unsaid, mode: 'AtLeastOnce', retryAfterSeconds: 60 } as const;
  const said = await once(
    { series: 'digest', position: 2 },
    () => undefined,
    options,
    () => true,
  );
  expect(said).toMatchObject({ kind: 'dropped', reason: 'Pending' });
  return nowMs / 1000;
}

function inPython(): number {
  const env = { ...process.env, ...POD, PYTHONPATH: join(CLIENTS, 'python'), PYTHONDONTWRITEBYTECODE: '1' };
  return Number(execFileSync('python3', ['-c', PYTHON], { env, encoding: 'utf8' }));
}

function inShell(): number {
  const dir = mkdtempSync(join(tmpdir(), 'leadergroup-wait-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  writeFileSync(join(dir, 'wait.sh'), SHELL);
  const env = { ...process.env, ...POD };
  const said = execFileSync('sh', [join(dir, 'wait.sh')], { env, encoding: 'utf8' });
  expect(said).toContain('neither done nor overdue');
  return Number(said.split(' ')[0]) / 1000;
}

it.each([
  ['TypeScript', inTypeScript],
  ['Python', inPython],
  ['shell', inShell],
])(
  'in %s a position waits, unless told otherwise, until the one before it is overdue and half a minute more',
  async (_, waited) => {
    const seconds = await waited();
    expect(seconds).toBeGreaterThanOrEqual(90);
    expect(seconds).toBeLessThan(100);
  },
);
