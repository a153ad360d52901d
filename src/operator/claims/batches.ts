/**
 * Requests that go together. Whatever comes goes at once while few are under way, and otherwise with all that wait as well. So nobody waits for company,
 * and the busier it is the more go together.
 */

export type Batches<T, R> = {
  /** `urgent`: before all that are not. Rejects as the batch does. */
  add(item: T, urgent?: boolean): Promise<R>;
};

export type BatchesOptions<T, R> = {
  /** Batches under way. */
  readonly atOnce: number;
  /** Who shares a queue: each has its turn, however long the others' queues are. */
  readonly laneOf: (item: T) => string;
  /** Of a new batch: whether one more still fits, which then goes with it. The first always does. */
  readonly room: () => (item: T) => boolean;
  /**
   * Gives one result for each, in order; `again` has the item go once more with the others of its batch that do, and with no newcomer: one of
   * those that fails each time would hold them up without end.
   */
  readonly run: (items: readonly T[]) => Promise<readonly (R | 'again')[]>;
};

type Entry<T, R> = { readonly item: T; readonly settled: PromiseWithResolvers<R> };

/** By lane, those whose turn comes next first; none is empty. */
type Ring<T, R> = Map<string, Entry<T, R>[]>;

export function createBatches<T, R>({ atOnce, laneOf, room, run }: BatchesOptions<T, R>): Batches<T, R> {
  const urgentOnes: Ring<T, R> = new Map();
  const others: Ring<T, R> = new Map();
  let underWay = 0;

  function take(): readonly Entry<T, R>[] {
    const fits = room();
    const taken: Entry<T, R>[] = [];
    for (const ring of [urgentOnes, others]) {
      for (const [lane, queue] of ring) {
        const full = queue.findIndex(({ item }) => !fits(item));
        const left = full === -1 ? [] : queue.splice(full);
        taken.push(...queue);
        if (queue.length > 0) ring.delete(lane);
        // Behind the others, unless it has not had its turn.
        if (left.length > 0) ring.set(lane, left);
        if (left.length > 0) return taken;
      }
    }
    return taken;
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
    underWay += 1;
    for (let taken = take(); taken.length > 0; taken = take()) await settle(taken);
    underWay -= 1;
  }

  return {
    add: (item, urgent = false) => {
      const entry = { item, settled: Promise.withResolvers<R>() };
      const [ring, lane] = [urgent ? urgentOnes : others, laneOf(item)];
      const queue = ring.get(lane);
      if (queue === undefined) ring.set(lane, [entry]);
      else queue.push(entry);
      if (underWay < atOnce) void work();
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
