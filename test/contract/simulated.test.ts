/** The simulated servers keep the contract that the real ones keep (test/integration/contract.test.ts). */
import { afterAll, describe } from 'vitest';
import { aGroup, aPod, aService } from '../kit/fakes/builders.ts';
import { createFakeClock } from '../kit/fakes/clock.ts';
import { createLink } from '../kit/model/link.ts';
import { createWorldApiServer } from '../kit/model/world-api-server.ts';
import { createWorldConsul } from '../kit/model/world-consul.ts';
import { createLoop } from '../kit/simulation/loop.ts';
import { createWire } from '../kit/simulation/network.ts';
import { createProcess } from '../kit/simulation/process.ts';
import { stream } from '../kit/simulation/random.ts';
import { createListWatch } from '../kit/simulation/watches.ts';
import { type ContractConsul, consulContract } from './consul.ts';
import { type ContractApiServer, kubernetesContract } from './kubernetes.ts';
import { type ContractRouting, routingContract } from './routing.ts';

describe('the simulated Consul', () => {
  // Each case has a Consul of its own, since one's time is not another's.
  consulContract(() => {
    const clock = createFakeClock();
    const world = createWorldConsul(clock);
    world.expireAfter(() => 1.5);
    world.requests.registerNode('contract');
    const { consul } = createLink('contract', createWorldApiServer(), world, () => undefined);
    const simulated: ContractConsul = { consul, node: 'contract', pass: (ms) => clock.advance(ms) };
    return simulated;
  });
});

describe('the simulated API server', () => {
  const api = createWorldApiServer();
  const { kubernetes, routing } = createLink('contract', api, createWorldConsul(createFakeClock()), () => undefined);
  const loop = createLoop();
  const server = { process: createProcess('server', loop), isDown: () => false };
  const client = createProcess('client', loop);
  const counts = { requests: 0, lostRequests: 0, lostAnswers: 0, late: 0 };
  const wire = createWire(loop, client, server, stream('contract'), counts);
  const watchServer = { server, api, compactedAt: 0 };
  const trouble = { stalledUntilMs: 0, cut: () => undefined };
  const pods = createListWatch(
    loop,
    client,
    wire,
    watchServer,
    'pods',
    () => watchServer.compactedAt,
    trouble,
    new Set(),
  );
  const state = { over: false };
  let made = 0;

  /** Time goes on while a case waits for the watch. */
  async function run(): Promise<void> {
    while (!state.over) await loop.runUntil(loop.nowMs() + 5);
  }
  void run();
  afterAll(() => {
    state.over = true;
  });

  const nothing = (what: unknown): Promise<void> => Promise.resolve(void what);
  const simulated: ContractApiServer = {
    kubernetes,
    namespace: 'default',
    pods,
    createPod: (name) => {
      made += 1;
      return nothing(api.foreign.addPod(aPod({ name, uid: `uid-${made}`, readyTransitionMs: null })));
    },
    removePod: (name) => nothing(api.foreign.removePod(name)),
    setReady: (name, ready) => nothing(api.foreign.changePod(name, () => ({ ready }))),
    createGroup: (name) => nothing(api.foreign.addGroup(aGroup({ name, finalizers: [] }))),
    pauseGroup: (name) => nothing(api.foreign.changeGroup(name, ({ spec }) => ({ spec: { ...spec, paused: true } }))),
    deleteGroup: (name) => nothing(api.foreign.deleteGroup(name)),
    forget: () => {
      watchServer.compactedAt = api.version();
      return Promise.resolve();
    },
  };
  kubernetesContract(() => simulated);

  const { foreign } = api.routing;
  const routes: ContractRouting = {
    ...simulated,
    routing,
    createService: (name, group) => nothing(foreign.putService(aService({ name, group }))),
    createForeignSlice: (name, service) => nothing(foreign.addSlice(name, service)),
    createEndpoints: (service) => nothing(foreign.addEndpoints(service)),
  };
  routingContract(() => routes);
});
