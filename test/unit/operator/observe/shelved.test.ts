/** A large map of the memory is as good as a Map, and its copies are independent of each other. */
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { entriesThat, put, removed } from '../../../../src/operator/observe/collections.ts';
import { Shelved } from '../../../../src/operator/observe/shelved.ts';

const keys = fc.integer({ min: 0, max: 99 }).map((at) => `uid-${at}`);
const changes = fc.array(fc.tuple(keys, fc.option(fc.integer())), { maxLength: 300 });

describe('a map with one entry more or less', () => {
  it('says what a Map would, before and after it has become large', () => {
    fc.assert(
      fc.property(changes, (all) => {
        const expected = new Map<string, number>();
        let map: ReadonlyMap<string, number> = new Map();
        for (const [key, value] of all) {
          if (value === null) expected.delete(key);
          else expected.set(key, value);
          map = value === null ? removed(map, key) : put(map, key, value);
          expect([map.size, map.get(key), map.has(key)]).toEqual([expected.size, expected.get(key), expected.has(key)]);
        }
        expect(new Map(map)).toEqual(expected);
        expect([new Set(map.keys()), new Set(map.values())]).toEqual([
          new Set(expected.keys()),
          new Set(expected.values()),
        ]);
      }),
      { numRuns: 50 },
    );
  });

  it('leaves the one that it was made from as it is', () => {
    const before = Shelved.of<string, number>([['a', 1]]);
    const after = before.with('b', 2).without('a');
    expect([[...before], [...after]]).toEqual([[['a', 1]], [['b', 2]]]);
    expect([before.without('x'), removed(before, 'x'), entriesThat(before, () => true)]).toEqual([
      before,
      before,
      before,
    ]);
  });

  it('tells each entry once', () => {
    const seen: [string, number][] = [];
    Shelved.of([['a', 1]]).forEach((value, key) => seen.push([key, value]));
    expect(seen).toEqual([['a', 1]]);
  });
});
