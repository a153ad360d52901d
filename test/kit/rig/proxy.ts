/**
 * A proxy on loopback between the operator and a real server, for the attacks that need a late request or a lost reply.
 * It speaks HTTP/1.1, plain or TLS, in front of plain (Consul) or TLS (the API server). Watches pass through unbuffered.
 */
import { createServer, type IncomingMessage, Agent as PlainAgent, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer, Agent as TlsAgent } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { selfSigned } from '../fakes/certificate.ts';
import { readKubeconfig, writeKubeconfig } from './kubeconfig.ts';
import {
  buffer,
  type Change,
  type Exchange,
  forward,
  readBody,
  reply,
  stream,
  type Upstream,
} from './proxy/exchange.ts';
import { type ActiveHold, createHold, type Hold, type HoldOptions, type Matcher } from './proxy/holds.ts';
import { consulUrl } from './rest.ts';

export type { Change, Exchange, Said } from './proxy/exchange.ts';
export type { HeldRequest, Hold, HoldMode, HoldOptions, Matcher, SeenRequest } from './proxy/holds.ts';

export type Proxy = {
  /** Where clients connect to: http(s)://127.0.0.1:port */
  readonly url: string;
  /** Everything that passed or tried to, in order of arrival, streams included. */
  readonly exchanges: readonly Exchange[];
  /** Acts on the requests that match from now on. The first hold that matches a request has it. */
  hold(matcher: Matcher, options: HoldOptions): Hold;
  /** Forwards matching requests only after `delayMs`. The returned function ends it. */
  delay(matcher: Matcher, delayMs: number): () => void;
  /** Clients are told something else than the server says; streams are not changed. The returned function ends it. */
  alter(matcher: Matcher, change: Change): () => void;
  /** Cuts every connection, on both sides; new ones are accepted. */
  cutAll(): void;
  /** Cuts every connection and every new one until the returned function is called: the network is down. */
  isolate(): () => void;
  [Symbol.asyncDispose](): Promise<void>;
};

/** Idle connections to the server are dropped long before the server would, so that none is found dead in use. */
const KEEP_ALIVE = { keepAlive: true, timeout: 3_000 };

type ProxyOptions = {
  readonly upstream: Upstream;
  readonly tls: { readonly cert: string; readonly key: string } | null;
};

/** In front of Consul. `address` as in CONSUL_HTTP_ADDR; so is the proxy's `url`. */
export async function startConsulProxy(address: string): Promise<Proxy> {
  const agent = new PlainAgent(KEEP_ALIVE);
  const origin = new URL(consulUrl(address));
  return await startProxy({
    upstream: { origin, agent, authorization: undefined, stripAuthorization: false },
    tls: null,
  });
}

/**
 * In front of the API server of a kubeconfig. Writes a copy to `kubeconfig` that points to the proxy; the client's own
 * certificate or token is shown to the real server.
 */
export async function startKubeProxy(original: string, kubeconfig: string): Promise<Proxy> {
  const access = await readKubeconfig(original);
  const certificate = selfSigned();
  const { ca, cert, key, token } = access;
  const agent = new TlsAgent({ ...KEEP_ALIVE, ...(ca && { ca }), ...(cert && { cert }), ...(key && { key }) });
  const authorization = token === undefined ? undefined : `Bearer ${token}`;
  const upstream = { origin: access.server, agent, authorization, stripAuthorization: cert !== undefined };
  const proxy = await startProxy({ upstream, tls: certificate });
  const client = {
    // Beside its own: replicas with a proxy each believe one authority in common, as all of a cluster do.
    ca: [certificate.cert, ...(ca === undefined ? [] : [ca])].join('\n'),
    cert: undefined,
    key: undefined,
    token: token ?? 'the-proxy-has-the-certificate',
  };
  await writeKubeconfig(kubeconfig, { server: proxy.url, ...client });
  return proxy;
}

