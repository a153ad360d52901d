import { describe, expect, it } from 'vitest';
import { createRenewalTurns, type Turn } from '../../../../src/operator/sessions/renewal-turns.ts';
import { createFakeClock, settle } from '../../../kit/fakes/clock.ts';

const AT_ONCE = 8;

function someTurns() {
  const clock = createFakeClock(0);
  const turns = createRenewalTurns(clock);
  const given: { readonly name: string; readonly turn: Turn }[] = [];
  const asks = (name: string, deadlineMs: number, row = '60_000', signal = new AbortController().signal): void =>
    void turns.take({ row, deadlineMs }, signal).then(
      (turn) => given.push({ name, turn }),
      () => undefined,
    );
  const names = (): readonly string[] => given.map(({ name }) => name);
  /** All that may go at once are on their way. */
  const full = (): Promise<readonly Turn[]> =>
    Promise.all(
      Array.from({ length: AT_ONCE }, () => turns.take({ row: '1', deadlineMs: 0 }, new AbortController().signal)),
    );
  return { clock, given, asks, names, full };
}

async function over(turn: Turn | undefined, failed = false): Promise<void> {
  turn?.end(failed);
  await settle();
}

describe('turns of renewals', () => {
  it('are given at once while few are due', async () => {
    const { asks, names } = someTurns();
    asks('a', 10);
    asks('b', 5);
    await settle();
    expect(names()).toEqual(['a', 'b']);
  });

  it('go to the nearest deadline where many are due, whatever is renewed alike', async () => {
    const { asks, names, given, full } = someTurns();
    const held = await full();
    for (const [name, deadlineMs, row] of [
      ['late', 50, '60'],
      ['soon', 10, '10'],
      ['later', 60, '60'],
      ['next', 20, '10'],
    ] as const)
      asks(name, deadlineMs, row);
    for (const turn of held.slice(0, 4)) await over(turn);
    expect(names()).toEqual(['soon', 'next', 'late', 'later']);
    expect(given).toHaveLength(4);
  });

  it('come slowly while renewals fail, however many sessions there are, and at full speed after the first that does not', async () => {
    const { clock, asks, given, full } = someTurns();
    const first = await full();
    for (let at = 0; at < 1000; at += 1) asks(String(at), at);
    for (const turn of first) await over(turn, true);
    let ended = 0;
    const endAll = async (failed: boolean): Promise<void> => {
      for (; ended < given.length; ended += 1) await over(given[ended]?.turn, failed);
    };
    for (let ms = 0; ms < 2000; ms += 50) {
      await clock.advance(50);
      await endAll(true);
    }
    expect(given.length).toBeGreaterThan(100);
    expect(given.length).toBeLessThanOrEqual(AT_ONCE * 21);
    await clock.advance(100);
    await endAll(false);
    expect(given.length).toBe(1000);
  });

  it('are not kept for who has given up', async () => {
    const { asks, names, full } = someTurns();
    const held = await full();
    const gone = new AbortController();
    asks('gone', 1, '60', gone.signal);
    asks('stays', 2, '60');
    gone.abort();
    await over(held[0]);
    expect(names()).toEqual(['stays']);
  });
});
