/** Consul: one server that keeps its data over a restart, as a small production server would, on loopback. */
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { send } from './http.ts';
import type { ComponentSpec, Site } from './spec.ts';

export function consul(site: Site): ComponentSpec {
  const { layout, state } = site;
  const config = join(layout.data, 'consul.json');
  return {
    name: 'consul',
    binary: 'consul',
    args: ['agent', `-config-file=${config}`],
    env: {},
    after: [],
    ports: ['consul-http', 'consul-server', 'consul-serf-lan', 'consul-serf-wan'],
    wipes: dataDir(site),
    prepare: async () => {
      await mkdir(dirname(config), { recursive: true });
      await writeFile(config, JSON.stringify(configuration(site), undefined, 2), { mode: 0o600 });
    },
    isReady: async (signal) => {
      const url = `http://${consulAddress(site)}/v1/catalog/nodes?consistent`;
      const headers: Record<string, string> = {};
      if (state.consulToken !== undefined) headers['x-consul-token'] = state.consulToken;
      const answer = await send({ url, headers }, signal);
      return answer.status === 200 && answer.body.includes(NODE_NAME);
    },
  };
}

/** Host and port of Consul's HTTP API, as CONSUL_HTTP_ADDR has it. */
export function consulAddress({ state }: Site): string {
  return `127.0.0.1:${state.ports['consul-http']}`;
}

const NODE_NAME = 'consul-1';

const dataDir = ({ layout }: Site) => join(layout.data, 'consul');

function configuration(site: Site): object {
  const { ports, consulToken } = site.state;
  return {
    node_name: NODE_NAME,
    datacenter: 'dc1',
    data_dir: dataDir(site),
    server: true,
    bootstrap: true,
    bind_addr: '127.0.0.1',
    client_addr: '127.0.0.1',
    ports: {
      http: ports['consul-http'],
      server: ports['consul-server'],
      serf_lan: ports['consul-serf-lan'],
      serf_wan: ports['consul-serf-wan'],
      dns: -1,
      https: -1,
      grpc: -1,
      grpc_tls: -1,
    },
    performance: { raft_multiplier: 1 },
    // A cluster that was stopped over a holiday starts again.
    server_rejoin_age_max: '8760h',
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
