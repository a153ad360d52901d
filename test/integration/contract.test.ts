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
import { createTransport } from '../../src/kubernetes/client/transport.ts';
import { PODS } from '../../src/kubernetes/objects/resources.ts';
import { createListWatch } from '../../src/kubernetes/reflector/watch-transport.ts';
import { type ContractConsul, consulContract } from '../contract/consul.ts';
import { type ContractApiServer, kubernetesContract } from '../contract/kubernetes.ts';
import { noLog } from '../kit/model/sinks.ts';
import { type Harness, startHarness } from '../kit/rig/harness.ts';

let h: Harness;
let consul: ContractConsul;
let kubernetes: ContractApiServer;
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
  });
  made.defer(() => client.close());
  await client.registerNode('contract', new AbortController().signal);
  consul = { consul: client, node: 'contract', pass: (ms) => delay(ms) };
  kubernetes = await openApiServer(await h.world.namespace('contract'));
});

afterAll(() => made.disposeAsync());

async function openApiServer(namespace: string): Promise<ContractApiServer> {
  const clock = createClock();
  process.env['KUBECONFIG'] = h.cluster.kubeconfigPath;
  const credentials = createCredentials({ open: async () => openKubeConfig(), clock, log: noLog });
  const transport = createTransport({ credentials, pools: createPools(5000), clock });
  made.defer(() => transport.close());
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

describe('the real Consul', () => consulContract(() => consul));
describe('the real API server', () => kubernetesContract(() => kubernetes));
