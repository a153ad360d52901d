/** Three operator replicas and their groups on the real components, each replica behind TCP proxies of its own. */
import { copyFile, cp, mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type Cluster, startCluster } from '../../../../dev/cluster/index.ts';
import type { ComponentName } from '../../../../dev/cluster/spec.ts';
import { replicaSessionName } from '../../../../src/election/keys.ts';
import { installCrd } from '../crd.ts';
import { readKubeconfig, writeKubeconfig } from '../kubeconfig.ts';
import { kubectlOf } from '../kubectl.ts';
import { createDelayedAnswers } from '../observer/delayed-answers.ts';
import { type Observer, startObserver } from '../observer.ts';
import { type OperatorProcess, startOperator } from '../operator-process.ts';
import { freePort } from '../ports.ts';
import { openWorld, type World } from '../world.ts';
import { type Asked, startAsked } from './asked.ts';
import { type Claimers, startClaimers } from './claimers.ts';
import { addressOf, claimersOf, type GroupPlan, NETWORK, plansOf, podsOf } from './groups.ts';
import { type Members, startMembers } from './members.ts';
import { persistently, untilDone } from './persistently.ts';
import { type Pods, startPods } from './pods.ts';
import { type Mode, startTcpProxy, type TcpProxy } from './tcp-proxy.ts';

export type RigReplica = {
  readonly name: string;
  readonly consul: TcpProxy;
  readonly kubernetes: TcpProxy;
  /** The way by which the other replicas reach it, which pass questions on to it. */
  readonly peers: Pick<TcpProxy, 'set'>;
  /** Its present process; null while it is down. */
  process(): OperatorProcess | null;
  /** `reported`: its kubelet tells the API server a little later; else its node is gone too, and nobody tells. */
  kill(signal: 'SIGKILL' | 'SIGTERM', reported: boolean): Promise<void>;
  /** `fresh`: as another pod; the one before is deleted. */
  start(fresh: boolean): Promise<void>;
  /** Resolves when Consul has ended the sessions of its present pod. */
  sessionOver(): Promise<void>;
  /** What all its processes have logged as errors. */
  errors(): readonly string[];
};

export type FaultRig = {
  readonly namespace: string;
  readonly plans: readonly GroupPlan[];
  /** Their names. */
  readonly groups: readonly string[];
  readonly pods: Pods;
  /** Those of them whose lock is at `lockKeyOf`. */
  readonly sharing: readonly string[];
  /** Of whichever Consul server lives, past every fault of the network. */
  readonly consulAddress: string;
  readonly cluster: Cluster;
  readonly world: World;
  readonly observer: Observer;
  readonly replicas: readonly RigReplica[];
  /** Groups whose leader is probed, and what runs in their pods. */
  readonly probed: readonly string[];
  /** Those of them whose members ask the gate. */
  readonly asking: readonly string[];
  readonly members: Members;
  /** Groups whose pods are asked before they lead, and what answers there. */
  readonly askedFirst: readonly string[];
  readonly asked: Asked;
  /** What runs in the pods of other groups, at each tick. */
  readonly claimers: Claimers;
  readonly consulServers: readonly ComponentName[];
  /** To be told when something happens to a server of Consul, and when it is over. */
  readonly consulTrouble: { begins(): void; ends(): void };
  [Symbol.asyncDispose](): Promise<void>;
};

const REPLICAS = ['a', 'b', 'c'];
const SYSTEM = 'leadergroup-system';
/** The one that the spec of a test's pod has: the API server lets no other begin again. */
const CONTAINER = 'main';
/** A kubelet tells within a second or so that a container has ended. */
const REPORT_MS = 700;
/** Twice the TTL, counted anew with each new leader of Consul, of which there may be one every few seconds for minutes. */
const SESSION_OVER_MS = 600_000;

