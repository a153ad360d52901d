/** The operator as a user installs it, from its manifests and its image, on real nodes, with an observer beside it. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { ensureImages, type Images } from '../../../../dev/images/index.ts';
import { type Harness, startHarness } from '../harness.ts';
import type { Kubectl } from '../kubectl.ts';
import { createDelayedAnswers, type DelayedAnswers } from '../observer/delayed-answers.ts';

export type Site = AsyncDisposable &
  Pick<Harness, 'cluster' | 'kubectl' | 'observer'> & {
    readonly images: Images;
    /** To be told of faults of Consul: what the observer hears then may be late. */
    readonly consulTrouble: DelayedAnswers;
    /** The address of a Service; its pods need not exist. */
    clusterIp(namespace: string, service: string): Promise<string>;
  };

/** Where the manifests put the operator. */
export const SYSTEM = 'leadergroup-system';
const ROOT = join(import.meta.dirname, '../../../..');

/** One object of a manifest, to be changed before it is applied. */
export type Manifest = Record<string, unknown> & { readonly kind: string; readonly metadata: { name: string } };

/** Resolves when two replicas of the operator are ready, each on a node of its own. */
export async function openSite(): Promise<Site> {
  const images = await ensureImages();
  await using made = new AsyncDisposableStack();
  const consulTrouble = createDelayedAnswers();
  const { cluster, kubectl, observer } = made.use(
    await startHarness({ realNodes: 2, consulHeldBack: consulTrouble.heldBack }),
  );
  for (const { archive } of Object.values(images)) await cluster.importImage(archive);
  await install(kubectl, images.operator.name, `http://${cluster.consulAddressForPods}`);
  const all = made.move();
  return {
    cluster,
    kubectl,
    observer,
    images,
    consulTrouble,
    clusterIp: (namespace, service) =>
      kubectl.must(['-n', namespace, 'get', 'service', service, '-o', 'jsonpath={.spec.clusterIP}']),
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}

async function install(kubectl: Kubectl, image: string, consul: string): Promise<void> {
  for (const file of ['00-namespace.yaml', '10-rbac.yaml'])
    await kubectl.must(['apply', '-f', join(ROOT, 'deploy', file)]);
  const manifests = await manifestsOf('deploy/20-operator.yaml');
  // What its first lines tell a user to set; and of the nodes those that run containers.
  const set = (manifest: Manifest): Manifest =>
    manifest.kind === 'Deployment'
      ? onRealNodes(withEnv(withImage(manifest, image), { CONSUL_HTTP_ADDR: consul }))
      : manifest;
  await apply(kubectl, manifests.map(set));
  await kubectl.must(['-n', SYSTEM, 'rollout', 'status', 'deployment/leadergroup', '--timeout=120s']);
}

export async function manifestsOf(file: string): Promise<readonly Manifest[]> {
  const text = await readFile(join(ROOT, file), 'utf8');
  return parseAllDocuments(text).map((document) => document.toJS() as Manifest);
}

export const apply = (kubectl: Kubectl, manifests: readonly Manifest[], namespace?: string): Promise<string> =>
  kubectl.must(
    [...(namespace === undefined ? [] : ['-n', namespace]), 'apply', '-f', '-'],
    // JSON: YAML may read a text as something else.
    JSON.stringify({ apiVersion: 'v1', kind: 'List', items: manifests }),
  );

type Container = { image: string; env?: { name: string; value?: string }[] };
type Workload = Manifest & {
  spec: { template: { spec: { containers: [Container]; nodeSelector?: object } } };
};

function withPod(manifest: Manifest, change: (pod: Workload['spec']['template']['spec']) => void): Manifest {
  const copy = structuredClone(manifest) as Workload;
  change(copy.spec.template.spec);
  return copy;
}

export const withImage = (manifest: Manifest, image: string): Manifest =>
  withPod(manifest, ({ containers: [container] }) => {
    container.image = image;
  });

/** Over what stands there. */
export const withEnv = (manifest: Manifest, env: Readonly<Record<string, string>>): Manifest =>
  withPod(manifest, ({ containers: [container] }) => {
    const others = (container.env ?? []).filter(({ name }) => !Object.hasOwn(env, name));
    container.env = [...others, ...Object.entries(env).map(([name, value]) => ({ name, value }))];
  });

export const onRealNodes = (manifest: Manifest, hostname?: string): Manifest =>
  withPod(manifest, (pod) => {
    pod.nodeSelector = {
      'leadergroup.dev/node': 'real',
      ...(hostname === undefined ? {} : { 'kubernetes.io/hostname': hostname }),
    };
  });
