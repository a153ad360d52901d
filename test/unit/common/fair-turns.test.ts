/** Work that is shared fairly among those who ask for it. */
import { describe, expect, it } from 'vitest';
import { createFairTurns } from '../../../src/common/fair-turns.ts';
import { settle } from '../../kit/fakes/clock.ts';

function aTurns(limits: Partial<Parameters<typeof createFairTurns>[0]> = {}) {
  const turns = createFairTurns({ atOnce: 4, perClient: 2, waiting: 100, waitingPerClient: 50, ...limits });
  const begun: string[] = [];
  const ends: (() => void)[] = [];
  const take = (client: string) =>
    turns.take(client, () => {
      begun.push(client);
      return new Promise<string>((resolve) => ends.push(() => resolve(client)));
    });
  return { turns, begun, take, endOne: () => ends.shift()?.() };
}

describe('turns', () => {
  it('begin at once while there is room, a few for each client', async () => {
    const { begun, take } = aTurns();
    for (let times = 0; times < 10; times += 1) void take('a');
    for (let times = 0; times < 10; times += 1) void take('b');
    void take('c');
    await settle();
    expect(begun).toEqual(['a', 'a', 'b', 'b']);
  });

  it('go round: whoever asked for little does not wait for all that another asked for', async () => {
    const { begun, take, endOne } = aTurns({ atOnce: 1 });
    for (let times = 0; times < 20; times += 1) void take('a');
    void take('b');
    await settle();
    for (let times = 0; times < 2; times += 1) {
      endOne();
      await settle();
    }
    expect(begun).toContain('b');
  });

  it('are given to whoever waits when work has failed, too', async () => {
    const { turns } = aTurns({ atOnce: 1 });
    const failed = turns.take('a', () => Promise.reject(new Error('no')));
    const next = turns.take('a', () => Promise.resolve('done'));
    await expect(failed).rejects.toThrow('no');
    expect(await next).toBe('done');
  });

  it('are refused where too many wait, of one or of all', async () => {
    const { take } = aTurns({ atOnce: 1, waiting: 6, waitingPerClient: 3 });
    const granted = (client: string) => Array.from({ length: 5 }, () => take(client) !== null);
    expect(granted('a')).toEqual([true, true, true, true, false]);
    expect(granted('b')).toEqual([true, true, true, false, false]);
    expect(granted('c')).toEqual([false, false, false, false, false]);
  });
});
