import { describe, expect, it } from 'vitest';
import { takesFrom } from '../../../src/election/actions.ts';
import { plan } from '../../../src/election/plan.ts';
import { look } from '../../../src/election/plans.ts';
import { aLeader } from '../../kit/fakes/builders.ts';
import { anObservation, observed } from '../../kit/fakes/builders-election.ts';
import { uidOf } from '../../kit/fakes/ids.ts';

describe('whether a plan takes the lock from its holder', () => {
  const a = uidOf('a');

  it('is so where it hands over, and not where nothing is to be done', () => {
    expect(takesFrom(plan(anObservation({ resigned: { uid: a, token: 4 } })), a)).toBe(a);
    expect(takesFrom(plan(anObservation()), a)).toBeNull();
  });

  it('stays open while the plan looks at what it cannot be decided without: a leader that was told to stop is not told to go on', () => {
    expect(takesFrom(look([{ do: 'readLock' }], 'a premise is old'), a)).toBe(a);
  });

  it('is not so where another leads already', () => {
    const pods = [observed(aLeader(4, { name: 'a' }))];
    expect(takesFrom(plan(anObservation({ pods })), uidOf('b'))).toBeNull();
  });
});
