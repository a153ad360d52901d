import { describe, expect, it } from 'vitest';
import { createTurns } from '../../../../src/operator/probe/turns.ts';
import { createFakeClock } from '../../../kit/fakes/clock.ts';

function someTurns(atOnce: number) {
  const clock = createFakeClock();
  const turns = createTurns(clock, atOnce);
  const served: string[] = [];
  const releases: (() => void)[] = [];
  const late: string[] = [];
  const take = (key: string, waitMs = 1000): void =>
    void turns.take(key, waitMs).then((release) => {
      if (release === null) return void late.push(key);
      served.push(key);
      releases.push(release);
    });
  const settle = () => clock.advance(1);
  const giveBack = async (count: number): Promise<void> => {
    for (const release of releases.splice(0, count)) release();
    await settle();
  };
  return { clock, take, served, late, settle, giveBack, releases };
}

describe('turns', () => {
  it('are as many at a time as there are, and the next is had when one is given back', async () => {
    const { take, served, settle, giveBack } = someTurns(2);
    for (const key of ['a', 'b', 'c', 'd']) take(key);
    await settle();
    expect(served).toEqual(['a', 'b']);
    await giveBack(1);
    expect(served).toEqual(['a', 'b', 'c']);
    await giveBack(2);
    expect(served).toEqual(['a', 'b', 'c', 'd']);
  });

  it('go round the groups, however many one of them wants', async () => {
    const { take, served, settle, giveBack } = someTurns(1);
    for (let at = 0; at < 4; at += 1) take('greedy');
    for (const key of ['b', 'c']) take(key);
    await settle();
    for (let at = 0; at < 5; at += 1) await giveBack(1);
    expect(served).toEqual(['greedy', 'greedy', 'b', 'c', 'greedy', 'greedy']);
  });

  it('are waited for no longer than asked for, and not lost when nobody waits any more', async () => {
    const { clock, take, served, late, settle, giveBack } = someTurns(1);
    take('a');
    take('b', 500);
    await clock.advance(600);
    expect([served, late]).toEqual([['a'], ['b']]);
    await giveBack(1);
    take('c');
    await settle();
    expect(served).toEqual(['a', 'c']);
    expect(clock.pending()).toBe(0);
  });

  it('are given back once', async () => {
    const { take, served, settle, releases } = someTurns(1);
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
});
