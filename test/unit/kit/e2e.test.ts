/** The judges of the end-to-end test can say no. */
import { describe, expect, it } from 'vitest';
import { aStory } from '../../kit/checker/history-builder.ts';
import { type Cost, tableOf, withoutReason } from '../../kit/rig/e2e/costs.ts';
import { acceptedLate, acceptedOfNonLeaders, missedTicks, monotonic } from '../../kit/rig/e2e/deliveries.ts';
import {
  type Handover,
  handoverAfter,
  handoverTable,
  seenAnnotatedMs,
  seenDeletingMs,
} from '../../kit/rig/e2e/handover.ts';
import { type RouteCost, routeTable } from '../../kit/rig/e2e/route-table.ts';
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
  seenMs: fromMs,
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
      [answer(250, 'b'), answer(300, 'a'), answer(320, 'a'), answer(340, 'b')],
      reigns,
      2,
    ],
    [
      'or the kernel explains a lone answer of a former leader, whose port was used before',
      [answer(250, 'b'), answer(300, 'a'), answer(320, 'b')],
      reigns,
      0,
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
    checkedAtMs: atMs + performance.timeOrigin,
    atMs: atMs + performance.timeOrigin,
  });
  const reigns = [reign('a', 1, 100, 200), reign('b', 2, 210)];

  it('is late when its pod led as it looked, and another leads when it arrives', () => {
    const late = { ...delivery(5, 'a', 1, 205), atMs: performance.timeOrigin + 215 };
    expect(acceptedLate([late, delivery(4, 'a', 1, 205), delivery(6, 'b', 2, 300)], reigns)).toEqual([late]);
    expect(acceptedOfNonLeaders([late], reigns)).toEqual([]);
  });

  it('is a non-leader’s when its pod looked after another had been promoted with a higher token', () => {
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

const cost = (kind: string, handover: Handover | null): Cost => ({
  kind,
  namespace: 'shop',
  setting: 'gate',
  freshGapMs: 0,
  keptGapMs: 0,
  handOverMs: null,
  ticksMissed: 0,
  handover,
  during: { fromMs: 0, toMs: 0 },
});

describe('a handover', () => {
  const reigns = [reign('a', 1, 0, 130), reign('b', 2, 140)];
  const slice = (atMs: number, ...pods: readonly string[]) => ({ atMs, namespace: 'shop', service: 'leader', pods });

  it('is told in steps, each since its cause', () => {
    const shown = [slice(10, 'a'), slice(132), slice(150, 'b')];
    const answers = [answer(110, 'a'), answer(145, 'a'), answer(160, null), answer(171, 'b'), answer(190, 'b')];
    expect(handoverAfter(100, { reigns, shown, answers })).toEqual({
      labelOffMs: 30,
      labelOnMs: 40,
      slicedMs: 50,
      answeredMs: 71,
      staleAnswers: 0,
    });
  });

  it('counts the answers of the last leader that were asked for after the first of the next', () => {
    const answers = [answer(150, 'a'), answer(160, 'b'), answer(170, 'a'), answer(180, 'b')];
    expect(handoverAfter(100, { reigns, shown: [], answers })).toMatchObject({ answeredMs: 60, staleAnswers: 1 });
  });

  it('to the pod that had led before begins once its label was off', () => {
    const again = [reign('a', 1, 0, 130), reign('a', 2, 140)];
    const answers = [answer(120, 'a'), answer(165, 'a')];
    expect(handoverAfter(100, { reigns: again, shown: [slice(110, 'a'), slice(150, 'a')], answers })).toMatchObject({
      slicedMs: 50,
      answeredMs: 65,
    });
  });

  it('is none where nobody has begun to lead since', () => {
    expect(handoverAfter(141, { reigns, shown: [], answers: [] })).toBeNull();
  });

  it('is found though the watch was cut off, and it may have been before its cause', () => {
    const late = reigns.map((each) => (each.pod === 'b' ? { ...each, fromMs: 90, seenMs: 140 } : each));
    expect(handoverAfter(100, { reigns: late, shown: [], answers: [answer(160, 'b')] })).toMatchObject({
      labelOnMs: 40,
      answeredMs: 60,
    });
  });

  it('stands in the table with its parts, beside what is wanted', () => {
    const found = { labelOffMs: 10, labelOnMs: 50, slicedMs: 70, answeredMs: 100, staleAnswers: 0 };
    const costs = [cost('x', found), cost('x', { ...found, slicedMs: undefined, answeredMs: 200 }), cost('y', null)];
    const [, , ...rows] = handoverTable(costs, [{ kind: 'x', goal: '0.1 s', lease: '15 s' }]).split('\n');
    expect(rows).toEqual([
      '| x | gate | 2 | 0.20 s (0.20 s) | 0.01 s (0.01 s) | 0.04 s (0.04 s) | 0.02 s (0.02 s) | 0.03 s (0.03 s) | 0.1 s | 15 s |',
    ]);
  });
});

it('labels and a route stand side by side, each handover in one row', () => {
  const handover = { labelOffMs: 20, labelOnMs: 30, slicedMs: 31, answeredMs: 1080, staleAnswers: 0 };
  const by = (way: 'label' | 'route', answeredMs: number, staleAnswers = 0): RouteCost => ({
    ...cost('resigned', { ...handover, answeredMs, staleAnswers }),
    freshGapMs: answeredMs - 30,
    by: way,
    others: 'never',
  });
  const [, , ...rows] = routeTable([by('label', 1080), by('label', 1090), by('route', 50, 2)]).split('\n');
  expect(rows).toEqual([
    '| resigned | never | 2 | 20 ms (20 ms) | 1090 ms (1090 ms) | 1060 ms (1060 ms) | 0 | 1 | 20 ms (20 ms) | 50 ms (50 ms) | 20 ms (20 ms) | 2 |',
  ]);
});

it('a reign without a reason begins in no fault, and is not the first', () => {
  const reigns = [reign('a', 1, 10), reign('b', 2, 120), reign('c', 3, 250)];
  const during = { fromMs: 100, toMs: 200 };
  const costs = [{ ...cost('x', null), during }];
  expect(withoutReason(reigns, costs, [])).toEqual([reigns[2]]);
  expect(withoutReason(reigns, costs, [{ uid: 'uid-b', atMs: 240 }])).toEqual([]);
  expect(withoutReason(reigns, costs, [{ uid: 'uid-c', atMs: 240 }])).toEqual([reigns[2]]);
  expect(withoutReason(reigns, costs, [{ uid: 'uid-b', atMs: 260 }])).toEqual([reigns[2]]);
});

it('what happened to a pod counts from when it was first seen', () => {
  const story = aStory();
  story.list();
  story.pod('a');
  story.pod('a', { deleting: true });
  const deletingMs = story.now();
  story.write('a', { annotations: { k: 'v' } });
  const annotatedMs = story.now();
  story.write('a', { annotations: { other: 'v' } });
  const history = story.history();
  expect([seenDeletingMs(history, 'uid-a', 0), seenAnnotatedMs(history, 'uid-a', ['k', 'v'], 0)]).toEqual([
    deletingMs,
    annotatedMs,
  ]);
  expect(seenDeletingMs(history, 'uid-b', 0)).toBeUndefined();
});

it('the table has a line for each kind of fault', () => {
  const costs = (kind: string, ms: number): Cost => ({
    ...cost(kind, null),
    freshGapMs: ms,
    keptGapMs: ms * 2,
    handOverMs: ms / 10,
    ticksMissed: ms / 100,
  });
  expect(
    tableOf([costs('x', 100), costs('x', 300), costs('x', 200), costs('y', 400)], 200)
      .split('\n')
      .slice(2),
  ).toEqual([
    '| x | gate | 3 | 0.20 s (0.30 s) | 0.40 s (0.60 s) | 0.02 s (0.03 s) | 1, 3, 2 |',
    '| y | gate | 1 | 0.40 s | 0.80 s | 0.04 s | 4 |',
  ]);
});
