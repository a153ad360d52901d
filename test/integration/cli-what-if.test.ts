/** `kubectl leadergroup what-if` says of a real group what then happens to it. */
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

it('the next leader is among those whom it names', async () => {
  const namespace = await h.world.namespace('what-if');
  const asked = async (...words: readonly string[]) => {
    const args = ['src/kubectl-leadergroup.ts', 'what-if', ...words, '-n', namespace, '-o', 'json'];
    const { stdout } = await execa(process.execPath, args, { cwd: ROOT, env: { ...h.cluster.env }, reject: false });
    return (JSON.parse(stdout) as { groups: readonly { effect: string; next: readonly string[] }[] }).groups[0];
  };
  await h.group(namespace, 'notifier');
  const { name } = await h.led(namespace, 'notifier');
  const predicted = await asked('delete', name);
  expect(predicted?.effect).toBe('Handover');
  await h.world.deletePod(namespace, name);
  const next = await h.led(namespace, 'notifier', { not: name });
  expect(predicted?.next).toContain(next.name);

  const last = ['notifier-0', 'notifier-1', 'notifier-2'].find((pod) => pod !== name && pod !== next.name) ?? '';
  await h.world.setReady(namespace, last, false);
  expect((await asked('delete', next.name))?.effect).toBe('Leaderless');
  await h.world.deletePod(namespace, next.name);
  await h.condition(namespace, 'notifier', 'Ready', 'False', 'NoCandidate');
});
