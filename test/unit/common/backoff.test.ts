import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Backoff, backoffMs } from '../../../src/common/backoff.ts';

const someBackoff: fc.Arbitrary<Required<Backoff>> = fc
  .record({
    firstMs: fc.integer({ min: 1, max: 10_000 }),
    times: fc.integer({ min: 1, max: 1000 }),
    jitter: fc.double({ min: 0, max: 1, noNaN: true }),
  })
  .map(({ firstMs, times, jitter }) => ({ firstMs, lastMs: firstMs * times, jitter }));
const someFailures = fc.oneof(
  fc.integer({ min: 1, max: 60 }),
  fc.maxSafeNat().filter((failures) => failures > 0),
);
const chance = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });

describe('a backoff', () => {
  it('waits for nothing after no failure, and begins with its first pause', () => {
    fc.assert(
      fc.property(someBackoff, chance, (backoff, random) => {
        expect(backoffMs(0, backoff, random)).toBe(0);
        expect(backoffMs(1, backoff)).toBe(backoff.firstMs);
      }),
    );
  });

  it('doubles until it has its longest pause, and keeps that for ever', () => {
    fc.assert(
      fc.property(someBackoff, someFailures, (backoff, failures) => {
        const [now, next] = [backoffMs(failures, backoff), backoffMs(failures + 1, backoff)];
        expect(next).toBe(Math.min(now * 2, backoff.lastMs));
      }),
    );
  });

  it('is made shorter by chance, never longer, and never by more than its jitter', () => {
    fc.assert(
      fc.property(someBackoff, someFailures, chance, (backoff, failures, random) => {
        const full = backoffMs(failures, backoff);
        const pause = backoffMs(failures, backoff, random);
        expect(pause).toBeLessThanOrEqual(full);
        expect(pause).toBeGreaterThanOrEqual(full * (1 - backoff.jitter));
      }),
    );
  });
});
