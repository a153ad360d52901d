import { getEventListeners } from 'node:events';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createClock, createRandom } from '../../src/clock.ts';

const clock = createClock();

describe('the clock', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it('counts up, whatever the wall clock does', () => {
    const before = clock.nowMs();
    vi.setSystemTime(0);
    expect(clock.wallMs()).toBe(0);
    vi.advanceTimersByTime(250);
    expect(clock.nowMs() - before).toBe(250);
  });

  it('calls back once, and not at all when cancelled, which may be twice', () => {
    const called: string[] = [];
    clock.after(100, () => called.push('kept'));
    const cancel = clock.after(100, () => called.push('cancelled'));
    cancel();
    cancel();
    vi.advanceTimersByTime(1000);
    expect(called).toEqual(['kept']);
  });

  it.each([0, -5, 99])('calls back after %i ms, never before it returns', (delayMs) => {
    const callback = vi.fn();
    clock.after(delayMs, callback);
    expect(callback).not.toHaveBeenCalled();
    vi.advanceTimersByTime(Math.max(1, delayMs));
    expect(callback).toHaveBeenCalledOnce();
  });

  it('does not call back at once what is a month away', () => {
    const callback = vi.fn();
    clock.after(31 * 86_400_000, callback);
    vi.advanceTimersByTime(86_400_000);
    expect(callback).not.toHaveBeenCalled();
  });

  it('sleeps, and leaves no listener behind', async () => {
    const { signal } = new AbortController();
    const slept = clock.sleep(100, signal);
    vi.advanceTimersByTime(100);
    await slept;
    expect(getEventListeners(signal, 'abort')).toEqual([]);
  });

  it('wakes when aborted, with the reason and without a timer', async () => {
    const abort = new AbortController();
    const slept = clock.sleep(100, abort.signal);
    abort.abort('enough');
    await expect(slept).rejects.toBe('enough');
    expect(vi.getTimerCount()).toBe(0);
  });

  it('does not begin to sleep when aborted before', async () => {
    await expect(clock.sleep(100, AbortSignal.abort('enough'))).rejects.toBe('enough');
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe('randomness', () => {
  it('is within [0, 1) and never unique twice', () => {
    const random = createRandom();
    const numbers = Array.from({ length: 100 }, () => random.next());
    expect(numbers.every((number) => number >= 0 && number < 1)).toBe(true);
    expect(new Set(numbers).size).toBeGreaterThan(90);
    expect(new Set(Array.from({ length: 100 }, () => random.unique())).size).toBe(100);
  });
});
