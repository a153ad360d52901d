/** One request with everything that goes with it: its timeout, its meaning when it fails, its measurement. */
import { ConsulError, type ConsulErrorKind } from '../ports/consul.ts';
import { MalformedAnswer } from './decode.ts';
import { type Attempt, fromFailure, fromRefusal, malformed } from './errors.ts';
import type { PoolKind } from './pools.ts';
import type { Answer, Request, Transport } from './transport.ts';

/** For metrics. `lost` and `rejected` are answers, not failures. A `watchKey` or `watchPrefix` takes as long as nothing happens. */
export type RequestReport = {
  readonly operation: Operation;
  readonly outcome: 'ok' | 'lost' | 'rejected' | 'aborted' | ConsulErrorKind;
  readonly milliseconds: number;
};

type Operation =
  | 'registerNode'
  | 'createSession'
  | 'renewSession'
  | 'destroySession'
  | 'sessionInfo'
  | 'listSessions'
  | 'txn'
  | 'readKeys'
  | 'readKey'
  | 'watchKey'
  | 'readPrefix'
  | 'listKeys'
  | 'watchPrefix'
  | 'login'
  | 'readToken'
  | 'logout';

/** What to ask, and how to read the answer. */
export type Call<T> = {
  readonly operation: Operation;
  readonly what: string;
  readonly write: boolean;
  readonly rule?: string;
  readonly method?: Request['method'];
  readonly path: string;
  readonly query?: Request['query'];
  readonly body?: string;
  /** Instead of the one in use; null: none. */
  readonly token?: string | null;
  /** How long Consul may keep a blocking read before it answers; absent: it answers at once. */
  readonly heldMs?: number;
  /** Answers besides 2xx that `read` understands. */
  readonly expected?: (answer: Answer) => boolean;
  /** Throws MalformedAnswer, or a ConsulError of its own. */
  readonly read: (answer: Answer, attempt: Attempt) => T;
  readonly outcome?: (result: T) => RequestReport['outcome'];
};

export type Caller = <T>(call: Call<T>, signal: AbortSignal) => Promise<T>;

export type CallerOptions = {
  readonly address: string;
  readonly keyPrefix: string;
  readonly requestTimeoutMs: number;
  /** Whether the tokens are those of a login. */
  readonly byLogin?: boolean;
  readonly onRequest: (report: RequestReport) => void;
  readonly nowMs: () => number;
};

const requestOf = <T>(call: Call<T>, requestTimeoutMs: number): Request => ({
  method: call.method ?? (call.write ? 'PUT' : 'GET'),
  path: call.path,
  query: call.query ?? {},
  body: call.body ?? null,
  ...(call.token === undefined ? {} : { token: call.token }),
  timeoutMs: requestTimeoutMs + (call.heldMs ?? 0),
  pool: poolOf(call),
});

function poolOf<T>({ operation, heldMs }: Call<T>): PoolKind {
  if (heldMs !== undefined) return 'blocking';
  return operation === 'renewSession' ? 'renewals' : 'brief';
}

const isExpected = <T>(call: Call<T>, answer: Answer): boolean =>
  (answer.status >= 200 && answer.status < 300) || (call.expected?.(answer) ?? false);

function readAnswer<T>(call: Call<T>, answer: Answer, attempt: Attempt): T {
  try {
    return call.read(answer, attempt);
  } catch (error) {
    if (error instanceof MalformedAnswer) throw malformed(attempt, error);
    throw error;
  }
}

/** Throws nothing but ConsulError and the signal's reason. */
export function createCaller(transport: Transport, options: CallerOptions): Caller {
  const attemptOf = <T>({ what, write, rule }: Call<T>): Attempt => ({
    what,
    write,
    address: options.address,
    rule: rule ?? null,
    byLogin: options.byLogin ?? false,
  });

  const perform = async <T>(call: Call<T>, signal: AbortSignal): Promise<T> => {
    const attempt = attemptOf(call);
    const outcome = await transport.send(requestOf(call, options.requestTimeoutMs), signal);
    if (outcome.kind === 'failed') throw fromFailure(attempt, outcome);
    if (!isExpected(call, outcome)) throw fromRefusal(attempt, outcome, options.keyPrefix);
    return readAnswer(call, outcome, attempt);
  };

  return async (call, signal) => {
    const startedMs = options.nowMs();
    const report = (outcome: RequestReport['outcome']): void =>
      options.onRequest({ operation: call.operation, outcome, milliseconds: options.nowMs() - startedMs });
    try {
      const result = await perform(call, signal);
      report(call.outcome?.(result) ?? 'ok');
      return result;
    } catch (error) {
      report(error instanceof ConsulError ? error.kind : 'aborted');
      throw error;
    }
  };
}
