/** Which replica should own which bucket. */

import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { desiredOwners, placement } from '../../src/election/placement.ts';
import type { LiveReplica } from '../../src/election/replicas.ts';
import { sessionId, wallMs } from '../kit/fakes/ids.ts';

const names = fc.uniqueArray(fc.string({ minLength: 1, maxLength: 40 }), { minLength: 1, maxLength: 40 });

function loads(owners: Iterable<string>): readonly number[] {
  const counts = new Map<string, number>();
  for (const owner of owners) counts.set(owner, (counts.get(owner) ?? 0) + 1);
  return [...counts.values()];
}

const differing = (a: ReadonlyMap<number, string>, b: ReadonlyMap<number, string>): readonly number[] =>
  [...a.keys()].filter((bucket) => a.get(bucket) !== b.get(bucket));

describe('placement', () => {
  it('gives each of the 32 buckets to one replica, and none more than its share rounded up', () => {
    fc.assert(
      fc.property(names, (replicas) => {
        const placed = placement(replicas);
        expect([...placed.keys()].toSorted((a, b) => a - b)).toEqual(Array.from({ length: 32 }, (_, bucket) => bucket));
        expect(Math.max(...loads(placed.values()))).toBeLessThanOrEqual(Math.ceil(32 / replicas.length));
      }),
    );
  });

  it('is the same whatever the order in which the replicas are known', () => {
    fc.assert(
      fc.property(
        names.chain((replicas) =>
          fc.tuple(fc.constant(replicas), fc.shuffledSubarray(replicas, { minLength: replicas.length })),
        ),
        ([replicas, shuffled]) => {
          expect(placement(shuffled)).toEqual(placement(replicas));
        },
      ),
    );
  });

  it('moves few buckets besides its own when a replica comes or goes', () => {
    const moved = Array.from({ length: 200 }, (_, at) => {
      const before = placement([`operator-${at}-a`, `operator-${at}-b`, `operator-${at}-c`]);
      const after = placement([`operator-${at}-a`, `operator-${at}-b`, `operator-${at}-c`, `operator-${at}-d`]);
      const own = [...after.values()].filter((replica) => replica === `operator-${at}-d`).length;
      return differing(before, after).length - own;
    });
    // The cap moves some more: 8 of 32 is the least that must move, and the mean stays close to it.
    expect(moved.reduce((sum, count) => sum + count, 0) / moved.length).toBeLessThan(4);
  });

  it('has no owner where there is no replica', () => {
    expect(placement([]).size).toBe(0);
  });
});

describe('desired owners', () => {
  const live = (id: string, reachesApiServer: boolean): LiveReplica => ({
    id,
    session: sessionId(`session-of-${id}`),
    reachesApiServer,
    sinceMs: wallMs(0),
    pod: null,
    url: null,
    publicKey: null,
    routes: true,
    namespaces: null,
    authorities: [],
  });

  it('are replicas that reach the API server, or all where none does', () => {
    const replicas = fc.uniqueArray(fc.record({ id: fc.string({ minLength: 1 }), reaches: fc.boolean() }), {
      selector: ({ id }) => id,
      minLength: 1,
      maxLength: 10,
    });
    fc.assert(
      fc.property(replicas, (some) => {
        const owners = [...desiredOwners(some.map(({ id, reaches }) => live(id, reaches))).values()];
        const anyReaches = some.some(({ reaches }) => reaches);
        expect(owners).toHaveLength(32);
        expect(owners.every(({ reachesApiServer }) => reachesApiServer === anyReaches)).toBe(true);
      }),
    );
  });
});
