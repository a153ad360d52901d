/**
 * Who we are to Consul where an auth method tells: it gives a token, for a time, to whoever shows the ServiceAccount's. Such a token cannot be
 * prolonged, so there is a new login at half of its life. The one before it stays in use until Consul's servers know the new one, and as long as no
 * new one can be had: behind a login stands the API server, and its outage must not end what Consul holds for us.
 */
import { readFile } from 'node:fs/promises';
import { backoffMs } from '../common/backoff.ts';
import { connectionReason } from '../common/connection-reason.ts';
import type { Clock, Random } from '../ports/clock.ts';
import { ConsulError } from '../ports/consul.ts';
import type { Log } from '../ports/log.ts';
import type { Call, Caller } from './caller.ts';
import { decodeLogin, type LoginToken } from './decode.ts';
import { isUnknownToken } from './errors.ts';
import { loginProblem } from './login-problems.ts';
import type { TokenLife } from './token-end.ts';

export type LoginOptions = {
  readonly method: string;
  /** The file of the ServiceAccount's token; read anew at each login, since the kubelet replaces it. */
  readonly bearerFile: string;
  /** Shown in the description of the token in Consul. */
  readonly meta: Readonly<Record<string, string>>;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
};

export type Login = {
  /**
   * The token to use now. Waits for a login that is under way where there is none that still lives; rejects with the ConsulError of the last one
   * where that failed, and with the signal's reason.
   */
  token(signal: AbortSignal): Promise<string>;
  /** Consul does not know this token (any more): a new login, unless it is only just known. */
  unknown(token: string): void;
  /** null: there is no token, or it has no end. */
  life(): TokenLife | null;
  /** Ends the logins and gives back what tokens there are. Never rejects. */
  logout(signal: AbortSignal): Promise<void>;
  /** Ends the logins; the token lives on until its end. */
  close(): void;
};

type Held = {
  readonly secret: string;
  readonly sinceMs: number;
  /** The server that was asked knew it by then. */
  readonly knownMs: number;
  /** Counted from before the login was sent, on our own clock; infinite where the method sets no MaxTokenTTL. */
  readonly endsMs: number;
};

const RETRIES = { firstMs: 1000, lastMs: 30_000, jitter: 0.5 };
/** Nothing can be renewed without a token: the nearer its end, the shorter the pauses. */
const RETRY_WITHIN = { partOfRest: 0.25, atLeastMs: 5000 };
/** Replicas that began together do not log in together for ever. */
const HALF_LIFE_JITTER = 0.1;
const NEAR_END = 0.25;
/** A server that answers from an older state does not know a new token yet. */
const KNOWN_WITHIN_MS = 10_000;
const KNOWN_POLL_MS = 100;
/** A token that is not known so soon after its login will not be helped by another. */
const SETTLED_MS = 5000;
const GIVE_BACK_MS = 1000;

const loginCall = (method: string, bearer: string, file: string, meta: object): Call<LoginToken> => ({
  operation: 'login',
  what: `log in to Consul by the auth method "${method}"`,
  write: true,
  method: 'POST',
  path: '/acl/login',
  body: JSON.stringify({ AuthMethod: method, BearerToken: bearer, Meta: meta }),
  token: null,
  expected: () => true,
  read: (answer, attempt) => {
    if (answer.status !== 200) throw loginProblem(answer, attempt, { method, file });
    return decodeLogin(answer.text);
  },
});

const selfCall = (token: string): Call<boolean> => ({
  operation: 'readToken',
  what: 'read the token of the login',
  write: false,
  path: '/acl/token/self',
  query: { stale: '' },
  token,
  expected: ({ status, text }) => status === 403 && isUnknownToken(text),
  read: ({ status }) => status === 200,
});

const logoutCall = (token: string): Call<void> => ({
  operation: 'logout',
  what: 'log out of Consul',
  write: true,
  method: 'POST',
  path: '/acl/logout',
  token,
  expected: ({ text }) => isUnknownToken(text),
  read: () => undefined,
});

