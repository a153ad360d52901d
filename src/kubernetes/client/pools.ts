/** The connections to the API server. HTTP/1.1 only: undici gives its HTTP/2 pings no deadline, so a dead peer goes unnoticed. */
import { type Dispatcher, Pool, ProxyAgent } from 'undici';
import { type Access, connectionKey } from './access.ts';

/** What a connection is for: `brief` requests must never queue behind a list or a watch. */
export type PoolKind = 'brief' | 'long';

export type Pools = {
  /** The connections to be used now. Those of an earlier certificate or server end when their last request has. */
  pick(kind: PoolKind, access: Access): Dispatcher;
  /**
   * A request over these connections got no answer in time. Idle ones may be as dead, and each would cost the next
   * request its whole timeout: new requests get new connections, and requests under way go on.
   */
  suspect(dispatcher: Dispatcher): void;
  /** Cuts every connection. */
  close(): Promise<void>;
};

/** The API server closes idle connections after 90 s; we are first, since a request that meets a closing one is lost. */
const BRIEF = { connections: 16, keepAliveTimeout: 60_000, keepAliveMaxTimeout: 60_000 };
/** One connection for each watch; hardly any idle ones, which could be dead when a list needs one. */
const LONG = { keepAliveTimeout: 4_000, keepAliveMaxTimeout: 4_000 };
/** Node probes each second from then on, and gives a peer that does not answer up after ten: 20 s in all. */
const PROBE_AFTER_MS = 10_000;

type Made = Readonly<Record<PoolKind, Dispatcher>>;

/** `connectTimeoutMs`: for the TCP and TLS handshakes. */
export function createPools(connectTimeoutMs: number): Pools {
  let known: { readonly access: Access; readonly key: string } | null = null;
  let make: ((kind: PoolKind) => Dispatcher) | null = null;
  let pools: Made | null = null;
  let closed = false;
  const open = new Set<Dispatcher>();

  const opened = (dispatcher: Dispatcher): Dispatcher => {
    open.add(dispatcher);
    return dispatcher;
  };

  const retire = (dispatcher: Dispatcher): void => {
    void dispatcher.close().finally(() => open.delete(dispatcher));
  };

  const poolsFor = (access: Access): Made => {
    if (closed) throw new Error('the connections to the API server are closed');
    if (pools !== null && access === known?.access) return pools;
    const key = connectionKey(access);
    const isSame = key === known?.key;
    known = { access, key };
    if (pools !== null && isSame) return pools;
    if (pools !== null) for (const old of Object.values(pools)) retire(old);
    make = (kind) => opened(connect(kind, access, connectTimeoutMs));
    pools = { brief: make('brief'), long: make('long') };
    return pools;
  };

  return {
    pick: (kind, access) => poolsFor(access)[kind],
    suspect: (dispatcher) => {
      if (pools === null || make === null || closed) return;
      for (const kind of ['brief', 'long'] as const) {
        if (pools[kind] !== dispatcher) continue;
        pools = { ...pools, [kind]: make(kind) };
        retire(dispatcher);
      }
    },
    close: async () => {
      closed = true;
      await Promise.all([...open].map((dispatcher) => dispatcher.destroy()));
    },
  };
}

/** The time limits of requests are their senders' (undici's own fire up to half a second late). */
function connect(kind: PoolKind, { server, proxy, tls }: Access, connectTimeoutMs: number): Dispatcher {
  const own = {
    ca: tls.ca,
    cert: tls.cert,
    key: tls.key,
    rejectUnauthorized: !tls.insecure,
    ...(tls.servername === undefined ? {} : { servername: tls.servername }),
  };
  const socket = { keepAlive: true, keepAliveInitialDelay: PROBE_AFTER_MS, timeout: connectTimeoutMs, allowH2: false };
  const common = { ...(kind === 'brief' ? BRIEF : LONG), allowH2: false, headersTimeout: 0, bodyTimeout: 0 };
  if (proxy === null) return new Pool(server.origin, { ...common, connect: { ...socket, ...own } });
  return new ProxyAgent({
    ...common,
    uri: proxy,
    connectTimeout: connectTimeoutMs,
    proxyTls: socket,
    requestTls: { ...socket, ...own },
  });
}
