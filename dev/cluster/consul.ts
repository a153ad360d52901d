/** Consul: one server, or three, that keep their data over a restart, as small production servers would, on loopback. */
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { consulKnowsSettingsOf } from '../tools/consul-versions.ts';
import { send } from './http.ts';
import { controlAddress, LOOPBACK } from './real/plan.ts';
import type { ComponentSpec, Site } from './spec.ts';
import type { PortName } from './state.ts';

/** The servers of this cluster, the first one named plainly `consul`. */
export function consulServers(site: Site): readonly ComponentSpec[] {
  return serversOf(site).map((at) => consulServer(site, at));
}

const serversOf = ({ state }: Site): readonly Server[] => (state.consulServers === 3 ? [1, 2, 3] : [1]);

type Server = 1 | 2 | 3;

const portName = (port: ConsulPort, at: Server): PortName => (at === 1 ? port : `${port}-${at}`);

type ConsulPort = 'consul-http' | 'consul-server' | 'consul-serf-lan' | 'consul-serf-wan';

function consulServer(site: Site, at: Server): ComponentSpec {
  const name = at === 1 ? 'consul' : (`consul-${at}` as const);
  const config = join(site.layout.data, `${name}.json`);
  const ports = (['consul-http', 'consul-server', 'consul-serf-lan', 'consul-serf-wan'] as const).map((port) =>
    portName(port, at),
  );
  return {
    name,
    binary: 'consul',
    args: ['agent', `-config-file=${config}`],
    ports,
    wipes: dataDir(site, name),
    prepare: async () => {
      await mkdir(dirname(config), { recursive: true });
      await writeFile(config, JSON.stringify(configuration(site, at, name), undefined, 2), { mode: 0o600 });
    },
    isReady: (signal) => isReady(site, at, signal),
  };
}

/** It answers consistently, so there is a leader, and it is a part of the cluster. */
async function isReady(site: Site, at: Server, signal: AbortSignal | undefined): Promise<boolean> {
  const { consulToken } = site.state;
  const url = `http://${addressOf(site, at)}/v1/catalog/nodes?consistent`;
  const headers: Record<string, string> = {};
  if (consulToken !== undefined) headers['x-consul-token'] = consulToken;
  const answer = await send({ url, headers }, signal);
  return answer.status === 200 && answer.body.includes(nodeName(at));
}

/** Host and port of Consul's HTTP API, as CONSUL_HTTP_ADDR has it. */
export const consulAddress = (site: Site): string => addressOf(site, 1);

/** Of each server, the first one's first. */
export const consulAddresses = (site: Site): readonly string[] => serversOf(site).map((at) => addressOf(site, at));

const addressOf = ({ state }: Site, at: Server): string => `127.0.0.1:${state.ports[portName('consul-http', at)]}`;

/** The first server's address for pods of real nodes. */
export const consulAddressForPods = ({ state }: Site): string =>
  `${controlAddress(state)}:${state.ports['consul-http']}`;

const nodeName = (at: Server): string => `consul-${at}`;

const dataDir = ({ layout }: Site, name: string) => join(layout.data, name);

function configuration(site: Site, at: Server, name: string): object {
  const { ports, consulToken, consulConnections } = site.state;
  const servers = serversOf(site);
  const others = servers.filter((other) => other !== at);
  return {
    node_name: nodeName(at),
    datacenter: 'dc1',
    data_dir: dataDir(site, name),
    server: true,
    ...(others.length === 0
      ? { bootstrap: true }
      : {
          bootstrap_expect: servers.length,
          retry_join: others.map((other) => `127.0.0.1:${ports[portName('consul-serf-lan', other)]}`),
        }),
    bind_addr: '127.0.0.1',
    client_addr: [...new Set([LOOPBACK, controlAddress(site.state)])].join(' '),
    ports: {
      http: ports[portName('consul-http', at)],
      server: ports[portName('consul-server', at)],
      serf_lan: ports[portName('consul-serf-lan', at)],
      serf_wan: ports[portName('consul-serf-wan', at)],
      dns: -1,
      https: -1,
      grpc: -1,
      grpc_tls: -1,
    },
    performance: { raft_multiplier: 1 },
    // A cluster that was stopped over a holiday starts again.
    ...(consulKnowsSettingsOf(15) ? { server_rejoin_age_max: '8760h' } : {}),
    // Unless a test needs more, what users have: 200 for one address, and all operators here have one.
    ...(consulConnections === undefined ? {} : { limits: { http_max_conns_per_client: consulConnections } }),
    disable_update_check: true,
    connect: { enabled: false },
    peering: { enabled: false },
    ui_config: { enabled: true },
    ...(consulToken === undefined ? {} : { acl: accessControl(consulToken) }),
  };
}

function accessControl(token: string): object {
  return {
    enabled: true,
    default_policy: 'deny',
    enable_token_persistence: true,
    tokens: { initial_management: token, agent: token },
  };
}
