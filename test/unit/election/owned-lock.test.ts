import { describe, expect, it } from 'vitest';
import type { Observation } from '../../../src/election/observation.ts';
import { ownedLockOf } from '../../../src/election/owned-lock.ts';
import { aLock, anObservation, freeAfter, heldBy } from '../../kit/fakes/builders-election.ts';

const kindOf = (o: Partial<Observation>) => ownedLockOf(anObservation(o))?.kind ?? null;

describe('the lock of a group', () => {
  it.each<[string, Partial<Observation>, string | null]>([
    ['nobody’s business while another replica owns the bucket', { ownership: { kind: 'notOwned' } }, null],
    ['nobody’s business while the bucket cannot be shown to be ours', { ownership: { kind: 'lapsed' } }, null],
    ['nobody’s business before Consul has answered', { ownership: { kind: 'neverKnown' } }, null],
    ['unread while nothing is known of it', { lock: null }, 'unread'],
    ['free when no session holds it', { lock: freeAfter('a') }, 'free'],
    ['held when a session of ours holds it', { lock: heldBy('a') }, 'held'],
    ['elsewhere when another session holds it', { lock: aLock({ session: 'external' }) }, 'elsewhere'],
    ['elsewhere when ours is lost', { lock: heldBy('a'), sessions: [] }, 'elsewhere'],
  ])('is %s', (_, o, kind) => {
    expect(kindOf(o)).toBe(kind);
  });
});
