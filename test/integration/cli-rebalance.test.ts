/** `kubectl leadergroup rebalance` with a real operator: leaders come to where they are preferred, and only there. */
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Harness, startHarness } from '../kit/rig/harness.ts';

const ROOT = join(import.meta.dirname, '../..');

let h: Harness;

beforeAll(async () => {
  h = await startHarness();
  await h.startOperator();
});
afterAll(() => h[Symbol.asyncDispose]());

it('hands the lead to the pod that is preferred, and then has nothing to do', async () => {
  const namespace = await h.world.namespace('rebalance');
  const run = async (...flags: readonly string[]) =>
    await execa(process.execPath, ['src/kubectl-leadergroup.ts', 'rebalance', '-n', namespace, ...flags], {
      cwd: ROOT,
      env: { ...h.cluster.env },
    });
  await h.group(namespace, 'notifier');
  const { name } = await h.led(namespace, 'notifier');
  await h.condition(namespace, 'notifier', 'Ready', 'True', 'Led');
  const best = ['notifier-0', 'notifier-1', 'notifier-2'].find((pod) => pod !== name) ?? '';
  const kubectl = (...args: readonly string[]) => h.kubectl.must(['-n', namespace, ...args]);
  await kubectl('label', 'pod', best, 'tier=best');
  const preferences = [{ weight: 10, podSelector: { matchLabels: { tier: 'best' } } }];
  await kubectl('patch', 'leadergroup', 'notifier', '--type=merge', '-p', JSON.stringify({ spec: { preferences } }));

  expect((await run('--dry-run')).stdout).toMatch(new RegExp(`${name} -> ${best} +it is preferred by 10 over 0`));
  expect((await h.led(namespace, 'notifier')).name).toBe(name);
  expect((await run()).stdout).toMatch(new RegExp(`${name} -> ${best} +moved`));
  expect((await h.led(namespace, 'notifier', { not: name })).name).toBe(best);
  expect((await run()).stdout).toContain('nobody is preferred to the leader');
});
