/**
 * Requests that go together. The first goes at once; what comes while it is under way goes with the next one. So nobody waits for company, and
 * the busier it is the more go together.
 */

export type Batches<T, R> = {
  /** `urgent`: before all that are not. Rejects as the batch does. */
  add(item: T, urgent?: boolean): Promise<R>;
};

type Entry<T, R> = { readonly item: T; readonly urgent: boolean; readonly settled: PromiseWithResolvers<R> };

/**
 * `fits`: whether one more may go with these. `run`: gives one result for each, in order; `again` has the item go once more with the others of its
 * batch that do, and with no newcomer: one of those that fails each time would hold them up without end.
 */
export function createBatches<T, R>(
  fits: (items: readonly T[], next: T) => boolean,
  run: (items: readonly T[]) => Promise<readonly (R | 'again')[]>,
): Batches<T, R> {
  /** The urgent ones first. */
  const waiting: Entry<T, R>[] = [];
  let busy = false;

  function take(): readonly Entry<T, R>[] {
    const items: T[] = [];
    for (const { item } of waiting) {
      if (items.length > 0 && !fits(items, item)) break;
      items.push(item);
    }
    return waiting.splice(0, items.length);
  }

  async function settle(taken: readonly Entry<T, R>[]): Promise<void> {
    let left = taken;
    try {
      while (left.length > 0) {
        const again = settled(left, await run(left.map(({ item }) => item)));
        if (again.length === left.length) throw new Error('of a batch nothing was settled, and nobody is to blame');
        left = again;
      }
    } catch (error) {
      for (const { settled: each } of left) each.reject(error);
    }
  }

  async function work(): Promise<void> {
    busy = true;
    while (waiting.length > 0) await settle(take());
    busy = false;
  }

  return {
    add: (item, urgent = false) => {
      const entry = { item, urgent, settled: Promise.withResolvers<R>() };
      const firstOther = urgent ? waiting.findIndex((other) => !other.urgent) : -1;
      waiting.splice(firstOther === -1 ? waiting.length : firstOther, 0, entry);
      if (!busy) void work();
      return entry.settled.promise;
    },
  };
}

/** Those that go again. */
function settled<T, R>(entries: readonly Entry<T, R>[], results: readonly (R | 'again')[]): readonly Entry<T, R>[] {
  return entries.filter((entry, at) => {
    const result = results[at];
    if (result === undefined || result === 'again') return true;
    entry.settled.resolve(result);
    return false;
  });
}
