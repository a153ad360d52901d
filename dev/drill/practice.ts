/**
 * A cluster to practise on: the operator, two workloads with a group each, and nobody who minds what breaks. The nodes are fake, so the operator is a
 * process of this machine that does what its Deployment says: how many replicas (none, or one process for them), its environment and its Secret.
 */
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import process from 'node:process';
import { setTimeout as delay } from 'node:timers/promises';
import { execa } from 'execa';
import { parse } from 'yaml';
import type { Cluster } from '../cluster/index.ts';
import { type Environment, kubectl } from '../demo/kubectl.ts';
import { type OperatorProcess, startOperator } from '../demo/operator.ts';

const ROOT = join(import.meta.dirname, '../..');
const OPERATOR = ['-n', 'leadergroup-system'] as const;
const LOOK_MS = 300;
const POLL_MS = 500;

export type Practice = AsyncDisposable & {
  /** As `.cluster/env`, with the plugin on the path. */
  readonly env: Environment;
  readonly cluster: Cluster;
  /** Where the plugin is: a folder for PATH. */
  readonly bin: string;
  readonly kubectl: (...args: readonly string[]) => Promise<string>;
  /** What `kubectl leadergroup` prints, whatever its exit code. */
  readonly plugin: (...args: readonly string[]) => Promise<string>;
  readonly apply: (...manifests: readonly object[]) => Promise<void>;
  readonly consul: (...args: readonly string[]) => Promise<string>;
  /** Resolves once it is so; rejects with `what` after two and a half minutes. */
  readonly until: (what: string, isSo: () => Promise<boolean>) => Promise<void>;
  /** The ids of what doctor finds now. */
  readonly findings: () => Promise<readonly string[]>;
};

/** Everything works when it resolves. The cluster denies whatever has no token (`consulAcl`). */
export async function openPractice(cluster: Cluster, signal: AbortSignal): Promise<Practice> {
  await using made = new AsyncDisposableStack();
  const bin = await installPlugin(cluster.dir);
  const env: Environment = { ...process.env, ...cluster.env, PATH: `${bin}:${cluster.env['PATH'] ?? ''}` };
  const run = (...args: readonly string[]): Promise<string> => kubectl(env, ...args);
  const consul = async (...args: readonly string[]): Promise<string> =>
    (await execa('consul', args, { env })).stdout.trimEnd();
  const practice = {
    env,
    cluster,
    bin,
    kubectl: run,
    plugin: (...args: readonly string[]) => plugin(env, ...args),
    consul,
    apply: async (...items: readonly object[]) => {
      const input = JSON.stringify({ apiVersion: 'v1', kind: 'List', items });
      await execa('kubectl', ['apply', '-f', '-'], { env, input });
    },
    until: (what: string, isSo: () => Promise<boolean>) => until(what, isSo, signal),
    findings: () => findings(env),
  };
  await run('apply', '-f', join(ROOT, 'crds'));
  await run('wait', 'crd/leadergroups.leadergroup.dev', '--for=condition=Established', '--timeout=60s');
  for (const file of ['00-namespace', '10-rbac']) await run('apply', '-f', join(ROOT, 'deploy', `${file}.yaml`));
  await newToken(practice);
  await run('apply', '-f', join(ROOT, 'deploy', '20-operator.yaml'));
  const rules = JSON.stringify([{ namespaces: ['*'], prefix: 'jobs' }]);
  const address = `CONSUL_HTTP_ADDR=http://${cluster.consulAddress}`;
  await run(...OPERATOR, 'set', 'env', 'deployment/leadergroup', address, `LEADERGROUP_LOCK_KEYS=${rules}`);
  made.use(runAsDeployed(practice, signal));
  await run('apply', '-f', join(import.meta.dirname, 'workloads.yaml'));
  await practice.until('every group is led', () => allLed(practice));
  const all = made.move();
  return { ...practice, [Symbol.asyncDispose]: () => all.disposeAsync() };
}

type Parts = Omit<Practice, typeof Symbol.asyncDispose>;

