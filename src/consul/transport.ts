/**
 * Sends one request to Consul and tells what came back, or that nothing did: whether it was sent at all, whether it only waited for one of
 * our own connections. Nothing is sent twice.
 */
import type { IncomingHttpHeaders } from 'node:http';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Dispatcher } from 'undici';
import { connectionReason } from '../common/connection-reason.ts';
import type { Log } from '../ports/log.ts';
import { connectionRemedy } from './connection-problems.ts';
import { type ConsulTls, createCredentialSource } from './credentials.ts';
import { type Failure, isLeaderless } from './errors.ts';
import { type ConsulPool, createPoolSource, type PoolKind, type Pools } from './pools.ts';
import type { Resolve } from './servers.ts';

export type Request = {
  readonly method: 'GET' | 'PUT' | 'POST';
  /** Below /v1, already encoded. */
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  readonly body: string | null;
  /** Instead of the one in use; null: none. */
  readonly token?: string | null;
  /** For the exchange, from when it has a connection; and, as long again at most, for getting one. */
  readonly timeoutMs: number;
  readonly pool: PoolKind;
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
  /** For making a connection. */
  readonly requestTimeoutMs: number;
  /** Told of a server that is left for another, and of files that are no good. */
  readonly log: Log;
  /** Names into addresses. Default: the system's way. */
  readonly resolve?: Resolve;
};

const CUT = 'the connection ended in the middle of the answer';

const failure = (reason: string, about: Partial<Failure> = {}): Failure => ({
  kind: 'failed',
  sent: false,
  waiting: false,
  reason,
  cause: undefined,
  ...about,
});

const credentialsFailure = (cause: unknown): Failure =>
  failure(`the files of Consul's credentials are no good: ${connectionReason(cause)}`, { cause });

/** One request over one pool, ended by its answer, its failure, its time limit or its signal, whichever comes first. */
function exchange(
  pool: ConsulPool,
  options: Dispatcher.DispatchOptions,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<Answer | Failure> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer | Failure>();
  const chunks: Buffer[] = [];
  let controller: Dispatcher.DispatchController | null = null;
  let response: { readonly status: number; readonly headers: IncomingHttpHeaders } | null = null;
  let over = false;

  /** True for the first who calls it. */
  function end(): boolean {
    if (over) return false;
    over = true;
    clearTimeout(timer);
    signal.removeEventListener('abort', aborted);
    return true;
  }

  function aborted(): void {
    if (!end()) return;
    reject(signal.reason);
    controller?.abort(new Error('aborted'));
  }

  function timedOut(): void {
    if (!end()) return;
    resolve(lateness(controller !== null, pool.connecting(), timeoutMs));
    controller?.abort(new Error('timed out'));
  }

  const timer = setTimeout(timedOut, timeoutMs);
  signal.addEventListener('abort', aborted, { once: true });
  pool.dispatch(options, {
    onRequestStart: (started) => {
      controller = started;
      // Nobody waits for it any more. Thrown here nothing of it is sent, and the connection stays; an abort would end that as well.
      if (over) throw new Error('given up while waiting for a connection');
      timer.refresh();
    },
    onResponseStart: (_, status, headers) => {
      // An informational answer precedes the one that counts.
      if (status >= 200) response = { status, headers };
    },
    onResponseData: (_, chunk) => void chunks.push(chunk),
    onResponseEnd: () => {
      if (!end()) return;
      if (response === null) return resolve(failure('no answer', { sent: true }));
      resolve({ kind: 'answered', ...response, text: Buffer.concat(chunks).toString('utf8') });
    },
    onResponseError: (_, cause) => {
      if (!end()) return;
      // Of an answer that is no HTTP undici keeps the bytes, and logs write what an error has: a token of a login may be in them.
      Reflect.deleteProperty(cause, 'data');
      const reason = response === null ? connectionReason(cause) : CUT;
      resolve(failure(reason, { sent: controller !== null, cause }));
    },
  });
  return promise;
}

/** What our own requests wait for each other says nothing about Consul. */
function lateness(sent: boolean, connecting: boolean, timeoutMs: number): Failure {
  if (sent) return failure(`request timed out (${timeoutMs}ms)`, { sent, late: true });
  return connecting
    ? failure(`no connection was made in time (${timeoutMs}ms)`)
    : failure(`all connections were in use (${timeoutMs}ms)`, { waiting: true });
}

/** What an outcome says of the server that was asked; null: nothing. */
function judged(outcome: Answer | Failure): 'good' | 'bad' | null {
  if (outcome.kind === 'failed') return outcome.late === true ? 'bad' : null;
  if (isLeaderless(outcome.text)) return 'bad';
  return outcome.status < 500 && outcome.status !== 429 ? 'good' : null;
}

/**
 * Nothing is connected before the first request. `nowMs`: monotonic. What blocking reads bring is told a turn of the event loop later: the transaction of a
 * handover wakes many of them, and the promotion that follows it is to be on its way before that is looked at.
 */
export function createTransport(options: TransportOptions, nowMs: () => number): Transport {
  const { origin, pathname } = new URL(options.address);
  const prefix = `${pathname.replace(/\/+$/, '')}/v1`;
  const credentials = createCredentialSource(options, nowMs, options.log);
  const { tls, requestTimeoutMs: connectTimeoutMs, resolve } = options;
  const pools = createPoolSource({
    origin,
    tls,
    connectTimeoutMs,
    nowMs,
    ...(resolve === undefined ? {} : { resolve }),
    left: (server, reason) =>
      options.log.warn({ server, reason }, 'a server of Consul does not answer as it should; asking another'),
  });
  let goodMs = Number.NEGATIVE_INFINITY;

  /** A server is left when a request failed during all of which nothing else was answered well. Blocking reads tell too late. */
  function judge(outcome: Answer | Failure, sinceMs: number, from: Pools): void {
    const verdict = judged(outcome);
    if (verdict === 'good') goodMs = nowMs();
    if (verdict !== 'bad' || sinceMs < goodMs) return;
    pools.move(from, outcome.kind === 'failed' ? outcome.reason : outcome.text.trim());
  }

  function dispatchOptions({ method, path, query, body }: Request, token: string | null): Dispatcher.DispatchOptions {
    const search = new URLSearchParams(query).toString();
    return {
      method,
      path: `${prefix}${path}${search === '' ? '' : `?${search}`}`,
      headers: token === null ? {} : { 'x-consul-token': token },
      body,
    };
  }

  const send: Transport['send'] = async (request, signal) => {
    signal.throwIfAborted();
    const current = await credentials.current().catch(credentialsFailure);
    signal.throwIfAborted();
    if ('kind' in current) return current;
    const token = request.token === undefined ? current.token : request.token;
    const now = pools.current(current.tls);
    if (now === null) return failure('the connections to Consul are closed');
    const sinceMs = nowMs();
    const sent = dispatchOptions(request, token);
    const outcome = await exchange(now[request.pool], sent, Math.ceil(request.timeoutMs), signal);
    if (request.pool === 'blocking') await nextTurn();
    else judge(outcome, sinceMs, now);
    if (outcome.kind === 'failed') {
      const cause = now[request.pool].alert() ?? outcome.cause;
      const reason = `${outcome.reason}${connectionRemedy(cause, current.tls)}`;
      return { ...outcome, reason };
    }
    if (outcome.status === 403) credentials.refused();
    return outcome;
  };
  return { send, close: () => pools.close() };
}
