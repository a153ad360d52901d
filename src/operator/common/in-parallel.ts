/**
 * Works on the items, at most `atOnce` at a time. After the first error no further item is begun; it rejects with that
 * error once everything begun has ended, so that nothing goes on behind the caller's back. `done` is called for each item that is over.
 */
export async function inParallel<T, R>(
  items: readonly T[],
  atOnce: number,
  work: (item: T) => Promise<R>,
  done: () => void = () => undefined,
): Promise<readonly R[]> {
  const results: R[] = [];
  const errors: unknown[] = [];
  const queue = items[Symbol.iterator]();
  const worker = async (): Promise<void> => {
    for (const item of queue) {
      if (errors.length > 0) return;
      await work(item).then(
        (result) => results.push(result),
        (error: unknown) => errors.push(error),
      );
      done();
    }
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, items.length) }, worker));
  if (errors.length > 0) throw errors[0];
  return results;
}
