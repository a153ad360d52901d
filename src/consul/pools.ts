/** The connections to Consul: kept alive, limited in number, renewed with the certificates, and made elsewhere where a server does not answer. */
import { buildConnector, Pool } from 'undici';
import { connectionReason } from '../common/connection-reason.ts';
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
   * which would hear nothing. `reason`: for the log.
   */
  move(from: Pools, reason: string): void;
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
  /** Told of the address of a server whose connections are given up for those to another, and why. */
  readonly left: (address: string, reason: string) => void;
};

type Connected = { readonly pool: Pool; readonly shown: ConsulPool };

function connectorTo({ tls, connectTimeoutMs }: Server, servers: Servers, material: TlsMaterial) {
  const servername = tls === null || tls.serverName === null ? {} : { servername: tls.serverName };
  const secured = tls === null ? {} : { ...servername, ...material, rejectUnauthorized: tls.verify };
  const basics = { timeout: connectTimeoutMs, allowH2: false, lookup: servers.lookup };
  return buildConnector({ ...secured, ...basics });
}

/** A name that is not known says nothing of the servers that it had. */
const isOfTheName = (error: Error): boolean => (error as NodeJS.ErrnoException).syscall === 'getaddrinfo';

type Watcher = {
  /** A connection stands, at this address. */
  readonly connected: (address: string) => void;
  /** Each address was tried, or one that was connected to did not get on with TLS. `turn`: when it was begun. */
  readonly failed: (turn: number, error: Error) => void;
};

function open(
  connector: buildConnector.connector,
  origin: string,
  connections: number,
  on: Watcher & Pick<Servers, 'turn'>,
): Connected {
  let connecting = 0;
  let alert: Error | null = null;
  const connect: buildConnector.connector = (target, callback) => {
    connecting += 1;
    const turn = on.turn();
    connector(target, (...result) => {
      connecting -= 1;
      const [error, socket] = result;
      alert = null;
      socket?.once('error', (said) => {
        if (String((said as NodeJS.ErrnoException).code).startsWith('ERR_SSL_')) alert = said;
      });
      callback(...result);
      if (error !== null && !isOfTheName(error)) on.failed(turn, error);
      if (socket?.remoteAddress !== undefined) on.connected(socket.remoteAddress);
    });
  };
  const idle = { keepAliveTimeout: IDLE_MS, keepAliveMaxTimeout: IDLE_MS };
  // The time limits of requests are their senders': undici's own are up to a second late.
  const limits = { headersTimeout: 0, bodyTimeout: 0 };
  const pool = new Pool(origin, { connections, connect, ...idle, ...limits, allowH2: false });
  return { pool, shown: { dispatch: pool.dispatch.bind(pool), connecting: () => connecting > 0, alert: () => alert } };
}

/** Pools of which all connections should go to one server. */
type Made = {
  readonly material: TlsMaterial;
  readonly pools: Readonly<Record<PoolKind, Pool>>;
  readonly shown: Pools;
  /** Of the server to which the first connection went; null: there was none yet. */
  address: string | null;
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
    const over = (): unknown => closing.delete(pool);
    pool.close().then(over, over);
  }

  /** Some connections stand at the server that was left, and others do not any more: those of before are given up. */
  function giveUp({ pools: { brief, renewals, blocking } }: Made, address: string, reason: string): void {
    movedMs = server.nowMs();
    made = null;
    void blocking.destroy(new Error(`the server ${address} was left for another`));
    retire(brief);
    retire(renewals);
    server.left(address, reason);
  }

  const mayMove = (its: Made): boolean => made === its && server.nowMs() - movedMs >= MOVE_EVERY_MS;

  function make(material: TlsMaterial): Made {
    const connector = connectorTo(server, servers, material);
    const on = {
      turn: servers.turn,
      connected: (address: string) => {
        servers.connected(address);
        // A name may have some of its addresses at a time; one that it has and that was passed over is to be left.
        if (its.address === null || !servers.has(its.address)) its.address = address;
        if (its.address !== address && mayMove(its)) giveUp(its, its.address, 'it accepts no connection');
      },
      failed: (turn: number, error: Error) => {
        const left = servers.failed(turn);
        if (left !== null && left === its.address && mayMove(its)) giveUp(its, left, connectionReason(error));
      },
    };
    const openOne = (kind: PoolKind): Connected => open(connector, server.origin, CONNECTIONS[kind], on);
    const [brief, renewals, blocking] = [openOne('brief'), openOne('renewals'), openOne('blocking')];
    const its: Made = {
      material,
      pools: { brief: brief.pool, renewals: renewals.pool, blocking: blocking.pool },
      shown: { brief: brief.shown, renewals: renewals.shown, blocking: blocking.shown },
      address: null,
    };
    return its;
  }

  function poolsFor(material: TlsMaterial): Pools {
    const before = made;
    if (before !== null && sameMaterial(before.material, material)) return before.shown;
    made = make(material);
    if (before !== null) for (const pool of Object.values(before.pools)) retire(pool);
    return made.shown;
  }

  return {
    current: (material) => (closed ? null : poolsFor(material)),
    move: (from, reason) => {
      if (made === null || made.shown !== from || made.address === null || !mayMove(made)) return;
      const left = servers.leave(made.address);
      if (left !== null) giveUp(made, left, reason);
    },
    close: () => {
      closed = true;
      const current = made === null ? [] : Object.values(made.pools);
      made = null;
      for (const pool of [...current, ...closing]) void pool.destroy();
    },
  };
}