async function startProxy({ upstream, tls }: ProxyOptions): Promise<Proxy> {
  const exchanges: Exchange[] = [];
  const holds = new Set<ActiveHold>();
  const delays = new Set<{ readonly matcher: Matcher; readonly delayMs: number }>();
  const alterations = new Set<{ readonly matcher: Matcher; readonly change: Change }>();
  const sockets = new Set<Socket>();
  let outage = new AbortController();
  let isolated = false;

  const server: Server = tls === null ? createServer() : createTlsServer(tls);
  // A client's pooled connection must not vanish while the client counts on it.
  server.keepAliveTimeout = 120_000;
  const closing = new AbortController();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => socket.destroy());
    if (isolated) socket.destroy();
  });
  server.on('request', (request, response) => {
    handle(request, response).catch(() => response.destroy());
  });
  server.on('tlsClientError', (_error, socket) => socket.destroy());

  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const exchange = await seen(request);
    exchanges.push(exchange);
    const cut = AbortSignal.any([outage.signal, closing.signal]);
    const slow = [...delays].find(({ matcher }) => matcher(exchange));
    if (slow !== undefined) await pause(slow.delayMs, cut);
    for (const active of holds) {
      const gate = active.admit(exchange);
      if (gate !== null) return await handleHeld(active, gate, exchange, response, cut);
    }
    await pass(exchange, response, cut);
  };

  const pass = async (exchange: Exchange, response: ServerResponse, cut: AbortSignal): Promise<void> => {
    // As on a direct connection: what the client has given up waits no longer, and holds no connection of the server.
    const gone = new AbortController();
    response.on('close', () => {
      if (!response.writableFinished) gone.abort(new Error('the client has given up'));
    });
    const answer = await forward(exchange, upstream, AbortSignal.any([cut, gone.signal]));
    exchange.status = answer.statusCode ?? null;
    if (isStream(exchange)) await stream(answer, response);
    else await finish(exchange, answer, response);
    exchange.answeredMs = performance.now();
  };

  const finish = async (exchange: Exchange, answer: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = await buffer(answer);
    exchange.answer = body.toString('utf8');
    reply(answer, body, response, [...alterations].find(({ matcher }) => matcher(exchange))?.change);
    exchange.answeredMs = performance.now();
  };

  const handleHeld = async (
    { mode }: ActiveHold,
    gate: NonNullable<ReturnType<ActiveHold['admit']>>,
    exchange: Exchange,
    response: ServerResponse,
    cut: AbortSignal,
  ): Promise<void> => {
    if (mode === 'cut') {
      response.destroy();
      return gate.arrived();
    }
    if (mode === 'beforeForwarding') {
      gate.arrived();
      return (await gate.opened) ? await pass(exchange, response, cut) : void response.destroy();
    }
    const answer = await forward(exchange, upstream, cut);
    const body = await buffer(answer);
    exchange.status = answer.statusCode ?? null;
    exchange.answer = body.toString('utf8');
    gate.answered(answer.statusCode ?? 0);
    if (mode === 'dropReply') response.destroy();
    gate.arrived();
    if (mode === 'dropReply') return;
    if (!(await gate.opened)) return void response.destroy();
    reply(answer, body, response);
    exchange.answeredMs = performance.now();
  };

  const cutAll = (): void => {
    outage.abort(new Error('the proxy cut the connection'));
    outage = new AbortController();
    for (const socket of sockets) socket.destroy();
  };

  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once('error', reject);
  server.listen(0, '127.0.0.1', resolve);
  await promise;
  const { port } = server.address() as AddressInfo;

  return {
    url: `${tls === null ? 'http' : 'https'}://127.0.0.1:${port}`,
    exchanges,
    hold: (matcher, options) => {
      const active = createHold(matcher, options);
      holds.add(active);
      return active.hold;
    },
    delay: (matcher, delayMs) => {
      const slow = { matcher, delayMs };
      delays.add(slow);
      return () => void delays.delete(slow);
    },
    alter: (matcher, change) => {
      const alteration = { matcher, change };
      alterations.add(alteration);
      return () => void alterations.delete(alteration);
    },
    cutAll,
    isolate: () => {
      isolated = true;
      cutAll();
      return () => {
        isolated = false;
      };
    },
    [Symbol.asyncDispose]: async () => {
      for (const { hold } of holds) hold.drop();
      closing.abort(new Error('the proxy has ended'));
      for (const socket of sockets) socket.destroy();
      upstream.agent.destroy();
      const closed = Promise.withResolvers<void>();
      server.close(() => closed.resolve());
      await closed.promise;
    },
  };
}

async function seen(request: IncomingMessage): Promise<Exchange> {
  const receivedMs = performance.now();
  const { method = 'GET', url: path = '/', headers } = request;
  const body = await readBody(request);
  return { method, path, body, headers, receivedMs, forwardedMs: null, answeredMs: null, status: null, answer: null };
}

/** Answers that last: watches of the API server, blocking queries of Consul. */
const isStream = ({ method, path }: Exchange): boolean =>
  method === 'GET' && /[?&](watch=(true|1)|index=[1-9]|follow=true)/.test(path);

async function pause(delayMs: number, signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, delayMs);
  signal.addEventListener('abort', () => resolve(), { once: true });
  await promise;
  clearTimeout(timer);
}
