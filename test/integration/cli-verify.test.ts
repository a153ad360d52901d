/**
 * `kubectl leadergroup verify` on a real API server with the real controllers and a real operator: who owns what it makes, which rights it takes, and that nothing is left. The pods
 * are fake here, so nothing is measured (test/e2e/routing.test.ts does).
 */
import { join } from 'node:path';
import process from 'node:process';
import { execa } from 'execa';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { RIGHTS } from '../../src/cli/rights.ts';
import { GROUP_NAME } from '../../src/cli/verify/objects.ts';
import { type Harness, startHarness } from '../kit/rig/harness.ts';
import { readKubeconfig, writeKubeconfig } from '../kit/rig/kubeconfig.ts';
import type { OperatorProcess } from '../kit/rig/operator-process.ts';

const ROOT = join(import.meta.dirname, '../..');
const KINDS = 'jobs,deployments,replicasets,pods,services,endpointslices,endpoints,leadergroups';
const GONE = { timeout: 60_000, interval: 250 };
const IMAGE = ['--image', 'registry.example.com/leadergroup:1'];

let h: Harness;
let namespace: string;
let operator: OperatorProcess;

beforeAll(async () => {
  h = await startHarness();
  operator = await h.startOperator();
  namespace = await h.world.namespace('verified');
  await h.kubectl.must(['label', 'namespace', namespace, 'pod-security.kubernetes.io/enforce=restricted']);
});
afterAll(() => h[Symbol.asyncDispose]());

const start = (...args: readonly string[]) =>
  execa(process.execPath, ['src/kubectl-leadergroup.ts', 'verify', '-n', namespace, ...IMAGE, ...args], {
    cwd: ROOT,
    env: { ...h.cluster.env },
    reject: false,
  });

type Owned = {
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly ownerReferences?: readonly { readonly kind: string; readonly name: string }[];
  };
};

async function left(): Promise<readonly Owned[]> {
  const { items } = JSON.parse(await h.kubectl.must(['-n', namespace, 'get', KINDS, '-o', 'json'])) as {
    items: readonly Owned[];
  };
  return items.filter(({ metadata }) => /^(?:leadergroup-)?verify/.test(metadata.name));
}
const names = async () => (await left()).map(({ kind, metadata }) => `${kind} ${metadata.name}`);

it('has all that it makes owned by one Job, under the restricted Pod Security, and leaves nothing at its deadline after kill -9', async () => {
  const run = start('--timeout', '20s');
  await h.led(namespace, GROUP_NAME);
  run.kill('SIGKILL');
  await run;
  const made = await left();
  const byJob = made.filter(({ metadata }) => metadata.ownerReferences?.some(({ kind }) => kind === 'Job') === true);
  expect(byJob.map(({ kind }) => kind).toSorted()).toEqual(['Deployment', 'LeaderGroup', 'Pod', 'Service', 'Service']);
  const free = made.filter(({ kind, metadata }) => metadata.ownerReferences === undefined && kind !== 'Job');
  // Kubernetes names the Endpoints of a Service after it, and takes them away with it.
  expect(free.map(({ kind }) => kind).filter((kind) => kind !== 'Endpoints')).toEqual([]);
  await expect.poll(names, GONE).toEqual([]);
});

it('takes everything away at Ctrl-C, at once, and says so', async () => {
  const run = start();
  await h.led(namespace, GROUP_NAME);
  run.kill('SIGINT');
  const { exitCode, stderr } = await run;
  expect([exitCode, stderr]).toEqual([
    1,
    expect.stringMatching(/Stopped: taking everything away\.\nEverything that was made is gone\.$/),
  ]);
  expect(await names()).toEqual([]);
});

it('is NotMeasurable where its prober says nothing until its deadline, with 3', async () => {
  const { exitCode, stdout } = await start('--timeout', '5s', '-o', 'json');
  expect([exitCode, JSON.parse(stdout)]).toMatchObject([
    3,
    { verdict: 'NotMeasurable', reason: expect.stringContaining('its Job is gone') },
  ]);
  expect(await names()).toEqual([]);
});

it('stores nothing with --dry-run, and the API server takes each of the objects', async () => {
  const { exitCode, stdout, stderr } = await start('--dry-run');
  expect([exitCode, stderr]).toEqual([0, '']);
  expect(stdout).toContain('nothing was written');
  expect(await names()).toEqual([]);
});

it('needs no other rights than the reference has, and writes nothing without one of them', async () => {
  const rules = (RIGHTS['verify']?.needed ?? []).map((right) => {
    const [verb = '', resource = ''] = right.split(' ');
    const [plural = '', ...group] = resource.split('.');
    return { verbs: [verb], apiGroups: [group.join('.')], resources: [plural] };
  });
  const apply = (given: typeof rules) =>
    h.kubectl.must(
      ['-n', namespace, 'apply', '-f', '-'],
      JSON.stringify({
        apiVersion: 'rbac.authorization.k8s.io/v1',
        kind: 'Role',
        metadata: { name: 'verify' },
        rules: given,
      }),
    );
  await apply(rules);
  await h.kubectl.must(['-n', namespace, 'create', 'serviceaccount', 'somebody']);
  await h.kubectl.must([
    '-n',
    namespace,
    'create',
    'rolebinding',
    'verify',
    '--role=verify',
    `--serviceaccount=${namespace}:somebody`,
  ]);
  const token = (await h.kubectl.must(['-n', namespace, 'create', 'token', 'somebody'])).trim();
  const { server, ca } = await readKubeconfig(h.cluster.kubeconfigPath);
  const path = join(h.dir, 'somebody.kubeconfig');
  await writeKubeconfig(path, { server: server.href, ca, cert: undefined, key: undefined, token });
  const run = (...args: readonly string[]) => start('--kubeconfig', path, ...args);
  await expect
    .poll(async () => (await run('--timeout', '5s')).stdout, GONE)
    .toContain('NotMeasurable: its Job is gone');
  await apply(rules.filter(({ resources }) => !resources.includes('pods/eviction')));
  await expect
    .poll(async () => (await run('--timeout', '5s')).stderr, GONE)
    .toContain('Nothing was written: you have no right to create pods/eviction');
  expect(await names()).toEqual([]);
}, 300_000);

it('counts in no metric of elections, handovers, slices or groups, by which somebody could be called', async () => {
  const names =
    'elections_won_total|handovers_total|failover_duration_seconds_count|slice_writes_total|group_unled_seconds|group_silenced_seconds';
  const counted = new RegExp(`^leadergroup_(?:${names})(?:\\{[^}]*\\})? [1-9].*$`, 'gm');
  const told = async () => (await (await fetch(`${operator.url}/metrics`)).text()).match(counted) ?? [];
  expect(await told()).toEqual([]);
  // As any other group does.
  await h.group(await h.world.namespace('counted'), 'counted');
  await expect.poll(told, GONE).toContain('leadergroup_elections_won_total 1');
});
