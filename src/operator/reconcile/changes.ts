/** Wakes whoever waits for something about a group to change. Tells nothing but that it is worth looking again. */

import type { ChangeWatch } from '../../ports/change-watch.ts';
import type { Clock } from '../../ports/clock.ts';

export type Changes = {
  /** Something about the group may be different now. */
  tell(key: string): void;
  /**
   * As `tell`, unless `signature` gives what it gave the last time (null: the group is gone); to be called after every pass, and with every
   * answer. Not asked where nobody ever watched.
   */
  notifyNews(key: string, signature: () => string | null): void;
  /** The group is gone: nothing is kept of it. */
  forget(key: string): void;
  watch(key: string): ChangeWatch;
};

/** So many answers are worked out in a row; then timers and sockets get their turn, for thousands may watch one group. */
const AT_ONCE = 100;

/** Without a clock everybody is woken at once. */
export function createChanges(clock?: Pick<Clock, 'after'>): Changes {
  const watches = new Map<string, Set<() => void>>();
  /** By key that was ever watched: how the last pass has left it. */
  const signatures = new Map<string, string>();
  const tell = (key: string): void => {
    const listeners = watches.get(key);
    if (listeners !== undefined) wakeFrom(listeners, [...listeners], 0);
  };

  function wakeFrom(listeners: ReadonlySet<() => void>, woken: readonly (() => void)[], first: number): void {
    const end = clock === undefined ? woken.length : first + AT_ONCE;
    for (const wake of woken.slice(first, end)) if (listeners.has(wake)) wake();
    if (end < woken.length) clock?.after(0, () => wakeFrom(listeners, woken, end));
  }

  return {
    tell,
    notifyNews: (key, signature) => {
      if (!watches.has(key) && !signatures.has(key)) return;
      const now = signature();
      if (now !== null && signatures.get(key) === now) return;
      if (now === null) signatures.delete(key);
      else signatures.set(key, now);
      tell(key);
    },
    forget: (key) => void signatures.delete(key),
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
