import { describe, expect, it } from 'vitest';
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

const term = (secret: string, token = 4) => ({ secret, token });

describe('a release', () => {
  it('voids the grants of its own term, and nobody else’s', () => {
    const { clock, grants, inMs } = some();
    grants.give(KEY, podUid('a'), clock.nowMs() + 900, term('s1'));
    grants.give(KEY, podUid('a'), clock.nowMs() + 700, term('s2'));
    grants.give(KEY, podUid('a'), clock.nowMs() + 500);
    grants.give(KEY, podUid('b'), clock.nowMs() + 300, term('s1'));
    expect([inMs(KEY, null), grants.release(KEY, podUid('a'), 's1'), inMs(KEY, null)]).toEqual([900, 4, 700]);
    expect([grants.release(KEY, podUid('a'), 's2'), inMs(KEY, null)]).toEqual([4, 500]);
    expect([grants.release(KEY, podUid('a'), 'never given'), inMs(KEY, null)]).toEqual([null, 500]);
  });

  it('tells the token of the last grant of the term, and none when that was over', async () => {
    const { clock, grants } = some();
    grants.give(KEY, podUid('a'), clock.nowMs() + 900, term('s1', 4));
    grants.give(KEY, podUid('a'), clock.nowMs() + 100, term('s1', 5));
    grants.give(KEY, podUid('a'), clock.nowMs() + 100, term('s2', 5));
    await clock.advance(100);
    expect([grants.release(KEY, podUid('a'), 's1'), grants.release(KEY, podUid('a'), 's2')]).toEqual([5, null]);
  });

  it('does not shorten what the replica that had the bucket before may have said', () => {
    const { clock, grants, inMs } = some(createFakeClock().nowMs());
    grants.give(KEY, podUid('a'), clock.nowMs() + 500, term('s1'));
    expect([grants.release(KEY, podUid('a'), 's1'), inMs(KEY, podUid('a'))]).toEqual([4, MAX_GRANT_MS]);
  });

  it('is remembered for five minutes, also when there was nothing to void', async () => {
    const { clock, grants } = some();
    grants.release(KEY, podUid('a'), 's1');
    expect([grants.isReleased(KEY, podUid('a'), 's1'), grants.isReleased(KEY, podUid('b'), 's1')]).toEqual([
      true,
      false,
    ]);
    await clock.advance(299_999);
    expect(grants.isReleased(KEY, podUid('a'), 's1')).toBe(true);
    await clock.advance(1);
    expect(grants.isReleased(KEY, podUid('a'), 's1')).toBe(false);
  });

  it('does nothing when the pod has released too many to remember, until some are forgotten', async () => {
    const { clock, grants, inMs } = some();
    for (let at = 0; at < 64; at += 1) expect(grants.release(KEY, podUid('a'), `s${at}`)).toBeNull();
    grants.give(KEY, podUid('a'), clock.nowMs() + 900, term('more'));
    expect([grants.release(KEY, podUid('a'), 'more'), inMs(KEY, null)]).toEqual(['tooMany', 900]);
    expect([grants.release(KEY, podUid('a'), 's1'), grants.release(KEY, podUid('b'), 'more')]).toEqual([null, null]);
    await clock.advance(300_000);
    expect(grants.release(KEY, podUid('a'), 'more')).toBeNull();
  });

  it('cannot void grants of more than sixteen terms of a pod at a time: those run out', () => {
    const { clock, grants, inMs } = some();
    for (let at = 0; at < 17; at += 1) grants.give(KEY, podUid('a'), clock.nowMs() + 500 + at, term(`s${at}`));
    for (let at = 0; at < 17; at += 1) grants.release(KEY, podUid('a'), `s${at}`);
    expect(inMs(KEY, null)).toBe(516);
  });
});
