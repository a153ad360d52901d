/** How many probes one replica has under way: sockets and time are for all groups, and one with many candidates takes no more turns than another. */
import type { Clock } from '../../ports/clock.ts';

export type Turns = {
  /** A turn for this group; to be given back by a call. null: none came within `waitMs`. */
  take(key: string, waitMs: number): Promise<(() => void) | null>;
};

type Waiting = { readonly begin: () => void };

/** Groups that wait are served in a ring, one turn each. */
export function createTurns(clock: Pick<Clock, 'after'>, atOnce: number): Turns {
  /** By key, in the order in which they are served next. */
  const ring = new Map<string, Set<Waiting>>();
  let taken = 0;

  function giveBack(): void {
    const [next] = ring;
    if (next === undefined) {
      taken -= 1;
      return;
    }
    const [key, waiting] = next;
    const [first] = waiting;
    ring.delete(key);
    if (first === undefined) return giveBack();
    waiting.delete(first);
    if (waiting.size > 0) ring.set(key, waiting);
    first.begin();
  }

  function once(): () => void {
    let given = false;
    return () => {
      if (!given) giveBack();
      given = true;
    };
  }

  function wait(key: string, waitMs: number): Promise<(() => void) | null> {
    const { promise, resolve } = Promise.withResolvers<(() => void) | null>();
    const queue = ring.get(key) ?? new Set<Waiting>();
    const cancel = clock.after(waitMs, () => {
      queue.delete(waiting);
      if (queue.size === 0 && ring.get(key) === queue) ring.delete(key);
      resolve(null);
    });
    const waiting: Waiting = {
      begin: () => {
        cancel();
        resolve(once());
      },
    };
    ring.set(key, queue.add(waiting));
    return promise;
  }

  return {
    take: (key, waitMs) => {
      if (taken >= atOnce) return wait(key, waitMs);
      taken += 1;
      return Promise.resolve(once());
    },
  };
}
