/** What there is to know about a component before it runs. */
import type { BinaryName } from '../tools/products.ts';
import type { Layout } from './layout.ts';
import type { ClusterState, PortName } from './state.ts';

/** The components that `up` starts; Consul's further servers and those of real nodes only where they were asked for. */
export const componentNames = [
  'etcd',
  'kube-apiserver',
  'kube-controller-manager',
  'kube-scheduler',
  'kwok',
  'consul',
  'consul-2',
  'consul-3',
  'coredns',
  'containerd',
  'kubelet',
  'containerd-2',
  'kubelet-2',
  'kube-proxy',
] as const;

export type ComponentName = (typeof componentNames)[number];

/** A cluster's folder and what it was given. */
export interface Site {
  readonly layout: Layout;
  readonly state: ClusterState;
}

/** How to run one component of one cluster. Made anew from the state each time, never stored. */
export interface ComponentSpec {
  readonly name: ComponentName;
  /** Its link in the cluster's `bin`. */
  readonly binary: BinaryName | 'containerd';
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Those that must be ready before it starts. */
  readonly after?: readonly ComponentName[];
  readonly ports?: readonly PortName[];
  /** The folder that `wipe` empties; only where forgetting everything makes sense alone. */
  readonly wipes?: string;
  /** Writes the files it reads at start. */
  readonly prepare?: () => Promise<void>;
  /** Whether it does its work now. May reject, which means no. */
  readonly isReady: (signal: AbortSignal | undefined) => Promise<boolean>;
}
