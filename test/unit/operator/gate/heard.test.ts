/** What is known of who has been heard, and how little of it is kept. */
import { expect, it } from 'vitest';
import { createHeard, type Window } from '../../../../src/operator/gate/heard.ts';
import { podUid } from '../../../kit/fakes/ids.ts';

const KEY = 'default/notifier';
const [A, B] = [podUid('a'), podUid('b')];

function heardAt(window: Window | null, ...times: readonly number[]) {
  const heard = createHeard(() => window);
  for (const ms of times) heard.note(KEY, A, ms);
  return heard;
}

it('each arrival is known, and the same one counts once', () => {
  const heard = heardAt({ grainMs: 10, keepMs: 1000 }, 0, 100, 100, 200, 150, 200);
  expect([heard.arrivals(KEY, A), heard.arrivals(KEY, B), heard.arrivals('default/other', A)]).toEqual([
    [0, 100, 200],
    [],
    [],
  ]);
});

it('the last arrival is exact, and of those before it two are kept for each grain at most', () => {
  const times = Array.from({ length: 101 }, (_, at) => at * 10);
  const arrivals = heardAt({ grainMs: 100, keepMs: 10_000 }, ...times).arrivals(KEY, A);
  expect(arrivals.at(-1)).toBe(1000);
  expect(arrivals.length).toBeLessThanOrEqual(21);
  const gaps = arrivals.slice(1).map((ms, at) => ms - (arrivals[at] ?? 0));
  expect(Math.max(...gaps)).toBeLessThanOrEqual(100);
});

it('a silence is never filled: between two arrivals stands nothing that did not arrive', () => {
  expect(heardAt({ grainMs: 100, keepMs: 10_000 }, 0, 50, 90, 900, 950).arrivals(KEY, A)).toEqual([0, 90, 900, 950]);
});

it('what arrived long ago is forgotten, the last one never', () => {
  const heard = heardAt({ grainMs: 10, keepMs: 300 }, 0, 100, 400);
  expect(heard.arrivals(KEY, A)).toEqual([100, 400]);
  heard.note(KEY, A, 9000);
  expect(heard.arrivals(KEY, A)).toEqual([9000]);
});

it('however long a group wants to look back, a member has a bounded number', () => {
  const times = Array.from({ length: 2000 }, (_, at) => at * 10);
  expect(heardAt({ grainMs: 5, keepMs: 1e9 }, ...times).arrivals(KEY, A).length).toBeLessThan(600);
});

it('nothing is kept where nobody judges by it, of pods that are gone, and of groups that are', () => {
  expect(heardAt(null, 1, 2).arrivals(KEY, A)).toEqual([]);
  const heard = heardAt({ grainMs: 10, keepMs: 300 }, 1);
  heard.note(KEY, B, 1);
  heard.gone(KEY, A);
  expect([heard.arrivals(KEY, A), heard.arrivals(KEY, B)]).toEqual([[], [1]]);
  heard.dropped(KEY);
  expect(heard.arrivals(KEY, B)).toEqual([]);
});
