import { describe, expect, it } from 'vitest';
import { backoffMs } from '../../../../src/common/backoff.ts';
import { type Next, RETRY_BACKOFF, startQueue, type Turn } from '../../../../src/operator/reconcile/queue.ts';
import { createFakeClock, createFakeRandom, settle } from '../../../kit/fakes/clock.ts';

/** A queue whose passes end when a test ends them. */
function aQueue(workers = 2) {
  const clock = createFakeClock(0);
  const begun: (Turn & { key: string; atMs: number; end: (next: Next) => Promise<void> })[] = [];
  const errors: unknown[] = [];
  const atOnce = new Map<string, number>();
  const queue = startQueue({
    clock,
    random: createFakeRandom('queue', 0),
    workers,
    handle: (key, turn) => {
      atOnce.set(key, (atOnce.get(key) ?? 0) + 1);
      expect(atOnce.get(key), `passes over ${key} at once`).toBe(1);
      const { promise, resolve } = Promise.withResolvers<Next>();
      const end = async (next: Next): Promise<void> => {
        atOnce.set(key, 0);
        resolve(next);
        await settle();
      };
      begun.push({ ...turn, key, atMs: clock.nowMs(), end });
      return promise;
    },
    onError: (_key, error) => errors.push(error),
  });
  const pass = (at: number) => begun[at] ?? expect.fail(`no pass ${at}`);
  return { clock, queue, begun, errors, pass, keys: () => begun.map(({ key }) => key) };
}

const DONE: Next = { kind: 'done' };

describe('the queue', () => {
  it('works once on a key that is added ten times while it waits', async () => {
    const { queue, pass, keys } = aQueue(1);
    queue.add('busy');
    for (let i = 0; i < 10; i += 1) queue.add('a');
    expect(queue.depth()).toBe(1);
    await pass(0).end(DONE);
    await pass(1).end(DONE);
    expect(keys()).toEqual(['busy', 'a']);
  });

  it('works once more on a key that is added while it is worked on, never twice at a time', async () => {
    const { queue, pass, keys } = aQueue(4);
    queue.add('a');
    queue.add('a');
    queue.add('a');
    expect(keys()).toEqual(['a']);
    await pass(0).end(DONE);
    expect(keys()).toEqual(['a', 'a']);
    await pass(1).end(DONE);
    expect(keys()).toEqual(['a', 'a']);
  });

  it('has at most its number of workers at work, the first come first', async () => {
    const { queue, pass, keys } = aQueue(2);
    for (const key of ['a', 'b', 'c', 'd']) queue.add(key);
    expect(keys()).toEqual(['a', 'b']);
    await pass(0).end(DONE);
    expect(keys()).toEqual(['a', 'b', 'c']);
  });

  it('tells a pass when the oldest event it serves arrived', async () => {
    const { clock, queue, pass } = aQueue(1);
    queue.add('busy');
    await clock.advance(10);
    queue.add('a');
    await clock.advance(10);
    queue.add('a');
    await pass(0).end(DONE);
    await clock.advance(1);
    expect(pass(1)).toMatchObject({ sinceMs: 10 });
  });

  it('takes a break after passes that have followed one another for long, so that timers and sockets get their turn', async () => {
    const { clock, queue, pass, begun } = aQueue(1);
    queue.add('a');
    queue.add('b');
    await clock.advance(11);
    await pass(0).end(DONE);
    expect(begun).toHaveLength(1);
    await clock.advance(1);
    expect(begun).toHaveLength(2);
  });

  it('counts a pass that gets on as not stuck, however long it takes', async () => {
    const { clock, queue } = aQueue(1);
    queue.add('a');
    await clock.advance(50_000);
    queue.progress('a');
    queue.progress('unknown');
    await clock.advance(20_000);
    expect(clock.nowMs() - (queue.busySinceMs() ?? 0)).toBe(20_000);
  });

  it('of several moments takes the earliest', async () => {
    const { clock, queue, begun } = aQueue();
    queue.addAfter('a', 500);
    queue.addAfter('a', 100);
    queue.addAfter('a', 300);
    await clock.advance(1000);
    expect(begun.map(({ atMs }) => atMs)).toEqual([100]);
    expect(clock.pending()).toBe(0);
  });

  it('forgets a moment that an event came before', async () => {
    const { clock, queue, pass, keys } = aQueue();
    queue.addAfter('a', 500);
    queue.add('a');
    await pass(0).end(DONE);
    await clock.advance(1000);
    expect(keys()).toEqual(['a']);
  });

  it('works at once on a moment that has passed', () => {
    const { queue, keys } = aQueue();
    queue.addAfter('a', -5);
    expect(keys()).toEqual(['a']);
  });

  it('looks again after the delay that a pass asked for', async () => {
    const { clock, queue, pass, begun } = aQueue();
    queue.add('a');
    await pass(0).end({ kind: 'after', delayMs: 700 });
    await clock.advance(2000);
    expect(begun.map(({ atMs }) => atMs)).toEqual([0, 700]);
  });

  it('backs off while a key keeps failing, and starts over once it has not', async () => {
    const { clock, queue, pass, begun } = aQueue();
    queue.add('a');
    for (const at of [0, 1, 2]) {
      await pass(at).end({ kind: 'retry' });
      await clock.advance(400);
    }
    expect(begun.map(({ atMs }) => atMs)).toEqual([0, 50, 500, 1000]);
    await pass(3).end(DONE);
    queue.add('a');
    await pass(4).end({ kind: 'retry' });
    await clock.advance(50);
    expect(begun).toHaveLength(6);
  });

  it('does not hold one key up because another fails', async () => {
    const { queue, pass, keys } = aQueue();
    queue.add('a');
    await pass(0).end({ kind: 'retry' });
    queue.add('b');
    expect(keys()).toEqual(['a', 'b']);
  });

  it('knows since when its oldest pass has been at work', async () => {
    const { clock, queue, pass } = aQueue();
    expect(queue.busySinceMs()).toBeNull();
    queue.add('a');
    await clock.advance(5);
    queue.add('b');
    expect(queue.busySinceMs()).toBe(0);
    await pass(0).end(DONE);
    expect(queue.busySinceMs()).toBe(5);
  });
});

