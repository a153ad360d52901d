/**
 * Keeps the access to the API server fresh: tokens rotate, certificates are renewed, plugins fail. One reading at a time,
 * whoever asks, and a reading that fails costs nothing while the last one is still good.
 */
import { type Clock } from '../../ports/clock.ts';
import type { Log } from '../../ports/log.ts';
import { type Access, type AccessReader, sameAccess } from './access.ts';

/** A pod's token is replaced long before it ends, so this is soon enough. */
const FRESH_MS = 30_000;
/** Up to this age a request takes what there is and leaves the reading to the background: a demotion must not wait for a plugin. */
const USABLE_MS = 300_000;
/** For files and plugins together. */
const READ_TIMEOUT_MS = 10_000;
/** After a reading that failed or that a 401 asked for: a server that refuses everybody must not start a plugin each time. */
const GAP_MS = 2_000;

export type Credentials = {
  /** Rejects only when there has never been any, or with the signal's reason. */
  current(signal: AbortSignal): Promise<Access>;
  /** What was read last; null before that. */
  latest(): Access | null;
  /** The server answered 401 to `used`: other credentials, read from scratch; null when there are none. */
  renewed(used: Access, signal: AbortSignal): Promise<Access | null>;
};

export type CredentialOptions = {
  /** Opens the configuration from scratch: again after each 401, since the kubeconfig itself may have been replaced. */
  readonly open: () => Promise<AccessReader>;
  readonly clock: Clock;
  readonly log: Log;
};

type Known = { readonly access: Access; readonly readMs: number };

export function createCredentials({ open, clock, log }: CredentialOptions): Credentials {
  let reader: AccessReader | null = null;
  let known: Known | null = null;
  let flight: Promise<Access> | null = null;
  let notBeforeMs = Number.NEGATIVE_INFINITY;
  let lastError: unknown = null;

  async function read(): Promise<Access> {
    try {
      reader ??= await open();
      const access = await within(clock, READ_TIMEOUT_MS, reader());
      known = { access, readMs: clock.nowMs() };
      return access;
    } catch (error) {
      notBeforeMs = clock.nowMs() + GAP_MS;
      lastError = error;
      throw error;
    } finally {
      flight = null;
    }
  }

  /** null: none is under way, and it is too early for another. */
  function reading(): Promise<Access> | null {
    if (flight === null && clock.nowMs() >= notBeforeMs) flight = read();
    return flight;
  }

  async function first(signal: AbortSignal): Promise<Access> {
    const started = reading();
    if (started === null) throw lastError;
    return await abortable(started, signal);
  }

  /** The latest access if reading it works out, else the last one. Never rejects. */
  async function again(last: Access): Promise<Access> {
    try {
      return (await reading()) ?? last;
    } catch (error) {
      log.warn({ error }, 'reloading the credentials for the API server failed; the previous ones stay in use');
      return last;
    }
  }

  return {
    latest: () => known?.access ?? null,
    current: async (signal) => {
      signal.throwIfAborted();
      if (known === null) return await first(signal);
      const { access, readMs } = known;
      const ageMs = clock.nowMs() - readMs;
      if (ageMs < FRESH_MS) return access;
      const refreshed = again(access);
      return ageMs < USABLE_MS ? access : await abortable(refreshed, signal);
    },
    renewed: async (used, signal) => {
      if (known !== null && !sameAccess(known.access, used)) return known.access;
      if (flight === null && clock.nowMs() >= notBeforeMs) {
        reader = null;
        flight = read();
        notBeforeMs = clock.nowMs() + GAP_MS;
      }
      const latest = await abortable(again(used), signal);
      return sameAccess(latest, used) ? null : latest;
    },
  };
}

async function within<T>(clock: Clock, timeoutMs: number, work: Promise<T>): Promise<T> {
  const timeout = Promise.withResolvers<never>();
  const cancel = clock.after(timeoutMs, () => {
    timeout.reject(new Error(`reading the credentials for the API server took more than ${timeoutMs} ms`));
  });
  try {
    return await Promise.race([work, timeout.promise]);
  } finally {
    cancel();
  }
}

/** Waits no longer than the signal allows; the work goes on for whoever else waits for it. */
async function abortable<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const aborted = Promise.withResolvers<never>();
  const abort = (): void => aborted.reject(signal.reason);
  signal.addEventListener('abort', abort, { once: true });
  try {
    return await Promise.race([work, aborted.promise]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}
