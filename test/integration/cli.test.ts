/** `kubectl leadergroup` through the real kubectl, on a real API server with a real operator. */
import { spawn } from 'node:child_process';
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Harness, startHarness } from '../kit/rig/harness.ts';
import { readKubeconfig, writeKubeconfig } from '../kit/rig/kubeconfig.ts';
import { type Kubectl, kubectlOf, type Printed } from '../kit/rig/kubectl.ts';

const ROOT = join(import.meta.dirname, '../..');
const GROUP = 'notifier';

let h: Harness;
/** kubectl, which finds the plugin on its path. */
let kubectl: Kubectl;
let env: Readonly<Record<string, string>>;
let namespace: string;

const cli = (...args: readonly string[]): Promise<Printed> => kubectl.run(['leadergroup', ...args, '-n', namespace]);

async function json<T>(...args: readonly string[]): Promise<T> {
  const { stdout, stderr } = await cli(...args, '-o', 'json');
  if (stderr !== '') throw new Error(stderr);
  return JSON.parse(stdout) as T;
}

beforeAll(async () => {
  h = await startHarness();
  const bin = join(h.dir, 'bin');
  await mkdir(bin);
  for (const [name, main] of [
    ['kubectl-leadergroup', 'src/kubectl-leadergroup.ts'],
    ['kubectl_complete-leadergroup', 'src/kubectl-complete-leadergroup.ts'],
  ] as const) {
    await writeFile(join(bin, name), `#!/bin/sh\nexec "${process.execPath}" "${join(ROOT, main)}" "$@"\n`);
    await chmod(join(bin, name), 0o755);
  }
  const path = h.cluster.env['PATH'] ?? process.env['PATH'] ?? '';
  env = { ...h.cluster.env, PATH: `${bin}:${path}` };
  kubectl = kubectlOf(env);
  // Its pods are those of a fake kubelet; the operator itself is a process beside them.
  await h.kubectl.must([
    'apply',
    '-f',
    'deploy/00-namespace.yaml',
    '-f',
    'deploy/10-rbac.yaml',
    '-f',
    'deploy/20-operator.yaml',
  ]);
  await h.startOperator();
  await h.kubectl.must(['-n', 'leadergroup-system', 'rollout', 'status', 'deployment/leadergroup', '--timeout=60s']);
});

beforeEach(async () => {
  namespace = await h.world.namespace('cli');
  await h.group(namespace, GROUP);
  await h.led(namespace, GROUP);
  await h.condition(namespace, GROUP, 'Ready', 'True', 'Led');
});

afterAll(() => h[Symbol.asyncDispose]());

/** An account with these rules in the namespace, and nothing else. Returns its kubeconfig. */
async function account(name: string, ...rules: readonly string[]): Promise<string> {
  const run = (...args: readonly string[]) => h.kubectl.must(['-n', namespace, ...args]);
  await run('create', 'serviceaccount', name);
  const parts = rules.map((rule) => rule.split(' '));
  for (const [at, [verbs = '', resources = '']] of parts.entries()) {
    await run('create', 'role', `${name}-${at}`, `--verb=${verbs}`, `--resource=${resources}`);
    await run(
      'create',
      'rolebinding',
      `${name}-${at}`,
      `--role=${name}-${at}`,
      `--serviceaccount=${namespace}:${name}`,
    );
  }
  const path = join(h.dir, `${name}-${namespace}.kubeconfig`);
  const { server, ca } = await readKubeconfig(h.cluster.kubeconfigPath);
  const token = (await run('create', 'token', name)).trim();
  await writeKubeconfig(path, { server: server.href, ca, cert: undefined, key: undefined, token });
  return path;
}

