/** How long to wait after failures in a row. Pure. */

const BASE_MS = 100;
const MAX_BACKOFF_MS = 5_000;
/** A server may ask for patience, not for ever. */
const MAX_RETRY_AFTER_MS = 60_000;

/**
 * Milliseconds to wait after `failures` failures in a row: none after none, then 100, 200, ... 5,000, each by chance
 * shortened by up to a half so that replicas do not come back together; at least what the server asked for, up to a minute.
 *
 * @param random uniform in [0, 1)
 */
export function backoffMs(failures: number, retryAfterMs: number | null, random: number): number {
  const asked = Math.min(Math.max(0, retryAfterMs ?? 0), MAX_RETRY_AFTER_MS);
  if (failures === 0) return asked;
  const full = Math.min(MAX_BACKOFF_MS, BASE_MS * 2 ** Math.min(failures - 1, 20));
  return Math.max(asked, full * (1 - random / 2));
}
