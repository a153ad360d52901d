/** Whether this process stood still: what it did not hear meanwhile nobody need have failed to say. */
import type { MonotonicMs } from '../../api/clocks.ts';
import type { Clock } from '../../ports/clock.ts';

export type Stalls = {
  /** Looks often enough to notice a stall of half of this period, until it is disposed of. Nothing runs while nobody watches. */
  watch(periodMs: number): Disposable;
  /** When the last stall of at least this long ended; one that may not be over counts as ending now. null: there was none. */
  lastMs(ofMs: number): MonotonicMs | null;
};

const LOOKS_PER_PERIOD = 4;
/** The longest of the later ones are kept. */
const KEPT = 32;

export function createStalls(clock: Pick<Clock, 'nowMs' | 'after'>): Stalls {
  /** By period, how many watch it. */
  const watched = new Map<number, number>();
  /** The latest last, each shorter than all before it. */
  let stalls: readonly { readonly endMs: MonotonicMs; readonly lastedMs: number }[] = [];
  let lookedMs: MonotonicMs = clock.nowMs();
  let cancel: (() => void) | null = null;

  const everyMs = (): number => Math.min(...watched.keys()) / LOOKS_PER_PERIOD;

  function look(): void {
    cancel?.();
    const nowMs = clock.nowMs();
    const lastedMs = nowMs - lookedMs;
    if (lastedMs >= 2 * everyMs())
      stalls = [...stalls.filter((stall) => stall.lastedMs > lastedMs), { endMs: nowMs, lastedMs }].slice(-KEPT);
    lookedMs = nowMs;
    cancel = clock.after(everyMs(), look);
  }

  function begin(): void {
    if (watched.size === 0) lookedMs = clock.nowMs();
    else look();
  }

  function restart(): void {
    cancel?.();
    cancel = watched.size === 0 ? null : clock.after(everyMs(), look);
  }

  return {
    watch: (periodMs) => {
      begin();
      watched.set(periodMs, (watched.get(periodMs) ?? 0) + 1);
      restart();
      return {
        [Symbol.dispose]: () => {
          const left = (watched.get(periodMs) ?? 1) - 1;
          if (left > 0) watched.set(periodMs, left);
          else watched.delete(periodMs);
          restart();
        },
      };
    },
    lastMs: (ofMs) => {
      if (watched.size > 0 && clock.nowMs() - lookedMs >= ofMs) return clock.nowMs();
      return stalls.findLast(({ lastedMs }) => lastedMs >= ofMs)?.endMs ?? null;
    },
  };
}
