/** The operator as a user installs it, from its manifests and its image, on real nodes, with an observer beside it. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { vi } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { ensureImages, type Images } from '../../../../dev/images/index.ts';
import { BUCKETS, bucketName, bucketOf } from '../../../../src/election/keys.ts';
import { type Harness, type HarnessOptions, startHarness } from '../harness.ts';
import type { Kubectl } from '../kubectl.ts';
import { createDelayedAnswers, type DelayedAnswers } from '../observer/delayed-answers.ts';
import { readJson } from './read.ts';
import { type ShownEndpoints, watchSlices } from './slices.ts';

export type Site = AsyncDisposable &
  Pick<Harness, 'cluster' | 'kubectl' | 'observer' | 'world'> & {
    readonly images: Images;
    /** To be told of faults of Consul: what the observer hears then may be late. */
    readonly consulTrouble: DelayedAnswers;
    /** The address of a Service; its pods need not exist. */
    clusterIp(namespace: string, service: string): Promise<string>;
    /** Of every Service, in the order in which they were shown. */
    readonly shown: readonly ShownEndpoints[];
    /** Where each replica of the operator runs, and what it owns. Rejects while there is none that answers. */
    operators(): Promise<readonly OperatorPod[]>;
    /** The replica that decides for the group. Rejects while nobody does: after a fault of the operator a bucket may be on its way. */
    ownerOf(namespace: string, group: string): Promise<OperatorPod>;
    /** A name for a namespace, beginning so, of which a replica on this node owns the group. */
    ownedFrom(node: string, prefix: string, group: string): Promise<string>;
  };

export type OperatorPod = {
  readonly pod: string;
  readonly node: string;
  readonly ip: string;
  readonly buckets: readonly string[];
};

/** Where the manifests put the operator. */
export const SYSTEM = 'leadergroup-system';
const ROOT = join(import.meta.dirname, '../../../..');

/** One object of a manifest, to be changed before it is applied. */
export type Manifest = Record<string, unknown> & {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly annotations?: object };
};