/** A policy of the operator's rights, a token of it, and the Secret that holds it. `lives`: as `60s`, a minute at least; by default it has no end. */
export async function newToken({ kubectl: run, consul }: Parts, lives?: string): Promise<void> {
  const uid = await run('get', 'namespace', 'kube-system', '-o', 'jsonpath={.metadata.uid}');
  const policy = await readFile(join(ROOT, 'deploy', 'consul-policy.hcl'), 'utf8');
  const shared = 'key_prefix "jobs/" { policy = "write" }\nsession_prefix "" { policy = "read" }\n';
  const rules = policy.replaceAll('CLUSTER', uid.slice(0, 8)) + shared;
  const known = await consul('acl', 'policy', 'list');
  if (!known.includes('leadergroup:')) await consul('acl', 'policy', 'create', '-name', 'leadergroup', '-rules', rules);
  const token = JSON.parse(
    await consul(
      'acl',
      'token',
      'create',
      '-description',
      'leadergroup',
      '-policy-name',
      'leadergroup',
      '-format=json',
      ...(lives === undefined ? [] : [`-expires-ttl=${lives}`]),
    ),
  ) as { readonly SecretID: string };
  const secret = [
    'create',
    'secret',
    'generic',
    'leadergroup-consul',
    `--from-literal=token=${token.SecretID}`,
  ] as const;
  await run(...OPERATOR, 'delete', 'secret', 'leadergroup-consul', '--ignore-not-found');
  await run(...OPERATOR, ...secret);
}

async function installPlugin(dir: string): Promise<string> {
  const bin = join(dir, 'bin');
  await mkdir(bin, { recursive: true });
  const file = join(bin, 'kubectl-leadergroup');
  await writeFile(file, `#!/bin/sh\nexec "${process.execPath}" "${join(ROOT, 'src/kubectl-leadergroup.ts')}" "$@"\n`);
  await chmod(file, 0o755);
  return bin;
}

async function until(what: string, isSo: () => Promise<boolean>, signal: AbortSignal): Promise<void> {
  const limit = AbortSignal.any([signal, AbortSignal.timeout(150_000)]);
  while (!(await isSo())) {
    if (signal.aborted) throw signal.reason;
    if (limit.aborted) throw new Error(`waited in vain until ${what}`);
    await delay(POLL_MS);
  }
}

const plugin = async (env: Environment, ...args: readonly string[]): Promise<string> =>
  (await execa('kubectl', ['leadergroup', ...args], { env, reject: false })).stdout;

async function findings(env: Environment): Promise<readonly string[]> {
  const { findings: found } = JSON.parse(await plugin(env, 'doctor', '--once', '-A', '-o', 'json')) as {
    readonly findings: readonly { readonly id: string }[];
  };
  return found.map(({ id }) => id);
}

/** Ready says Led of every group: one that is led elsewhere is not. */
export async function allLed({ kubectl: run }: Parts): Promise<boolean> {
  const { items } = parse(await run('get', 'leadergroups', '-A', '-o', 'yaml')) as {
    readonly items: readonly {
      readonly status?: { readonly leader?: string; readonly conditions?: readonly { type: string; reason: string }[] };
    }[];
  };
  return items.length > 0 && items.every(({ status }) => status?.conditions?.some(isLed) === true);
}

const isLed = ({ type, reason }: { readonly type: string; readonly reason: string }): boolean =>
  type === 'Ready' && reason === 'Led';

type Deployed = {
  readonly replicas: number;
  readonly env: Readonly<Record<string, string>>;
  /** What a rollout would follow. */
  readonly revision: string;
};

/** null: there is no Deployment. */
async function deployed({ kubectl: run }: Parts): Promise<Deployed | null> {
  const text = await run(...OPERATOR, 'get', 'deployment', 'leadergroup', '--ignore-not-found', '-o', 'yaml');
  if (text === '') return null;
  const { spec } = parse(text) as {
    readonly spec: {
      readonly replicas: number;
      readonly template: {
        readonly spec: {
          readonly containers: readonly { readonly env: readonly { name: string; value?: string }[] }[];
        };
      };
    };
  };
  const env = spec.template.spec.containers[0]?.env ?? [];
  const values = env.flatMap(({ name, value }) => (value === undefined || !isSetting(name) ? [] : [[name, value]]));
  return { replicas: spec.replicas, env: Object.fromEntries(values), revision: JSON.stringify(spec.template) };
}

