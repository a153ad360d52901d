/** What is known of who has been heard, and how little of it is kept. */
import { expect, it } from 'vitest';
import { createHeard, type Window } from '../../../../src/operator/gate/heard.ts';
import { podUid } from '../../../kit/fakes/ids.ts';

const KEY = 'default/notifier';
const [A, B] = [podUid('a'), podUid('b')];

function heardAt(window: Partial<Window> | null, ...times: readonly number[]) {
  const heard = createHeard(() => (window === null ? null : { grainMs: 10, keepMs: 1000, steadyMs: 100, ...window }));
  for (const ms of times) heard.note(KEY, A, ms);
  const of = (uid = A, key = KEY) => heard.arrivals(key, uid)?.recentMs ?? [];
  return { ...heard, of, steadySinceMs: () => heard.arrivals(KEY, A)?.steadySinceMs ?? null };
}

it('each arrival is known, and the same one counts once', () => {
  const heard = heardAt({}, 0, 100, 100, 200, 150, 200);
  expect([heard.of(), heard.of(B), heard.of(A, 'default/other')]).toEqual([[0, 100, 200], [], []]);
});

it('the last arrival is exact, and of those before it two are kept for each grain at most', () => {
  const times = Array.from({ length: 101 }, (_, at) => at * 10);
  const arrivals = heardAt({ grainMs: 100, keepMs: 10_000 }, ...times).of();
  expect(arrivals.at(-1)).toBe(1000);
  expect(arrivals.length).toBeLessThanOrEqual(21);
  const gaps = arrivals.slice(1).map((ms, at) => ms - (arrivals[at] ?? 0));
  expect(Math.max(...gaps)).toBeLessThanOrEqual(100);
});

it('a silence is never filled: between two arrivals stands nothing that did not arrive', () => {
  expect(heardAt({ grainMs: 100, keepMs: 10_000 }, 0, 50, 90, 900, 950).of()).toEqual([0, 90, 900, 950]);
});

it('what arrived long ago is forgotten, the last one never', () => {
  const heard = heardAt({ keepMs: 300 }, 0, 100, 400);
  expect(heard.of()).toEqual([100, 400]);
  heard.note(KEY, A, 9000);
  expect(heard.of()).toEqual([9000]);
});

it('since when a member was never silent for too long is known, however little is kept', () => {
  const times = Array.from({ length: 2000 }, (_, at) => at * 90);
  const heard = heardAt({ keepMs: 300 }, ...times);
  expect([heard.steadySinceMs(), heard.of().length]).toEqual([0, 4]);
  heard.note(KEY, A, 1999 * 90 + 100);
  expect(heard.steadySinceMs()).toBe(0);
});

it('a silence of more than that begins it anew', () => {
  expect(heardAt({}, 0, 90, 191, 200).steadySinceMs()).toBe(191);
});

it('what was measured by another period shows nothing by this one', () => {
  const window = { grainMs: 10, keepMs: 1000, steadyMs: 500 };
  const heard = createHeard(() => window);
  for (const ms of [0, 400, 800]) heard.note(KEY, A, ms);
  expect(heard.arrivals(KEY, A)?.steadySinceMs).toBe(0);
  window.steadyMs = 100;
  heard.note(KEY, A, 850);
  expect(heard.arrivals(KEY, A)?.steadySinceMs).toBe(850);
});

it('nothing is kept where nobody judges by it, of pods that are gone, and of groups that are', () => {
  expect(heardAt(null, 1, 2).of()).toEqual([]);
  const heard = heardAt({}, 1);
  heard.note(KEY, B, 1);
  heard.gone(KEY, A);
  expect([heard.of(), heard.of(B)]).toEqual([[], [1]]);
  heard.dropped(KEY);
  expect(heard.of(B)).toEqual([]);
});
