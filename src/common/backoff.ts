/** How long to wait after failures in a row. Every growing pause of the operator is one of these. */

export type Backoff = {
  /** Milliseconds after the first failure; each further one doubles them. */
  readonly firstMs: number;
  /** They grow no longer than this. */
  readonly lastMs: number;
  /** The part of a pause, 0 to 1, that chance may take off, so that those who failed together do not come back together; default 0. */
  readonly jitter?: number;
};

/** From here on a pause is at `lastMs` whatever it began with, and 2 to the power of it is still finite. */
const MOST_DOUBLINGS = 50;

/**
 * Milliseconds to wait after `failures` failures in a row; none after none. Pure.
 *
 * @param random uniform in [0, 1)
 */
export function backoffMs(failures: number, { firstMs, lastMs, jitter = 0 }: Backoff, random = 0): number {
  if (failures < 1) return 0;
  const full = Math.min(lastMs, firstMs * 2 ** Math.min(failures - 1, MOST_DOUBLINGS));
  return full * (1 - random * jitter);
}
