/** The judges of the end-to-end test can say no. */
import { describe, expect, it } from 'vitest';
import { aStory } from '../../kit/checker/history-builder.ts';
import { type Cost, tableOf } from '../../kit/rig/e2e/costs.ts';
import { acceptedOfNonLeaders, missedTicks, monotonic } from '../../kit/rig/e2e/deliveries.ts';
import {
  longestGapMs,
  longestLateMs,
  type Reign,
  reignsOf,
  unexplained,
  wrongAnswers,
  wrongSpells,
} from '../../kit/rig/e2e/routing.ts';
import type { Delivery } from '../../kit/rig/notifiers.ts';

const reign = (pod: string, token: number, fromMs: number, untilMs = Number.POSITIVE_INFINITY): Reign => ({
  pod,
  uid: `uid-${pod}`,
  token,
  fromMs,
  untilMs,
});
const answer = (atMs: number, pod: string | null) => ({ sentMs: atMs - 1, atMs, pod });

it('a reign begins and ends with the label', () => {
  const story = aStory();
  story.list();
  story.pod('a');
  story.pod('b');
  story.promote('a', 1);
  const begun = story.now();
  story.ready('a', false);
  story.fence('a');
  const ended = story.now();
  story.promote('b', 2);
  const second = story.now();
  story.remove('b');
  const gone = story.now();
  story.promote('a', 3);
  expect(reignsOf(story.history(), story.group)).toEqual([
    reign('a', 1, begun, ended),
    reign('b', 2, second, gone),
    reign('a', 3, story.now()),
  ]);
});

describe('an answer is wrong', () => {
  const reigns = [reign('a', 1, 100, 200), reign('b', 2, 210)];

  it.each([
    ['of the leader', answer(150, 'a'), false],
    ['of nobody', answer(150, null), false],
    ['of the last one, just after', answer(700, 'a'), false],
    ['of the last one, long after', answer(701, 'a'), true],
    ['of the next one, before its time', answer(209, 'b'), true],
    ['of an external holder', answer(300, 'c'), true],
  ])('%s', (_, given, wrong) => {
    expect(wrongAnswers([given], reigns, 500)).toEqual(wrong ? [given] : []);
  });
});

describe('a delay of routing', () => {
  const reigns = [reign('a', 1, 100, 200), reign('b', 2, 210, 400), reign('a', 3, 410)];

  it.each([
    ['explains a former leader, however late', [answer(5000, 'a')], reigns.slice(0, 2), 0],
    ['does not explain an external holder', [answer(300, 'c')], reigns, 1],
    ['does not explain a pod before its first reign', [answer(205, 'b')], reigns, 1],
    [
      'does not explain a former leader once the later one was reached',
      [answer(250, 'b'), answer(300, 'a')],
      reigns,
      1,
    ],
    ['does not explain a former leader of two reigns', [answer(500, 'a'), answer(600, 'b')], reigns, 1],
    [
      'explains a call that was under way when the later one was reached',
      [answer(250, 'b'), answer(250.5, 'a')],
      reigns,
      0,
    ],
  ])('%s', (_, answers, known, count) => {
    expect(unexplained(wrongAnswers(answers, known, 0), answers, known)).toHaveLength(count);
  });

  it('is told', () => {
    expect(longestLateMs([answer(240, 'a'), answer(470, 'b')], reigns)).toBe(70);
  });
});

it('wrong answers are told pod by pod', () => {
  const reigns = [reign('a', 1, 100, 200), reign('b', 2, 210)];
  expect(wrongSpells([answer(800, 'a'), answer(900, 'a'), answer(850, 'c')], reigns)).toEqual([
    'a answered 2 times from 800 to 900 ms; it had led from 100 to 200 ms with token 1',
    'c answered 1 times from 850 to 850 ms; it had led from never',
  ]);
});

it('the longest gap begins with the last answer before the interval, and may reach its end', () => {
  const answers = [answer(90, 'a'), answer(120, null), answer(150, 'a'), answer(170, 'b')];
  expect(longestGapMs(answers, { fromMs: 100, toMs: 180 })).toBe(60);
  expect(longestGapMs(answers, { fromMs: 100, toMs: 400 })).toBe(230);
  expect(longestGapMs([], { fromMs: 100, toMs: 180 })).toBe(80);
});

describe('a delivery', () => {
  const delivery = (
    tick: number,
    pod: string,
    token: number,
    atMs: number,
    verdict: Delivery['verdict'] = 'accepted',
  ) => ({
    tick,
    pod,
    token,
    verdict,
    atMs: atMs + performance.timeOrigin,
  });
  const reigns = [reign('a', 1, 100, 200), reign('b', 2, 210)];

  it('is a non-leader’s when another has been promoted with a higher token', () => {
    const late = delivery(5, 'a', 1, 300);
    expect(acceptedOfNonLeaders([late, delivery(4, 'a', 1, 205), delivery(6, 'b', 2, 300)], reigns)).toEqual([late]);
    expect(acceptedOfNonLeaders([{ ...late, verdict: 'refused-by-token' }], reigns)).toEqual([]);
    expect(monotonic(performance.timeOrigin + 5)).toBeCloseTo(5, 3);
  });

  it('of a tick that nobody made is missed, and one that was refused too', () => {
    const made = [delivery(1, 'a', 1, 0), delivery(2, 'a', 1, 0, 'refused-by-token'), delivery(4, 'a', 1, 0)];
    expect([missedTicks(made, 1, 4), missedTicks(made, 4, 4), missedTicks(made, 5, 4)]).toEqual([2, 0, 0]);
  });
});

it('the table has a line for each kind of fault', () => {
  const cost = (kind: string, ms: number): Cost => ({
    kind,
    freshGapMs: ms,
    keptGapMs: ms * 2,
    handOverMs: ms / 10,
    ticksMissed: ms / 100,
  });
  expect(
    tableOf([cost('x', 100), cost('x', 300), cost('x', 200), cost('y', 400)], 200)
      .split('\n')
      .slice(2),
  ).toEqual([
    '| x | 3 | 0.20 s (0.30 s) | 0.40 s (0.60 s) | 0.02 s (0.03 s) | 1, 3, 2 |',
    '| y | 1 | 0.40 s | 0.80 s | 0.04 s | 4 |',
  ]);
});
