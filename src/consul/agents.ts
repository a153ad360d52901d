/** The connections to Consul: kept alive, limited in number, renewed with the certificates. */
import http from 'node:http';
import https from 'node:https';
import type { ConsulTls, TlsMaterial } from './credentials.ts';

/**
 * Blocking reads have an agent of their own, so that they never keep a renewal waiting for a connection; there are 58 at most
 * (lock-watches.ts), so that none waits for another. Two replicas behind one address stay within the 200 connections that Consul allows it; an idle one is closed before a server or balancer does it, since a
 * request that meets a closing connection has an unknown outcome.
 */
const MAX_SOCKETS = { brief: 36, blocking: 64 };
const IDLE_MS = 15_000;

export type Agents = { readonly brief: http.Agent; readonly blocking: http.Agent };

export type AgentSource = {
  /** Those for the given certificates. */
  current(material: TlsMaterial): Agents;
  /** Ends every connection of the current ones. */
  close(): void;
};

const createAgents = (tls: ConsulTls | null, material: TlsMaterial): Agents => {
  const make = (maxSockets: number): http.Agent => {
    const common = { keepAlive: true, maxSockets, timeout: IDLE_MS };
    if (tls === null) return new http.Agent(common);
    const servername = tls.serverName === null ? {} : { servername: tls.serverName };
    return new https.Agent({ ...common, ...servername, ...material, rejectUnauthorized: tls.verify });
  };
  return { brief: make(MAX_SOCKETS.brief), blocking: make(MAX_SOCKETS.blocking) };
};

/** New agents when a certificate file has changed. The old ones end by themselves: what is under way is not cut. */
export const createAgentSource = (tls: ConsulTls | null): AgentSource => {
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
      agents?.brief.destroy();
      agents?.blocking.destroy();
    },
  };
};
