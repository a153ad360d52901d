import { describe, expect, it } from 'vitest';
import type { Pod } from '../../../src/api/pod.ts';
import { eligibility, labelled, rankedCandidates } from '../../../src/election/candidates.ts';
import type { ObservedPod } from '../../../src/election/observation.ts';
import { aGroup, aLeader, aPod } from '../../support/builders.ts';
import { anObservation, NOW_MS, observed } from '../../support/builders-election.ts';

const EXCLUDED = { 'leadergroup.dev/candidate': 'false' };

describe('who may lead', () => {
  const cases: readonly (readonly [string, ObservedPod, object])[] = [
    ['a ready member may', observed(aPod()), { kind: 'candidate' }],
    ['one that is not ready may not', observed(aPod({ ready: false })), { kind: 'ineligible', reason: 'NotReady' }],
    [
      'one that terminates may not, ready or not',
      observed(aPod({ deleting: true })),
      { kind: 'ineligible', reason: 'Terminating' },
    ],
    [
      'one annotated with false may not',
      observed(aPod({ annotations: EXCLUDED })),
      { kind: 'ineligible', reason: 'Excluded' },
    ],
    [
      'one annotated with anything else may',
      observed(aPod({ annotations: { 'leadergroup.dev/candidate': 'no' } })),
      { kind: 'candidate' },
    ],
    [
      'one whose promotion was refused may not for a while',
      observed(aPod(), { refusedUntilMs: NOW_MS + 1 }),
      { kind: 'ineligible', reason: 'PromotionRefused' },
    ],
    ['and may again afterwards', observed(aPod(), { refusedUntilMs: NOW_MS }), { kind: 'candidate' }],
  ];

  it.each(cases)('%s', (_rule, pod, expected) => {
    expect(eligibility(anObservation(), pod)).toEqual(expected);
  });

  it('waits until it has been ready for minReadySeconds, by own observation', () => {
    const o = anObservation({ group: aGroup({ spec: { minReadyMs: 10_000 } }) });
    expect(eligibility(o, observed(aPod(), { readyForMs: 4000 }))).toEqual({
      kind: 'waiting',
      reason: 'MinReadySeconds',
      inMs: 6000,
    });
    expect(eligibility(o, observed(aPod(), { readyForMs: 10_000 }))).toEqual({ kind: 'candidate' });
  });
});

describe('who leads best', () => {
  const order = (...pods: readonly ObservedPod[]): readonly string[] =>
    rankedCandidates(anObservation({ pods })).map(({ pod }) => pod.name);
  const pod = (name: string, overrides: Partial<Pod> = {}, more: Partial<ObservedPod> = {}): ObservedPod =>
    observed(aPod({ name, ...overrides }), more);

  it('a pod on a cordoned node or about to be evicted comes last', () => {
    expect(order(pod('a', {}, { cordoned: true }), pod('b', { disrupted: true }), pod('c'))).toEqual(['c', 'a', 'b']);
  });

  it('a pod of the newest revision comes before longer ready ones of older revisions', () => {
    const old = { ownerUid: 'old', createdMs: 1000, readyTransitionMs: 1 };
    const fresh = { ownerUid: 'new', createdMs: 5000, readyTransitionMs: 9000 };
    expect(order(pod('a', old), pod('b', fresh))).toEqual(['b', 'a']);
  });

  it('a revision is as new as its newest pod, ready or not', () => {
    const older = { ownerUid: 'old', createdMs: 3000 };
    const rolledBack = { ownerUid: 'back', createdMs: 1000 };
    const fresh = pod('c', { ownerUid: 'back', createdMs: 9000, ready: false });
    expect(order(pod('a', older), pod('b', rolledBack), fresh)).toEqual(['b', 'a']);
  });

  it('of one revision the longest ready comes first, then the name', () => {
    expect(order(pod('c', { readyTransitionMs: 7 }), pod('b'), pod('a'))).toEqual(['c', 'a', 'b']);
  });

  it('a pod that does not say since when it is ready comes after those that do', () => {
    expect(order(pod('a', { readyTransitionMs: null }), pod('b'))).toEqual(['b', 'a']);
  });

  it('pods that are no members do not count', () => {
    expect(order(pod('a', {}, { member: false }), pod('b'))).toEqual(['b']);
  });

  it('is the same whatever order the pods are known in', () => {
    const pods = [pod('a', { ownerUid: null }), pod('b', {}, { cordoned: true }), pod('c'), pod('d', { ready: false })];
    expect(order(...pods.toReversed())).toEqual(order(...pods));
  });
});

describe('whose label counts as this group’s', () => {
  const group = aGroup();

  it('a member’s', () => {
    const pod = aPod({ labels: { app: 'notifier', 'leadergroup.dev/role': 'leader' } });
    expect(labelled(group, observed(pod))).toBe(true);
    expect(labelled(group, observed(aPod()))).toBe(false);
  });

  it('on a pod that is no member, or another group’s too, only where this group’s own promotion stands', () => {
    for (const whose of [{ member: false }, { claimedByOther: true }]) {
      const byHand = aPod({ labels: { 'leadergroup.dev/role': 'leader' } });
      const fenced = aLeader(3, { annotations: { 'fenced.leadergroup.dev/notifier': 'x' } });
      expect(labelled(group, observed(byHand, whose))).toBe(false);
      expect(labelled(group, observed(aLeader(3), whose))).toBe(true);
      expect(labelled(group, observed(fenced, whose))).toBe(false);
    }
  });
});