/** Logs in when a token is first asked for, and from then on until it is closed. `call`: patient, for behind a login stands the API server. */
export function createLogin(options: LoginOptions, call: Caller): Login {
  const { method, bearerFile, meta, clock, random, log } = options;
  const ending = new AbortController();
  let held: Held | null = null;
  /** Given up for `held`, and not yet at its end. */
  let former: Held | null = null;
  /** Consul has said that it does not know it. */
  let disowned: Held | null = null;
  let problem: ConsulError | null = null;
  /** Resolves when the login under way is over; null: none is. */
  let attempt: Promise<void> | null = null;
  let wake: () => void = () => undefined;
  let running: Promise<void> | null = null;

  const lives = (token: Held | null): token is Held => token !== null && clock.nowMs() < token.endsMs;

  async function untilKnown(secret: string, signal: AbortSignal): Promise<void> {
    const untilMs = clock.nowMs() + KNOWN_WITHIN_MS;
    while (!(await call(selfCall(secret), signal))) {
      if (clock.nowMs() >= untilMs)
        throw new ConsulError(
          'unreachable',
          `Cannot log in to Consul: its servers do not know the token of the login after ${KNOWN_WITHIN_MS / 1000} s`,
        );
      await clock.sleep(KNOWN_POLL_MS, signal);
    }
  }

  const giveBack = (secret: string, signal: AbortSignal): Promise<void> =>
    call(logoutCall(secret), signal).catch(() => undefined);

  async function logIn(signal: AbortSignal): Promise<Held> {
    const bearer = await bearerIn(bearerFile);
    const sinceMs = clock.nowMs();
    const { secret, livesMs } = await call(loginCall(method, bearer, bearerFile, meta), signal);
    try {
      await untilKnown(secret, signal);
    } catch (error) {
      await giveBack(secret, AbortSignal.timeout(GIVE_BACK_MS));
      throw error;
    }
    const endsMs = sinceMs + (livesMs ?? Number.POSITIVE_INFINITY);
    return { secret, sinceMs, knownMs: clock.nowMs(), endsMs };
  }

  function retryMs(failures: number): number {
    const restMs = held === null ? 0 : held.endsMs - clock.nowMs();
    const lastMs = Math.max(RETRY_WITHIN.atLeastMs, Math.min(RETRIES.lastMs, restMs * RETRY_WITHIN.partOfRest));
    return backoffMs(failures, { ...RETRIES, lastMs }, random.next());
  }

  /** Returns how long to pause. */
  async function oneLogin(failures: number, signal: AbortSignal): Promise<number> {
    try {
      const token = await logIn(signal);
      former = held;
      held = token;
      const livesMs = token.endsMs - token.sinceMs;
      tell(livesMs, problem !== null);
      problem = null;
      // A server may know it all the same.
      if (former !== null && former === disowned) void giveBack(former.secret, signal);
      return livesMs * 0.5 * (1 - HALF_LIFE_JITTER * random.next());
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof ConsulError)) throw error;
      warn(error);
      problem = error;
      return retryMs(failures + 1);
    }
  }

  async function run(signal: AbortSignal): Promise<void> {
    for (let failures = 0; ; ) {
      const over = Promise.withResolvers<void>();
      attempt = over.promise;
      let pauseMs: number;
      try {
        pauseMs = await oneLogin(failures, signal);
      } finally {
        attempt = null;
        over.resolve();
      }
      failures = problem === null ? 0 : failures + 1;
      await pause(pauseMs, signal);
    }
  }

  /** Until the time is over, or somebody wakes it. */
  async function pause(ms: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const { promise, resolve } = Promise.withResolvers<void>();
    const end = (): void => resolve();
    wake = end;
    const cancel = Number.isFinite(ms) ? clock.after(ms, end) : () => undefined;
    signal.addEventListener('abort', end, { once: true });
    await promise;
    cancel();
    signal.removeEventListener('abort', end);
    signal.throwIfAborted();
  }

  function tell(livesMs: number, failed: boolean): void {
    const about = { method, livesSeconds: Number.isFinite(livesMs) ? livesMs / 1000 : null };
    if (former === null) log.info(about, 'logged in to Consul');
    else if (failed) log.info(about, 'logged in to Consul again');
    if (former === null && !Number.isFinite(livesMs))
      log.warn(
        about,
        'the auth method sets no MaxTokenTTL: a token that a crash leaves behind stays in Consul for ever; set it, to hours',
      );
  }

  /** Once for each reason, and again when the token in use is near its end. */
  function warn(error: ConsulError): void {
    const leftMs = held === null ? null : held.endsMs - clock.nowMs();
    const isNear = held !== null && leftMs !== null && leftMs < (held.endsMs - held.sinceMs) * NEAR_END;
    const about = {
      reason: error.message,
      secondsLeft: leftMs === null ? null : Math.max(0, Math.round(leftMs / 1000)),
    };
    if (isNear)
      log.error(about, "Consul's token is near its end, and there is no new one: then no session can be renewed");
    else if (problem?.message !== error.message) log.warn(about, 'logging in to Consul failed; retrying');
  }

  const start = (): void => {
    running ??= run(ending.signal).catch((error: unknown) => {
      if (!ending.signal.aborted) throw error;
    });
  };

  return {
    token: async (signal) => {
      start();
      if (!lives(held) && attempt !== null) await untilAborted(attempt, signal);
      if (lives(held)) return held.secret;
      if (problem !== null) throw problem;
      // It ended while this process stood still, or this is the end.
      wake();
      throw new ConsulError('unreachable', 'the token of the login has ended; a new login is made');
    },
    unknown: (token) => {
      if (held?.secret !== token || held === disowned || clock.nowMs() - held.knownMs < SETTLED_MS) return;
      log.warn({ method }, 'Consul does not know the token of the login any more; logging in anew');
      disowned = held;
      wake();
    },
    life: () =>
      held === null || !Number.isFinite(held.endsMs)
        ? null
        : { leftMs: held.endsMs - clock.nowMs(), livesMs: held.endsMs - held.sinceMs },
    logout: async (signal) => {
      ending.abort(new Error('logged out'));
      await running?.catch(() => undefined);
      const tokens = [held, former].filter(lives);
      held = null;
      await Promise.all(tokens.map(({ secret }) => giveBack(secret, signal)));
    },
    close: () => ending.abort(new Error('closed')),
  };
}

async function bearerIn(file: string): Promise<string> {
  try {
    return (await readFile(file, 'utf8')).trim();
  } catch (error) {
    const message = `Cannot log in to Consul: the ServiceAccount's token cannot be read from ${file}: ${connectionReason(error)}; see CONSUL_LOGIN_BEARER_TOKEN_FILE`;
    throw new ConsulError('denied', message, { cause: error });
  }
}

function untilAborted(promise: Promise<void>, signal: AbortSignal): Promise<void> {
  const aborted = Promise.withResolvers<never>();
  const abort = (): void => aborted.reject(signal.reason);
  if (signal.aborted) abort();
  else signal.addEventListener('abort', abort, { once: true });
  return Promise.race([promise, aborted.promise]).finally(() => signal.removeEventListener('abort', abort));
}
