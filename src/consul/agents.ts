/** The connections to Consul: kept alive, limited in number, renewed with the certificates. */
import http from 'node:http';
import https from 'node:https';
import type { ConsulTls, TlsMaterial } from './credentials.ts';

/**
 * Three pools, so that nothing waits for what is less urgent: renewals, on which deadlines rest; everything else that is answered at
 * once; and blocking reads, of which there are never more than fit (34 of buckets and replicas, 24 of shared keys: lock-watches.ts).
 * Consul lets one address have 200 connections: two replicas behind one stay below that. An idle connection is closed before a server or
 * balancer does it, since a request that meets a closing connection has an unknown outcome.
 */
const MAX_SOCKETS = { brief: 20, renewals: 12, blocking: 58 } as const;
const IDLE_MS = 15_000;

export type Pool = keyof typeof MAX_SOCKETS;
export type Agents = Readonly<Record<Pool, http.Agent>>;

export type AgentSource = {
  /** Those for the given certificates. */
  current(material: TlsMaterial): Agents;
  /** Ends every connection of the current ones. */
  close(): void;
};

function createAgents(tls: ConsulTls | null, material: TlsMaterial): Agents {
  const make = (maxSockets: number): http.Agent => {
    const common = { keepAlive: true, maxSockets, timeout: IDLE_MS };
    if (tls === null) return new http.Agent(common);
    const servername = tls.serverName === null ? {} : { servername: tls.serverName };
    return new https.Agent({ ...common, ...servername, ...material, rejectUnauthorized: tls.verify });
  };
  return {
    brief: make(MAX_SOCKETS.brief),
    renewals: make(MAX_SOCKETS.renewals),
    blocking: make(MAX_SOCKETS.blocking),
  };
}

/** New agents when a certificate file has changed. The old ones end by themselves: what is under way is not cut. */
export function createAgentSource(tls: ConsulTls | null): AgentSource {
  let agents: Agents | null = null;
  let made: TlsMaterial | null = null;
  return {
    current: (material) => {
      if (agents === null || made?.ca !== material.ca || made?.cert !== material.cert || made?.key !== material.key) {
        agents = createAgents(tls, material);
        made = material;
      }
      return agents;
    },
    close: () => {
      for (const agent of Object.values(agents ?? {})) agent.destroy();
    },
  };
}
