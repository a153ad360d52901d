/** The operator's one HTTP port: health for the kubelet, metrics for Prometheus, and whatever routes are given besides. */
import { createServer as createHttpServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { childSignal } from '../common/child-signal.ts';
import type { Log } from '../ports/log.ts';
import { readBody } from './body.ts';
import { type Connection, createConnections, type Limits, type Refused, type Taken } from './connections.ts';
import { type Health, type HealthCheck, healthReport } from './health.ts';
import { type Asked, findRoute, type Reply, type Route, textReply } from './router.ts';

export type RoutesOptions = {
  /** Port 0: any free one. */
  readonly address: { readonly host: string; readonly port: number };
  /** The setting to change where it cannot listen there. Default: http.address. */
  readonly setting?: 'http.address' | 'diagnostics.port';
  readonly routes: readonly Route[];
  readonly log: Log;
  /** A connection was ended for want of room, or because its client sent far more than it waited for. */
  readonly connectionRefused?: (what: Refused) => void;
  /** Whether the client is another replica, which asks for many others. */
  readonly isReplica?: (client: string) => boolean;
  readonly connectionLimits?: Limits;
};

export type ServerOptions = Omit<RoutesOptions, 'routes' | 'setting'> & {
  readonly health: Health;
  readonly metrics: { readonly contentType: string; render(): Promise<string> };
  /** Further routes, e.g. below /v1/. */
  readonly routes?: readonly Route[];
};

export type HttpServer = {
  /** Resolves with where it listens really. Rejects with an Error whose message is one sentence for people. */
  listen(): Promise<{ readonly host: string; readonly port: number }>;
  /** Ends idle connections at once and those in use with their answer, at the latest after CLOSE_MS. May be called twice. */
  close(): Promise<void>;
};

/** A kubelet and a Prometheus ask short questions; whoever is slow or long-winded is neither. */
const HEADERS_MS = 5000;
const REQUEST_MS = 10_000;
const MAX_HEADER_BYTES = 8192;
/** How often Node looks for connections that are too slow: its own 30 s would let them stay for so long. */
const CHECK_MS = 1000;
/** One line for all that were refused since. */
const LOG_EVERY_MS = 60_000;
const CLOSE_MS = 1000;

const healthRoute = (path: string, word: string, checks: readonly HealthCheck[]): Route => ({
  path,
  methods: ['GET'],
  handle: () => {
    const { ok, text } = healthReport(checks, word);
    return textReply(ok ? 200 : 503, text);
  },
});

const metricsRoute = (metrics: ServerOptions['metrics']): Route => ({
  path: '/metrics',
  methods: ['GET'],
  handle: async () => ({ status: 200, contentType: metrics.contentType, body: await metrics.render() }),
});

function write(response: ServerResponse, reply: Reply): void {
  if (response.headersSent || response.destroyed) return;
  response.writeHead(reply.status, {
    'content-type': reply.contentType,
    'content-length': Buffer.byteLength(reply.body),
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    ...reply.headers,
  });
  // Node leaves the body of an answer to HEAD out by itself.
  response.end(reply.body);
}

const clientOf = (socket: Socket): string => (socket.remoteAddress ?? '').replace(/^::ffff:(?=\d+\.)/, '');

const askedBy = ({ method = '', url = '', socket, headers }: IncomingMessage): Asked => ({
  method,
  url,
  client: clientOf(socket),
  header: (name) => {
    const value = headers[name];
    return typeof value === 'string' ? value : null;
  },
});

const NO_BODY = { ok: true, json: null } as const;

async function answer(
  { routes, log }: { readonly routes: readonly Route[]; readonly log: Log },
  request: IncomingMessage,
  signal: AbortSignal,
): Promise<Reply> {
  const found = findRoute(routes, askedBy(request));
  if (found.route === null) return found.reply;
  const { route, query } = found;
  const body = query.method === 'POST' || query.method === 'PUT' ? await readBody(request) : NO_BODY;
  if (!body.ok) return body.reply;
  try {
    return await route.handle({ ...query, body: body.json }, signal);
  } catch (error) {
    if (!signal.aborted) log.error({ error, path: query.path }, 'answering a request failed');
    return textReply(500, 'The request failed; see the log of the operator.\n');
  }
}

const MALFORMED: Readonly<Record<string, readonly [status: string, why: string]>> = {
  HPE_HEADER_OVERFLOW: [
    '431 Request Header Fields Too Large',
    `URL and headers may have ${MAX_HEADER_BYTES} bytes at most.`,
  ],
  ERR_HTTP_REQUEST_TIMEOUT: ['408 Request Timeout', `The request has not arrived within ${REQUEST_MS / 1000} seconds.`],
};

/** What is no HTTP at all, or too long, or too slow. */
function refuse(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const [status, why] = MALFORMED[error.code ?? ''] ?? ['400 Bad Request', 'This is no request of HTTP/1.1.'];
  const head = `HTTP/1.1 ${status}\r\nconnection: close\r\ncontent-type: text/plain\r\ncontent-length: ${why.length + 1}`;
  socket.end(`${head}\r\n\r\n${why}\n`, () => socket.destroy());
}

const LISTEN_PROBLEMS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'the port is in use by another process',
  EACCES: 'this user may not use that port',
  EADDRNOTAVAIL: 'this machine has no such address',
  ENOTFOUND: 'this machine has no such address',
};

