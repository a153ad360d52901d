/** Questions of people must not keep a replica from what it is there for. */
import { describe, expect, it } from 'vitest';
import { createAnswerBudget } from '../../../src/http/answer-budget.ts';

/** Three answers and 200 ms of each second. */
function aBudget() {
  let nowMs = 0;
  const { answer } = createAnswerBudget(() => nowMs, { answers: 3, ms: 200 });
  return {
    later: (ms: number) => {
      nowMs += ms;
    },
    ask: (tookMs = 0) =>
      answer(() => {
        nowMs += tookMs;
        return 'answered';
      }),
  };
}

describe('a budget of answers', () => {
  it('gives so many within a second, and more in the next', () => {
    const { ask, later } = aBudget();
    expect([ask(), ask(), ask(), ask()]).toEqual(['answered', 'answered', 'answered', null]);
    later(999);
    expect(ask()).toBeNull();
    later(1);
    expect(ask()).toBe('answered');
  });

  it('gives none once those of this second have taken their time', () => {
    const { ask, later } = aBudget();
    expect([ask(150), ask(150), ask()]).toEqual(['answered', 'answered', null]);
    later(700);
    expect(ask()).toBe('answered');
  });

  it('counts the time of one that fails', () => {
    let nowMs = 0;
    const { answer } = createAnswerBudget(() => nowMs, { answers: 3, ms: 200 });
    const failing = () =>
      answer(() => {
        nowMs += 200;
        throw new Error('a defect');
      });
    expect(failing).toThrow('a defect');
    expect(failing()).toBeNull();
  });
});
