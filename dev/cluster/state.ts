/** What a cluster has been given at its birth and keeps for life: ports, secrets, binaries. */
import { randomBytes, randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { rename, writeFile } from 'node:fs/promises';
import type { KnownProcess } from '../lock.mjs';
import type { Tools } from '../tools/index.ts';
import type { Layout } from './layout.ts';
import { reservePort } from './ports.ts';
import { type HostRecord, recordHost } from './real/host.ts';
import type { RealNodeCount } from './real/plan.ts';

const consulPortNames = ['consul-http', 'consul-server', 'consul-serf-lan', 'consul-serf-wan'] as const;

type ConsulPort = (typeof consulPortNames)[number];

const portNames = [
  'etcd',
  'kube-apiserver',
  'kube-controller-manager',
  'kube-scheduler',
  'kwok',
  'diagnostics',
  ...consulPortNames,
] as const;

const nodePortNames = ['kubelet', 'kubelet-health'] as const;
const sharedPortNames = ['coredns-ready', 'kube-proxy-health', 'kube-proxy-metrics'] as const;

/** Consul's further servers and real nodes have ports of their own. */
export type PortName =
  | (typeof portNames)[number]
  | `${ConsulPort}-${2 | 3}`
  | (typeof nodePortNames)[number]
  | `${(typeof nodePortNames)[number]}-2`
  | (typeof sharedPortNames)[number];

/** Consul's servers: one, or three that survive the loss of one. */
export type ConsulServers = 1 | 3;

export interface ClusterState {
  readonly format: 1;
  /** `starting` until the first `up` is through: a folder found so belongs to a run that was killed. */
  readonly phase: 'starting' | 'up';
  readonly ports: Readonly<Record<PortName, number>>;
  /** The API server writes an audit log; undefined: it does not. */
  readonly auditLog: boolean | undefined;
  readonly consulServers: ConsulServers;
  /** How many connections one address may have with a server of Consul; undefined: its default. */
  readonly consulConnections: number | undefined;
  /** Bearer tokens of the API server's static users. */
  readonly tokens: { readonly admin: string; readonly controllerManager: string; readonly scheduler: string };
  /** Consul's management token; only with --consul-acl, where everything is denied without a token. */
  readonly consulToken: string | undefined;
  readonly tools: Tools;
  /** Undefined: fake nodes only. */
  readonly real: RealNodesState | undefined;
  /** The process that the cluster must not outlive, such as a test run; none for one that was made to stay. */
  readonly owner: KnownProcess | undefined;
}

export interface RealNodesState {
  /** Bearer tokens of the kubelets, one for each node. */
  readonly nodeTokens: readonly string[];
  readonly proxyToken: string;
  /** kube-proxy's minSyncPeriod; undefined: PROXY_PERIOD_MS. */
  readonly proxyPeriodMs: number | undefined;
  readonly host: HostRecord;
}

/** What a cluster is made with. */
export interface ClusterWish {
  readonly tools: Tools;
  readonly auditLog: boolean;
  readonly consulAcl: boolean;
  readonly consulServers: ConsulServers;
  readonly consulConnections: number | undefined;
  readonly realNodes: 0 | RealNodeCount;
  readonly proxyPeriodMs: number | undefined;
  readonly owner: KnownProcess | undefined;
}

/** The state of a new cluster, its ports reserved. */
export async function newState(layout: Layout, options: ClusterWish): Promise<ClusterState> {
  const ports = await Promise.all(
    portsFor(options).map(async (name) => [name, await reservePort(layout.root)] as const),
  );
  return {
    format: 1,
    phase: 'starting',
    ports: Object.fromEntries(ports) as Record<PortName, number>,
    tokens: { admin: newToken(), controllerManager: newToken(), scheduler: newToken() },
    auditLog: options.auditLog ? true : undefined,
    consulServers: options.consulServers,
    consulConnections: options.consulConnections,
    consulToken: options.consulAcl ? randomUUID() : undefined,
    tools: options.tools,
    real: options.realNodes === 0 ? undefined : realNodesState(options.realNodes, options.proxyPeriodMs),
    owner: options.owner,
  };
}

function portsFor(options: Pick<ClusterWish, 'consulServers' | 'realNodes'>) {
  const further = options.consulServers === 1 ? [] : ([2, 3] as const);
  return [
    ...portNames,
    ...further.flatMap((at) => consulPortNames.map((name) => `${name}-${at}` as const)),
    ...(options.realNodes === 0 ? [] : [...nodePortNames, ...sharedPortNames]),
    ...(options.realNodes === 2 ? nodePortNames.map((name) => `${name}-2` as const) : []),
  ];
}

function realNodesState(count: RealNodeCount, proxyPeriodMs: number | undefined): RealNodesState {
  const nodeTokens = Array.from({ length: count }, newToken);
  return { nodeTokens, proxyToken: newToken(), proxyPeriodMs, host: recordHost() };
}

/** The state in the folder, or undefined if there is none that is a cluster's. */
export function readState(layout: Layout): ClusterState | undefined {
  try {
    const state = JSON.parse(readFileSync(layout.state, 'utf8')) as Partial<ClusterState>;
    return state.format === 1 && state.ports !== undefined ? (state as ClusterState) : undefined;
  } catch {
    return undefined;
  }
}

/** Replaces the state in one step: a reader sees the old or the new one. */
export async function writeState(layout: Layout, state: ClusterState): Promise<void> {
  const draft = draftPath(layout);
  await writeFile(draft, `${JSON.stringify(state, undefined, 2)}\n`, { mode: 0o600 });
  await rename(draft, layout.state);
}

/** What a state is called while it is being written. */
export const draftPath = (layout: Layout) => `${layout.state}.new`;

const newToken = () => randomBytes(24).toString('base64url');
