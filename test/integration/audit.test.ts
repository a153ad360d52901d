/** `kubectl leadergroup audit` beside a real operator: what it proves, and the breaches that are planted in a real API server. */

import { spawn } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { auditLogPath } from '../../dev/cluster/control-plane.ts';
import { layoutOf } from '../../dev/cluster/layout.ts';
import type { AuditResult } from '../../src/cli/audit/audit.ts';
import { type Harness, startHarness } from '../kit/rig/harness.ts';

const ROOT = join(import.meta.dirname, '../..');
const GROUP = 'notifier';
const LABEL = 'leadergroup.dev/role';
const PATIENCE = { timeout: 60_000, interval: 100 };

let h: Harness;
let namespace: string;

beforeAll(async () => {
  h = await startHarness({ auditLog: true });
  await h.startOperator();
});

beforeEach(async () => {
  namespace = await h.world.namespace('audit');
  await h.group(namespace, GROUP);
  await h.led(namespace, GROUP);
  await h.condition(namespace, GROUP, 'Ready', 'True', 'Led');
});

afterAll(() => h[Symbol.asyncDispose]());

function cli(...args: readonly string[]) {
  const child = spawn(process.execPath, ['src/kubectl-leadergroup.ts', 'audit', GROUP, '-n', namespace, ...args], {
    cwd: ROOT,
    env: { ...process.env, ...h.cluster.env },
  });
  let [out, err] = ['', ''];
  child.stdout.on('data', (chunk) => void (out += String(chunk)));
  child.stderr.on('data', (chunk) => void (err += String(chunk)));
  const ended = new Promise<number | null>((resolve) => child.on('close', resolve));
  return { out: () => out, err: () => err, ended, interrupt: () => child.kill('SIGINT') };
}

/** An audit that watches by now. */
async function watching() {
  const audit = cli();
  await expect.poll(() => audit.err(), PATIENCE).toContain('Watching until Ctrl-C.');
  return audit;
}

const others = (leader: string): readonly string[] =>
  ['notifier-0', 'notifier-1', 'notifier-2'].filter((name) => name !== leader);
const kubectl = (...args: readonly string[]) => h.kubectl.must(['-n', namespace, ...args]);

/** The pods have been listed, so that whatever is done from now on is seen. */
async function seen(audit: ReturnType<typeof cli>, summary: RegExp): Promise<number | null> {
  audit.interrupt();
  const code = await audit.ended;
  expect(audit.out()).toMatch(summary);
  return code;
}

describe('a live audit', () => {
  it('proves failovers of a real operator', async () => {
    const audit = cli('--for', '25s', '-o', 'json');
    let { name } = await h.led(namespace, GROUP);
    for (let turn = 0; turn < 3; turn += 1) {
      await h.world.setReady(namespace, name, false);
      const next = await h.led(namespace, GROUP, { not: name });
      await h.world.setReady(namespace, name, true);
      ({ name } = next);
    }
    const code = await audit.ended;
    const result = JSON.parse(audit.out()) as AuditResult;
    expect([code, result]).toEqual([0, expect.objectContaining({ verdict: 'Proved', breaches: [], unproved: [] })]);
    expect(result.groups).toEqual([expect.objectContaining({ group: `${namespace}/${GROUP}` })]);
  });

  it('finds a second label that somebody sets by hand, and says that it was not the operator', async () => {
    const { name } = await h.led(namespace, GROUP);
    const audit = await watching();
    await expect
      .poll(
        async () => {
          await kubectl('label', 'pod', others(name)[0] ?? '', `${LABEL}=leader`, '--overwrite');
          return audit.err();
        },
        { timeout: 60_000, interval: 1_000 },
      )
      .toMatch(/TwoLeaders in .*kubectl-label, not the operator, wrote the label/);
    expect(await seen(audit, /^Broken: /m)).toBe(4);
  });

  it('finds a token that falls', async () => {
    const { name } = await h.led(namespace, GROUP);
    const audit = await watching();
    await expect
      .poll(
        async () => {
          await kubectl('label', 'pod', name, `${LABEL}-`);
          await kubectl('annotate', 'pod', name, `token.leadergroup.dev/${GROUP}=1`, '--overwrite');
          await h.led(namespace, GROUP);
          await kubectl('annotate', 'pod', name, `token.leadergroup.dev/${GROUP}=none`, '--overwrite');
          return audit.err();
        },
        { timeout: 60_000, interval: 1_000 },
      )
      .toMatch(/TokenMissing in|TokenFell in/);
    expect(await seen(audit, /^Broken: /m)).toBe(4);
  });
});

describe("an audit of the API server's own log", () => {
  const log = (): string => auditLogPath(layoutOf(h.cluster.dir));

  async function audited(path: string, ...flags: readonly string[]) {
    const audit = cli('--log', path, '-o', 'json', ...flags);
    const code = await audit.ended;
    expect(audit.err()).toBe('');
    return { code, ...(JSON.parse(audit.out()) as AuditResult) };
  }

  it('proves a failover, and nothing where one line is missing', async () => {
    const { name } = await h.led(namespace, GROUP);
    await h.world.deletePod(namespace, name);
    await h.led(namespace, GROUP, { not: name });
    const result = await audited(log(), '--all-servers');
    expect(result).toMatchObject({ code: 0, verdict: 'Proved', unproved: [] });
    expect(result.groups[0]?.changes).toBeGreaterThan(0);
    expect(await audited(log())).toMatchObject({ code: 3, verdict: 'NotProved' });
    const lines = (await readFile(log(), 'utf8')).split('\n');
    const [other = ''] = others(name);
    const created = lines.find(
      (line) => line.includes('"verb":"create"') && line.includes(`"${other}"`) && line.includes(namespace),
    );
    const without = join(h.dir, `without-${namespace}.log`);
    await writeFile(without, lines.filter((line) => line !== created).join('\n'));
    expect(await audited(without, '--all-servers')).toMatchObject({ code: 3, verdict: 'NotProved' });
  });

  it('finds two leaders in it', async () => {
    const { name } = await h.led(namespace, GROUP);
    await kubectl('label', 'pod', others(name)[0] ?? '', `${LABEL}=leader`);
    const result = await audited(log(), '--all-servers');
    expect([result.code, result.breaches.map(({ rule }) => rule)]).toEqual([4, expect.arrayContaining(['TwoLeaders'])]);
  });
});
