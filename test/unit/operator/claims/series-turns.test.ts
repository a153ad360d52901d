import { describe, expect, it } from 'vitest';
import { createSeriesTurns } from '../../../../src/operator/claims/series-turns.ts';
import { settle } from '../../../kit/fakes/clock.ts';

const LISTENS = new AbortController().signal;

/** What has begun, in its order; each goes on until it is ended. */
function aQueue() {
  const turns = createSeriesTurns(() => Promise.resolve());
  const begun: number[] = [];
  const ends = new Map<number, () => void>();
  const take = (position: number, signal = LISTENS): Promise<void> =>
    turns.take('daily-report', {
      position,
      signal,
      wakes: false,
      work: () => {
        begun.push(position);
        return new Promise((resolve) => ends.set(position, resolve));
      },
    });
  return {
    begun,
    take,
    end: async (position: number) => {
      ends.get(position)?.();
      await settle();
    },
  };
}

describe('the calls on one series', () => {
  it('are begun one after the other, the lowest position first', async () => {
    const queue = aQueue();
    for (const position of [5, 9, 7]) void queue.take(position);
    expect(queue.begun).toEqual([5]);
    await queue.end(5);
    expect(queue.begun).toEqual([5, 7]);
    await queue.end(7);
    expect(queue.begun).toEqual([5, 7, 9]);
  });

  it('are never begun for a caller that has gone while it waited', async () => {
    const queue = aQueue();
    const gone = new AbortController();
    void queue.take(5);
    const waiting = queue.take(6, gone.signal);
    void queue.take(7);
    gone.abort(new Error('gone'));
    await expect(waiting).rejects.toThrow('gone');
    await queue.end(5);
    expect(queue.begun).toEqual([5, 7]);
  });

  it('go on unheard when the caller goes that has begun: the next waits for it', async () => {
    const queue = aQueue();
    const gone = new AbortController();
    const first = queue.take(5, gone.signal);
    void queue.take(6);
    gone.abort(new Error('gone'));
    await expect(first).rejects.toThrow('gone');
    await settle();
    expect(queue.begun).toEqual([5]);
    await queue.end(5);
    expect(queue.begun).toEqual([5, 6]);
  });
});
