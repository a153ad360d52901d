/** What no type can say of a plan is refused where the plan is made. */

import { describe, expect, it } from 'vitest';
import type { Moves } from '../../../src/election/actions.ts';
import { quietly, transition } from '../../../src/election/plans.ts';
import { transaction } from '../../../src/election/transactions.ts';
import { aPod } from '../../kit/fakes/builders.ts';
import { aHeldLock, anObservation } from '../../kit/fakes/builders-election.ts';
import { sessionId } from '../../kit/fakes/ids.ts';

const [a, b] = [aPod({ name: 'a' }), aPod({ name: 'b' })];
const lock = transaction.verify(anObservation(), aHeldLock('a'), a, false);

const fencing = (pod: typeof a): Moves['after'] => [
  { do: 'fence', because: 'stray', targets: [{ pod, precondition: { kind: 'anyVersion' }, label: 'remove' }] },
];

const planned = (moves: Partial<Moves>) => transition(quietly(''), { fence: [], lock, after: [], ...moves } as Moves);

describe('a transition', () => {
  it('may fence pods beside the holder under its verification', () => {
    expect(planned({ after: fencing(b) }).kind).toBe('transition');
  });

  it('that fences the pod that it has verified is a defect', () => {
    expect(() => planned({ after: fencing(a) })).toThrow('is fenced under its own verification');
  });

  it('whose record names another than has the lock is a defect', () => {
    const to = { session: sessionId('session-of-b'), pod: b };
    const other = { ...lock, transaction: { ...lock.transaction, to } };
    expect(() => planned({ lock: other })).toThrow('the record names a, not b');
  });
});
