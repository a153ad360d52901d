import { describe, expect, it } from 'vitest';
import { freshMemory } from '../../../../src/operator/observe/memory.ts';
import { refreshRefusals, writeRefusal } from '../../../../src/operator/observe/refusals.ts';
import { aGroup, aPod } from '../../../support/builders.ts';
import { createFakeClock } from '../../../support/model/fake-clock.ts';

describe('what a pod has refused', () => {
  const group = aGroup();
  const pod = aPod({ name: 'a' });
  const outcome = { kind: 'refused', status: 403, message: 'no' } as const;
  const about = { what: 'writing to pod a', pod, generation: group.generation };

  it('is forgotten with the pod, and kept while it is there', () => {
    const memory = freshMemory();
    const refusal = writeRefusal(createFakeClock(), null, outcome, about);
    memory.promotionRefusals.set(pod.uid, refusal);
    memory.fencingRefusals.set(pod.uid, refusal);
    refreshRefusals(memory, group, new Map([[pod.uid, pod]]));
    expect([memory.promotionRefusals.size, memory.fencingRefusals.size]).toEqual([1, 1]);
    refreshRefusals(memory, group, new Map());
    expect([memory.promotionRefusals.size, memory.fencingRefusals.size]).toEqual([0, 0]);
  });
});
