/** Sends requests to the API server: credentials, connections, time limits, measurement. It knows no resource. */
import type { Dispatcher } from 'undici';
import { connectionReason } from '../../common/connection-reason.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Access } from './access.ts';
import type { Answer, Failure } from './answer.ts';
import type { Credentials } from './credentials.ts';
import type { PoolKind, Pools } from './pools.ts';
import { createTimeLimit } from './time-limit.ts';

export type Request = {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** With the query, as pathOf makes it. */
  readonly path: string;
  readonly body?: { readonly type: string; readonly content: unknown };
  /** Media types of JSON; default: application/json. */
  readonly accept?: string;
  /** For the whole exchange: credentials, waiting for a connection, the answer's body. */
  readonly timeoutMs: number;
  readonly pool: PoolKind;
  /** For measurement: what is done (get, list, patch, ...) to what (pods, leadergroups/status, ...). */
  readonly verb: string;
  readonly resource: string;
};

/** A request is over. `status` null: no answer (no connection, timeout, aborted). Watches are not reported. */
export type RequestReport = {
  readonly verb: string;
  readonly resource: string;
  readonly status: number | null;
  readonly milliseconds: number;
};

/** An answer whose body comes piece by piece. It must be read to its end or destroyed. */
type Stream = {
  readonly kind: 'streaming';
  readonly body: AsyncIterable<Uint8Array>;
};

export type Transport = {
  /** Never rejects but with the signal's reason; after that the request may still be applied. */
  send(request: Request, signal: AbortSignal): Promise<Answer | Failure>;
  /** A GET that lasts until the signal is aborted or the server ends it; refused, it is an answer like any other. */
  stream(path: string, signal: AbortSignal, accept?: string): Promise<Stream | Answer | Failure>;
  /** For messages: its address, once that is known. */
  server(): string;
  /** Cuts every connection; requests under way fail. */
  close(): Promise<void>;
};

export type TransportOptions = {
  readonly credentials: Credentials;
  readonly pools: Pools;
  readonly clock: Clock;
  readonly onRequest?: (report: RequestReport) => void;
  /** What the API server warns of in an answer, such as an admission policy that would have refused the request. */
  readonly onWarning?: (warning: Warned) => void;
};

export type Warned = { readonly verb: string; readonly resource: string; readonly warning: string };

const COMMON_HEADERS = { accept: 'application/json', 'user-agent': 'leadergroup-operator' };

export function createTransport({ credentials, pools, clock, onRequest, onWarning }: TransportOptions): Transport {
  let server = 'the API server';

  async function attempt<T>({ request, access, signal, late, read }: Attempt<T>): Promise<T> {
    const dispatcher = pools.pick(request.pool, access);
    try {
      return await read(await dispatcher.request({ ...optionsOf(request, access), signal }));
    } catch (error) {
      if (late()) pools.suspect(dispatcher);
      throw error;
    }
  }

  /** A 401 applies nothing, so the same request may be sent with newer credentials; once. */
  async function exchange<T extends Answer | Stream>(what: Omit<Attempt<T>, 'access'>): Promise<T> {
    const access = await credentials.current(what.signal);
    server = access.server.href.replace(/\/+$/, '');
    const first = await attempt({ ...what, access });
    if (first.kind !== 'answered' || first.status !== 401) return first;
    const newer = await credentials.renewed(access, what.signal);
    return newer === null ? first : await attempt({ ...what, access: newer });
  }

  const send: Transport['send'] = async (request, signal) => {
    signal.throwIfAborted();
    const startedMs = clock.nowMs();
    const limit = createTimeLimit(clock, request.timeoutMs, signal);
    let status: number | null = null;
    try {
      const answer = await exchange({ request, signal: limit.signal, late: limit.expired, read: readAnswer });
      status = answer.status;
      const { verb, resource } = request;
      if (onWarning !== undefined) for (const warning of warningsIn(answer)) onWarning({ verb, resource, warning });
      return answer;
    } catch (error) {
      signal.throwIfAborted();
      return failureOf(error, limit.expired() ? request.timeoutMs : null);
    } finally {
      limit.end();
      const { verb, resource } = request;
      onRequest?.({ verb, resource, status, milliseconds: clock.nowMs() - startedMs });
    }
  };

  const stream: Transport['stream'] = async (path, signal, accept) => {
    signal.throwIfAborted();
    const request = { method: 'GET', path, pool: 'long', ...(accept === undefined ? {} : { accept }) } as const;
    try {
      return await exchange({ request, signal, late: () => signal.aborted, read: readStream });
    } catch (error) {
      signal.throwIfAborted();
      return failureOf(error, null);
    }
  };

  return { send, stream, server: () => server, close: () => pools.close() };
}

/** The texts of the header Warning, by RFC 7234: a code, an agent and a quoted text each. */
function warningsIn({ headers }: Answer): readonly string[] {
  const given = headers['warning'] ?? [];
  const text = typeof given === 'string' ? given : given.join(', ');
  return [...text.matchAll(/\d{3} \S+ "((?:[^"\\]|\\.)*)"/g)].map(([, quoted = '']) =>
    quoted.replaceAll(/\\(.)/g, '$1'),
  );
}

type Raw = Dispatcher.ResponseData;

type Attempt<T> = {
  readonly request: Sent;
  readonly access: Access;
  readonly signal: AbortSignal;
  /** Whether it failed because no answer came in time. */
  readonly late: () => boolean;
  readonly read: (raw: Raw) => Promise<T>;
};

type Sent = Pick<Request, 'method' | 'path' | 'body' | 'accept' | 'pool'>;

function optionsOf({ method, path, body, accept }: Sent, { server, headers }: Access): Dispatcher.RequestOptions {
  const prefix = server.pathname.replace(/\/+$/, '');
  const common = { origin: server.origin, path: `${prefix}${path}`, method };
  const all = { ...COMMON_HEADERS, ...headers, ...(accept === undefined ? {} : { accept }) };
  if (body === undefined) return { ...common, headers: all };
  return { ...common, headers: { ...all, 'content-type': body.type }, body: JSON.stringify(body.content) };
}

async function readAnswer({ statusCode, headers, body }: Raw): Promise<Answer> {
  return { kind: 'answered', status: statusCode, headers, body: parsed(await body.text()) };
}

const readStream = async (raw: Raw): Promise<Stream | Answer> =>
  raw.statusCode === 200 ? { kind: 'streaming', body: raw.body } : await readAnswer(raw);

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function failureOf(cause: unknown, timeoutMs: number | null): Failure {
  const reason = timeoutMs === null ? connectionReason(cause) : `no answer within ${timeoutMs} ms`;
  return { kind: 'failed', reason, timedOut: timeoutMs !== null, cause };
}
