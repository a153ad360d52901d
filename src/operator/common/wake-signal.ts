/** Wakes one loop: at once, or after a time; however often it rang, the loop is woken once. */
import type { MonotonicMs } from '../../api/clocks.ts';
import type { Clock } from '../../ports/clock.ts';

export type WakeSignal = {
  ring(): void;
  /** Of several times the earliest counts. */
  notifyAfter(delayMs: number): void;
  /** Resolves when it has rung since the last wait ended, or when aborted. Then no time is pending. */
  rung(signal: AbortSignal): Promise<void>;
};

export function createWakeSignal(clock: Clock): WakeSignal {
  let pending = false;
  let waiting: (() => void) | null = null;
  let timer: { readonly atMs: MonotonicMs; readonly cancel: () => void } | null = null;

  function ring(): void {
    pending = true;
    waiting?.();
  }

  function answer(): void {
    pending = false;
    timer?.cancel();
    timer = null;
  }

  return {
    ring,
    notifyAfter: (delayMs) => {
      const atMs = clock.nowMs() + delayMs;
      if (timer !== null && timer.atMs <= atMs) return;
      timer?.cancel();
      timer = { atMs, cancel: clock.after(delayMs, ring) };
    },
    rung: async (signal) => {
      if (!pending && !signal.aborted) {
        const { promise, resolve } = Promise.withResolvers<void>();
        const end = (): void => resolve();
        waiting = end;
        signal.addEventListener('abort', end, { once: true });
        await promise;
        signal.removeEventListener('abort', end);
        waiting = null;
      }
      answer();
    },
  };
}
