/** The judge of claims in the end-to-end test can say no. */
import { expect, it } from 'vitest';
import {
  claimsTable,
  claimsText,
  doubled,
  fatesOf,
  lossesText,
  lost,
  type Series,
  schedulesText,
  seriesOf,
} from '../../kit/rig/e2e/claimed.ts';
import { monotonic } from '../../kit/rig/e2e/deliveries.ts';

const BEGIN_MS = Math.ceil(performance.timeOrigin / 1000) * 1000;
const [series] = seriesOf('shop', [{ by: 'loop', mode: 'AtMostOnce', tickMs: 1000 }]);
const sent = (tick: number, lateMs = 100, pod = 'a') => ({
  tick: BEGIN_MS + tick * 1000,
  token: 1,
  pod,
  checkedAtMs: null,
  verdict: 'accepted' as const,
  atMs: BEGIN_MS + tick * 1000 + lateMs,
});
const fates = (...deliveries: readonly ReturnType<typeof sent>[]) =>
  series === undefined ? [] : fatesOf(series, deliveries);
const ticksOf = (some: ReturnType<typeof fates>): readonly number[] =>
  some.map(({ position }) => (position - BEGIN_MS) / 1000);

it('series are those of their namespace, and each program is given its own', () => {
  const all = seriesOf('shop', [
    { by: 'loop', mode: 'AtMostOnce', tickMs: 200 },
    { by: 'node-cron', mode: 'AtMostOnce', tickMs: 1000 },
    { by: 'loop', mode: 'AtLeastOnce', tickMs: 1000 },
    { by: 'node-cron', mode: 'Lease', tickMs: 1000 },
  ]);
  expect(claimsText(all)).toBe('shop/loop-AtMostOnce-200:200:AtMostOnce,shop/loop-AtLeastOnce-1000:1000:AtLeastOnce');
  expect(schedulesText(all, 'node-cron')).toBe(
    'shop/node-cron-AtMostOnce-1000:AtMostOnce,shop/node-cron-Lease-1000:Lease',
  );
});

it('ticks that are lost in a row are said together, with what came before and after them', () => {
  const judged = {
    namespace: 'shop',
    series: series as Series,
    fates: fates(sent(0), sent(3, 50, 'b'), sent(4), sent(6)),
  };
  expect(lossesText(judged)).toEqual([
    `shop/loop-AtMostOnce-1000 lost 2 from ${BEGIN_MS + 1000}: between what came 100 ms late by a and 50 ms late by b`,
    `shop/loop-AtMostOnce-1000 lost 1 from ${BEGIN_MS + 5000}: between what came 100 ms late by a and 100 ms late by a`,
  ]);
});

it('a tick is lost that nobody has sent, between the first and the last', () => {
  expect(ticksOf(lost(fates(sent(1), sent(2), sent(5))))).toEqual([3, 4]);
});

it('a tick is doubled that was sent twice, by whomever', () => {
  expect(ticksOf(doubled(fates(sent(1), sent(2), sent(2, 300, 'b'), sent(3), sent(3, 900))))).toEqual([2, 3]);
});

it('a tick is as late as its first delivery', () => {
  expect(fates(sent(1, 700), sent(1, 300, 'b'))).toMatchObject([{ lateMs: 300, times: 2 }]);
});

it('nothing sent is nothing to judge', () => {
  expect(fates()).toEqual([]);
});

it('ticks are counted for the fault of their own namespace in whose time they fell', () => {
  const during = (from: number, to: number) => ({
    fromMs: monotonic(BEGIN_MS + from * 1000),
    toMs: monotonic(BEGIN_MS + to * 1000),
  });
  const faults = [
    { kind: 'killed', namespace: 'shop', setting: 'gate', during: during(2, 4) },
    { kind: 'hung', namespace: 'other', setting: 'none', during: during(1, 9) },
  ];
  const judged =
    series === undefined ? [] : [{ namespace: 'shop', series, fates: fates(sent(1), sent(3, 2400), sent(5), sent(5)) }];
  expect(claimsTable(judged, faults).split('\n').slice(2)).toEqual([
    '| killed | gate | 2 lost, 0 twice of 3; latest 2.4 s |',
    '| hung | none |  |',
    '| no fault |  | 0 lost, 1 twice of 2; latest 0.1 s |',
  ]);
});
