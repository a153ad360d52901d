/** The connections to Consul: kept alive, limited in number, renewed with the certificates, and made elsewhere where a server does not answer. */
import { buildConnector, Pool } from 'undici';
import { type ConsulTls, sameMaterial, type TlsMaterial } from './credentials.ts';
import { createServers, type Resolve, type Servers } from './servers.ts';

/**
 * Three pools, so that nothing waits for what is less urgent: renewals, on which deadlines rest; everything else that is answered at
 * once; and blocking reads, of which there are never more than fit (34 of buckets and replicas, 24 of shared keys: lock-watches.ts).
 * Consul lets one address have 200 connections: two replicas behind one stay below that. An idle connection is closed before a server or
 * balancer does it, since a request that meets a closing connection has an unknown outcome.
 */
const CONNECTIONS = { brief: 20, renewals: 12, blocking: 58 } as const;
const IDLE_MS = 15_000;
/** No server is asked again by all of them within 15 s where there are three, whatever fails: it may still count the connections of before. */
const MOVE_EVERY_MS = 5000;

export type PoolKind = keyof typeof CONNECTIONS;

export type ConsulPool = Pick<Pool, 'dispatch'> & {
  /** Whether a connection is being made: a request that still waits then may wait for Consul, and not for other requests. */
  connecting(): boolean;
  /** What TLS said of the connection that was made last, after it stood: so Consul refuses a client certificate. null: nothing. */
  alert(): Error | null;
};

export type Pools = Readonly<Record<PoolKind, ConsulPool>>;

export type PoolSource = {
  /** Those for the given certificates; null once all are closed. */
  current(material: TlsMaterial): Pools | null;
  /**
   * The server behind these does not answer: connections are made to another, where Consul's name has several addresses. Blocking reads end,
   * which would hear nothing. Returns the address that was left; null: all stays as it is.
   */
  move(from: Pools): string | null;
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
  /** Monotonic. */
  readonly nowMs: () => number;
  /** Default: the system's. */
  readonly resolve?: Resolve;
};

type Connected = { readonly pool: Pool; readonly shown: ConsulPool };

function connectorTo({ tls, connectTimeoutMs }: Server, servers: Servers, material: TlsMaterial) {
  const servername = tls === null || tls.serverName === null ? {} : { servername: tls.serverName };
  const secured = tls === null ? {} : { ...servername, ...material, rejectUnauthorized: tls.verify };
  const basics = { timeout: connectTimeoutMs, allowH2: false, lookup: servers.lookup };
  return buildConnector({ ...secured, ...basics });
}

function open(server: Server, servers: Servers, material: TlsMaterial, connections: number): Connected {
  const connector = connectorTo(server, servers, material);
  let connecting = 0;
  let alert: Error | null = null;
  const connect: buildConnector.connector = (target, callback) => {
    connecting += 1;
    connector(target, (...result) => {
      connecting -= 1;
      const [error, socket] = result;
      // Each address was tried, or one that was connected to did not get on with TLS: the next attempt begins with another.
      if (error === null) servers.connected(socket.remoteAddress);
      else servers.leave();
      alert = null;
      socket?.once('error', (said) => {
        if (String((said as NodeJS.ErrnoException).code).startsWith('ERR_SSL_')) alert = said;
      });
      callback(...result);
    });
  };
  const idle = { keepAliveTimeout: IDLE_MS, keepAliveMaxTimeout: IDLE_MS };
  // The time limits of requests are their senders': undici's own are up to a second late.
  const pool = new Pool(server.origin, {
    connections,
    connect,
    ...idle,
    headersTimeout: 0,
    bodyTimeout: 0,
    allowH2: false,
  });
  return { pool, shown: { dispatch: pool.dispatch.bind(pool), connecting: () => connecting > 0, alert: () => alert } };
}

type Made = {
  readonly material: TlsMaterial;
  readonly pools: Readonly<Record<PoolKind, Pool>>;
  readonly shown: Pools;
};

/** New pools when a certificate file has changed. The old ones end with their last request: what is under way is not cut. */
export function createPoolSource(server: Server): PoolSource {
  const servers = createServers(server.nowMs, server.resolve);
  let made: Made | null = null;
  let closed = false;
  let movedMs = Number.NEGATIVE_INFINITY;
  const closing = new Set<Pool>();

  function retire(pool: Pool): void {
    closing.add(pool);
    void pool.close().finally(() => closing.delete(pool));
  }

  function poolsFor(material: TlsMaterial): Pools {
    const before = made;
    if (before !== null && sameMaterial(before.material, material)) return before.shown;
    const make = (kind: PoolKind): Connected => open(server, servers, material, CONNECTIONS[kind]);
    const [brief, renewals, blocking] = [make('brief'), make('renewals'), make('blocking')];
    made = {
      material,
      pools: { brief: brief.pool, renewals: renewals.pool, blocking: blocking.pool },
      shown: { brief: brief.shown, renewals: renewals.shown, blocking: blocking.shown },
    };
    if (before !== null) for (const pool of Object.values(before.pools)) retire(pool);
    return made.shown;
  }

  return {
    current: (material) => (closed ? null : poolsFor(material)),
    move: (from) => {
      if (made === null || made.shown !== from || server.nowMs() - movedMs < MOVE_EVERY_MS) return null;
      const left = servers.leave();
      if (left === null) return null;
      movedMs = server.nowMs();
      const { brief, renewals, blocking } = made.pools;
      made = null;
      void blocking.destroy(new Error(`the server ${left} was left for another`));
      retire(brief);
      retire(renewals);
      return left;
    },
    close: () => {
      closed = true;
      const current = made === null ? [] : Object.values(made.pools);
      for (const pool of [...current, ...closing]) void pool.destroy();
    },
  };
}
