/** The Consul port over a real Consul. Nothing outside this folder knows Consul's HTTP API. */
import type { Consul } from '../ports/consul.ts';
import { createCaller, type RequestReport } from './caller.ts';
import { createKeys } from './keys.ts';
import { createSessions } from './sessions.ts';
import { createTransport, type TransportOptions } from './transport.ts';

export type ConsulOptions = TransportOptions & {
  /** For a request that Consul answers at once. Blocking reads add their wait and what Consul may add to it. */
  readonly requestTimeoutMs: number;
  /** The operator's own key prefix without a trailing slash: names the ACL rule to add when a right is missing. */
  readonly prefix: string;
  /** Told of every request when it is over, failed and aborted ones too. Must not throw. */
  readonly onRequest?: (report: RequestReport) => void;
  /** Monotonic milliseconds. Default: the process's own clock. */
  readonly nowMs?: () => number;
};

export type ConsulClient = Consul & {
  /** Ends every connection: requests under way fail with a ConsulError. */
  close(): void;
};

/**
 * Connects to nothing yet.
 *
 * **Throws** (every method): ConsulError, whose kind says whether anything was applied; nothing is ever retried here.
 * **Cancellation**: a method rejects with its signal's reason at once; a write may still be applied, and Consul keeps an
 * aborted blocking read until its wait is over.
 */
export function createConsul(options: ConsulOptions): ConsulClient {
  const nowMs = options.nowMs ?? (() => performance.now());
  const transport = createTransport(options, nowMs);
  const call = createCaller(transport, {
    address: options.address,
    keyPrefix: `${options.prefix}/`,
    requestTimeoutMs: options.requestTimeoutMs,
    onRequest: options.onRequest ?? (() => undefined),
    nowMs,
  });
  return { ...createSessions(call), ...createKeys(call, `${options.prefix}/`), close: () => transport.close() };
}

export type { RequestReport } from './caller.ts';
export type { ConsulTls } from './credentials.ts';
