/**
 * The development cluster as a library, for tests, the demo and the benchmark: a real API server, a real Consul, and handles to
 * kill, freeze and restart each of their processes.
 *
 * ```ts
 * await using cluster = await startCluster({ dir });
 * await cluster.component('consul').freeze();
 * ```
 */
import { type KnownProcess, thisProcess } from '../lock.mjs';
import { componentSpecs } from './components.ts';
import { consulAddress, consulAddresses, consulAddressForPods } from './consul.ts';
import { environmentOf } from './environment.ts';
import { ClusterError } from './errors.ts';
import { apiServerUrl } from './kubeconfig.ts';
import { layoutOf } from './layout.ts';
import { down, downAtOnce, siteOf, up } from './lifecycle.ts';
import { type Cut, cutPodOff } from './real/cut.ts';
import { type ImageArchive, podImage } from './real/image.ts';
import { importImage, nameImage, type RealNode, realNodes, signalContainer } from './real/node.ts';
import type { RealNodeCount } from './real/plan.ts';
import type { ContainerWish } from './real/processes.ts';
import {
  freezeComponent,
  killComponent,
  logPath,
  startAndWait,
  stopComponent,
  thawComponent,
  waitForRunning,
  wipeComponent,
} from './run.ts';
import { type ComponentName, type ComponentSpec, componentNames, type Site } from './spec.ts';
import type { ConsulServers } from './state.ts';

export { ClusterError } from './errors.ts';

/** One process of a cluster. Each call returns when it has taken effect. */
export interface Component {
  readonly name: ComponentName;
  /** File with everything that it has printed, over all its lives. */
  readonly logPath: string;
  /** Ends it with SIGTERM, SIGKILL after 10 s. Does nothing if it does not run. */
  readonly stop: () => Promise<void>;
  /** Starts it with the same ports and data and waits until it is ready. Does nothing but wait if it runs. */
  readonly start: (options?: Waiting) => Promise<void>;
  /** Stops and starts it. */
  readonly restart: (options?: Waiting) => Promise<void>;
  /** Ends it with SIGKILL. Throws ClusterError if it does not run, as do freeze and thaw. */
  readonly kill: () => Promise<void>;
  /** Halts it with SIGSTOP: it answers nothing more, and its connections stay open. */
  readonly freeze: () => Promise<void>;
  /** Lets it go on after `freeze` with SIGCONT. Does not wait until it is ready. */
  readonly thaw: () => Promise<void>;
  /** Stops it, deletes all it has stored, starts it and waits until it is ready. Only consul; throws ClusterError otherwise. */
  readonly wipe: (options?: Waiting) => Promise<void>;
  /** Waits until it is ready. Throws ClusterError if it does not run, has ended, or is not ready after 90 s. */
  readonly ready: (options?: Waiting) => Promise<void>;
}

export interface Waiting {
  readonly signal?: AbortSignal | undefined;
}

/** A running cluster. */
export interface Cluster extends AsyncDisposable {
  /** Its folder, absolute. */
  readonly dir: string;
  /** kubeconfig of its administrator. */
  readonly kubeconfigPath: string;
  /** The API server's base URL. */
  readonly apiServerUrl: string;
  /** Host and port of Consul's HTTP API, as CONSUL_HTTP_ADDR has it. */
  readonly consulAddress: string;
  /** Of each of Consul's servers, the first one's first. */
  readonly consulAddresses: readonly string[];
  /** Consul's management token, if the cluster was made with `consulAcl`. */
  readonly consulToken: string | undefined;
  /** Of 127.0.0.1: where a process listens whose diagnostics the operator's pods of fake nodes have by port-forward. */
  readonly diagnosticsPort: number;
  /** KUBECONFIG, CONSUL_HTTP_ADDR, CONSUL_HTTP_TOKEN if there is one, and PATH with the cluster's binaries first. */
  readonly env: Readonly<Record<string, string>>;
  /** Nodes on which pods really run; empty for a cluster made without. */
  readonly realNodes: readonly RealNode[];
  /** Host and port of Consul's HTTP API for pods of real nodes. */
  readonly consulAddressForPods: string;
  /**
   * An image that every real node has: `serve :8080` answers HTTP with the pod's name, and `/pod get URL` (for kubectl exec)
   * asks others, the API server with the pod's ServiceAccount.
   */
  readonly podImage: () => Promise<ImageArchive>;
  /** Puts an OCI archive's images on every real node, for pods with imagePullPolicy Never or IfNotPresent. */
  readonly importImage: (archive: string) => Promise<void>;
  /** Gives an image that the real nodes have another name too, as if it came from a registry. */
  readonly nameImage: (name: string, also: string) => Promise<void>;
  /** Signals all processes of a pod's container (of all its containers by default); returns them, throws if there are none. */
  readonly signalContainer: (wish: ContainerWish, signal: NodeJS.Signals) => readonly KnownProcess[];
  /** Drops what a pod sends and is sent, as far as it is matched, until the returned function is called. Throws if none of its containers runs. */
  readonly cutPodOff: (wish: ContainerWish, cut: Cut) => () => void;
  readonly component: (name: ComponentName) => Component;
  /** Restarts kube-proxy with this minSyncPeriod. Throws ClusterError without real nodes. */
  readonly setProxyPeriod: (ms: number) => Promise<void>;
  /** Ends everything and removes the folder. */
  readonly down: () => Promise<void>;
}

