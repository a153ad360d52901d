/** deploy/ on the real components: the manifests are taken, and the operator's rights are those it needs and no more. */
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, realpath, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { Cluster } from '../../dev/cluster/index.ts';
import { type KeptCluster, startKeptCluster } from '../kit/rig/kept-cluster.ts';
import { type Kubectl, kubectlOf } from '../kit/rig/kubectl.ts';

let kept: KeptCluster | undefined;
let kubectl: Kubectl;
let dir: string;

const INSTALL = 'deploy/install.yaml';
const NAMESPACE = 'leadergroup-system';
const OPERATOR = `system:serviceaccount:${NAMESPACE}:leadergroup`;
/** A service account without any role: what it may do, everyone may. */
const ANYONE = `system:serviceaccount:${NAMESPACE}:default`;

function running(): Cluster {
  if (kept === undefined) throw new Error('the cluster did not start');
  return kept.cluster;
}

beforeAll(async () => {
  kept = await startKeptCluster({ consulAcl: true });
  dir = kept.dir;
  kubectl = kubectlOf(kept.cluster.env);
});

afterAll(async () => {
  await kept?.[Symbol.asyncDispose]();
});

describe('the manifests', () => {
  it('install by one command, without a warning', async () => {
    const { code, stderr } = await kubectl.run(['apply', '--validate=strict', '-f', INSTALL]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  });

  it('pass strict validation by the server', async () => {
    const all = ['--dry-run=server', '--validate=strict', '-f', INSTALL];
    expect(await kubectl.must(['apply', ...all])).toContain(`deployment.apps/leadergroup`);
  });

  it("make a pod that the namespace's restricted security level lets in", async () => {
    const level = await kubectl.must(['get', 'namespace', NAMESPACE, '-o', 'jsonpath={.metadata.labels}']);
    expect(level).toContain('"pod-security.kubernetes.io/enforce":"restricted"');
    await vi.waitFor(async () => expect(await podsOf('leadergroup')).toHaveLength(2), {
      timeout: 30_000,
      interval: 250,
    });
  });

  it('are all in the kustomization, which sets another image', async () => {
    const own = await mkdtemp(join(dir, 'kustomize-'));
    // Resources are named relative to the file.
    const base = relative(await realpath(own), process.cwd());
    const images = '[{ name: leadergroup, newName: registry.example.com/leadergroup, newTag: "1" }]';
    await writeFile(join(own, 'kustomization.yaml'), `resources: ["${base}"]\nimages: ${images}\n`);
    const names = ['create', '--dry-run=client', '-o', 'name'];
    const kustomized = await kubectl.must(['kustomize', own]);
    const [one, other] = [
      await kubectl.must([...names, '-f', '-'], kustomized),
      await kubectl.must([...names, '-f', INSTALL]),
    ].map((lines) => lines.split('\n').toSorted());
    expect(one).toEqual(other);
    expect(kustomized).toContain('image: registry.example.com/leadergroup:1\n');
  });

  it('say the same selector in Deployment, Services and PodDisruptionBudget', async () => {
    const spec = async (kind: string, path: string, name = 'leadergroup'): Promise<unknown> =>
      JSON.parse(await kubectl.must(['-n', NAMESPACE, 'get', kind, name, '-o', `jsonpath={${path}}`]));
    const expected = await spec('deployment', '.spec.template.metadata.labels');
    expect(await spec('deployment', '.spec.selector.matchLabels')).toEqual(expected);
    expect(await spec('service', '.spec.selector')).toEqual(expected);
    expect(await spec('service', '.spec.selector', 'leadergroup-replicas')).toEqual(expected);
    expect(await spec('pdb', '.spec.selector.matchLabels')).toEqual(expected);
  });
});

const podsOf = async (name: string): Promise<string[]> =>
  (await kubectl.must(['-n', NAMESPACE, 'get', 'pods', '-l', `app.kubernetes.io/name=${name}`, '-o', 'name']))
    .split('\n')
    .filter((line) => line !== '');

describe("the operator's rights in Kubernetes", () => {
  it('are exactly those that it needs, in every namespace', async () => {
    const granted = (await rightsOf(OPERATOR)).filter((right) => right !== '');
    const everyones = new Set(await rightsOf(ANYONE));
    expect(granted.filter((right) => !everyones.has(right)).toSorted()).toEqual([
      'daemonsets.apps [] [get]',
      'events.events.k8s.io [] [create patch]',
      'jobs.batch [] [get]',
      'leadergroups.leadergroup.dev [] [get list watch patch]',
      'leadergroups.leadergroup.dev/status [] [patch]',
      'namespaces [kube-system] [get]',
      'networkpolicies.networking.k8s.io [] [list]',
      'nodes [] [list watch]',
      'poddisruptionbudgets.policy [] [list]',
      'pods [] [get list watch patch]',
      'replicasets.apps [] [get]',
      'replicationcontrollers [] [get]',
      'statefulsets.apps [] [get]',
      'tokenreviews.authentication.k8s.io [] [create]',
    ]);
  });

  it.each([
    ['patch pods -n default', 'yes'],
    ['watch pods -A', 'yes'],
    ['get namespace/kube-system', 'yes'],
    ['patch leadergroups --subresource=status -n default', 'yes'],
    ['create events.events.k8s.io -n default', 'yes'],
    ['get replicasets -n default', 'yes'],
    ['list replicasets -n default', 'no'],
    ['get namespace/default', 'no'],
    ['list namespaces', 'no'],
    ['delete pods -n default', 'no'],
    ['create pods -n default', 'no'],
    ['create pods --subresource=exec -n default', 'no'],
    ['patch pods --subresource=status -n default', 'no'],
    ['patch nodes', 'no'],
    ['get secrets -n default', 'no'],
    ['get configmaps -n leadergroup-system', 'no'],
    ['update leases -n leadergroup-system', 'no'],
    ['delete leadergroups -n default', 'no'],
    ['create leadergroups -n default', 'no'],
    ['get customresourcedefinitions', 'no'],
  ])('may it %s: %s', async (question, expected) => {
    const { stdout } = await kubectl.run(['auth', 'can-i', `--as=${OPERATOR}`, ...question.split(' ')]);
    expect(stdout.trim()).toBe(expected);
  });

  it('are not held by the default account of the namespace', async () => {
    const { stdout } = await kubectl.run(['auth', 'can-i', `--as=${ANYONE}`, 'patch', 'pods', '-n', 'default']);
    expect(stdout.trim()).toBe('no');
  });

  it('leave groups to those who may edit the namespace, and the status to the operator', async () => {
    await kubectl.must(['create', 'rolebinding', 'ed', '-n', 'default', '--clusterrole=edit', '--user=ed']);
    await kubectl.must(['create', 'rolebinding', 'vi', '-n', 'default', '--clusterrole=view', '--user=vi']);
    const can = async (user: string, ...question: readonly string[]) =>
      (await kubectl.run(['auth', 'can-i', `--as=${user}`, '-n', 'default', ...question])).stdout.trim();
    const settled = { timeout: 30_000, interval: 250 };
    await vi.waitFor(async () => expect(await can('ed', 'create', 'leadergroups')).toBe('yes'), settled);
    await vi.waitFor(async () => expect(await can('vi', 'list', 'leadergroups')).toBe('yes'), settled);
    expect(await can('vi', 'create', 'leadergroups')).toBe('no');
    expect(await can('ed', 'patch', 'leadergroups', '--subresource=status')).toBe('no');
  });
});

/** Rows of `kubectl auth can-i --list` that are about resources: "resource [names] [verbs]". */
async function rightsOf(user: string): Promise<string[]> {
  const table = await kubectl.must(['auth', 'can-i', '--list', `--as=${user}`, '-n', 'default', '--no-headers']);
  return table.split('\n').flatMap((line) => {
    const row = /^(\S+) +\[\] +(\[.*?\]) +(\[.*?\])$/.exec(line);
    return row === null ? [] : [`${row[1]} ${row[2]} ${row[3]}`];
  });
}

describe("the operator's rights in Consul", () => {
  let token: string;

  beforeAll(async () => {
    const policy = (await readFile('deploy/consul-policy.hcl', 'utf8')).replaceAll('CLUSTER', 'abc');
    await consul(['acl', 'policy', 'create', '-name', 'leadergroup', '-rules', '-'], policy);
    const created = await consul(['acl', 'token', 'create', '-policy-name', 'leadergroup', '-format', 'json']);
    token = (JSON.parse(created) as { SecretID: string }).SecretID;
  });

  const put = async (path: string, body: unknown): Promise<number> => {
    const url = `http://${running().consulAddress}/v1/${path}`;
    const headers = { 'X-Consul-Token': token };
    return (await fetch(url, { method: 'PUT', headers, body: JSON.stringify(body) })).status;
  };
  const register = (node: string) =>
    put('catalog/register', { Node: node, Address: '127.0.0.1', SkipNodeUpdate: false });

  it('suffice to register the node, open a session on it, and lock below the prefix of its cluster', async () => {
    expect(await register('leadergroup-abc')).toBe(200);
    expect(await put('session/create', { Node: 'leadergroup-abc', NodeChecks: [], TTL: '10s' })).toBe(200);
    expect(await put('kv/leadergroup/abc/groups/00/a/b/0/.lock', 'x')).toBe(200);
  });

  it.each([
    ['register another node', () => register('leadergroup-abcd')],
    ['open sessions on another node', () => put('session/create', { Node: 'other', NodeChecks: [] })],
    ["write keys of another cluster's", () => put('kv/leadergroup/abd/x', 'x')],
    ['write a shared key that no block allows', () => put('kv/jobs/nightly/.lock', 'x')],
    ['write services', () => put('agent/service/register', { Name: 'x' })],
    ['write policies', () => put('acl/policy', { Name: 'x' })],
  ])('do not suffice to %s', async (_what, attempt) => {
    expect(await attempt()).toBe(403);
  });
});

async function consul(args: readonly string[], input = ''): Promise<string> {
  const child = spawn('consul', args, { env: { ...process.env, ...running().env } });
  const closed = new Promise<number | null>((resolve, reject) => child.on('error', reject).on('close', resolve));
  child.stdin.end(input);
  const [code, stdout, stderr] = await Promise.all([closed, text(child.stdout), text(child.stderr)]);
  if (code !== 0) throw new Error(`consul ${args.join(' ')} ended with ${code}: ${stderr}${stdout}`);
  return stdout;
}