describe('what can wait', () => {
  const LATER: Next = { kind: 'whenQuiet', delayMs: null };

  it('is worked on once no other key waits, and is not told to wait again', async () => {
    const { queue, pass, keys } = aQueue(1);
    for (const key of ['a', 'b', 'c']) queue.add(key);
    expect(pass(0).othersWait()).toBe(true);
    await pass(0).end(LATER);
    await pass(1).end(DONE);
    expect(pass(2).othersWait()).toBe(false);
    await pass(2).end(DONE);
    queue.add('d');
    expect(keys()).toEqual(['a', 'b', 'c', 'a']);
    expect(pass(3).othersWait()).toBe(false);
  });

  it('gets a pass now and then while others never cease to wait', async () => {
    const { queue, pass, keys } = aQueue(1);
    queue.add('late');
    queue.add('0');
    await pass(0).end(LATER);
    for (let at = 1; keys().filter((key) => key === 'late').length < 2; at += 1) {
      queue.add(String(at));
      await pass(at).end(DONE);
      expect(at).toBeLessThan(20);
    }
  });

  it('is not put off again after five seconds, however often its key is woken', async () => {
    const { clock, queue, pass } = aQueue(1);
    let at = 0;
    const told: boolean[] = [];
    queue.add('x');
    queue.add('other');
    for (let ms = 0; ms < 6000; ms += 100) {
      const { key, othersWait, end } = pass(at);
      at += 1;
      queue.add('other');
      if (key === 'x') told.push(othersWait());
      await end(key === 'x' ? LATER : DONE);
      queue.add('x');
      await clock.advance(100);
    }
    expect([told[0], told.at(-1)]).toEqual([true, false]);
  });

  it('is never worked on twice at a time, also when its moment is now', async () => {
    const { queue, pass, keys } = aQueue(4);
    queue.add('a');
    await pass(0).end({ kind: 'whenQuiet', delayMs: 0 });
    expect(keys()).toEqual(['a', 'a']);
    await pass(1).end(DONE);
    expect(keys()).toEqual(['a', 'a']);
  });

  it('leaves half of the workers to what cannot wait', async () => {
    const { queue, pass, keys } = aQueue(4);
    for (const key of ['a', 'b', 'c', 'd', 'e']) queue.add(key);
    for (let at = 0; at < 4; at += 1) await pass(at).end(LATER);
    await pass(4).end(DONE);
    expect(keys().slice(5)).toEqual(['a', 'b']);
    queue.add('urgent');
    expect(keys().slice(5)).toEqual(['a', 'b', 'urgent']);
  });

  it('is over when an event comes before, and looked at again at its moment', async () => {
    const { clock, queue, pass, keys } = aQueue(1);
    queue.add('a');
    queue.add('b');
    await pass(0).end({ kind: 'whenQuiet', delayMs: 100 });
    queue.add('a');
    await pass(1).end(DONE);
    await pass(2).end(DONE);
    await clock.advance(1000);
    expect(keys()).toEqual(['a', 'b', 'a']);
  });
});

describe('a queue that is stopped', () => {
  it('waits for the passes at work, takes no more, and leaves no timer behind', async () => {
    const { clock, queue, pass, keys } = aQueue(1);
    queue.add('a');
    queue.add('b');
    queue.addAfter('c', 100);
    let stopped = false;
    void queue.stop().then(() => {
      stopped = true;
    });
    await settle();
    expect(stopped).toBe(false);
    await pass(0).end({ kind: 'after', delayMs: 5 });
    queue.add('d');
    expect([stopped, keys(), clock.pending()]).toEqual([true, ['a'], 0]);
  });

  it('is stopped at once when nothing is at work', async () => {
    const { queue } = aQueue();
    await expect(queue.stop()).resolves.toBeUndefined();
  });
});

describe('a pass that throws', () => {
  it('counts as failed and is told of', async () => {
    const clock = createFakeClock(0);
    const errors: unknown[] = [];
    let passes = 0;
    const queue = startQueue({
      clock,
      random: createFakeRandom('queue', 0),
      workers: 1,
      handle: () => {
        passes += 1;
        return passes === 1 ? Promise.reject(new Error('broken')) : Promise.resolve(DONE);
      },
      onError: (_key, error) => errors.push(error),
    });
    queue.add('a');
    await settle();
    expect(errors).toEqual([new Error('broken')]);
    await clock.advance(50);
    expect(passes).toBe(2);
  });
});

describe('backing off', () => {
  it('doubles from 50 ms up to 5 s, up to a quarter shorter by chance', () => {
    expect([1, 2, 3, 8, 100].map((failures) => backoffMs(failures, RETRY_BACKOFF))).toEqual([50, 100, 200, 5000, 5000]);
    expect(backoffMs(1, RETRY_BACKOFF, 0.999)).toBeGreaterThan(37.5);
  });
});
