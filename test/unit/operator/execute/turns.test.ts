import { describe, expect, it } from 'vitest';
import { createTurns } from '../../../../src/operator/execute/turns.ts';
import { createFakeClock } from '../../../kit/fakes/clock.ts';

function turnsAt() {
  const clock = createFakeClock();
  return { clock, ...createTurns(clock) };
}

describe('turns', () => {
  it('let one group go on each second, in the order in which they came', async () => {
    const { clock, take } = turnsAt();
    expect([take('a'), take('b'), take('c'), take('b')]).toEqual([0, 1000, 2000, 1000]);
    await clock.advance(1000);
    expect([take('c'), take('b')]).toEqual([1000, 0]);
  });

  it('are over once they are taken: the same group waits for the next', () => {
    const { take } = turnsAt();
    expect([take('a'), take('a')]).toEqual([0, 1000]);
  });

  it('cost one group no more where fifty thousand wait, for each of which all would be looked at', {
    timeout: 3000,
  }, () => {
    const { take } = turnsAt();
    const groups = Array.from({ length: 50_000 }, (_, index) => String(index));
    expect(groups.map(take).at(-1)).toBe(49_999_000);
  });

  it('that nobody took in time are over: two that are late do not go together', async () => {
    const { clock, take } = turnsAt();
    take('a');
    take('b');
    take('c');
    await clock.advance(5000);
    expect([take('b'), take('c')]).toEqual([0, 1000]);
  });
});
