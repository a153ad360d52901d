/** A token bucket. */
import type { Clock } from '../../ports/clock.ts';

export type RateLimit = {
  /** Whether one more may go now. If not, `later` is called once when one may. */
  take(later: () => void): boolean;
  /** Leaves no timer behind. */
  end(): void;
};

export function createRateLimit(rate: { readonly perSecond: number; readonly burst: number }, clock: Clock): RateLimit {
  let tokens = rate.burst;
  let filledMs = clock.nowMs();
  let cancel: (() => void) | null = null;

  const fill = (): void => {
    const nowMs = clock.nowMs();
    tokens = Math.min(rate.burst, tokens + ((nowMs - filledMs) / 1000) * rate.perSecond);
    filledMs = nowMs;
  };

  return {
    take: (later) => {
      fill();
      if (tokens >= 1) {
        tokens -= 1;
        return true;
      }
      const waitMs = Math.ceil(((1 - tokens) / rate.perSecond) * 1000);
      cancel ??= clock.after(waitMs, () => {
        cancel = null;
        later();
      });
      return false;
    },
    end: () => {
      cancel?.();
      cancel = null;
    },
  };
}
