/** Waiting for something to change, in whoever waits at the gate. */
import { whenAborted } from '../../common/child-signal.ts';
import type { ChangeWatch } from '../../ports/change-watch.ts';
import type { Clock } from '../../ports/clock.ts';

/**
 * True at the first change of any; false when the time is over or `signal` aborts. Thousands do this at the same moment, so it is done with as
 * little as possible.
 */
export async function changedWithin(
  clock: Clock,
  watches: readonly ChangeWatch[],
  ms: number,
  signal: AbortSignal,
): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  for (const { changed } of watches) void changed.then(() => resolve(true));
  const cancel = clock.after(ms, () => resolve(false));
  const listening = whenAborted(signal, () => resolve(false));
  try {
    return await promise;
  } finally {
    cancel();
    listening[Symbol.dispose]();
  }
}
