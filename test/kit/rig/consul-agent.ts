/** Consul servers of a test's own, each on free ports, with its data in a folder that is removed with it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { releasePort, reservePort } from '../../../dev/cluster/ports.ts';
import { poll } from '../../../dev/cluster/run.ts';
import { inspectProcess } from '../../../dev/lock.mjs';
import { ensureTools } from '../../../dev/tools/index.ts';
import { type ConsulClient, type ConsulOptions, createConsul } from '../../../src/consul/consul.ts';
import { ConsulError } from '../../../src/ports/consul.ts';
import { noLog } from '../model/sinks.ts';

/** The program, which also makes certificates and takes locks. */
export const consulBinary = async (): Promise<string> => (await ensureTools({ names: ['consul'] })).consul ?? '';

export const never = new AbortController().signal;

export type Agent = {
  readonly address: string;
  readonly dir: string;
  readonly client: (overrides?: Partial<ConsulOptions>) => ConsulClient;
  /** Plain HTTP beside the adapter, to see what it wrote. */
  readonly raw: (path: string, init?: RequestInit) => Promise<string>;
  readonly signal: (name: NodeJS.Signals) => void;
  /** By SIGSTOP, which takes a moment to arrive. */
  readonly isStopped: () => boolean;
  readonly kill: () => Promise<void>;
  readonly start: () => Promise<void>;
  readonly wipe: () => Promise<void>;
  readonly [Symbol.asyncDispose]: () => Promise<void>;
};

export type AgentOptions = {
  /** Over the configuration. */
  readonly config?: object;
  /** How clients reach it. */
  readonly options?: (dir: string) => Partial<ConsulOptions>;
  /** Makes files before it starts, in its folder. */
  readonly prepare?: (dir: string) => Promise<void>;
  /** What it takes to be up; by default that it answers a consistent read. */
  readonly isReady?: (agent: Agent) => Promise<boolean>;
  readonly scheme?: 'http' | 'https';
};

type Ports = Readonly<Record<string, number>>;

const PORT_NAMES = ['http', 'server', 'serf_lan', 'serf_wan'] as const;

async function reservePorts(dir: string): Promise<Ports> {
  const ports: Record<string, number> = {};
  for (const name of PORT_NAMES) ports[name] = await reservePort(dir);
  return ports;
}

const configuration = ({ http, ...ports }: Ports, { config, scheme }: AgentOptions) => ({
  server: true,
  bootstrap: true,
  node_name: 'consul-1',
  data_dir: 'data',
  bind_addr: '127.0.0.1',
  client_addr: '127.0.0.1',
  disable_update_check: true,
  session_ttl_min: '1s',
  performance: { raft_multiplier: 1 },
  ports: { http: -1, [scheme ?? 'http']: http, ...ports, dns: -1, grpc: -1, grpc_tls: -1 },
  ...config,
});

const answersConsistently = (agent: Agent): Promise<boolean> =>
  agent
    .client()
    .listSessions('nobody', never)
    .then(
      () => true,
      () => false,
    );

/** A Consul server of our own, on free ports, with its data in a folder that is removed with it. */
export async function startConsul(given: AgentOptions = {}): Promise<Agent> {
  const dir = await mkdtemp(join(tmpdir(), 'leadergroup-consul-'));
  const ports = await reservePorts(dir);
  const address = `${given.scheme ?? 'http'}://127.0.0.1:${ports['http']}`;
  const clients: ConsulClient[] = [];
  let child: ChildProcess | null = null;
  const binary = await consulBinary();
  const options = (): ConsulOptions => ({
    address,
    token: null,
    tokenFile: null,
    tls: null,
    requestTimeoutMs: 2000,
    prefix: 'leadergroup',
    log: noLog,
    ...given.options?.(dir),
  });

  const agent: Agent = {
    address,
    dir,
    client: (overrides = {}) => {
      const client = createConsul({ ...options(), ...overrides });
      clients.push(client);
      return client;
    },
    raw: async (path, init = {}) => {
      const { token } = options();
      const headers = token === null ? {} : { 'x-consul-token': token };
      return (await fetch(`${address}/v1${path}`, { headers, ...init })).text();
    },
    signal: (name) => void child?.kill(name),
    isStopped: () => child?.pid !== undefined && inspectProcess(child.pid)?.stopped === true,
    kill: async () => {
      if (child === null || child.exitCode !== null || child.signalCode !== null) return;
      const ended = once(child, 'exit');
      child.kill('SIGKILL');
      await ended;
    },
    start: async () => {
      child = spawn(binary, ['agent', '-config-file=consul.json', '-log-level=err'], { cwd: dir, stdio: 'ignore' });
      await poll('consul', undefined, () => (given.isReady ?? answersConsistently)(agent));
    },
    wipe: async () => {
      await agent.kill();
      await rm(join(dir, 'data'), { recursive: true });
      await agent.start();
    },
    [Symbol.asyncDispose]: async () => {
      for (const client of clients) client.close();
      await agent.kill();
      await Promise.all(Object.values(ports).map((port) => releasePort(port, dir)));
      await rm(dir, { recursive: true, force: true });
    },
  };
  await writeFile(join(dir, 'consul.json'), JSON.stringify(configuration(ports, given)));
  try {
    await given.prepare?.(dir);
    await agent.start();
    return agent;
  } catch (error) {
    await agent[Symbol.asyncDispose]();
    throw error;
  }
}

/** Throws where it does not fail, or otherwise than by a ConsulError. */
export async function failureOf(promise: Promise<unknown>): Promise<ConsulError> {
  const failed = await promise.then(
    (value) => new Error(`no failure but ${JSON.stringify(value)}`),
    (reason: unknown) => reason,
  );
  if (failed instanceof ConsulError) return failed;
  throw failed;
}
