/** What a cluster has been given at its birth and keeps for life: ports, secrets, binaries. */
import { randomBytes, randomUUID } from 'node:crypto';
import { readFile, rename, writeFile } from 'node:fs/promises';
import type { KnownProcess } from '../lock.mjs';
import type { Tools } from '../tools/index.ts';
import type { Layout } from './layout.ts';
import { reservePort } from './ports.ts';

const consulPortNames = ['consul-http', 'consul-server', 'consul-serf-lan', 'consul-serf-wan'] as const;

type ConsulPort = (typeof consulPortNames)[number];

const portNames = [
  'etcd',
  'kube-apiserver',
  'kube-controller-manager',
  'kube-scheduler',
  'kwok',
  ...consulPortNames,
] as const;

/** Consul's further servers have ports of their own. */
export type PortName = (typeof portNames)[number] | `${ConsulPort}-${2 | 3}`;

/** Consul's servers: one, or three that survive the loss of one. */
export type ConsulServers = 1 | 3;

export interface ClusterState {
  readonly format: 1;
  /** `starting` until the first `up` is through: a folder found so belongs to a run that was killed. */
  readonly phase: 'starting' | 'up';
  readonly ports: Readonly<Record<PortName, number>>;
  readonly consulServers: ConsulServers;
  /** Bearer tokens of the API server's static users. */
  readonly tokens: { readonly admin: string; readonly controllerManager: string; readonly scheduler: string };
  /** Consul's management token; only with --consul-acl, where everything is denied without a token. */
  readonly consulToken: string | undefined;
  readonly tools: Tools;
  /** The process that the cluster must not outlive, such as a test run; none for one that was made to stay. */
  readonly owner: KnownProcess | undefined;
}

/** The state of a new cluster, its ports reserved. */
export async function newState(
  layout: Layout,
  options: {
    readonly tools: Tools;
    readonly consulAcl: boolean;
    readonly consulServers: ConsulServers;
    readonly owner: KnownProcess | undefined;
  },
): Promise<ClusterState> {
  const further = options.consulServers === 1 ? [] : ([2, 3] as const);
  const names = [...portNames, ...further.flatMap((at) => consulPortNames.map((name) => `${name}-${at}` as const))];
  const ports = await Promise.all(names.map(async (name) => [name, await reservePort(layout.root)] as const));
  return {
    format: 1,
    phase: 'starting',
    ports: Object.fromEntries(ports) as Record<PortName, number>,
    tokens: { admin: newToken(), controllerManager: newToken(), scheduler: newToken() },
    consulServers: options.consulServers,
    consulToken: options.consulAcl ? randomUUID() : undefined,
    tools: options.tools,
    owner: options.owner,
  };
}

/** The state in the folder, or undefined if there is none that is a cluster's. */
export async function readState(layout: Layout): Promise<ClusterState | undefined> {
  try {
    const state = JSON.parse(await readFile(layout.state, 'utf8')) as Partial<ClusterState>;
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
