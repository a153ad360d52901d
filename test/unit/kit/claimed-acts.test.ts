/** The judge of claims beside the faults in the large can say no. */
import { expect, it } from 'vitest';
import type { ClaimRequest } from '../../kit/checker/checker.ts';
import { createActs } from '../../kit/rig/faults/claimed-acts.ts';
import type { ClaimerPlan } from '../../kit/rig/faults/claimers.ts';

const planOf = (mode: ClaimRequest['mode']): ClaimerPlan => ({ group: 'g1', mode, pods: [] });

const given = (position: number, group = 'g1'): ClaimRequest => ({
  namespace: 'faults',
  group,
  what: 'claim',
  series: 'ticks',
  position,
  mode: 'AtMostOnce',
  podUid: 'uid-of-a',
  id: 'id',
  sentMs: 0,
  told: { atMs: 1, status: 201, reason: null, position, attempt: 1 },
});

/** What is wrong where these positions were given out, and those were acted on. */
function judged(mode: ClaimRequest['mode'], requests: readonly ClaimRequest[], acted: readonly number[]) {
  const counts = { acts: 0, twice: 0 };
  const acts = createActs(counts);
  for (const position of acted) acts.note(planOf(mode), position);
  return { counts, breaches: acts.breaches([planOf(mode)], requests) };
}

it('AtMostOnce a position is acted on once at most, and may be lost', () => {
  expect(judged('AtMostOnce', [given(1), given(2)], [1]).breaches).toEqual([]);
  expect(judged('AtMostOnce', [given(1)], [1, 1]).breaches).toEqual([
    'I12: position 1 of g1 was acted on 2 times, AtMostOnce',
  ]);
});

it('AtLeastOnce what was given out is acted on, and may be so twice, which is counted', () => {
  expect(judged('AtLeastOnce', [given(1)], [1, 1, 1])).toEqual({ counts: { acts: 3, twice: 1 }, breaches: [] });
  expect(judged('AtLeastOnce', [given(1), given(2)], [2]).breaches).toEqual([
    'I13: position 1 of g1 was given out, and nobody acted on it',
  ]);
});

it('a group in which nobody is given anything shows nothing', () => {
  expect(judged('AtMostOnce', [given(1, 'g2')], []).breaches).toEqual(['nobody in g1 was ever given a tick']);
});