/** Resolves when two replicas of the operator are ready, each on a node of its own. */
export async function openSite(options: Pick<HarnessOptions, 'proxyPeriodMs'> = {}): Promise<Site> {
  const images = await ensureImages();
  await using made = new AsyncDisposableStack();
  const consulTrouble = createDelayedAnswers();
  const { cluster, kubectl, observer, world } = made.use(
    await startHarness({ ...options, realNodes: 2, consulHeldBack: consulTrouble.heldBack }),
  );
  const { shown } = made.use(await watchSlices(cluster.kubeconfigPath));
  for (const { archive } of Object.values(images)) await cluster.importImage(archive);
  await install(kubectl, images.operator.name, `http://${cluster.consulAddressForPods}`);
  const clusterIp: Site['clusterIp'] = (namespace, service) =>
    kubectl.must(['-n', namespace, 'get', 'service', service, '-o', 'jsonpath={.spec.clusterIP}']);
  const operators = async (): Promise<readonly OperatorPod[]> => {
    const url = `http://${await clusterIp(SYSTEM, 'leadergroup')}:8080/replicas`;
    const [{ replicas }, places] = await Promise.all([readJson(url) as Promise<Overview>, operatorPlaces(kubectl)]);
    return replicas.flatMap(({ id, buckets }) => {
      // A replica's id is its pod's name, an underscore, and the pod's uid.
      const pod = id.slice(0, id.indexOf('_'));
      const place = places.get(pod);
      return place === undefined ? [] : [{ pod, ...place, buckets }];
    });
  };
  const all = made.move();
  return {
    cluster,
    kubectl,
    observer,
    world,
    images,
    consulTrouble,
    clusterIp,
    shown,
    operators,
    ownerOf: async (namespace, group) => {
      const bucket = bucketName(bucketOf(namespace, group));
      const owner = (await operators()).find(({ buckets }) => buckets.includes(bucket));
      if (owner === undefined) throw new Error(`no replica has the bucket ${bucket} of ${namespace}/${group}`);
      return owner;
    },
    ownedFrom: async (node, prefix, group) => {
      const shared = async (): Promise<readonly OperatorPod[]> => {
        const found = await operators();
        if (found.every(({ buckets }) => buckets.length * found.length === BUCKETS)) return found;
        throw new Error(`the replicas do not share the buckets evenly: ${JSON.stringify(found)}`);
      };
      const all = await vi.waitFor(shared, { timeout: 60_000, interval: 200 });
      const own = all.filter((each) => each.node === node).flatMap(({ buckets }) => buckets);
      const names = Array.from({ length: 1000 }, (_, at) => `${prefix}-${at}`);
      const found = names.find((name) => own.includes(bucketName(bucketOf(name, group))));
      if (found === undefined) throw new Error(`no replica on ${node} owns a bucket`);
      return found;
    },
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}

type Overview = { readonly replicas: readonly { readonly id: string; readonly buckets: readonly string[] }[] };

/** By the pod's name. */
async function operatorPlaces(kubectl: Kubectl): Promise<ReadonlyMap<string, Pick<OperatorPod, 'node' | 'ip'>>> {
  const fields = 'jsonpath={range .items[*]}{.metadata.name} {.spec.nodeName} {.status.podIP}{"\\n"}{end}';
  const text = await kubectl.must(['-n', SYSTEM, 'get', 'pods', '-o', fields]);
  const lines = text.split('\n').map((line) => line.split(' '));
  return new Map(lines.flatMap(([pod = '', node = '', ip = '']) => (ip === '' ? [] : [[pod, { node, ip }] as const])));
}

async function install(kubectl: Kubectl, image: string, consul: string): Promise<void> {
  for (const file of ['00-namespace.yaml', '10-rbac.yaml'])
    await kubectl.must(['apply', '-f', join(ROOT, 'deploy', file)]);
  await kubectl.must(['apply', '-k', join(ROOT, 'deploy/overlays/route-enforced')]);
  const manifests = await manifestsOf('deploy/20-operator.yaml');
  // What its first lines tell a user to set; and of the nodes those that run containers. The address of a pod that asks through a Service is
  // hidden here (kube-proxy masquerades everything), so it shows a token.
  const env = { CONSUL_HTTP_ADDR: consul, LEADERGROUP_GATE_AUTHENTICATION: 'Token' };
  const set = (manifest: Manifest): Manifest =>
    manifest.kind === 'Deployment' ? onRealNodes(withEnv(withImage(manifest, image), env)) : manifest;
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

type Container = { image: string; env?: { name: string; value?: string }[]; volumeMounts?: object[] };
type Workload = Manifest & {
  spec: { template: { spec: { containers: [Container]; nodeSelector?: object; volumes?: object[] } } };
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

const TOKENS = '/var/run/secrets/leadergroup.dev';

/** With a token by which the gate knows the pod, as docs/ask-before-you-act.md has it. */
export const withGateToken = (manifest: Manifest): Manifest =>
  withEnv(
    withPod(manifest, (pod) => {
      const serviceAccountToken = { audience: 'leadergroup', expirationSeconds: 3600, path: 'token' };
      pod.volumes = [...(pod.volumes ?? []), { name: 'gate-token', projected: { sources: [{ serviceAccountToken }] } }];
      const [container] = pod.containers;
      container.volumeMounts = [...(container.volumeMounts ?? []), { name: 'gate-token', mountPath: TOKENS }];
    }),
    { LEADERGROUP_TOKEN_FILE: `${TOKENS}/token` },
  );

export const onRealNodes = (manifest: Manifest, hostname?: string): Manifest =>
  withPod(manifest, (pod) => {
    pod.nodeSelector = {
      'leadergroup.dev/node': 'real',
      ...(hostname === undefined ? {} : { 'kubernetes.io/hostname': hostname }),
    };
  });
