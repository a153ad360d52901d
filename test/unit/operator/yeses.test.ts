import { expect, it } from 'vitest';
import { MAX_YES_MS } from '../../../src/election/gate.ts';
import { createYeses } from '../../../src/operator/yeses.ts';
import { createFakeClock } from '../../support/model/fake-clock.ts';

const KEY = 'default/notifier';

function some(heldSinceMs: number | null = null) {
  const clock = createFakeClock();
  const yeses = createYeses(clock, () => heldSinceMs);
  const inMs = (key: string, holder: string | null, ...exempt: readonly string[]): number =>
    yeses.untilMs(key, holder, exempt) - clock.nowMs();
  return { clock, yeses, inMs };
}

it('the last yes to run out is waited for, of whichever pod, until it has', async () => {
  const { clock, yeses, inMs } = some();
  yeses.give(KEY, 'a', clock.nowMs() + 500);
  yeses.give(KEY, 'b', clock.nowMs() + 900);
  yeses.give('default/other', 'c', clock.nowMs() + 5000);
  expect(inMs(KEY, null)).toBe(900);
  await clock.advance(600);
  expect([inMs(KEY, null), inMs(KEY, null, 'b') <= 0]).toEqual([300, true]);
  await clock.advance(300);
  expect(inMs(KEY, null)).toBeLessThanOrEqual(0);
});

it('a later yes that is shorter takes nothing back', () => {
  const { clock, yeses, inMs } = some();
  yeses.give(KEY, 'a', clock.nowMs() + 900);
  yeses.give(KEY, 'a', clock.nowMs() + 100);
  expect(inMs(KEY, null)).toBe(900);
});

it('a pod that is exempt is not waited for, and only it', () => {
  const { clock, yeses, inMs } = some();
  yeses.give(KEY, 'a', clock.nowMs() + 900);
  yeses.give(KEY, 'b', clock.nowMs() + 400);
  expect([inMs(KEY, 'a', 'a'), inMs(KEY, 'a', 'a', 'b') <= 0]).toEqual([400, true]);
});

it('whoever had the bucket before may have said a yes until this replica got it', () => {
  const { clock, inMs } = some(createFakeClock().nowMs());
  expect([inMs(KEY, 'a'), inMs(KEY, null), inMs(KEY, 'a', 'b')]).toEqual([MAX_YES_MS, MAX_YES_MS, MAX_YES_MS]);
  // It was said to the recorded holder, if to anybody.
  expect(inMs(KEY, 'a', 'a')).toBeLessThanOrEqual(-clock.nowMs());
});

it('a group that is gone is waited for as long as a yes may be believed, and no timer is left', async () => {
  const { clock, yeses, inMs } = some();
  yeses.give(KEY, 'a', clock.nowMs() + 900);
  yeses.dropped(KEY);
  expect(inMs(KEY, null)).toBe(900);
  await clock.advance(MAX_YES_MS);
  expect([inMs(KEY, null) <= 0, clock.pending()]).toEqual([true, 0]);
});
