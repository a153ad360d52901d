import { describe, expect, it } from 'vitest';
import { retryDelayMs } from '../../../../src/kubernetes/reflector/backoff.ts';

describe('backoff', () => {
  it('doubles from 100 ms to 5 s', () => {
    expect([0, 1, 2, 3, 4, 5, 6, 7, 8, 1000].map((failures) => retryDelayMs(failures, null, 0))).toEqual([
      0, 100, 200, 400, 800, 1600, 3200, 5000, 5000, 5000,
    ]);
  });

  it('is shortened by chance, by a half at most', () => {
    expect(retryDelayMs(7, null, 0.999_999)).toBeCloseTo(2500, 1);
  });

  it('is as long as the server asks, up to a minute', () => {
    expect(retryDelayMs(1, 7000, 0)).toBe(7000);
    expect(retryDelayMs(0, 7000, 0.9)).toBe(7000);
    expect(retryDelayMs(7, 10, 0)).toBe(5000);
    expect(retryDelayMs(1, Number.MAX_VALUE, 0)).toBe(60_000);
    expect(retryDelayMs(1, -5, 0)).toBe(100);
  });
});
