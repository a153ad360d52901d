/** Time and chance as they really are. Only main.ts uses them; everything else is given its ports. */
import { wallMs } from './api/clocks.ts';
import type { Clock, Random } from './ports/clock.ts';

/** Beyond this Node's timers fire at once. A later moment calls back early, after 24 days; whoever waits looks again. */
const MAX_DELAY_MS = 2 ** 31 - 1;

const after: Clock['after'] = (delayMs, callback) => {
  const timer = setTimeout(callback, Math.min(Math.max(0, delayMs), MAX_DELAY_MS));
  return () => clearTimeout(timer);
};

/** As the Clock port says, on any `after`; the signal keeps nothing of a sleep that is over. */
export function sleepOn(on: Clock['after'], delayMs: number, signal: AbortSignal): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  if (signal.aborted) {
    reject(signal.reason);
    return promise;
  }
  const abort = (): void => {
    cancel();
    reject(signal.reason);
  };
  const cancel = on(delayMs, () => {
    signal.removeEventListener('abort', abort);
    resolve();
  });
  signal.addEventListener('abort', abort, { once: true });
  return promise;
}

export const createClock = (): Clock => ({
  nowMs: () => performance.now(),
  wallMs: () => wallMs(Date.now()),
  after,
  sleep: (delayMs, signal) => sleepOn(after, delayMs, signal),
});

export const createRandom = (): Random => ({
  next: () => Math.random(),
  unique: () => crypto.randomUUID(),
});
