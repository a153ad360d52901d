/**
 * The calls on one series, one after the other. Of those that wait the one with the lowest position goes next: where a later position is given
 * first, the earlier one has passed.
 */
import { whenAborted } from '../../common/child-signal.ts';

export type Turn<T> = {
  readonly position: number;
  readonly work: () => Promise<T>;
  /** Whoever asks has gone: what waits is never begun, and what has begun goes on unheard. */
  readonly signal: AbortSignal;
  /** What it does wakes others: they are let in before the next begins. */
  readonly wakes: boolean;
};

export type SeriesTurns = {
  /** Settles as `work` does; rejects with the signal's reason when that aborts first. */
  take<T>(series: string, turn: Turn<T>): Promise<T>;
};

type Waiting = { readonly position: number; readonly wakes: boolean; readonly begin: () => Promise<void> };

/** `letIn`: resolves when those that were woken have taken their turns. */
export function createSeriesTurns(letIn: () => Promise<void>): SeriesTurns {
  /** By series of which one is under way: those that wait, the lowest position first. */
  const queues = new Map<string, Waiting[]>();

  async function runAll(series: string, queue: Waiting[]): Promise<void> {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      await next.begin();
      if (next.wakes) await letIn();
    }
    queues.delete(series);
  }

  function enqueue(series: string, entry: Waiting): void {
    const queue = queues.get(series) ?? [];
    queue.splice(queue.findLastIndex(({ position }) => position <= entry.position) + 1, 0, entry);
    if (queues.has(series)) return;
    queues.set(series, queue);
    void runAll(series, queue);
  }

  function leave(series: string, entry: Waiting): void {
    const queue = queues.get(series) ?? [];
    const at = queue.indexOf(entry);
    if (at !== -1) queue.splice(at, 1);
  }

  return {
    take: async <T>(series: string, { position, work, signal, wakes }: Turn<T>): Promise<T> => {
      signal.throwIfAborted();
      const { promise, resolve, reject } = Promise.withResolvers<T>();
      const entry = { position, wakes, begin: () => work().then(resolve, reject) };
      using _ = whenAborted(signal, () => {
        leave(series, entry);
        reject(signal.reason);
      });
      enqueue(series, entry);
      return await promise;
    },
  };
}
