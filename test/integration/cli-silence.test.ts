/** `kubectl leadergroup silence` with a real operator: what its metrics say while it lasts, and that it writes nothing for it. */
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Harness, startHarness } from '../kit/rig/harness.ts';
import type { OperatorProcess } from '../kit/rig/operator-process.ts';

const ROOT = join(import.meta.dirname, '../..');
const PATIENCE = { timeout: 60_000, interval: 250 };

let h: Harness;
let operator: OperatorProcess;

beforeAll(async () => {
  h = await startHarness();
  operator = await h.startOperator();
});
afterAll(() => h[Symbol.asyncDispose]());

it('is told by the owner of the group until its end, and the operator writes nothing for it', async () => {
  const namespace = await h.world.namespace('silence');
  await h.group(namespace, 'notifier');
  await h.condition(namespace, 'notifier', 'Ready', 'True', 'Led');
  await h.atRest();
  const silence = async (...flags: readonly string[]) =>
    await execa(process.execPath, ['src/kubectl-leadergroup.ts', 'silence', 'notifier', '-n', namespace, ...flags], {
      cwd: ROOT,
      env: { ...h.cluster.env },
    });
  const told = async (): Promise<number | null> => {
    const found = new RegExp(
      `^leadergroup_group_silenced_seconds\\{group="${namespace}/notifier"\\} (\\S+)$`,
      'm',
    ).exec(await (await fetch(`${operator.url}/metrics`)).text());
    return found === null ? null : Number(found[1]);
  };
  const status = async (): Promise<string> =>
    await h.kubectl.must(['-n', namespace, 'get', 'leadergroup', 'notifier', '-o', 'jsonpath={.status}']);
  const before = await status();

  expect((await silence('--for', '2h', '--reason', 'new disks')).stdout).toContain(
    `silenced ${namespace}/notifier until `,
  );
  await expect.poll(told, PATIENCE).toBeGreaterThan(7_000);
  expect(await h.kubectl.must(['-n', namespace, 'get', 'events', '-o', 'wide'])).toContain('plans work until');
  await silence('--end');
  await expect.poll(told, PATIENCE).toBeNull();

  await silence('--for', '8s', '--reason', 'a short one');
  await expect.poll(told, PATIENCE).toBeGreaterThan(0);
  await expect.poll(told, PATIENCE).toBeNull();
  expect(await status()).toBe(before);
});
