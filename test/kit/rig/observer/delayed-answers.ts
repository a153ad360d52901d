/** Whether what Consul answers an observer may have been kept back, by what a test does to Consul. */

/** A read that is sent so soon afterwards may meet servers that do not know yet who leads. */
const TROUBLE_LAG_MS = 5000;

/**
 * A frozen server, or one that asks a frozen leader, keeps the observer's answers back; so does one that waits for the next leader, by a
 * second and more: by then the operator, whose transaction met the new leader first, has promoted.
 */
export function createDelayedAnswers() {
  let overMs = Number.NEGATIVE_INFINITY;
  return {
    begins: () => {
      overMs = Number.POSITIVE_INFINITY;
    },
    ends: () => {
      overMs = performance.now();
    },
    heldBack: (sentMs: number) => sentMs < overMs + TROUBLE_LAG_MS,
  };
}

export type DelayedAnswers = ReturnType<typeof createDelayedAnswers>;