describe('looking', () => {
  it('lists the groups of a namespace, and of all', async () => {
    const { leader } = h.status(namespace, GROUP) ?? { leader: '' };
    expect(await json('list')).toMatchObject({ items: [{ name: GROUP, leader, ready: 'True', reason: 'Led' }] });
    const all = await kubectl.must(['leadergroup', 'list', '-A']);
    expect(all).toMatch(new RegExp(`${namespace} +${GROUP} +${leader}`));
  });

  it('says who leads, why not the others, and that an operator runs', async () => {
    const leader = await h.led(namespace, GROUP);
    const other = ['notifier-0', 'notifier-1', 'notifier-2'].find((name) => name !== leader.name) ?? '';
    await h.world.setReady(namespace, other, false);
    const { code, stdout } = await cli('status', GROUP);
    expect(stdout).toContain(`Leader     ${leader.name} on `);
    expect(stdout).toMatch(/^Operator +2 of 2 replicas ready/m);
    expect(stdout).toMatch(new RegExp(`^${other} .* no +NotReady`, 'm'));
    expect(code).toBe(0);
  });

  it('ends with 4 when nobody leads, and says why', async () => {
    for (const name of ['notifier-0', 'notifier-1', 'notifier-2']) await h.world.deletePod(namespace, name);
    await h.condition(namespace, GROUP, 'Ready', 'True', 'ScaledToZero');
    await h.world.pod({ namespace, name: 'notifier-9', labels: { app: GROUP }, ready: false });
    await h.condition(namespace, GROUP, 'Ready', 'False', 'NoCandidate');
    const { code, stdout } = await cli('status', GROUP);
    expect([code, stdout]).toEqual([4, expect.stringContaining('False (NoCandidate)')]);
  });

  it('shows the changes of leader with their cause', async () => {
    const { name } = await h.led(namespace, GROUP);
    await h.world.setReady(namespace, name, false);
    const next = await h.led(namespace, GROUP, { not: name });
    await expect.poll(() => h.status(namespace, GROUP)?.leaderTransitions).toBe(2);
    const [newest] = (await json<{ recentTransitions: readonly object[] }>('history', GROUP)).recentTransitions;
    expect(newest).toMatchObject({ from: name, to: next.name, reason: 'LeaderNotReady', token: next.token });
  });

  it('watches a change of leader as it happens, and ends with 0 on Ctrl-C', async () => {
    const child = spawn(process.execPath, ['src/kubectl-leadergroup.ts', 'watch', GROUP, '-n', namespace], {
      cwd: ROOT,
      env: { ...process.env, ...env },
    });
    let out = '';
    child.stdout.on('data', (chunk) => void (out += String(chunk)));
    const ended = new Promise((resolve) => child.on('close', resolve));
    const { name } = await h.led(namespace, GROUP);
    await expect.poll(() => out, { timeout: 10_000 }).toContain(`${name} leads`);
    await h.world.setReady(namespace, name, false);
    const next = await h.led(namespace, GROUP, { not: name });
    await expect
      .poll(() => out, { timeout: 10_000 })
      .toContain(`${next.name} leads, token ${next.token} (before: ${name})`);
    child.kill('SIGINT');
    expect(await ended).toBe(0);
  });
});

describe('rights', () => {
  it('of a viewer of the namespace are enough for the group, and not to know whether an operator runs', async () => {
    const config = await account('viewer', 'get,list,watch leadergroups.leadergroup.dev', 'list pods');
    expect((await cli('list', '--kubeconfig', config)).code).toBe(0);
    const { code, stdout } = await cli('status', GROUP, '--kubeconfig', config);
    expect([code, stdout]).toEqual([
      3,
      expect.stringMatching(/^Operator +unknown: no right to read deployments\.apps/m),
    ]);
  });

  it('that are missing are named', async () => {
    const config = await account('nobody');
    const { code, stdout, stderr } = await cli('list', '--kubeconfig', config);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(
      /^error: Cannot list leadergroups.leadergroup.dev in namespace .*You need the right to list leadergroups/,
    );
  });

  it('are those of whom the kubeconfig impersonates', async () => {
    const account = `system:serviceaccount:${namespace}:default`;
    const text = await h.kubectl.must(['config', 'view', '--raw', '--flatten', '-o', 'json']);
    const config = JSON.parse(text) as { users: readonly { user: Record<string, unknown> }[] };
    for (const { user } of config.users) user['as'] = account;
    const path = join(h.dir, `as-${namespace}.kubeconfig`);
    await writeFile(path, JSON.stringify(config));
    expect((await cli('list', '--kubeconfig', path)).stderr).toContain(`User "${account}" cannot list`);
  });
});

describe('completion', () => {
  it('by kubectl itself has the commands and the names of the groups', async () => {
    const commands = await kubectl.must(['__complete', 'leadergroup', 'hi']);
    expect(commands).toMatch(/^history\t/);
    const names = await kubectl.must(['__complete', 'leadergroup', 'status', '-n', namespace, '']);
    expect(names).toMatch(/^notifier\n/);
  });
});
