/** A real node on which Helm installs the chart as the pages print it: the images that they name are there, as if from their registries. */
import { mkdir, symlink } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { execa } from 'execa';
import { ensureImages } from '../../../../dev/images/index.ts';
import { ensureTools, type Tools } from '../../../../dev/tools/index.ts';
import { type KeptCluster, startKeptCluster } from '../kept-cluster.ts';
import { type Kubectl, kubectlOf } from '../kubectl.ts';
import { takeMachine } from '../real-node.ts';
import { consulImage } from './consul-image.ts';

export type HelmName = 'helm3' | 'helm4';

export type Ran = { readonly exitCode: number | undefined; readonly all: string };

export type Installer = AsyncDisposable & {
  readonly kubectl: Kubectl;
  readonly cluster: KeptCluster['cluster'];
  /** Runs commands in one shell, in the root of the checkout, where `helm` is that version; it ends with the first that fails. */
  shell(helm: HelmName, commands: readonly string[]): Promise<Ran>;
  /** A volume of 1 GiB on the real node, for the first claim that asks for one of no class: there is no default one. It has to be deleted. */
  volume(name: string): Promise<void>;
};

const ROOT = join(import.meta.dirname, '../../../..');

/** Fake nodes are cordoned: the pods that Kubernetes places run for real. */
export async function openInstaller(): Promise<Installer> {
  const tools = await ensureTools({ names: ['helm3', 'helm4'] });
  const [{ operator }, consul] = [await ensureImages(), await consulImage()];
  await using made = new AsyncDisposableStack();
  made.defer((await takeMachine()).release);
  const { cluster, dir } = made.use(await startKeptCluster({ realNodes: 1 }));
  for (const { archive } of [operator, consul]) await cluster.importImage(archive);
  await cluster.nameImage(operator.name, 'registry.example.com/leadergroup:0.1.0');
  await cluster.nameImage((await cluster.podImage()).name, 'registry.k8s.io/pause:3.10');
  const kubectl = kubectlOf(cluster.env);
  const nodes = await kubectl.must(['get', 'nodes', '-l', 'leadergroup.dev/node!=real', '-o', 'name']);
  await kubectl.must(['cordon', ...nodes.trim().split('\n')]);
  const paths = { helm3: await folderWith(tools, 'helm3', dir), helm4: await folderWith(tools, 'helm4', dir) };
  const all = made.move();
  return {
    kubectl,
    cluster,
    shell: async (helm, commands) => {
      const own = Object.fromEntries(['CACHE', 'CONFIG', 'DATA'].map((kind) => [`HELM_${kind}_HOME`, paths[helm]]));
      const env = { ...cluster.env, ...own, PATH: [paths[helm], cluster.env['PATH']].join(delimiter) };
      const options = { cwd: ROOT, env, reject: false, all: true, stdin: 'ignore' } as const;
      const { exitCode, all: printed } = await execa('bash', ['-euo', 'pipefail', '-c', commands.join('\n')], options);
      return { exitCode, all: printed };
    },
    volume: async (name) => {
      const path = join(dir, name);
      await mkdir(path);
      await kubectl.must(['apply', '-f', '-'], JSON.stringify(localVolume(name, path)));
    },
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}

function localVolume(name: string, path: string): object {
  const onTheRealNode = { key: 'leadergroup.dev/node', operator: 'In', values: ['real'] };
  return {
    apiVersion: 'v1',
    kind: 'PersistentVolume',
    metadata: { name },
    spec: {
      capacity: { storage: '1Gi' },
      accessModes: ['ReadWriteOnce'],
      persistentVolumeReclaimPolicy: 'Retain',
      // A hostPath would stay the root user's.
      local: { path },
      nodeAffinity: { required: { nodeSelectorTerms: [{ matchExpressions: [onTheRealNode] }] } },
    },
  };
}

async function folderWith(tools: Tools, name: HelmName, dir: string): Promise<string> {
  const folder = join(dir, name);
  await mkdir(folder, { recursive: true });
  await symlink(tools[name] ?? name, join(folder, 'helm'));
  return folder;
}
