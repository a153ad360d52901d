/** `kubectl leadergroup rebalance`, `what-if`, `why` and `silence` with a real operator: what they do, or say, is what then happens. */
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Harness, startHarness } from '../kit/rig/harness.ts';
import type { OperatorProcess } from '../kit/rig/operator-process.ts';

const ROOT = join(import.meta.dirname, '../..');
const PATIENCE = { timeout: 60_000, interval: 250 };
const PODS = ['notifier-0', 'notifier-1', 'notifier-2'];

let h: Harness;
let operator: OperatorProcess;
let namespace: string;
/** The leader at the beginning. */
let name: string;

beforeAll(async () => {
  h = await startHarness();
  operator = await h.startOperator();
});
beforeEach(async () => {
  namespace = await h.world.namespace('acts');
  await h.group(namespace, 'notifier');
  ({ name } = await h.led(namespace, 'notifier'));
  await h.condition(namespace, 'notifier', 'Ready', 'True', 'Led');
});
afterAll(() => h[Symbol.asyncDispose]());

const run = (...words: readonly string[]) =>
  execa(process.execPath, ['src/kubectl-leadergroup.ts', ...words, '-n', namespace], {
    cwd: ROOT,
    env: { ...h.cluster.env },
    reject: false,
  });

/** What it prints; `rebalance` and `silence` must end with 0. */
async function cli(...words: readonly string[]): Promise<string> {
  const { exitCode, stdout, stderr } = await run(...words);
  if (words[0] !== 'what-if') expect([exitCode, stderr]).toEqual([0, expect.any(String)]);
  return stdout;
}

const kubectl = (...args: readonly string[]): Promise<string> => h.kubectl.must(['-n', namespace, ...args]);

describe('rebalance', () => {
  it('hands the lead to the pod that is preferred, and then has nothing to do', async () => {
    const best = PODS.find((pod) => pod !== name) ?? '';
    await kubectl('label', 'pod', best, 'tier=best');
    const preferences = [{ weight: 10, podSelector: { matchLabels: { tier: 'best' } } }];
    await kubectl('patch', 'leadergroup', 'notifier', '--type=merge', '-p', JSON.stringify({ spec: { preferences } }));

    const moved = new RegExp(`${name} -> ${best} +`);
    expect(await cli('rebalance', '--dry-run')).toMatch(new RegExp(`${moved.source}it is preferred by 10 over 0`));
    expect((await h.led(namespace, 'notifier')).name).toBe(name);
    expect(await cli('rebalance')).toMatch(new RegExp(`${moved.source}moved`));
    expect((await h.led(namespace, 'notifier', { not: name })).name).toBe(best);
    expect(await cli('rebalance')).toContain('nobody is preferred to the leader');
  });
});

describe('what-if', () => {
  const asked = async (...words: readonly string[]) =>
    (
      JSON.parse(await cli('what-if', ...words, '-o', 'json')) as {
        readonly groups: readonly { readonly effect: string; readonly next: readonly string[] }[];
      }
    ).groups[0];

  it('the next leader is among those whom it names', async () => {
    const predicted = await asked('delete', name);
    expect(predicted?.effect).toBe('Handover');
    await h.world.deletePod(namespace, name);
    const next = await h.led(namespace, 'notifier', { not: name });
    expect(predicted?.next).toContain(next.name);

    const last = PODS.find((pod) => pod !== name && pod !== next.name) ?? '';
    await h.world.setReady(namespace, last, false);
    expect((await asked('delete', next.name))?.effect).toBe('Leaderless');
    await h.world.deletePod(namespace, next.name);
    await h.condition(namespace, 'notifier', 'Ready', 'False', 'NoCandidate');
  });
});

describe('why', () => {
  type Why = { readonly groups: readonly { readonly standing: string; readonly said: readonly string[] }[] };
  async function asked(pod: string) {
    const { exitCode, stdout } = await run('why', pod, '-o', 'json');
    const { groups, ...rest } = JSON.parse(stdout) as Why & { readonly selectors: readonly string[] };
    return { exitCode, ...rest, standing: groups[0]?.standing, said: groups[0]?.said.join(' ') };
  }

  it('says who leads, who cannot, and who follows; and who is said to follow then leads', async () => {
    const [follower = '', unready = ''] = PODS.filter((pod) => pod !== name);
    await h.world.setReady(namespace, unready, false);
    await h.world.pod({ namespace, name: 'stranger', labels: { app: 'other' } });

    const { token } = await h.led(namespace, 'notifier');
    const leads = `It leads with token ${token}, `;
    expect(await asked(name)).toMatchObject({ exitCode: 0, standing: 'Leads', said: expect.stringContaining(leads) });
    const cannot = 'It cannot lead: NotReady.';
    expect(await asked(unready)).toMatchObject({
      exitCode: 4,
      standing: 'Unfit',
      said: expect.stringContaining(cannot),
    });
    // The owner cannot be asked here, so that nobody is sure.
    const only = 'It is the only one that could follow.';
    expect(await asked(follower)).toMatchObject({
      exitCode: 3,
      standing: 'Ready',
      said: expect.stringContaining(only),
    });
    const selectors = ['notifier selects app=notifier (it has other)'];
    expect(await asked('stranger')).toMatchObject({ exitCode: 4, standing: undefined, selectors });

    await h.world.deletePod(namespace, name);
    const next = await h.led(namespace, 'notifier', { not: name });
    expect(next.name).toBe(follower);
    await h.condition(namespace, 'notifier', 'Ready', 'True', 'Led');
    await expect.poll(() => h.status(namespace, 'notifier')?.leader, PATIENCE).toBe(follower);
    expect(await asked(follower)).toMatchObject({
      exitCode: 0,
      standing: 'Leads',
      said: expect.stringContaining(`It leads with token ${next.token}, `),
    });
  });
});

describe('silence', () => {
  async function told(): Promise<number | null> {
    const line = new RegExp(`^leadergroup_group_silenced_seconds\\{group="${namespace}/notifier"\\} (\\S+)$`, 'm');
    const found = line.exec(await (await fetch(`${operator.url}/metrics`)).text());
    return found === null ? null : Number(found[1]);
  }
  const status = (): Promise<string> => kubectl('get', 'leadergroup', 'notifier', '-o', 'jsonpath={.status}');

  it('is told by the owner of the group until its end, and the operator writes nothing for it', async () => {
    await h.atRest();
    const before = await status();

    expect(await cli('silence', 'notifier', '--for', '2h', '--reason', 'new disks')).toContain(
      `silenced ${namespace}/notifier until `,
    );
    await expect.poll(told, PATIENCE).toBeGreaterThan(7_000);
    expect(await kubectl('get', 'events', '-o', 'wide')).toContain('plans work until');
    await cli('silence', 'notifier', '--end');
    await expect.poll(told, PATIENCE).toBeNull();

    await cli('silence', 'notifier', '--for', '8s', '--reason', 'a short one');
    await expect.poll(told, PATIENCE).toBeGreaterThan(0);
    await expect.poll(told, PATIENCE).toBeNull();
    expect(await status()).toBe(before);
  });
});
