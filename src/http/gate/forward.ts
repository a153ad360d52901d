/** Passes a question on to the replica that owns the group's bucket, and its answer back as it is. */
import { Agent, request } from 'undici';
import { childSignal } from '../../common/child-signal.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Reply } from '../router.ts';
import { NOTHING_HERE } from './replies.ts';
import type { Signer, Statement } from './statement.ts';

/** Who is to answer, and where it listens. */
export type Addressee = { readonly id: string; readonly url: string };

/** What is passed on. `path` with its query; `body`: JSON, null for none. */
export type Passed = {
  readonly method: 'GET' | 'POST' | 'PUT';
  readonly path: string;
  readonly body: string | null;
  readonly statement: Statement;
};

/**
 * null: the replica did not answer, or somebody else did: an address is used again, and a grant may only come from the one that waits for
 * it before a handover; or it is of an older version, which does not know what is asked. Rejects only when `signal` aborts.
 */
export type Forward = (to: Addressee, passed: Passed, timeoutMs: number, signal: AbortSignal) => Promise<Reply | null>;

/** One request to another replica, and its answer. Rejects where there is none, and when `signal` aborts. */
export type Send = (
  url: string,
  request: Omit<Passed, 'statement'> & { readonly headers: Readonly<Record<string, string>> },
  signal: AbortSignal,
) => Promise<Answered>;

/** `headers` by their names in small letters. `body`: reads it to its end. */
type Answered = {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  body(): Promise<string>;
  /** Instead of reading the body. */
  drop(): void;
};

export type Forwarding = { readonly forward: Forward; close(): Promise<void> };

/** Says that the question has come from another replica: it is not passed on once more. */
export const FORWARDED = 'leadergroup-forwarded';

/** What that replica says of it, signed. */
export const STATEMENT = 'leadergroup-statement';

/** In answers to replicas: what they are to sign their next statement with. */
export const CHALLENGE = 'leadergroup-challenge';

/** In an answer, as STATEMENT: nothing was done, because the statement was signed with an earlier challenge or none. */
export const OUTDATED = 'outdated';

/** In every answer of the gate: id of the replica that gave it. */
export const REPLICA = 'leadergroup-replica';

const CONNECT_MS = 500;
/** Beyond the time for which the other replica lets the question wait. */
const SLACK_MS = 1000;
const KEEP_ALIVE_MS = 10_000;

/** This replica has understood the question before it passed it on: one that does not is of another version. */
const isOlder = (status: number, said: unknown): boolean =>
  status === 400 ||
  status === 405 ||
  (status === 404 && (said as { readonly reason?: unknown } | null)?.reason === NOTHING_HERE);

type ForwardOptions = {
  /** Id of this replica. */
  readonly self: string;
  readonly signer: Signer;
  readonly clock: Pick<Clock, 'after'>;
  readonly send: Send;
};

/** Never more replicas than these. */
const MAX_REPLICAS = 256;

export function createForward({ self, signer, clock, send }: ForwardOptions): Forward {
  /** The last that each replica has told. */
  const challenges = new Map<string, string>();

  function learn(id: string, { headers }: Answered): void {
    const told = headers[CHALLENGE];
    if (typeof told !== 'string' || told.length > 64) return;
    if (challenges.size >= MAX_REPLICAS) challenges.clear();
    challenges.set(id, told);
  }

  /** 'again': the other replica has told what it must be signed with. */
  async function once(
    { id, url }: Addressee,
    { statement, ...passed }: Passed,
    signal: AbortSignal,
  ): Promise<Reply | null | 'again'> {
    const challenge = challenges.get(id) ?? '';
    const answered = await send(
      url,
      {
        ...passed,
        headers: {
          [FORWARDED]: self,
          [STATEMENT]: await signer.sign({ from: self, to: id, ...passed }, statement, challenge),
          ...(passed.body === null ? {} : { 'content-type': 'application/json' }),
        },
      },
      signal,
    );
    if (answered.headers[REPLICA] !== id) {
      answered.drop();
      return null;
    }
    learn(id, answered);
    const text = await answered.body();
    if (answered.headers[STATEMENT] === OUTDATED && challenges.get(id) !== challenge) return 'again';
    if (isOlder(answered.status, JSON.parse(text))) return null;
    return { status: answered.status, contentType: 'application/json', body: text };
  }

  return async (to, passed, timeoutMs, signal) => {
    using limit = childSignal(signal);
    const cancel = clock.after(timeoutMs + SLACK_MS, () => limit.abort(new Error('the other replica did not answer')));
    try {
      const first = await once(to, passed, limit.signal);
      const reply = first === 'again' ? await once(to, passed, limit.signal) : first;
      return reply === 'again' ? null : reply;
    } catch {
      signal.throwIfAborted();
      return null;
    } finally {
      cancel();
    }
  };
}

export function createForwarding(self: string, signer: Signer, clock: Pick<Clock, 'after'>): Forwarding {
  const dispatcher = new Agent({ connect: { timeout: CONNECT_MS }, keepAliveTimeout: KEEP_ALIVE_MS, pipelining: 1 });
  const send: Send = async (url, { method, path, body: sent, headers: sends }, signal) => {
    const options = { dispatcher, method, body: sent, signal, headers: sends };
    const { statusCode, headers, body } = await request(`${url}${path}`, options);
    const drop = (): void => void body.once('error', () => undefined).destroy();
    return { status: statusCode, headers, body: () => body.text(), drop };
  };
  return { forward: createForward({ self, signer, clock, send }), close: () => dispatcher.destroy() };
}