/**
 * Brings a cluster up, or takes the one that runs in the folder already. Disposing of it takes it down only if this call made
 * it; a cluster that this call made also ends with this process. If the process is killed, the next `up` of any cluster clears
 * it away.
 *
 * Throws ToolError or ClusterError with a message for people, or the signal's reason; nothing that it started is left then.
 *
 * @param options.dir its folder; `.cluster` in the current folder by default
 * @param options.consulServers one, or three that survive the loss of one; only for a new cluster
 * @param options.consulConnections how many one address may have with a server, Consul's default by default; only for a new cluster
 * @param options.realNodes how many nodes on which pods really run, none by default; only for a new cluster
 * @param options.proxyPeriodMs kube-proxy's minSyncPeriod, 100 by default; users have 1000; only for a new cluster with real nodes
 * @param options.auditLog whether the API server writes an audit log of pods and LeaderGroups, `auditLogPath`; only for a new cluster
 * @param options.consulAcl whether Consul denies everything to requests without a token; only for a new cluster
 */
export async function startCluster(
  options: {
    readonly dir?: string;
    readonly auditLog?: boolean;
    readonly consulAcl?: boolean;
    readonly consulServers?: ConsulServers;
    readonly consulConnections?: number | undefined;
    readonly realNodes?: 0 | RealNodeCount;
    readonly proxyPeriodMs?: number;
    readonly signal?: AbortSignal | undefined;
  } = {},
): Promise<Cluster> {
  const layout = layoutOf(options.dir ?? DEFAULT_DIR);
  const { site, isNew } = await up(layout, { ...options, owner: thisProcess() });
  const cluster = clusterAt(site);
  if (!isNew) return cluster;
  const atExit = () => downAtOnce(layout);
  process.once('exit', atExit);
  const end = async () => {
    await cluster.down();
    process.off('exit', atExit);
  };
  return { ...cluster, down: end, [Symbol.asyncDispose]: end };
}

/** The cluster that is up in the folder; disposing of it does nothing. Throws ClusterError if there is none. */
export async function openCluster({ dir = DEFAULT_DIR }: { readonly dir?: string } = {}): Promise<Cluster> {
  return clusterAt(await siteOf(layoutOf(dir)));
}

/** Ends whatever runs in the folder and removes it, also after a killed run. Returns whether there was anything. */
export async function stopCluster({ dir = DEFAULT_DIR }: { readonly dir?: string } = {}): Promise<boolean> {
  return await down(layoutOf(dir));
}

export const DEFAULT_DIR = '.cluster';

/** The component name that a person typed. Throws ClusterError for one that does not exist. */
export function parseComponentName(name: string): ComponentName {
  const known = componentNames.find((candidate) => candidate === name);
  if (known !== undefined) return known;
  throw new ClusterError(`There is no component ${name}: they are ${componentNames.join(', ')}.`);
}

function clusterAt(site: Site): Cluster {
  const { layout, state } = site;
  return {
    dir: layout.root,
    kubeconfigPath: layout.kubeconfig,
    apiServerUrl: apiServerUrl(state),
    consulAddress: consulAddress(site),
    consulAddresses: consulAddresses(site),
    consulToken: state.consulToken,
    diagnosticsPort: state.ports.diagnostics,
    env: environmentOf(site),
    realNodes: realNodes(site),
    consulAddressForPods: consulAddressForPods(site),
    podImage,
    importImage: (archive) => importImage(site, archive),
    nameImage: (name, also) => nameImage(site, name, also),
    signalContainer: (wish, signal) => signalContainer(site, wish, signal),
    cutPodOff: (wish, cut) => cutPodOff(site, wish, cut),
    component: (name) => componentOf(site, specNamed(site, name)),
    setProxyPeriod: async (proxyPeriodMs) => {
      const real = state.real === undefined ? undefined : { ...state.real, proxyPeriodMs };
      const slower = { layout, state: { ...state, real } };
      await componentOf(slower, specNamed(slower, 'kube-proxy')).restart();
    },
    down: async () => void (await down(layout)),
    [Symbol.asyncDispose]: async () => {},
  };
}

function specNamed(site: Site, name: ComponentName): ComponentSpec {
  const specs = componentSpecs(site);
  const found = specs.find((spec) => spec.name === name);
  if (found !== undefined) return found;
  throw new ClusterError(`This cluster has no ${name}: it has ${specs.map((spec) => spec.name).join(', ')}.`);
}

function componentOf(site: Site, spec: ComponentSpec): Component {
  const { name } = spec;
  const stop = () => stopComponent(site, name);
  const start = ({ signal }: Waiting = {}) => startAndWait(site, spec, signal);
  return {
    name,
    logPath: logPath(site.layout, name),
    stop,
    start,
    restart: async (options) => {
      await stop();
      await start(options);
    },
    kill: () => killComponent(site, name),
    freeze: () => freezeComponent(site, name),
    thaw: () => thawComponent(site, name),
    wipe: ({ signal }: Waiting = {}) => wipeComponent(site, spec, signal),
    ready: ({ signal }: Waiting = {}) => waitForRunning(site, spec, signal),
  };
}
