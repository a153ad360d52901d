/**
 * The only file that knows the `consul` package. It sends one request and tells what came back, or that nothing did.
 *
 * The package's request pipeline (papi) is used beneath its methods, since these decode the body inside an event handler
 * (a hostile `[null]` would end the process), keep numbers only to 2^53, and give no headers. What the package lacks is
 * added here: a timeout on everything (without one it never settles) that tells waiting for a connection from a Consul that does not answer, the end of a connection in the middle of an answer
 * (it would wait for the timeout), whether a request was sent at all, AbortSignals.
 */
import { EventEmitter } from 'node:events';
import type { ClientRequest, IncomingHttpHeaders, IncomingMessage, RequestOptions } from 'node:http';
import ConsulPackage from 'consul';
import { type Agents, createAgentSource, type Pool } from './agents.ts';
import { type ConsulTls, createCredentialSource } from './credentials.ts';
import type { Failure } from './errors.ts';

export type Request = {
  readonly method: 'GET' | 'PUT';
  /** Below /v1, already encoded. */
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  readonly body: string | null;
  /** For the exchange, from when it has a connection; and, as long again at most, for getting one. */
  readonly timeoutMs: number;
  readonly pool: Pool;
};

export type Answer = {
  readonly kind: 'answered';
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
};

export type Transport = {
  /** Never rejects but with the signal's reason. After an abort the request may still have been applied. */
  send(request: Request, signal: AbortSignal): Promise<Answer | Failure>;
  /** Ends every connection; requests under way fail. */
  close(): void;
};

export type TransportOptions = {
  /** `http://host:port`, with a path where Consul stands behind a proxy; no trailing slash. */
  readonly address: string;
  readonly token: string | null;
  readonly tokenFile: string | null;
  /** null with plain http. */
  readonly tls: ConsulTls | null;
};

/** What papi makes of a request: the part of it that is used here. */
type PapiRequest = {
  transport: { request(options: RequestOptions): ClientRequest };
  readonly res?: IncomingMessage & { readonly body?: Buffer };
  readonly err?: Error & { readonly isResponse?: boolean };
};
type Next = (error?: false, value?: unknown) => void;
type Papi = {
  _request(
    options: Readonly<Record<string, unknown>>,
    last: (request: PapiRequest, next: Next) => void,
  ): Promise<PapiRequest>;
};

/** Our own limit is the one that is reported. */
const SOCKET_GRACE_MS = 1000;

type Flight = { sent: boolean; gaveUpWaiting: boolean };

const CUT = 'the connection ended in the middle of the answer';

/** Connection errors often have no message: several addresses were tried, each with its own. */
function reasonOf(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(reasonOf).join('; ');
  if (!(error instanceof Error)) return String(error);
  return error.message === '' ? ((error as NodeJS.ErrnoException).code ?? error.name) : error.message;
}

/** What our own requests wait for each other says nothing about Consul, so it has its own limit. */
function limit(request: ClientRequest, flight: Flight, timeoutMs: number): void {
  const end = (reason: string): void => {
    request.emit('error', new Error(`${reason} (${timeoutMs}ms)`));
    request.destroy();
  };
  let timer = setTimeout(() => {
    flight.gaveUpWaiting = true;
    end('all connections were in use');
  }, timeoutMs);
  request.once('socket', () => {
    clearTimeout(timer);
    timer = setTimeout(() => end('request timed out'), timeoutMs);
  });
  request.once('close', () => clearTimeout(timer));
  // Else the agent ends a blocking read when its connection has been idle for as long as an idle one may be.
  request.setTimeout(timeoutMs + SOCKET_GRACE_MS);
}

/** Notes when the connection stands, and ends the request when it breaks in the middle of the answer. */
function observe(request: ClientRequest, flight: Flight): ClientRequest {
  const sent = (): void => {
    flight.sent = true;
  };
  request.once('socket', (socket) => {
    if (request.reusedSocket || !socket.connecting) sent();
    else socket.once('encrypted' in socket ? 'secureConnect' : 'connect', sent);
  });
  request.once('response', (response) => {
    response.once('close', () => {
      if (!response.complete) request.emit('error', new Error(CUT));
    });
  });
  return request;
}

