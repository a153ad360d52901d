/** Passes a question on to the replica that owns the group's bucket, and its answer back as it is. */
import { Agent, request } from 'undici';
import { childSignal } from '../../common/child-signal.ts';
import type { Reply } from '../router.ts';

/** Who is to answer, and where it listens. */
export type Addressee = { readonly id: string; readonly url: string };

/**
 * null: the replica did not answer, or somebody else did: an address is used again, and a grant may only come from the one that waits for
 * it before a handover. Rejects only when `signal` aborts.
 */
export type Forward = (to: Addressee, path: string, timeoutMs: number, signal: AbortSignal) => Promise<Reply | null>;

export type Forwarding = { readonly forward: Forward; close(): Promise<void> };

/** Says that the question has come from another replica: it is not passed on once more. */
export const FORWARDED = 'leadergroup-forwarded';

/** In every answer of the gate: id of the replica that gave it. */
export const REPLICA = 'leadergroup-replica';

const CONNECT_MS = 500;
/** Beyond the time for which the other replica lets the question wait. */
const SLACK_MS = 1000;
const KEEP_ALIVE_MS = 10_000;

export function createForwarding(self: string): Forwarding {
  const dispatcher = new Agent({ connect: { timeout: CONNECT_MS }, keepAliveTimeout: KEEP_ALIVE_MS, pipelining: 1 });
  const forward: Forward = async ({ id, url }, path, timeoutMs, signal) => {
    using limit = childSignal(signal);
    const timer = setTimeout(() => limit.abort(new Error('the other replica did not answer')), timeoutMs + SLACK_MS);
    try {
      const { statusCode, headers, body } = await request(`${url}${path}`, {
        dispatcher,
        signal: limit.signal,
        headers: { [FORWARDED]: self },
      });
      if (headers[REPLICA] !== id) {
        body.once('error', () => undefined).destroy();
        return null;
      }
      const text = await body.text();
      JSON.parse(text);
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
