/**
 * A development cluster with the CRD, the world and the observer on it, and operators started against it: what every
 * integration test begins with.
 *
 * ```ts
 * await using h = await startHarness();
 * await using operator = await h.startOperator();
 * ```
 */

import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Cluster } from '../../../dev/cluster/index.ts';
import type { Condition, ConditionStatus, ConditionType, LeaderGroupStatus } from '../../../src/api/leadergroup.ts';
import { type WatchedPod, writesBy } from '../checker/checker.ts';
import { installCrd } from './crd.ts';
import { startKeptCluster } from './kept-cluster.ts';
import { type Kubectl, kubectlOf } from './kubectl.ts';
import type { HeldBack } from './observer/consul.ts';
import { type Observer, startObserver, type View } from './observer.ts';
import { type OperatorProcess, startOperator } from './operator-process.ts';
import { type Proxy, startConsulProxy, startKubeProxy } from './proxy.ts';
import { takeMachine } from './real-node.ts';
import type { ConsulAccess } from './rest.ts';
import { type GroupWish, openWorld, type World } from './world.ts';

export type HarnessOptions = {
  /** For every operator of this harness, e.g. LEADERGROUP_LOCK_KEYS. */
  readonly operatorEnv?: Readonly<Record<string, string>>;
  /** Operators reach both servers through proxies; world and observer never do. */
  readonly proxies?: boolean;
  readonly consulAcl?: boolean;
  /** The API server writes an audit log: `dev/cluster` says where. */
  readonly auditLog?: boolean;
  /**
   * More connections than Consul lets one address have by default, 200: for tests whose operators are killed again and again. Consul
   * counts those of a killed one until the blocking reads on them are over; in a cluster each pod has an address of its own.
   */
  readonly consulConnections?: number;
  /** Default 1. World, observer and operators ask the first one. */
  readonly consulServers?: 1 | 3;
  /** Another harness's Consul, for everything in this one: two clusters with one Consul. This cluster's own stands idle. */
  readonly consul?: ConsulAccess;
  /** See HeldBack. For tests that freeze Consul and check the whole history. */
  readonly consulHeldBack?: HeldBack;
  /**
   * Nodes on which pods really run, beside the fake ones: for tests in `describeOnRealNodes`. Waits for others' tests that have
   * such nodes: give the hook MACHINE_TIMEOUT_MS.
   */
  readonly realNodes?: 0 | 1 | 2;
  /** kube-proxy's minSyncPeriod, in milliseconds, where there are real nodes. Default: 100; users have 1000. */
  readonly proxyPeriodMs?: number;
};

export type StartOptions = {
  /** Over the harness's and everything else. */
  readonly env?: Readonly<Record<string, string>>;
  readonly args?: readonly string[];
  /** Of another version of the operator, its src/main.ts. */
  readonly main?: string;
  /** Which replica it is, default `a`. Started again under the same name it ends its own earlier session at once. */
  readonly replica?: string;
};

export type Leading = WatchedPod & { readonly token: number };

export type Harness = {
  /** A folder for this harness, kept for whoever looks into a failure (see keep.ts), else removed. Operators log to `operator-<replica>.log` in it. */
  readonly dir: string;
  readonly cluster: Cluster;
  /** The Consul of this cluster's operators. */
  readonly consul: ConsulAccess;
  readonly kubectl: Kubectl;
  readonly world: World;
  readonly observer: Observer;
  readonly proxies: { readonly kube: Proxy; readonly consul: Proxy } | null;
  /** Does not wait until it is ready: a second replica never is before it owns something. */
  spawnOperator(options?: StartOptions): Promise<OperatorProcess>;
  /** Resolves when it is ready. Whatever still runs at the end is killed. */
  startOperator(options?: StartOptions): Promise<OperatorProcess>;
  /** Makes `<name>-0` to `<name>-<pods - 1>` (default 3), ready, and the group that selects them. An operator may run already. */
  group(
    namespace: string,
    name: string,
    options?: { readonly pods?: number; readonly spec?: GroupWish['spec'] },
  ): Promise<void>;
  /** Resolves with the leader once the group has exactly one, ready, with a token, and (with `not`) another than that pod. */
  led(namespace: string, group: string, options?: LedOptions): Promise<Leading>;
  /** The status that the group has now; undefined before there is one. */
  status(namespace: string, group: string): LeaderGroupStatus | undefined;
  /** Resolves with the condition once it is so, e.g. `condition(ns, 'a', 'Ready', 'True', 'Led')`. */
  condition(namespace: string, group: string, ...wanted: ConditionWish): Promise<Condition>;
  /** Resolves when the operator has written nothing to Kubernetes, or to these namespaces, for `quietMs`: by default longer than it puts off any write. */
  atRest(quietMs?: number, namespaces?: readonly string[]): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
};

export type ConditionWish = readonly [type: ConditionType, status: ConditionStatus, reason: string];

/** `unready`: it need not be ready. */
export type LedOptions = {
  readonly not?: string;
  readonly unready?: boolean;
  readonly minToken?: number;
  readonly timeoutMs?: number;
};

const LED_TIMEOUT_MS = 40_000;
const CONDITION_TIMEOUT_MS = 30_000;
const QUIET_MS = 6_000;
const REST_TIMEOUT_MS = 60_000;