/** The package keeps the brackets of an IPv6 address, which would then be looked up as a name. */
const withoutBrackets = (options: RequestOptions): RequestOptions => ({
  ...options,
  hostname: options.hostname?.replace(/^\[(.*)\]$/, '$1'),
});

const observing =
  (flight: Flight, timeoutMs: number) =>
  (request: PapiRequest, next: Next): void => {
    const { transport } = request;
    request.transport = {
      request: (options) => {
        const sending = observe(transport.request(withoutBrackets(options)), flight);
        limit(sending, flight, timeoutMs);
        return sending;
      },
    };
    next();
  };

function outcomeOf({ err, res }: PapiRequest, { sent, gaveUpWaiting: waiting }: Flight): Answer | Failure {
  if (err !== undefined && err.isResponse !== true) {
    return { kind: 'failed', sent, waiting, reason: reasonOf(err), cause: err };
  }
  if (res === undefined) return { kind: 'failed', sent, waiting, reason: 'no answer', cause: undefined };
  return {
    kind: 'answered',
    status: res.statusCode ?? 0,
    headers: res.headers,
    text: res.body?.toString('utf8') ?? '',
  };
}

type Sending = {
  readonly request: Request;
  readonly token: string | null;
  readonly agents: Agents;
  readonly flight: Flight;
  readonly ctx: EventEmitter;
};

const papiOptions = ({ request, token, agents, flight, ctx }: Sending) => ({
  method: request.method,
  path: request.path,
  query: request.query,
  headers: token === null ? {} : { 'x-consul-token': token },
  ...(request.body === null ? {} : { body: Buffer.from(request.body, 'utf8') }),
  agent: agents[request.pool],
  buffer: true,
  exts: { onRequest: [observing(flight, Math.ceil(request.timeoutMs))] },
  ctx,
});

const credentialsFailure = (cause: unknown): Failure => ({
  kind: 'failed',
  sent: false,
  waiting: false,
  reason: `a file of Consul's credentials cannot be read: ${reasonOf(cause)}`,
  cause,
});

const createPapi = (address: string): Papi =>
  new ConsulPackage({ baseUrl: `${address}/v1` } as object) as unknown as Papi;

async function exchange(papi: Papi, options: ReturnType<typeof papiOptions>, flight: Flight) {
  try {
    // oxlint-disable-next-line no-underscore-dangle -- papi's own name for what the package's methods are built on
    const state = await papi._request(options, (done, next) => next(false, done));
    return outcomeOf(state, flight);
  } catch (cause) {
    // Only what is wrong with the request itself, e.g. a character that a header may not have, gets here.
    return { kind: 'failed', sent: flight.sent, waiting: false, reason: reasonOf(cause), cause } satisfies Failure;
  }
}

/** `nowMs`: monotonic. Nothing is connected before the first request. */
export function createTransport(options: TransportOptions, nowMs: () => number): Transport {
  const papi = createPapi(options.address);
  const credentials = createCredentialSource(options, nowMs);
  const agents = createAgentSource(options.tls);

  const send: Transport['send'] = async (request, signal) => {
    signal.throwIfAborted();
    const flight: Flight = { sent: false, gaveUpWaiting: false };
    const current = await credentials.current().catch(credentialsFailure);
    signal.throwIfAborted();
    if ('kind' in current) return current;
    const ctx = new EventEmitter();
    const cancel = (): void => void ctx.emit('cancel');
    signal.addEventListener('abort', cancel, { once: true });
    try {
      const sending = papiOptions({ request, token: current.token, agents: agents.current(current.tls), flight, ctx });
      const outcome = await exchange(papi, sending, flight);
      // An answer that made it before the abort is returned: it says what became of a write.
      if (outcome.kind === 'failed') signal.throwIfAborted();
      if (outcome.kind === 'answered' && outcome.status === 403) credentials.refused();
      return outcome;
    } finally {
      signal.removeEventListener('abort', cancel);
    }
  };
  return { send, close: () => agents.close() };
}
