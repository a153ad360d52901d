/** Wakes whoever waits for something about a group to change. Tells nothing but that it is worth looking again. */

/** To be disposed of. */
export type ChangeWatch = Disposable & {
  /** Resolves with the first `tell` since the watch was made; never after it was disposed of. */
  readonly changed: Promise<void>;
};

export type Changes = {
  /** Something about the group may be different now. */
  tell(key: string): void;
  watch(key: string): ChangeWatch;
};

export function createChanges(): Changes {
  const watches = new Map<string, Set<() => void>>();
  return {
    tell: (key) => {
      for (const wake of watches.get(key) ?? []) wake();
    },
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
