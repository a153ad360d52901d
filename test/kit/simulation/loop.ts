/** Virtual time: everything that happens, in one order. Nothing waits for the machine's own clock. */
import { settle } from '../fakes/clock.ts';

export type Loop = {
  nowMs(): number;
  /** Calls back after `delayMs`, after everything that was put there for the same moment before. Returns what cancels it. */
  after(delayMs: number, callback: () => void): () => void;
  /**
   * Lets everything happen that is due until then, each with all that follows from it without time. Throws when time does not get
   * on for all that happens: something runs hot.
   */
  runUntil(untilMs: number): Promise<void>;
  /** Events so far. */
  steps(): number;
};

/** Far more than three replicas at their busiest. */
const HOT_STEPS = 20_000;
const HOT_MS = 100;

type Entry = { readonly atMs: number; readonly order: number; callback: (() => void) | null };

export function createLoop(): Loop {
  const heap: Entry[] = [];
  let nowMs = 0;
  let order = 0;
  let steps = 0;

  const before = (a: Entry, b: Entry): boolean => a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
  const at = (index: number): Entry => heap[index] as Entry;

  function push(entry: Entry): void {
    heap.push(entry);
    for (let index = heap.length - 1; index > 0; ) {
      const parent = (index - 1) >> 1;
      if (!before(at(index), at(parent))) return;
      [heap[index], heap[parent]] = [at(parent), at(index)];
      index = parent;
    }
  }

  function pop(): Entry {
    const top = at(0);
    const last = heap.pop() as Entry;
    if (heap.length > 0) heap[0] = last;
    for (let index = 0; ; ) {
      const [left, right] = [2 * index + 1, 2 * index + 2];
      let least = index;
      if (left < heap.length && before(at(left), at(least))) least = left;
      if (right < heap.length && before(at(right), at(least))) least = right;
      if (least === index) return top;
      [heap[index], heap[least]] = [at(least), at(index)];
      index = least;
    }
  }

  return {
    nowMs: () => nowMs,
    after: (delayMs, callback) => {
      order += 1;
      const entry: Entry = { atMs: nowMs + Math.max(0, delayMs), order, callback };
      push(entry);
      return () => {
        entry.callback = null;
      };
    },
    runUntil: async (untilMs) => {
      await settle();
      let sinceMs = nowMs;
      let stepsBefore = steps;
      while (heap.length > 0 && at(0).atMs <= untilMs) {
        const { atMs, callback } = pop();
        if (callback === null) continue;
        nowMs = atMs;
        steps += 1;
        if (nowMs >= sinceMs + HOT_MS) [sinceMs, stepsBefore] = [nowMs, steps];
        else if (steps - stepsBefore > HOT_STEPS)
          throw new Error(`hot: ${HOT_STEPS} steps within ${HOT_MS} ms from ${sinceMs} on`);
        callback();
        await settle();
      }
      nowMs = untilMs;
    },
    steps: () => steps,
  };
}
