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
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly body: string | null;
  readonly statement: Statement;
};

/**
 * null: the replica did not answer, or somebody else did: an address is used again, and a grant may only come from the one that waits for
 * it before a handover; or it is of an older version, which does not know what is asked. Rejects only when `signal` aborts.
 */
export type Forward = (to: Addressee, passed: Passed, timeoutMs: number, signal: AbortSignal) => Promise<Reply | null>;

export type Forwarding = { readonly forward: Forward; close(): Promise<void> };

/** Says that the question has come from another replica: it is not passed on once more. */
export const FORWARDED = 'leadergroup-forwarded';

/** What that replica says of it, signed. */
export const STATEMENT = 'leadergroup-statement';

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

export function createForwarding(self: string, signer: Signer, clock: Pick<Clock, 'wallMs'>): Forwarding {
  const dispatcher = new Agent({ connect: { timeout: CONNECT_MS }, keepAliveTimeout: KEEP_ALIVE_MS, pipelining: 1 });
  const forward: Forward = async ({ id, url }, { statement, ...passed }, timeoutMs, signal) => {
    const { method, path, body: sent } = passed;
    using limit = childSignal(signal);
    const timer = setTimeout(() => limit.abort(new Error('the other replica did not answer')), timeoutMs + SLACK_MS);
    try {
      const { statusCode, headers, body } = await request(`${url}${path}`, {
        dispatcher,
        method,
        body: sent,
        signal: limit.signal,
        headers: {
          [FORWARDED]: self,
          [STATEMENT]: await signer.sign({ from: self, to: id, ...passed }, statement, clock.wallMs()),
          ...(sent === null ? {} : { 'content-type': 'application/json' }),
        },
      });
      if (headers[REPLICA] !== id) {
        body.once('error', () => undefined).destroy();
        return null;
      }
      const text = await body.text();
      if (isOlder(statusCode, JSON.parse(text))) return null;
      return { status: statusCode, contentType: 'application/json', body: text };
    } catch {
      signal.throwIfAborted();
      return null;
    } finally {
      clearTimeout(timer);
    }
  };
  return { forward, close: () => dispatcher.destroy() };
}
