/** An AbortSignal that ends with its parent or when time runs out, whichever is first. */
import type { Clock } from '../../ports/clock.ts';

export type TimeLimit = {
  readonly signal: AbortSignal;
  /** Time ran out before the parent was aborted. */
  expired(): boolean;
  /** Starts anew: time runs out `limitMs` from now. A later moment costs no new timer, so call it as often as you like. */
  extend(limitMs: number): void;
  /** Leaves no timer and no listener behind. May be called twice. */
  end(): void;
};

/** Not AbortSignal.any: the clock is injected, and the parent may live as long as the process. */
export function createTimeLimit(clock: Clock, limitMs: number, parent: AbortSignal): TimeLimit {
  const controller = new AbortController();
  let deadlineMs = clock.nowMs() + limitMs;
  let expired = false;
  let timer = { dueMs: deadlineMs, cancel: (): void => undefined };

  const arm = (): void => {
    timer.cancel();
    timer = { dueMs: deadlineMs, cancel: clock.after(deadlineMs - clock.nowMs(), check) };
  };
  const check = (): void => {
    if (clock.nowMs() < deadlineMs) {
      arm();
      return;
    }
    expired = true;
    controller.abort(new Error('time ran out'));
  };
  const abort = (): void => controller.abort(parent.reason);

  parent.addEventListener('abort', abort, { once: true });
  if (parent.aborted) abort();
  else arm();

  return {
    signal: controller.signal,
    expired: () => expired,
    extend: (ms) => {
      deadlineMs = clock.nowMs() + ms;
      if (deadlineMs < timer.dueMs) arm();
    },
    end: () => {
      timer.cancel();
      parent.removeEventListener('abort', abort);
    },
  };
}