/** `keep`: where the logs are left; else they go with everything. */
export async function openRig(groups: number, keep: string | null): Promise<FaultRig> {
  await using made = new AsyncDisposableStack();
  const dir = await mkdtemp(join(tmpdir(), 'leadergroup-faults-'));
  made.defer(() => rm(dir, { recursive: true, force: true }));
  if (keep !== null) made.defer(() => copyLogs(dir, keep));
  const cluster = made.use(await startCluster({ dir: join(dir, 'cluster'), consulServers: 3 }));
  if (keep !== null) made.defer(() => cp(join(cluster.dir, 'logs'), join(keep, 'components'), { recursive: true }));
  await installCrd(kubectlOf(cluster.env));
  const anyConsul = await liveServer(cluster.consulAddresses, made);
  // The observer and the tests reach whichever server lives, and no fault of the network.
  const own = made.use(await startTcpProxy(anyConsul));
  const consul = { address: `127.0.0.1:${own.port}`, token: undefined };
  const world = made.use(await openWorld({ kubeconfig: cluster.kubeconfigPath, consul }));
  const delayed = createDelayedAnswers();
  const observer = made.use(
    await startObserver({
      kubeconfig: cluster.kubeconfigPath,
      consul,
      consulHeldBack: delayed.heldBack,
    }),
  );
  const namespace = await world.namespace('faults');
  const plans = plansOf(groups);
  const names = plans.map(({ name }) => name);
  const pods = made.use(await startPods({ world, observer, namespace, plans }));
  await Promise.all(plans.map(({ name, spec }) => world.applyGroup({ namespace, name, spec })));
  await world.ensureNamespace(SYSTEM);
  const replicas: RigReplica[] = [];
  for (const name of REPLICAS) replicas.push(made.use(await openReplica(name, dir, { cluster, world, anyConsul })));
  await Promise.all(replicas.map((replica) => replica.start(false)));
  const probed = plans.flatMap(({ name, probed: how }) => (how === null ? [] : [{ name, asks: how === 'asks' }]));
  const urls = (): readonly string[] => replicas.flatMap((replica) => replica.process()?.url ?? []);
  const uidOf = async (name: string): Promise<string | null> => {
    const pod = await world.readPod(namespace, name).catch(() => null);
    return pod?.metadata.uid ?? null;
  };
  const claimers = made.use(startClaimers({ namespace, plans: claimersOf(plans), replicas: urls, uidOf }));
  const members = made.use(
    await startMembers({
      namespace,
      members: probed.flatMap(({ name: group, asks }) =>
        podsOf(group).map((name) => ({ group, name, address: addressOf(name), asks })),
      ),
      replicas: urls,
      uidOf,
    }),
  );
  const askedFirst = plans.filter(({ asked }) => asked !== null).map(({ name }) => name);
  const asked = made.use(await startAsked(askedFirst.flatMap(podsOf)));
  const all = made.move();
  return {
    namespace,
    plans,
    pods,
    probed: probed.map(({ name }) => name),
    asking: probed.filter(({ asks }) => asks).map(({ name }) => name),
    askedFirst,
    asked,
    members,
    claimers,
    groups: names,
    sharing: plans.filter(({ shares }) => shares).map(({ name }) => name),
    consulAddress: consul.address,
    cluster,
    world,
    observer,
    replicas,
    consulTrouble: delayed,
    consulServers: ['consul', 'consul-2', 'consul-3'],
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}

async function copyLogs(from: string, to: string): Promise<void> {
  await mkdir(to, { recursive: true });
  const logs = (await readdir(from)).filter((name) => name.endsWith('.log'));
  await Promise.all(logs.map((name) => copyFile(join(from, name), join(to, name))));
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
  shared: { readonly cluster: Cluster; readonly world: World; readonly anyConsul: () => string | null },
): Promise<RigReplica & AsyncDisposable> {
  const { cluster, world, anyConsul } = shared;
  const access = await readKubeconfig(cluster.kubeconfigPath);
  const consul = await startTcpProxy(anyConsul);
  const kubernetes = await startTcpProxy(() => access.server.host);
  const kubeconfig = join(dir, `${name}.kubeconfig`);
  await writeKubeconfig(kubeconfig, { ...access, server: `https://127.0.0.1:${kubernetes.port}` });
  const lives: OperatorProcess[] = [];
  const peers = { mode: 'pass' as Mode, proxy: null as TcpProxy | null };
  let pods = 0;
  let pod = await makePod(world, name, pods);
  let process: OperatorProcess | null = null;
  let startedMs = Date.now();
  let telling: Promise<void> = Promise.resolve();

  /** What a kubelet tells, in its order, for as long as the pod is there. */
  function tell(finishedMs: number | null, afterMs: number): void {
    const [about, life] = [pod.name, { startedMs, finishedMs }];
    telling = telling.then(() => delay(afterMs));
    telling = telling.then(() => persistently(() => world.reportContainer(SYSTEM, about, CONTAINER, life)));
  }

  async function start(fresh: boolean): Promise<void> {
    await telling;
    if (fresh) {
      await persistently(() => world.deletePod(SYSTEM, pod.name));
      pods += 1;
      pod = await makePod(world, name, pods);
    }
    startedMs = Date.now();
    const port = await freePort();
    const podIp = `${NETWORK}.255.${REPLICAS.indexOf(name) + 1}`;
    await peers.proxy?.[Symbol.asyncDispose]();
    peers.proxy = await startTcpProxy(() => `127.0.0.1:${port}`, { host: podIp, port });
    peers.proxy.set(peers.mode);
    process = await startOperator({
      env: {
        LEADERGROUP_HTTP_ADDRESS: `127.0.0.1:${port}`,
        POD_IP: podIp,
        KUBECONFIG: kubeconfig,
        CONSUL_HTTP_ADDR: `http://127.0.0.1:${consul.port}`,
        POD_NAME: pod.name,
        POD_NAMESPACE: SYSTEM,
        POD_UID: pod.uid,
        POD_CONTAINER: CONTAINER,
        LEADERGROUP_CLUSTER: 'rig',
        LEADERGROUP_LOCK_KEYS: JSON.stringify([{ namespaces: ['*'], prefix: 'rig' }]),
      },
      logFile: join(dir, `operator-${name}.log`),
    });
    lives.push(process);
    tell(null, 0);
  }

  return {
    name,
    consul,
    kubernetes,
    peers: {
      set: (mode) => {
        peers.mode = mode;
        peers.proxy?.set(mode);
      },
    },
    process: () => process,
    kill: async (signal, reported) => {
      const ending = process;
      process = null;
      await ending?.kill(signal);
      if (reported) tell(Date.now(), REPORT_MS);
    },
    start,
    sessionOver: async () => {
      const own = replicaSessionName(`${pod.name}_${pod.uid}`);
      for (const untilMs = performance.now() + SESSION_OVER_MS; performance.now() < untilMs; await delay(200)) {
        const sessions = await untilDone(() => world.consul.sessions());
        if (!sessions.some((session) => session.name === own)) return;
      }
      throw new Error(`the session of ${pod.name} does not end`);
    },
    errors: () =>
      lives.flatMap(({ log }) => log.filter(({ level }) => level === 'error').map((line) => JSON.stringify(line))),
    [Symbol.asyncDispose]: async () => {
      await process?.[Symbol.asyncDispose]();
      await telling;
      const proxies = [consul, kubernetes, peers.proxy].filter((proxy) => proxy !== null);
      await Promise.all(proxies.map((proxy) => proxy[Symbol.asyncDispose]()));
    },
  };
}

/** The pod of a replica's process, which runs beside the cluster. */
async function makePod(
  world: World,
  replica: string,
  count: number,
): Promise<{ readonly name: string; readonly uid: string }> {
  const name = `operator-${replica}${count}`;
  await persistently(async () => {
    if ((await world.readPod(SYSTEM, name)) === null)
      await world.pod({ namespace: SYSTEM, name, labels: { app: 'leadergroup-operator' } });
  });
  const made = await untilDone(() => world.readPod(SYSTEM, name));
  if (made === null) throw new Error(`pod ${name} is not there`);
  return { name, uid: made.metadata.uid };
}
