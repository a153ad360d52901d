/** How much of a process whoever asks may take: so many answers within a second, and so much of its time, of which everything else there needs most. */
export type AnswerBudget = {
  /** null: it is spent; the second is to be waited for. */
  answer<T>(make: () => T): T | null;
};

const WINDOW_MS = 1000;

/** An answer that has begun is finished, however long it takes; the next one has to wait then. */
export function createAnswerBudget(
  nowMs: () => number,
  { answers, ms }: { readonly answers: number; readonly ms: number },
): AnswerBudget {
  let sinceMs = Number.NEGATIVE_INFINITY;
  let given = 0;
  let spentMs = 0;
  return {
    answer: (make) => {
      const begunMs = nowMs();
      if (begunMs - sinceMs >= WINDOW_MS) [sinceMs, given, spentMs] = [begunMs, 0, 0];
      if (given >= answers || spentMs >= ms) return null;
      given += 1;
      try {
        return make();
      } finally {
        spentMs += nowMs() - begunMs;
      }
    },
  };
}
