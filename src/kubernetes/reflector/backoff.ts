/** How long to wait after failed requests in a row, with what the server itself asks for. Pure. */
import { type Backoff, backoffMs } from '../../common/backoff.ts';

const RETRY: Backoff = { firstMs: 100, lastMs: 5000, jitter: 1 / 2 };
/** A server may ask for patience, not for ever. */
const MAX_RETRY_AFTER_MS = 60_000;

/**
 * Milliseconds to wait after `failures` failures in a row: none after none, then 100, 200, ... 5,000, each by chance
 * shortened by up to a half so that replicas do not come back together; at least what the server asked for, up to a minute.
 *
 * @param random uniform in [0, 1)
 */
export function retryDelayMs(failures: number, retryAfterMs: number | null, random: number): number {
  const asked = Math.min(Math.max(0, retryAfterMs ?? 0), MAX_RETRY_AFTER_MS);
  return Math.max(asked, backoffMs(failures, RETRY, random));
}
