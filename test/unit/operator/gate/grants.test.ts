import { expect, it } from 'vitest';
import type { PodUid } from '../../../../src/api/ids.ts';
import { MAX_GRANT_MS } from '../../../../src/election/gate.ts';
import { createGrants } from '../../../../src/operator/gate/grants.ts';
import { createFakeClock } from '../../../kit/fakes/clock.ts';
import { podUid } from '../../../kit/fakes/ids.ts';

const KEY = 'default/notifier';

function some(heldSinceMs: number | null = null) {
  const clock = createFakeClock();
  const grants = createGrants(clock, () => heldSinceMs);
  const inMs = (key: string, holder: PodUid | null, ...exempt: readonly PodUid[]): number =>
    grants.untilMs(key, holder, exempt) - clock.nowMs();
  return { clock, grants, inMs };
}

it('the last grant to run out is waited for, of whichever pod, until it has', async () => {
  const { clock, grants, inMs } = some();
  grants.give(KEY, podUid('a'), clock.nowMs() + 500);
  grants.give(KEY, podUid('b'), clock.nowMs() + 900);
  grants.give('default/other', podUid('c'), clock.nowMs() + 5000);
  expect(inMs(KEY, null)).toBe(900);
  await clock.advance(600);
  expect([inMs(KEY, null), inMs(KEY, null, podUid('b')) <= 0]).toEqual([300, true]);
  await clock.advance(300);
  expect(inMs(KEY, null)).toBeLessThanOrEqual(0);
});

it('a later grant that is shorter takes nothing back', () => {
  const { clock, grants, inMs } = some();
  grants.give(KEY, podUid('a'), clock.nowMs() + 900);
  grants.give(KEY, podUid('a'), clock.nowMs() + 100);
  expect(inMs(KEY, null)).toBe(900);
});

it('a pod that is exempt is not waited for, and only it', () => {
  const { clock, grants, inMs } = some();
  grants.give(KEY, podUid('a'), clock.nowMs() + 900);
  grants.give(KEY, podUid('b'), clock.nowMs() + 400);
  expect([inMs(KEY, podUid('a'), podUid('a')), inMs(KEY, podUid('a'), podUid('a'), podUid('b')) <= 0]).toEqual([
    400,
    true,
  ]);
});

it('whoever had the bucket before may have said a grant until this replica got it', () => {
  const { clock, inMs } = some(createFakeClock().nowMs());
  expect([inMs(KEY, podUid('a')), inMs(KEY, null), inMs(KEY, podUid('a'), podUid('b'))]).toEqual([
    MAX_GRANT_MS,
    MAX_GRANT_MS,
    MAX_GRANT_MS,
  ]);
  // It was said to the recorded holder, if to anybody.
  expect(inMs(KEY, podUid('a'), podUid('a'))).toBeLessThanOrEqual(0 - clock.nowMs());
});

it('a group that is gone is waited for as long as a grant may be believed, and no timer is left', async () => {
  const { clock, grants, inMs } = some();
  grants.give(KEY, podUid('a'), clock.nowMs() + 900);
  grants.dropped(KEY);
  expect(inMs(KEY, null)).toBe(900);
  await clock.advance(MAX_GRANT_MS);
  expect([inMs(KEY, null) <= 0, clock.pending()]).toEqual([true, 0]);
});
