/** The real Consul and the real API server, through the operator's own adapters, keep the contract of test/contract. */
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe } from 'vitest';
import { parseLeaderGroup } from '../../src/api/parse.ts';
import { createClock } from '../../src/clock.ts';
import { createConsul } from '../../src/consul/consul.ts';
import { createCredentials } from '../../src/kubernetes/client/credentials.ts';
import { openKubeConfig } from '../../src/kubernetes/client/kubeconfig.ts';
import { createKubernetes } from '../../src/kubernetes/client/kubernetes.ts';
import { createPools } from '../../src/kubernetes/client/pools.ts';
import { createRouting } from '../../src/kubernetes/client/routing.ts';
import { createTransport, type Transport } from '../../src/kubernetes/client/transport.ts';
import { PODS } from '../../src/kubernetes/objects/resources.ts';
import { createListWatch } from '../../src/kubernetes/reflector/watch-transport.ts';
import { type ContractConsul, consulContract } from '../contract/consul.ts';
import { type ContractApiServer, kubernetesContract } from '../contract/kubernetes.ts';
import { type ContractRouting, routingContract } from '../contract/routing.ts';
import { noLog } from '../kit/model/sinks.ts';
import { type Harness, startHarness } from '../kit/rig/harness.ts';

let h: Harness;
let consul: ContractConsul;
let kubernetes: ContractApiServer;
let routing: ContractRouting;
const made = new AsyncDisposableStack();

beforeAll(async () => {
  h = made.use(await startHarness());
  const client = createConsul({
    address: `http://${h.cluster.consulAddress}`,
    token: null,
    tokenFile: null,
    tls: null,
    requestTimeoutMs: 5000,
    prefix: 'contract',
    log: noLog,
  });
  made.defer(() => client.close());
  await client.registerNode('contract', new AbortController().signal);
  consul = { consul: client, node: 'contract', pass: (ms) => delay(ms) };
  const transport = openTransport();
  kubernetes = openApiServer(transport, await h.world.namespace('contract'));
  routing = openRouting(transport, kubernetes);
});

afterAll(() => made.disposeAsync());

function openTransport(): Transport {
  const clock = createClock();
  process.env['KUBECONFIG'] = h.cluster.kubeconfigPath;
  const credentials = createCredentials({ open: async () => openKubeConfig(), clock, log: noLog });
  const transport = createTransport({ credentials, pools: createPools(5000), clock });
  made.defer(() => transport.close());
  return transport;
}

function openApiServer(transport: Transport, namespace: string): ContractApiServer {
  return {
    kubernetes: createKubernetes({ transport, parseGroup: parseLeaderGroup, requestTimeoutMs: 5000 }),
    namespace,
    pods: createListWatch(transport, PODS),
    createPod: async (name) => void (await h.world.pod({ namespace, name, labels: { app: 'contract' } })),
    removePod: (name) => h.world.deletePod(namespace, name),
    setReady: (name, ready) => h.world.setReady(namespace, name, ready),
    createGroup: async (name) => void (await h.world.applyGroup({ namespace, name })),
    pauseGroup: async (name) => void (await h.world.applyGroup({ namespace, name, spec: { paused: true } })),
    deleteGroup: (name) => h.world.deleteGroup(namespace, name),
    // Its watch cache begins with what is there when it starts.
    forget: () => h.cluster.component('kube-apiserver').restart(),
  };
}

function openRouting(transport: Transport, server: ContractApiServer): ContractRouting {
  const { namespace } = server;
  const core = `/api/v1/namespaces/${namespace}`;
  const create = async (path: string, manifest: object): Promise<void> => void (await h.world.create(path, manifest));
  return {
    ...server,
    routing: createRouting({ transport, requestTimeoutMs: 5000 }),
    createService: (name, group) =>
      create(`${core}/services`, {
        metadata: { name, annotations: group === null ? {} : { 'leadergroup.dev/route': group } },
        spec: { ports: [{ name: 'http', port: 80, targetPort: 'web' }] },
      }),
    createForeignSlice: (name, service) =>
      create(`/apis/discovery.k8s.io/v1/namespaces/${namespace}/endpointslices`, {
        metadata: { name, labels: { 'kubernetes.io/service-name': service } },
        addressType: 'IPv4',
        endpoints: [],
      }),
    createEndpoints: (name) => create(`${core}/endpoints`, { metadata: { name } }),
  };
}

describe('the real Consul', () => consulContract(() => consul));
describe('the real API server', () => kubernetesContract(() => kubernetes));
describe('the real API server, for routes', () => routingContract(() => routing));
