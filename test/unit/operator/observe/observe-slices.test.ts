/** A slice as a decision sees it: what our own write of this very version said, and how often the same had to be written again. */
import { describe, expect, it } from 'vitest';
import { wallMs } from '../../../../src/api/clocks.ts';
import type { Slice } from '../../../../src/api/route.ts';
import { freshMemory, type GroupMemory } from '../../../../src/operator/observe/memory.ts';
import { remadeOf, slicesOf } from '../../../../src/operator/observe/observe-slices.ts';
import { remember } from '../../../../src/operator/observe/remember.ts';
import { aSlice } from '../../../kit/fakes/builders.ts';
import { anEndpoint, aReading } from '../../../kit/fakes/builders-route.ts';

const sent = aSlice({ token: 4, endpoint: anEndpoint('a') });

/** The answers to writes of the same, each so many seconds after the one before. */
const writtenEach = (seconds: number, times: number, answer: Partial<Slice> = {}): GroupMemory =>
  Array.from({ length: times }, (_, at) => at).reduce(
    (memory, at) =>
      remember(memory, {
        kind: 'sliceWritten',
        made: false,
        toGo: false,
        slice: { ...sent, ...answer, resourceVersion: String(200 + at) },
        content: sent,
        atMs: at * seconds * 1000,
        atWallMs: wallMs(at * seconds * 1000),
      }),
    freshMemory(),
  );

function seen(memory: GroupMemory, slice: Partial<Slice>, nowMs = 0) {
  const { reading, written } = slicesOf(aReading({}, { ...sent, ...slice }), memory, nowMs);
  return { slice: reading?.slices.IPv4, written: written.get('IPv4') };
}

describe('the version that our own write has made', () => {
  const doubled = { altered: true, resourceVersion: '200' };

  it('counts as written, whatever the API server has made of it, and is told apart', () => {
    const { slice, written } = seen(writtenEach(1, 1, doubled), doubled);
    expect(slice).toMatchObject({ altered: false, token: 4, endpoint: { pod: { name: 'a' } } });
    expect(written?.mangled).toBe(true);
    expect(seen(writtenEach(1, 1), { resourceVersion: '200' }).written?.mangled).toBe(false);
  });

  it('counts no more once somebody has written it since', () => {
    const { slice, written } = seen(writtenEach(1, 1, doubled), { ...doubled, resourceVersion: '201' });
    expect([slice, written]).toMatchObject([{ altered: true }, { mangled: false }]);
  });
});

describe('what has been written again and again', () => {
  it('is contested from the fourth time within a minute on, with growing pauses', () => {
    const pauses = [3, 4, 5, 6, 12].map((times) => {
      const nowMs = (times - 1) * 1000;
      const { contest } = seen(writtenEach(1, times), {}, nowMs).written ?? {};
      return contest == null ? null : contest.notBeforeMs - nowMs;
    });
    expect(pauses).toEqual([null, 500, 1000, 2000, 5000]);
  });

  it('is not contested where it was a minute ago, or was to be otherwise meanwhile', () => {
    expect(seen(writtenEach(60, 9), {}, 480_000).written?.contest).toBeNull();
    const other = remember(writtenEach(1, 9), {
      kind: 'sliceWritten',
      made: false,
      toGo: false,
      slice: sent,
      content: { ...sent, token: 5 },
      atMs: 9000,
      atWallMs: wallMs(9000),
    });
    expect(seen(other, {}, 9000).written?.contest).toBeNull();
  });
});

describe('a slice that had to be made, or deleted, again and again', () => {
  const WHAT = {
    made: (atMs: number) =>
      ({ kind: 'sliceWritten', made: true, toGo: false, slice: aSlice(), content: aSlice(), ...at(atMs) }) as const,
    removed: (atMs: number) => ({ kind: 'sliceRemoved', family: 'IPv4', ...at(atMs) }) as const,
  };
  const at = (atMs: number) => ({ atMs, atWallMs: wallMs(atMs) });
  const eachSecond = (what: keyof typeof WHAT, times: number, before: GroupMemory): GroupMemory =>
    Array.from({ length: times }, (_, second) => WHAT[what](second * 1000)).reduce(remember, before);
  const pauseMs = (memory: GroupMemory, what: keyof typeof WHAT, nowMs: number): number | null => {
    const contest = remadeOf(memory, nowMs).get('IPv4')?.[what] ?? null;
    return contest === null ? null : contest.notBeforeMs - nowMs;
  };

  it.each(['made', 'removed'] as const)(
    'is so after growing pauses from the fourth time within a minute on: %s',
    (what) => {
      const after = (times: number): number | null =>
        pauseMs(eachSecond(what, times, writtenEach(1, 1)), what, (times - 1) * 1000);
      expect([2, 3, 4, 5, 9].map(after)).toEqual([null, 500, 1000, 2000, 5000]);
      expect(pauseMs(eachSecond(what, 9, writtenEach(1, 1)), what, 68_000)).toBeNull();
    },
  );

  it('is made for the first time by nobody’s doing, and says nothing of another family', () => {
    const memory = eachSecond('made', 3, freshMemory());
    expect(pauseMs(memory, 'made', 2000)).toBeNull();
    expect(remadeOf(eachSecond('made', 4, freshMemory()), 3000).has('IPv6')).toBe(false);
  });

  it('may show somebody else each time: what it is filled with counts by itself', () => {
    const shows = (token: number) =>
      ({
        kind: 'sliceWritten',
        made: false,
        toGo: false,
        slice: sent,
        content: { ...sent, token },
        ...at(token * 1000),
      }) as const;
    const memory = [1, 2, 3, 4].reduce(
      (known, token) => remember(remember(known, WHAT.made(token * 1000)), shows(token)),
      freshMemory(),
    );
    expect(pauseMs(memory, 'made', 4000)).toBe(500);
  });
});