const VARIABLES = {
  'http.address': 'LEADERGROUP_HTTP_ADDRESS',
  'diagnostics.port': 'LEADERGROUP_DIAGNOSTICS_PORT',
} as const;

function listenProblem({ address, setting = 'http.address' }: RoutesOptions, error: NodeJS.ErrnoException): string {
  const { host, port } = address;
  const where = `${host.includes(':') ? `[${host}]` : host}:${port}`;
  const problem = LISTEN_PROBLEMS[error.code ?? ''] ?? error.message;
  return `Cannot listen on ${where}: ${problem}; set ${setting} or ${VARIABLES[setting]} to another.`;
}

const listenOn = (server: Server, options: RoutesOptions): Promise<{ host: string; port: number }> =>
  new Promise((resolve, reject) => {
    const { address } = options;
    const fail = (error: Error): void => reject(new Error(listenProblem(options, error), { cause: error }));
    server.once('error', fail);
    server.listen(address.port, address.host, () => {
      server.off('error', fail);
      const bound = server.address();
      resolve({ host: address.host, port: typeof bound === 'object' && bound !== null ? bound.port : address.port });
    });
  });

const closeServer = (server: Server): Promise<void> =>
  new Promise((resolve) => {
    const force = setTimeout(() => server.closeAllConnections(), CLOSE_MS);
    server.close(() => {
      clearTimeout(force);
      resolve();
    });
  });

/** Tells of refused connections: each to the metrics, to the log once in a while. */
function refusals({ log, connectionRefused }: RoutesOptions) {
  const since = new Map<string, number>();
  let reportedMs = Number.NEGATIVE_INFINITY;
  return (what: Refused, client: string): void => {
    connectionRefused?.(what);
    since.set(client, (since.get(client) ?? 0) + 1);
    if (performance.now() - reportedMs < LOG_EVERY_MS) return;
    reportedMs = performance.now();
    const [worst] = [...since].toSorted(([, a], [, b]) => b - a);
    const count = [...since.values()].reduce((a, b) => a + b, 0);
    since.clear();
    log.warn(
      { count, client: worst?.[0] },
      'closed connections: too many are open, or requests were sent far ahead of their answers; the client named has the most',
    );
  };
}

type Requests = {
  /** Its connection keeps its place until the request is answered; one that is refused need not be. */
  begun(request: IncomingMessage): Taken;
  answered(request: IncomingMessage): void;
};

/** Room for health and metrics, whoever else is connected. */
function limitConnections(server: Server, options: RoutesOptions): Requests {
  const connections = createConnections({
    refused: refusals(options),
    exempt: options.isReplica ?? (() => false),
    ...(options.connectionLimits === undefined ? {} : { limits: options.connectionLimits }),
  });
  const known = new WeakMap<Socket, Connection>();
  server.on('connection', (socket: Socket) => {
    const connection = { client: clientOf(socket), destroy: () => void socket.destroy() };
    known.set(socket, connection);
    socket.once('close', () => connections.closed(connection));
    connections.open(connection);
  });
  const of = ({ socket }: IncomingMessage): Connection | undefined => known.get(socket);
  return {
    begun: (request) => {
      const connection = of(request);
      return connection === undefined ? 'taken' : connections.busy(connection);
    },
    answered: (request) => {
      const connection = of(request);
      if (connection !== undefined) connections.idle(connection);
    },
  };
}

function configure(server: Server, options: RoutesOptions): void {
  const { log } = options;
  server.on('clientError', (error, socket) => refuse(error, socket as Socket));
  // Nobody of ours upgrades or tunnels: without these, such a connection would stay open unanswered.
  server.on('connect', (_request, socket) => void socket.destroy());
  server.on('listening', () => {
    server.on('error', (error) => log.error({ error }, 'the HTTP server failed'));
  });
}

/** Health, metrics, and the given routes. Listens only when told to. */
export const createServer = ({ health, metrics, routes = [], ...options }: ServerOptions): HttpServer =>
  serveRoutes({
    ...options,
    routes: [
      healthRoute('/livez', 'live', health.live),
      healthRoute('/readyz', 'ready', health.ready),
      metricsRoute(metrics),
      ...routes,
    ],
  });

/** The given routes and nothing else. Listens only when told to. */
export function serveRoutes(options: RoutesOptions): HttpServer {
  const { routes } = options;
  const closing = new AbortController();
  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    if (requests.begun(request) === 'refused') return;
    using gone = childSignal(closing.signal);
    response.once('close', () => {
      if (!response.writableFinished) gone.abort();
    });
    write(response, await answer({ routes, log: options.log }, request, gone.signal));
    requests.answered(request);
  };
  const server = createHttpServer(
    {
      headersTimeout: HEADERS_MS,
      requestTimeout: REQUEST_MS,
      maxHeaderSize: MAX_HEADER_BYTES,
      connectionsCheckingInterval: CHECK_MS,
    },
    (request, response) => void serve(request, response),
  );
  const requests = limitConnections(server, options);
  configure(server, options);
  return {
    listen: () => listenOn(server, options),
    close: async () => {
      closing.abort();
      if (server.listening) await closeServer(server);
    },
  };
}
