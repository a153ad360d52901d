/** Wakes whoever waits for something about a group to change. Tells nothing but that it is worth looking again. */

/** To be disposed of. */
export type ChangeWatch = Disposable & {
  /** Resolves with the first `tell` since the watch was made; never after it was disposed of. */
  readonly changed: Promise<void>;
};

export type Changes = {
  /** Something about the group may be different now. */
  tell(key: string): void;
  /** As `tell`, unless `signature` gives what it gave the last time; to be called after every pass. Not asked where nobody ever watched. */
  tellNews(key: string, signature: () => string): void;
  /** The group is gone: nothing is kept of it. */
  forget(key: string): void;
  watch(key: string): ChangeWatch;
};

export function createChanges(): Changes {
  const watches = new Map<string, Set<() => void>>();
  /** By key that was ever watched: how the last pass has left it. */
  const told = new Map<string, string>();
  const tell = (key: string): void => {
    for (const wake of watches.get(key) ?? []) wake();
  };
  return {
    tell,
    tellNews: (key, signature) => {
      if (!watches.has(key) && !told.has(key)) return;
      const now = signature();
      if (told.get(key) === now) return;
      told.set(key, now);
      tell(key);
    },
    forget: (key) => void told.delete(key),
    watch: (key) => {
      const { promise, resolve } = Promise.withResolvers<void>();
      const listeners = watches.get(key) ?? new Set<() => void>();
      watches.set(key, listeners.add(resolve));
      return {
        changed: promise,
        [Symbol.dispose]: () => {
          listeners.delete(resolve);
          if (listeners.size === 0 && watches.get(key) === listeners) watches.delete(key);
        },
      };
    },
  };
}
