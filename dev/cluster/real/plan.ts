/**
 * What the real nodes of a cluster are called and where they are. Pure.
 *
 * Interfaces, addresses and the name of kube-proxy's nftables table are the same for every cluster: kube-proxy allows one on a
 * machine, so only one cluster on a machine has real nodes (network.ts refuses a second).
 */
import { join } from 'node:path';
import type { Layout } from '../layout.ts';

/** How many real nodes a cluster can have. */
export type RealNodeCount = 1 | 2;

/** How soon kube-proxy's rules follow one change after another, unless a cluster is made with another period. Its own default is 1000. */
export const PROXY_PERIOD_MS = 100;

/** A pod with this in its nodeSelector runs on a real node. */
export const REAL_NODE_LABEL = { 'leadergroup.dev/node': 'real' };

/** All pods of real nodes have addresses in here; each node has a /24. */
export const POD_NETWORK = '10.112.0.0/16';
export const SERVICE_NETWORK = '10.96.0.0/16';

export const LOOPBACK = '127.0.0.1';

/** The part of a cluster's state that its real nodes are in; undefined for one that has only fake nodes. */
interface WithRealNodes {
  readonly real: { readonly nodeTokens: readonly string[] } | undefined;
}

export interface NodePlan {
  readonly at: RealNodeCount;
  /** In Kubernetes. */
  readonly name: string;
  /** Appended to the names of the node's components and ports. */
  readonly suffix: '' | '-2';
  readonly bridge: string;
  /** The bridge's address: the node's own, and for its pods the way to the rest of the world. */
  readonly address: string;
  readonly podNetwork: string;
  readonly containerd: ContainerdPaths;
}

export interface ContainerdPaths {
  readonly config: string;
  readonly root: string;
  readonly state: string;
  readonly socket: string;
  readonly cniConfig: string;
  /** Which addresses the node's pods have. */
  readonly cniData: string;
  readonly runcRoot: string;
}

/** The real nodes of the cluster; none for one that has only fake nodes. */
export function nodePlans(layout: Layout, { real }: WithRealNodes): readonly NodePlan[] {
  return (real?.nodeTokens ?? []).map((_, index) => nodePlan(layout, index === 0 ? 1 : 2));
}

function nodePlan(layout: Layout, at: RealNodeCount): NodePlan {
  const suffix = at === 1 ? '' : '-2';
  const data = join(layout.data, `containerd${suffix}`);
  return {
    at,
    name: `real-${at}`,
    suffix,
    bridge: `leadergroup-${at}`,
    address: bridgeAddress(at),
    podNetwork: `10.112.${at}.0/24`,
    containerd: {
      config: join(data, 'config.toml'),
      root: join(data, 'root'),
      state: join(data, 'state'),
      socket: join(data, 's'),
      cniConfig: join(data, 'cni'),
      cniData: join(data, 'addresses'),
      runcRoot: join(data, 'runc'),
    },
  };
}

/** Names of Services end in it. */
export const CLUSTER_DOMAIN = 'cluster.local';

const bridgeAddress = (at: RealNodeCount) => `10.112.${at}.1`;

/** Where the control plane listens: loopback, or where pods of real nodes reach it too. */
export function controlAddress({ real }: WithRealNodes): string {
  return real === undefined ? LOOPBACK : bridgeAddress(1);
}

/** By its configuration file a kubelet is told from all others. */
export const kubeletConfigPath = ({ data }: Layout, { suffix }: NodePlan) =>
  join(data, `kubelet${suffix}`, 'config.yaml');

export const proxyConfigPath = ({ data }: Layout) => join(data, 'kube-proxy', 'config.yaml');
