import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { wallMs } from '../../../../src/api/clocks.ts';
import { contestIn, refreshRefusals, repairedAgain, writeRefusal } from '../../../../src/operator/observe/refusals.ts';
import { aGroup, aPod } from '../../../kit/fakes/builders.ts';
import { createFakeClock } from '../../../kit/fakes/clock.ts';

describe('what a pod has refused', () => {
  const group = aGroup();
  const pod = aPod({ name: 'a' });
  const outcome = { kind: 'refused', status: 403, message: 'no' } as const;
  const about = { what: 'writing to pod a', pod, generation: group.generation };

  it('is forgotten with the pod, and kept while it is there', () => {
    const refusal = writeRefusal(createFakeClock(), null, outcome, about);
    const refusals = new Map([[pod.uid, refusal]]);
    const before = { promotionRefusals: refusals, fencingRefusals: refusals, followersRefused: null };
    expect(refreshRefusals(before, group, new Map([[pod.uid, pod]]))).toEqual(before);
    const { promotionRefusals, fencingRefusals } = refreshRefusals(before, group, new Map());
    expect([promotionRefusals.size, fencingRefusals.size]).toEqual([0, 0]);
  });
});

describe('a contest', () => {
  const TIMES = 6;

  it('is over at the moment that it names, at whatever fraction of a millisecond it began', () => {
    fc.assert(
      fc.property(fc.double({ min: 1, max: 1e9, noNaN: true }), (atMs) => {
        const repairs = Array.from({ length: TIMES }).reduce<ReturnType<typeof repairedAgain> | undefined>(
          (before) => repairedAgain(before, atMs, wallMs(0)),
          undefined,
        );
        if (repairs === undefined) throw new Error('nothing was repaired');
        const contest = contestIn(repairs, atMs);
        expect(contest).not.toBeNull();
        expect(contestIn(repairs, contest?.overAtMs ?? 0)).toBeNull();
      }),
    );
  });
});