/** Not how Node is run, nor where it listens: the process has a port of its own. */
const isSetting = (name: string): boolean =>
  (name.startsWith('CONSUL_') || name.startsWith('LEADERGROUP_')) && name !== 'LEADERGROUP_HTTP_ADDRESS';

/** Until it is disposed of. */
function runAsDeployed(practice: Parts, signal: AbortSignal): AsyncDisposable {
  const over = new AbortController();
  const both = AbortSignal.any([signal, over.signal]);
  const following = follow(practice, both);
  return {
    [Symbol.asyncDispose]: async () => {
      over.abort();
      await following;
    },
  };
}

async function follow(practice: Parts, signal: AbortSignal): Promise<void> {
  let running: OperatorProcess | null = null;
  let shown = '';
  const say = sayReady(practice);
  while (!signal.aborted) {
    const wanted = await deployed(practice).catch(() => undefined);
    const now = wanted == null || wanted.replicas === 0 ? '' : wanted.revision;
    if (wanted !== undefined && now !== shown) {
      await running?.[Symbol.asyncDispose]();
      running = now === '' || wanted === null ? null : await begin(practice, wanted, signal);
      shown = now;
    }
    if (running !== null) await say(running).catch(() => undefined);
    await delay(LOOK_MS, undefined, { signal }).catch(() => undefined);
  }
  await running?.[Symbol.asyncDispose]();
}

/** The operator's pods are as ready as the process is, as a kubelet would have it. */
function sayReady({ kubectl: run }: Parts): (operator: OperatorProcess) => Promise<void> {
  const said = new Map<string, string>();
  return async ({ url }) => {
    const ready = await fetch(`${url}/readyz`).then(
      ({ ok }) => ok,
      () => false,
    );
    const status = ready ? 'True' : 'False';
    const pods = await run(...OPERATOR, 'get', 'pods', '-o', 'jsonpath={.items[?(@.status.podIP)].metadata.name}');
    for (const pod of pods.split(' ').filter((name) => name !== '' && said.get(name) !== status)) {
      const conditions = ['Ready', 'ContainersReady'].map((type) => ({ type, status }));
      const patch = JSON.stringify({ status: { conditions } });
      await run(...OPERATOR, 'patch', 'pod', pod, '--subresource=status', '-p', patch);
      said.set(pod, status);
    }
  };
}

/** An operator that does not become ready goes on trying, as it would in a pod. */
async function begin(practice: Parts, { env }: Deployed, signal: AbortSignal): Promise<OperatorProcess> {
  const token = await practice.kubectl(
    ...OPERATOR,
    'get',
    'secret',
    'leadergroup-consul',
    '-o',
    'jsonpath={.data.token}',
  );
  const own = {
    CONSUL_HTTP_TOKEN: Buffer.from(token, 'base64').toString('utf8'),
    KUBECONFIG: await ownKubeconfig(practice),
  };
  const cluster = { ...practice.cluster, env: { ...practice.cluster.env, ...env, ...own } };
  return await startOperator(cluster, signal, { waits: false });
}

/** The operator has the account that it has in a pod, and so its rights, and what policies say of it. */
async function ownKubeconfig({ kubectl: run, cluster }: Parts): Promise<string> {
  const config = JSON.parse(await run('config', 'view', '--raw', '--minify', '-o', 'json')) as {
    readonly users: readonly { readonly name: string }[];
  };
  const token = await run(...OPERATOR, 'create', 'token', 'leadergroup', '--duration=24h');
  const users = config.users.map(({ name }) => ({ name, user: { token } }));
  const file = join(cluster.dir, 'operator.kubeconfig');
  await writeFile(file, JSON.stringify({ ...config, users }), { mode: 0o600 });
  return file;
}