export async function startHarness(options: HarnessOptions = {}): Promise<Harness> {
  await using made = new AsyncDisposableStack();
  const {
    consulAcl = false,
    consulServers = 1,
    consulConnections,
    realNodes = 0,
    proxyPeriodMs,
    consulHeldBack,
  } = options;
  const heldBack = consulHeldBack === undefined ? {} : { consulHeldBack };
  const name = options.operatorEnv?.['LEADERGROUP_CLUSTER'];
  const observed = name === undefined ? {} : { cluster: name };
  const period = proxyPeriodMs === undefined ? {} : { proxyPeriodMs };
  if (realNodes > 0) made.defer((await takeMachine()).release);
  const { dir, cluster, observedBy } = made.use(
    await startKeptCluster({
      auditLog: options.auditLog === true,
      consulAcl,
      consulServers,
      consulConnections,
      realNodes,
      ...period,
    }),
  );
  const kubectl = kubectlOf(cluster.env);
  await installCrd(kubectl);
  const { kubeconfigPath: kubeconfig } = cluster;
  const consul = options.consul ?? { address: cluster.consulAddress, token: cluster.consulToken };
  const world = made.use(await openWorld({ kubeconfig, consul }));
  const observer = made.use(await startObserver({ kubeconfig, consul, ...heldBack, ...observed }));
  observedBy(observer);
  const proxies = options.proxies === true ? await startProxies({ kubeconfig, consul, dir }, made) : null;
  const operators = made.use(new AsyncDisposableStack());
  const spawnOperator: Harness['spawnOperator'] = async ({ env = {}, args = [], replica = 'a', main } = {}) =>
    operators.use(
      await startOperator({
        env: {
          KUBECONFIG: proxies === null ? kubeconfig : proxyKubeconfig(dir),
          CONSUL_HTTP_ADDR: proxies === null ? consul.address : proxies.consul.url,
          ...(consul.token === undefined ? {} : { CONSUL_HTTP_TOKEN: consul.token }),
          ...identityOf(replica),
          ...options.operatorEnv,
          ...env,
        },
        args,
        ...(main === undefined ? {} : { main }),
        logFile: join(dir, `operator-${replica}.log`),
      }),
    );
  const all = made.move();
  return {
    dir,
    cluster,
    consul,
    kubectl,
    world,
    observer,
    proxies,
    spawnOperator,
    startOperator: async (start) => {
      const operator = await spawnOperator(start);
      await operator.ready();
      return operator;
    },
    group: async (namespace, name, { pods = 3, spec = {} } = {}) => {
      await world.pods(namespace, name, pods);
      await world.applyGroup({ namespace, name, spec });
    },
    status: (namespace, group) => statusOf(observer, namespace, group),
    condition: (namespace, group, ...wanted) => untilCondition(observer, namespace, group, wanted),
    atRest: (quietMs = QUIET_MS, namespaces) => untilAtRest(observer, quietMs, namespaces),
    led: (namespace, group, led) => untilLed(observer, namespace, group, led),
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}

/** The token that a pod carries for a group; null: none. */
export function tokenOn(pod: Pick<WatchedPod, 'annotations'>, group: string): number | null {
  const text = pod.annotations[`token.leadergroup.dev/${group}`];
  return text === undefined ? null : Number(text);
}

const identityOf = (replica: string): Readonly<Record<string, string>> => ({
  POD_NAME: `operator-${replica}`,
  POD_NAMESPACE: 'leadergroup-system',
  POD_UID: `uid-of-operator-${replica}`,
});

const proxyKubeconfig = (dir: string): string => join(dir, 'proxy.kubeconfig');

type Ends = { readonly kubeconfig: string; readonly consul: ConsulAccess; readonly dir: string };

const startProxies = async ({ kubeconfig, consul, dir }: Ends, made: AsyncDisposableStack) => ({
  kube: made.use(await startKubeProxy(kubeconfig, proxyKubeconfig(dir))),
  consul: made.use(await startConsulProxy(consul.address)),
});

/** See Harness.led. */
export const untilLed = (
  observer: Observer,
  namespace: string,
  group: string,
  { not, unready = false, minToken = 1, timeoutMs = LED_TIMEOUT_MS }: LedOptions = {},
): Promise<Leading> =>
  observer.until(
    (view) => {
      const [leader, second] = view.leaders(namespace, group);
      if (leader === undefined || second !== undefined || !(leader.ready || unready) || leader.name === not)
        return null;
      const token = tokenOn(leader, group);
      return token !== null && token >= minToken && { ...leader, token };
    },
    { timeoutMs, what: `a leader of ${namespace}/${group}${not === undefined ? '' : ` other than ${not}`}` },
  );

const statusOf = (view: View, namespace: string, group: string): LeaderGroupStatus | undefined =>
  view.group(namespace, group)?.status as unknown as LeaderGroupStatus | undefined;

const untilCondition = (
  observer: Observer,
  namespace: string,
  group: string,
  [type, status, reason]: ConditionWish,
): Promise<Condition> =>
  observer.until(
    (view) => {
      const found = statusOf(view, namespace, group)?.conditions.find((condition) => condition.type === type);
      return found?.status === status && found.reason === reason && found;
    },
    { timeoutMs: CONDITION_TIMEOUT_MS, what: `${type}=${status} with reason ${reason} on ${namespace}/${group}` },
  );

async function untilAtRest(
  observer: Observer,
  quietMs: number,
  namespaces: readonly string[] | undefined,
): Promise<void> {
  const filter = namespaces === undefined ? undefined : { namespaces };
  for (const giveUpMs = performance.now() + REST_TIMEOUT_MS; ; ) {
    const sinceMs = performance.now() - (writesBy(observer.history(filter)).at(-1)?.atMs ?? 0);
    if (sinceMs >= quietMs) return;
    if (performance.now() > giveUpMs) throw new Error(`the operator does not rest for ${quietMs} ms`);
    await delay(quietMs - sinceMs);
  }
}
