/** The connections to Consul: kept alive, limited in number, renewed with the certificates. */
import { buildConnector, Pool } from 'undici';
import type { ConsulTls, TlsMaterial } from './credentials.ts';

/**
 * Three pools, so that nothing waits for what is less urgent: renewals, on which deadlines rest; everything else that is answered at
 * once; and blocking reads, of which there are never more than fit (34 of buckets and replicas, 24 of shared keys: lock-watches.ts).
 * Consul lets one address have 200 connections: two replicas behind one stay below that. An idle connection is closed before a server or
 * balancer does it, since a request that meets a closing connection has an unknown outcome.
 */
const CONNECTIONS = { brief: 20, renewals: 12, blocking: 58 } as const;
const IDLE_MS = 15_000;

export type PoolKind = keyof typeof CONNECTIONS;

export type ConsulPool = Pick<Pool, 'dispatch'> & {
  /** Whether a connection is being made: a request that still waits then may wait for Consul, and not for other requests. */
  connecting(): boolean;
};

export type PoolSource = {
  /** Those for the given certificates; null once all are closed. */
  current(material: TlsMaterial): Readonly<Record<PoolKind, ConsulPool>> | null;
  /** Ends every connection; requests under way fail. */
  close(): void;
};

export type Server = {
  /** Scheme, host and port. */
  readonly origin: string;
  /** null with plain http. */
  readonly tls: ConsulTls | null;
  /** For the TCP and TLS handshakes. */
  readonly connectTimeoutMs: number;
};

type Connected = { readonly pool: Pool; readonly shown: ConsulPool };

function open({ origin, tls, connectTimeoutMs }: Server, material: TlsMaterial, connections: number): Connected {
  const servername = tls === null || tls.serverName === null ? {} : { servername: tls.serverName };
  const secured = tls === null ? {} : { ...servername, ...material, rejectUnauthorized: tls.verify };
  const connector = buildConnector({ ...secured, timeout: connectTimeoutMs, allowH2: false });
  let connecting = 0;
  const connect: buildConnector.connector = (target, callback) => {
    connecting += 1;
    connector(target, (...result) => {
      connecting -= 1;
      callback(...result);
    });
  };
  const idle = { keepAliveTimeout: IDLE_MS, keepAliveMaxTimeout: IDLE_MS };
  // The time limits of requests are their senders': undici's own are up to a second late.
  const pool = new Pool(origin, { connections, connect, ...idle, headersTimeout: 0, bodyTimeout: 0, allowH2: false });
  return { pool, shown: { dispatch: pool.dispatch.bind(pool), connecting: () => connecting > 0 } };
}

/** New pools when a certificate file has changed. The old ones end with their last request: what is under way is not cut. */
export function createPoolSource(server: Server): PoolSource {
  let made: { readonly material: TlsMaterial; readonly all: Readonly<Record<PoolKind, Connected>> } | null = null;
  let closed = false;
  const closing = new Set<Pool>();

  function retire(pool: Pool): void {
    closing.add(pool);
    void pool.close().finally(() => closing.delete(pool));
  }

  function poolsFor(material: TlsMaterial): Readonly<Record<PoolKind, Connected>> {
    const before = made;
    if (before !== null && sameMaterial(before.material, material)) return before.all;
    const make = (kind: PoolKind): Connected => open(server, material, CONNECTIONS[kind]);
    const all = { brief: make('brief'), renewals: make('renewals'), blocking: make('blocking') };
    made = { material, all };
    if (before !== null) for (const { pool } of Object.values(before.all)) retire(pool);
    return all;
  }

  return {
    current: (material) => {
      if (closed) return null;
      const { brief, renewals, blocking } = poolsFor(material);
      return { brief: brief.shown, renewals: renewals.shown, blocking: blocking.shown };
    },
    close: () => {
      closed = true;
      const current = made === null ? [] : Object.values(made.all).map(({ pool }) => pool);
      for (const pool of [...current, ...closing]) void pool.destroy();
    },
  };
}

const sameMaterial = (a: TlsMaterial, b: TlsMaterial): boolean => a.ca === b.ca && a.cert === b.cert && a.key === b.key;
