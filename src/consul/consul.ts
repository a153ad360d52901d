/** The Consul port over a real Consul. Nothing outside this folder knows Consul's HTTP API. */
import type { Clock } from '../ports/clock.ts';
import { type Consul, ConsulError } from '../ports/consul.ts';
import { createCaller, type RequestReport } from './caller.ts';
import { isUnknownToken } from './errors.ts';
import { createKeys } from './keys.ts';
import { createLogin, type Login, type LoginOptions } from './login.ts';
import { createSessions } from './sessions.ts';
import { createTokenEnd, type TokenEnd, type TokenLife } from './token-end.ts';
import { createTransport, type Transport, type TransportOptions } from './transport.ts';

export type ConsulOptions = TransportOptions & {
  /** For a request that Consul answers at once. Blocking reads add their wait and what Consul may add to it. */
  readonly requestTimeoutMs: number;
  /** The operator's own key prefix without a trailing slash: names the ACL rule to add when a right is missing. */
  readonly prefix: string;
  /** Instead of a token. */
  readonly login?: LoginOptions | null;
  /** Told of every request when it is over, failed and aborted ones too. Must not throw. */
  readonly onRequest?: (report: RequestReport) => void;
  /** Monotonic milliseconds. Default: the process's own clock. */
  readonly nowMs?: () => number;
};

export type ConsulClient = Consul & {
  /** Ends every connection: requests under way fail with a ConsulError. */
  close(): void;
  /** Of the token in use; null: there is none, it has no end, or that is not known (yet). */
  tokenLife(): TokenLife | null;
  /** Warns before the end of a token that is not one of a login, until aborted; without it nothing is known of that end. Never rejects. */
  watchToken(clock: Clock, signal: AbortSignal): Promise<void>;
  /** Gives back the tokens of logins; nothing can be asked after that. Does nothing without a login, and never rejects. */
  logout(signal: AbortSignal): Promise<void>;
};

/** The servers behind a login are two: Consul's own, and the API server that it asks. */
const LOGIN_TIMEOUT_MS = 10_000;

/**
 * Connects to nothing yet.
 *
 * **Throws** (every method): ConsulError, whose kind says whether anything was applied; nothing is ever retried here.
 * **Cancellation**: a method rejects with its signal's reason at once; a write may still be applied, and Consul keeps an
 * aborted blocking read until its wait is over.
 */
export function createConsul(options: ConsulOptions): ConsulClient {
  const nowMs = options.nowMs ?? (() => performance.now());
  const plain = createTransport(options, nowMs);
  const common = {
    address: options.address,
    keyPrefix: `${options.prefix}/`,
    onRequest: options.onRequest ?? (() => undefined),
    nowMs,
  };
  const login =
    options.login == null
      ? null
      : createLogin(options.login, createCaller(plain, { ...common, requestTimeoutMs: LOGIN_TIMEOUT_MS }));
  const transport = login === null ? plain : throughLogin(plain, login);
  const { requestTimeoutMs } = options;
  const call = createCaller(transport, { ...common, requestTimeoutMs, byLogin: login !== null });
  let given: TokenEnd | null = null;
  return {
    ...createSessions(call),
    ...createKeys(call, `${options.prefix}/`),
    close: () => {
      login?.close();
      plain.close();
    },
    tokenLife: () => (login ?? given)?.life() ?? null,
    watchToken: async (clock, signal) => {
      if (login !== null || (options.token === null && options.tokenFile === null)) return;
      given = createTokenEnd({ tokenFile: options.tokenFile, clock, log: options.log }, call);
      await given.watch(signal);
    },
    logout: async (signal) => await login?.logout(signal),
  };
}

/** Every request with the token of the login, or none where there is no token. */
const throughLogin = (transport: Transport, login: Login): Transport => ({
  send: async (request, signal) => {
    let token: string;
    try {
      token = await login.token(signal);
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof ConsulError)) throw error;
      return { kind: 'failed', sent: false, waiting: false, reason: error.message, cause: error, login: error };
    }
    const outcome = await transport.send({ ...request, token }, signal);
    if (outcome.kind === 'answered' && outcome.status >= 400 && isUnknownToken(outcome.text)) login.unknown(token);
    return outcome;
  },
  close: () => transport.close(),
});

export type { RequestReport } from './caller.ts';
export type { ConsulTls } from './credentials.ts';
