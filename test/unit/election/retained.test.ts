import { describe, expect, it } from 'vitest';
import type { LeaderGroupSpec } from '../../../src/api/leadergroup.ts';
import type { Observation } from '../../../src/election/observation.ts';
import { plan } from '../../../src/election/plan.ts';
import { retainedLeader } from '../../../src/election/retained.ts';
import { aGroup, aLeader, aPod } from '../../kit/fakes/builders.ts';
import {
  anObservation,
  aRecord,
  freeAfter,
  heldBy,
  NOW_MS,
  observed,
  steps,
  theAction,
} from '../../kit/fakes/builders-election.ts';

const FOLLOWERS = { key: 'leadergroup.dev/role', leader: 'leader', follower: 'follower' };
const deleting = (overrides: Partial<Observation> = {}, spec: Partial<LeaderGroupSpec> = {}): Observation =>
  anObservation({
    group: aGroup({ deleting: true, spec: { deletionPolicy: 'Retain', ...spec } }),
    pods: [observed(aLeader(3, { name: 'a' })), observed(aPod({ name: 'b' }))],
    deletingSinceMs: NOW_MS - 100,
    ...overrides,
  });
const kept = (overrides: Partial<Observation>): string | null => retainedLeader(deleting(overrides))?.pod.name ?? null;

describe('a group that is deleted and retains its leader', () => {
  it('gives up the lock without taking the label off', () => {
    expect(steps(plan(deleting()))).toEqual(['unlock']);
  });

  it('then leaves its last token in Consul, and takes nothing off the leader', () => {
    expect(steps(plan(deleting({ lock: freeAfter('a') })))).toEqual(['bury', 'removeFinalizer']);
  });

  it('keeps the leader’s label when Consul does not answer', () => {
    const o = deleting({ consulUnreachable: true, deletingSinceMs: NOW_MS - 11_000 });
    expect(steps(plan(o))).toEqual(['removeFinalizer']);
  });

  it('takes it off whoever else has it, and cleans whoever has led', () => {
    const other = observed(aPod({ name: 'b', labels: { app: 'notifier', 'leadergroup.dev/role': 'leader' } }));
    const former = observed(
      aPod({
        name: 'c',
        annotations: { 'token.leadergroup.dev/notifier': '2', 'fenced.leadergroup.dev/notifier': 'x' },
      }),
    );
    const pods = [observed(aLeader(3, { name: 'a' })), other, former];
    expect(steps(plan(deleting({ pods })))).toEqual(['fence b', 'unlock']);
    const o = deleting({ pods: [pods[0] ?? other, former], lock: freeAfter('a') });
    expect(theAction(plan(o), 'cleanUp').pods).toMatchObject([{ pod: { name: 'c' } }]);
  });

  it('leaves followers what they are', () => {
    const follower = observed(aPod({ name: 'b', labels: { app: 'notifier', [FOLLOWERS.key]: 'follower' } }));
    const o = deleting(
      { pods: [observed(aLeader(3, { name: 'a' })), follower], lock: freeAfter('a') },
      { label: FOLLOWERS },
    );
    expect(steps(plan(o))).toEqual(['bury', 'removeFinalizer']);
  });

  it('is named as the last holder where no record is left, so that the next group of the name knows it', () => {
    const o = deleting({ lock: { ...freeAfter('a'), record: null } });
    expect(theAction(plan(o), 'bury').record.holder).toEqual({ pod: 'a', uid: 'uid-of-a' });
  });
});

describe('who is retained', () => {
  const leader = observed(aLeader(3, { name: 'a' }));

  it('is not told by a record of which another owner may have written the next since', () => {
    const annotations = { 'token.leadergroup.dev/notifier': '3', 'fenced.leadergroup.dev/notifier': 'x' };
    const pods = [observed(aPod({ name: 'a', annotations })), observed(aLeader(4, { name: 'b' }))];
    expect(kept({ pods })).toBeNull();
    expect(kept({ pods, ownership: { kind: 'lapsed' } })).toBe('b');
    expect(steps(plan(deleting({ pods, ownership: { kind: 'lapsed' }, consulUnreachable: true })))).toEqual([]);
  });

  it('is the leader', () => {
    expect(kept({})).toBe('a');
    expect(kept({ lock: null })).toBe('a');
  });

  it.each<[who: string, overrides: Partial<Observation>]>([
    [
      'who has the label by hand',
      { pods: [observed(aPod({ name: 'a', labels: { app: 'notifier', 'leadergroup.dev/role': 'leader' } }))] },
    ],
    [
      'who was fenced, and has the label again',
      {
        pods: [
          observed({
            ...leader.pod,
            annotations: { ...leader.pod.annotations, 'fenced.leadergroup.dev/notifier': 'x' },
          }),
        ],
      },
    ],
    [
      'who was fenced, and had to keep the label',
      {
        pods: [
          observed({
            ...leader.pod,
            annotations: { ...leader.pod.annotations, 'fenced.leadergroup.dev/notifier': 'label-kept x' },
          }),
        ],
      },
    ],
    ['who is labelled while the lock is another’s', { lock: heldBy('b') }],
    ['anybody without the label', { pods: [observed(aPod({ name: 'a' }))] }],
  ])('is not %s', (_who, overrides) => {
    expect(kept(overrides)).toBeNull();
  });

  it('is the one that led last where no record says who did', () => {
    const pods = [leader, observed(aLeader(4, { name: 'b' }))];
    expect(kept({ pods, lock: null })).toBe('b');
    expect(kept({ pods, lock: { ...heldBy('a'), record: aRecord('a', 3) } })).toBe('a');
  });

  it('is nobody where labels are taken off', () => {
    expect(retainedLeader(deleting({}, { deletionPolicy: 'Demote' }))).toBeNull();
  });
});
