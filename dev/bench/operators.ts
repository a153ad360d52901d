/** Processes that are started while something is measured, and that none outlives, whenever the end comes. */

export type Started<T> = AsyncDisposable & {
  /** Rejects once all are being ended. */
  start(one: () => Promise<T>): Promise<T>;
};

/** What is just being started when the end comes is waited for, and ended too. */
export function startedProcesses<T extends AsyncDisposable>(): Started<T> {
  const all = new Set<Promise<T>>();
  let over = false;
  return {
    start: (one) => {
      if (over) return Promise.reject(new Error('nothing is started any more: all is being ended'));
      const starting = one();
      all.add(starting);
      return starting;
    },
    [Symbol.asyncDispose]: async () => {
      over = true;
      const settled = await Promise.allSettled(all);
      const started = settled.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
      await Promise.all(started.map((each) => each[Symbol.asyncDispose]()));
    },
  };
}
