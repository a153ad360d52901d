import { describe, expect, it } from 'vitest';
import { createTimeLimit } from '../../../../src/kubernetes/client/time-limit.ts';
import { createFakeClock } from '../../../kit/fakes/clock.ts';

function setUp(limitMs: number) {
  const clock = createFakeClock();
  const parent = new AbortController();
  return { clock, parent, limit: createTimeLimit(clock, limitMs, parent.signal) };
}

describe('a time limit', () => {
  it('ends when its time is over', async () => {
    const { clock, limit } = setUp(100);
    await clock.advance(99);
    expect(limit.signal.aborted).toBe(false);
    await clock.advance(1);
    expect(limit.signal.aborted).toBe(true);
    expect(limit.expired()).toBe(true);
  });

  it.each([
    ['later', 500],
    ['sooner', 20],
  ])('ends %s when told so', async (_, milliseconds) => {
    const { clock, limit } = setUp(100);
    await clock.advance(10);
    limit.extend(milliseconds);
    await clock.advance(milliseconds - 1);
    expect(limit.signal.aborted).toBe(false);
    await clock.advance(1);
    expect(limit.expired()).toBe(true);
    expect(clock.pending()).toBe(0);
  });

  it("ends with its parent, for the parent's reason", async () => {
    const { clock, parent, limit } = setUp(100);
    const reason = new Error('over');
    parent.abort(reason);
    expect(limit.signal.reason).toBe(reason);
    limit.end();
    await clock.advance(200);
    expect(limit.expired()).toBe(false);
  });

  it('has ended when its parent had, without a timer', () => {
    const clock = createFakeClock();
    const limit = createTimeLimit(clock, 100, AbortSignal.abort());
    expect(limit.signal.aborted).toBe(true);
    expect(clock.pending()).toBe(0);
  });

  it('leaves nothing behind when it is no longer needed', async () => {
    const { clock, parent, limit } = setUp(100);
    limit.end();
    limit.end();
    expect(clock.pending()).toBe(0);
    parent.abort();
    expect(limit.signal.aborted).toBe(false);
  });
});
