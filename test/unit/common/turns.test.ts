/** Work that is shared fairly among those who ask for it. */
import { describe, expect, it } from 'vitest';
import { createTurns, type TurnLimits } from '../../../src/common/turns.ts';
import { createFakeClock } from '../../kit/fakes/clock.ts';

function someTurns(limits: TurnLimits) {
  const clock = createFakeClock();
  const turns = createTurns(limits);
  const served: string[] = [];
  const without: string[] = [];
  const releases: (() => void)[] = [];
  const take = (client: string, waitMs?: number): void =>
    void turns.take(client, waitMs === undefined ? undefined : (over) => clock.after(waitMs, over)).then((release) => {
      if (release === null) return void without.push(client);
      served.push(client);
      releases.push(release);
    });
  const settle = () => clock.advance(1);
  const giveBack = async (count: number): Promise<void> => {
    for (const release of releases.splice(0, count)) release();
    await settle();
  };
  return { clock, take, served, without, settle, giveBack, releases };
}

describe('turns', () => {
  it('are as many at a time as there are, and the next is had when one is given back', async () => {
    const { take, served, settle, giveBack } = someTurns({ atOnce: 2 });
    for (const client of ['a', 'b', 'c', 'd']) take(client);
    await settle();
    expect(served).toEqual(['a', 'b']);
    await giveBack(1);
    expect(served).toEqual(['a', 'b', 'c']);
    await giveBack(2);
    expect(served).toEqual(['a', 'b', 'c', 'd']);
  });

  it('begin at once while there is room, a few for each client', async () => {
    const { take, served, settle, giveBack } = someTurns({ atOnce: 4, perClient: 2 });
    for (let times = 0; times < 10; times += 1) take('a');
    for (let times = 0; times < 10; times += 1) take('b');
    take('c');
    await settle();
    expect(served).toEqual(['a', 'a', 'b', 'b']);
    await giveBack(1);
    expect(served.slice(4)).toEqual(['a']);
  });

  it('go round the clients, however many one of them wants', async () => {
    const { take, served, settle, giveBack } = someTurns({ atOnce: 1 });
    for (let at = 0; at < 4; at += 1) take('greedy');
    for (const client of ['b', 'c']) take(client);
    await settle();
    for (let at = 0; at < 5; at += 1) await giveBack(1);
    expect(served).toEqual(['greedy', 'greedy', 'b', 'c', 'greedy', 'greedy']);
  });

  it('are waited for no longer than asked for, and not lost when nobody waits any more', async () => {
    const { clock, take, served, without, settle, giveBack } = someTurns({ atOnce: 1, waiting: 1 });
    take('a');
    take('b', 500);
    await clock.advance(600);
    expect([served, without]).toEqual([['a'], ['b']]);
    take('d');
    await giveBack(1);
    await giveBack(1);
    take('c');
    await settle();
    expect(served).toEqual(['a', 'd', 'c']);
    expect(clock.pending()).toBe(0);
  });

  it('are given back once', async () => {
    const { take, served, settle, releases } = someTurns({ atOnce: 1 });
    take('a');
    await settle();
    const [release] = releases;
    release?.();
    release?.();
    take('b');
    take('c');
    await settle();
    expect(served).toEqual(['a', 'b']);
  });

  it('are not had where too many wait, of one or of all', async () => {
    const { take, without, settle } = someTurns({ atOnce: 1, waiting: 6, waitingPerClient: 3 });
    for (const client of ['a', 'b', 'c']) for (let times = 0; times < 5; times += 1) take(client);
    await settle();
    expect(without).toEqual(['a', 'b', 'b', 'c', 'c', 'c', 'c', 'c']);
  });
});
