/** kwok, which plays the kubelets of fake nodes, and those nodes. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DIAGNOSTICS_PORT } from '../../src/api/diagnostics.ts';
import { isOk, send } from './http.ts';
import { apiServerUrl, authorityPath, writeKubeconfig } from './kubeconfig.ts';
import { nodePlans } from './real/plan.ts';
import type { ComponentSpec, Site } from './spec.ts';

/** Only nodes with this annotation are kwok's; a real node can stand beside them. */
const FAKE_NODE = { 'kwok.x-k8s.io/node': 'fake' };
/** As a kubelet's. */
const LEASE_SECONDS = 40;
const NODE_NAMES = ['node-1', 'node-2', 'node-3'];

export function kwok(site: Site): ComponentSpec {
  const { layout, state } = site;
  const address = `127.0.0.1:${state.ports.kwok}`;
  const kubeconfig = join(layout.secrets, 'kwok.kubeconfig');
  const forwards = join(layout.secrets, 'kwok-forwards.json');
  return {
    name: 'kwok',
    binary: 'kwok',
    args: [
      `--kubeconfig=${kubeconfig}`,
      `--config=${join(import.meta.dirname, 'kwok.yaml')}`,
      `--config=${forwards}`,
      '--manage-all-nodes=false',
      `--manage-nodes-with-annotation-selector=${Object.entries(FAKE_NODE)
        .map((pair) => pair.join('='))
        .join(',')}`,
      // With leases, a restarted kwok leaves the nodes alone until those of its former life have run out. But beside real nodes
      // silent ones are given up soon.
      `--node-lease-duration-seconds=${state.real === undefined ? 0 : LEASE_SECONDS}`,
      '--cidr=10.128.0.0/9',
      '--node-ip=127.0.0.1',
      `--server-address=${address}`,
      // Where the API server finds the kubelet of a fake node.
      `--node-port=${state.ports.kwok}`,
    ],
    env: { KWOK_WORKDIR: join(layout.data, 'kwok') },
    after: ['kube-apiserver'],
    ports: ['kwok'],
    prepare: async () => {
      await writeKubeconfig(site, kubeconfig, state.tokens.admin);
      await writeFile(forwards, JSON.stringify(diagnosticsOf(site)));
    },
    isReady: (signal) => isOk({ url: `http://${address}/healthz` }, signal),
  };
}

/** Fake pods run nothing: by port-forward the diagnostics of each lead to the operator's process that stands for it. */
const diagnosticsOf = ({ state }: Site) => ({
  apiVersion: 'kwok.x-k8s.io/v1alpha1',
  kind: 'ClusterPortForward',
  metadata: { name: 'diagnostics' },
  spec: {
    selector: { matchNamespaces: ['leadergroup-system'] },
    forwards: [{ ports: [DIAGNOSTICS_PORT], target: { address: '127.0.0.1', port: state.ports.diagnostics } }],
  },
});

/** Creates the fake nodes; those that exist stay. Rejects when the API server refuses. */
export async function createNodes(site: Site, signal: AbortSignal | undefined): Promise<void> {
  await Promise.all(NODE_NAMES.map((name) => createNode(site, name, signal)));
}

/** Whether every node, fake or real, is Ready and pods can be created: the namespace `default` has its ServiceAccount. */
export async function isPopulated(site: Site, signal: AbortSignal | undefined): Promise<boolean> {
  const [account, ...nodes] = await Promise.all([
    api(site, { path: '/api/v1/namespaces/default/serviceaccounts/default' }, signal),
    ...[...NODE_NAMES, ...nodePlans(site.layout, site.state).map(({ name }) => name)].map((name) =>
      api(site, { path: `/api/v1/nodes/${name}` }, signal),
    ),
  ]);
  return (
    account.status === 200 && nodes.every(({ status, body }) => status === 200 && isUsable(JSON.parse(body) as Node))
  );
}

interface Node {
  readonly spec: { readonly taints?: readonly unknown[] };
  readonly status: { readonly conditions?: readonly { readonly type: string; readonly status: string }[] };
}

/** Ready, and no more tainted as the not ready node it began as. */
function isUsable({ spec, status }: Node): boolean {
  const ready =
    status.conditions?.some((condition) => condition.type === 'Ready' && condition.status === 'True') ?? false;
  return ready && (spec.taints ?? []).length === 0;
}

async function createNode(site: Site, name: string, signal: AbortSignal | undefined): Promise<void> {
  const labels = {
    'kubernetes.io/hostname': name,
    'kubernetes.io/os': 'linux',
    'topology.kubernetes.io/zone': `zone-${name.slice(-1)}`,
  };
  const node = { apiVersion: 'v1', kind: 'Node', metadata: { name, annotations: FAKE_NODE, labels } };
  const { status, body } = await api(site, { path: '/api/v1/nodes', body: JSON.stringify(node) }, signal);
  if (status !== 201 && status !== 409)
    throw new Error(`The API server refused the fake node ${name}: ${status} ${body}`);
}

async function api(
  { layout, state }: Site,
  { path, body }: { readonly path: string; readonly body?: string },
  signal: AbortSignal | undefined,
): Promise<{ status: number; body: string }> {
  const url = `${apiServerUrl(state)}${path}`;
  const authority = await readFile(authorityPath(layout), 'utf8');
  const headers = { authorization: `Bearer ${state.tokens.admin}`, 'content-type': 'application/json' };
  return await send({ url, authority, headers, ...(body === undefined ? {} : { method: 'POST', body }) }, signal);
}
