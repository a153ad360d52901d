/** Three operator replicas and their groups on the real components, each replica behind TCP proxies of its own. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Cluster, startCluster } from '../../../dev/cluster/index.ts';
import type { ComponentName } from '../../../dev/cluster/spec.ts';
import { installCrd } from '../crd.ts';
import { readKubeconfig, writeKubeconfig } from '../kubeconfig.ts';
import { kubectlOf } from '../kubectl.ts';
import { type Observer, startObserver } from '../observer.ts';
import { type OperatorProcess, startOperator } from '../operator-process.ts';
import { openWorld, type World } from '../world.ts';
import { startTcpProxy, type TcpProxy } from './tcp-proxy.ts';

export type ArenaReplica = {
  readonly name: string;
  readonly consul: TcpProxy;
  readonly kubernetes: TcpProxy;
  /** Its present process; null while it is down. */
  process(): OperatorProcess | null;
  kill(signal: 'SIGKILL' | 'SIGTERM'): Promise<void>;
  /** `fresh`: as another pod, which nothing connects with the one before. */
  start(fresh: boolean): Promise<void>;
  /** What all its processes have logged as errors. */
  errors(): readonly string[];
};

export type Arena = {
  readonly namespace: string;
  readonly groups: readonly string[];
  readonly cluster: Cluster;
  readonly world: World;
  readonly observer: Observer;
  readonly replicas: readonly ArenaReplica[];
  readonly consulServers: readonly ComponentName[];
  [Symbol.asyncDispose](): Promise<void>;
};

const REPLICAS = ['a', 'b', 'c'];
const PODS = 3;
/** Groups of every kind, over and over. */
const SPECS: readonly Readonly<Record<string, unknown>>[] = [
  { sessionTTLSeconds: 30 },
  { sessionTTLSeconds: 10 },
  { sessionTTLSeconds: 10, onConsulLoss: 'Demote' },
  { sessionTTLSeconds: 20, label: { follower: 'follower' } },
  { sessionTTLSeconds: 10, lockDelaySeconds: 1 },
  { sessionTTLSeconds: 20, onConsulLoss: 'Demote', failoverDelaySeconds: 1 },
];

export async function openArena(groups: number): Promise<Arena> {
  await using made = new AsyncDisposableStack();
  const dir = await mkdtemp(join(tmpdir(), 'leadergroup-faults-'));
  made.defer(() => rm(dir, { recursive: true, force: true }));
  const cluster = made.use(await startCluster({ dir: join(dir, 'cluster'), consulServers: 3 }));
  await installCrd(kubectlOf(cluster.env));
  const anyConsul = await liveServer(cluster.consulAddresses, made);
  // The observer and the tests reach whichever server lives, and no fault of the network.
  const own = made.use(await startTcpProxy(anyConsul));
  const consul = { address: `127.0.0.1:${own.port}`, token: undefined };
  const world = made.use(await openWorld({ kubeconfig: cluster.kubeconfigPath, consul }));
  const observer = made.use(await startObserver({ kubeconfig: cluster.kubeconfigPath, consul }));
  const namespace = await world.namespace('faults');
  const names = Array.from({ length: groups }, (_, at) => `g${at}`);
  await Promise.all(
    names.map(async (name, at) => {
      await world.pods(namespace, name, PODS);
      await world.applyGroup({ namespace, name, spec: SPECS[at % SPECS.length] ?? {} });
    }),
  );
  const replicas: ArenaReplica[] = [];
  for (const name of REPLICAS) replicas.push(made.use(await openReplica(name, dir, cluster, anyConsul)));
  await Promise.all(replicas.map((replica) => replica.start(false)));
  const all = made.move();
  return {
    namespace,
    groups: names,
    cluster,
    world,
    observer,
    replicas,
    consulServers: ['consul', 'consul-2', 'consul-3'],
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}

const ASK_MS = 250;

/** The address of a server that accepts connections, a load balancer's way; asked again all the time. */
async function liveServer(addresses: readonly string[], made: AsyncDisposableStack): Promise<() => string | null> {
  let live: readonly string[] = addresses;
  let turn = 0;
  const look = async (): Promise<void> => {
    const alive = await Promise.all(addresses.map(answers));
    live = addresses.filter((_, at) => alive[at]);
  };
  const timer = setInterval(() => void look(), ASK_MS);
  made.defer(() => clearInterval(timer));
  await look();
  return () => {
    turn += 1;
    return live[turn % Math.max(1, live.length)] ?? null;
  };
}

/** Health of the HTTP server itself: a frozen process accepts connections and answers nothing. */
async function answers(address: string): Promise<boolean> {
  const answer = await fetch(`http://${address}/v1/status/leader`, { signal: AbortSignal.timeout(1000) }).catch(
    () => null,
  );
  const leader = (await answer?.text().catch(() => '')) ?? '';
  return answer?.status === 200 && leader.length > 2;
}

async function openReplica(
  name: string,
  dir: string,
  cluster: Cluster,
  anyConsul: () => string | null,
): Promise<ArenaReplica & AsyncDisposable> {
  const access = await readKubeconfig(cluster.kubeconfigPath);
  const consul = await startTcpProxy(anyConsul);
  const kubernetes = await startTcpProxy(() => access.server.host);
  const kubeconfig = join(dir, `${name}.kubeconfig`);
  await writeKubeconfig(kubeconfig, { ...access, server: `https://127.0.0.1:${kubernetes.port}` });
  const lives: OperatorProcess[] = [];
  let pods = 0;
  let process: OperatorProcess | null = null;

  async function start(fresh: boolean): Promise<void> {
    if (fresh) pods += 1;
    process = await startOperator({
      env: {
        KUBECONFIG: kubeconfig,
        CONSUL_HTTP_ADDR: `http://127.0.0.1:${consul.port}`,
        POD_NAME: `operator-${name}${pods}`,
        POD_NAMESPACE: 'leadergroup-system',
        POD_UID: `uid-of-operator-${name}${pods}`,
        LEADERGROUP_CLUSTER: 'arena',
      },
      logFile: join(dir, `operator-${name}.log`),
    });
    lives.push(process);
  }

  return {
    name,
    consul,
    kubernetes,
    process: () => process,
    kill: async (signal) => {
      const ending = process;
      process = null;
      await ending?.kill(signal);
    },
    start,
    errors: () =>
      lives.flatMap(({ log }) => log.filter(({ level }) => level === 'error').map((line) => JSON.stringify(line))),
    [Symbol.asyncDispose]: async () => {
      await process?.[Symbol.asyncDispose]();
      await Promise.all([consul[Symbol.asyncDispose](), kubernetes[Symbol.asyncDispose]()]);
    },
  };
}
