import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hashOf } from '../../../src/api/hash.ts';
import type { LabelSelector } from '../../../src/api/leadergroup.ts';
import { eligibility, labelled, rankedCandidates } from '../../../src/election/candidates.ts';
import type { ObservedPod } from '../../../src/election/observation.ts';
import { aGroup, aLeader, aPod, aReplicaSet, type PodOverrides } from '../../kit/fakes/builders.ts';
import { anObservation, NOW_MS, observed, readyFor } from '../../kit/fakes/builders-election.ts';

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
      'one on a node that is lost may not, however ready it looks',
      observed(aPod(), { nodeLost: true }),
      { kind: 'ineligible', reason: 'NodeLost' },
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
      observed(aPod(), { promotionRefused: { message: 'no', retryAtMs: NOW_MS + 1 } }),
      { kind: 'ineligible', reason: 'PromotionRefused' },
    ],
    [
      'and may again afterwards',
      observed(aPod(), { promotionRefused: { message: 'no', retryAtMs: NOW_MS } }),
      { kind: 'candidate' },
    ],
  ];

  it.each(['NotReady', 'ContainerNotRunning', 'NodeNotReady'] as const)(
    'one that lacks something by the condition of its group may not, however ready it is: %s',
    (lacks) => {
      const pod = observed(aPod(), { candidacy: { lacks, forMs: 1 } });
      expect(eligibility(anObservation(), pod)).toEqual({ kind: 'ineligible', reason: lacks });
    },
  );

  it('one that is a candidate by the condition of its group may, though it is not ready', () => {
    expect(eligibility(anObservation(), observed(aPod({ ready: false }), readyFor(1)))).toEqual({ kind: 'candidate' });
  });

  it.each(cases)('%s', (_rule, pod, expected) => {
    expect(eligibility(anObservation(), pod)).toEqual(expected);
  });

  it('waits until it has been ready for minReadySeconds, by own observation', () => {
    const o = anObservation({ group: aGroup({ spec: { minReadyMs: 10_000 } }) });
    expect(eligibility(o, observed(aPod(), readyFor(4000)))).toEqual({
      kind: 'waiting',
      reason: 'MinReadySeconds',
      inMs: 6000,
    });
    expect(eligibility(o, observed(aPod(), readyFor(10_000)))).toEqual({ kind: 'candidate' });
  });
});

describe('who leads best', () => {
  const order = (...pods: readonly ObservedPod[]): readonly string[] =>
    rankedCandidates(anObservation({ pods })).map(({ pod }) => pod.name);
  const pod = (name: string, overrides: PodOverrides = {}, more: Partial<ObservedPod> = {}): ObservedPod =>
    observed(aPod({ name, ...overrides }), more);

  it('a pod on a cordoned node or about to be evicted comes last', () => {
    expect(order(pod('a', {}, { cordoned: true }), pod('b', { disrupted: true }), pod('c'))).toEqual(['c', 'a', 'b']);
  });

  /** Of a ReplicaSet of a Deployment: named after it and the hash of its template. */
  const of = (deployment: string, hash: string, more: PodOverrides = {}): PodOverrides => ({
    owner: aReplicaSet({ name: `${deployment}-${hash}` }),
    labels: { app: 'notifier', 'pod-template-hash': hash },
    ...more,
  });

  it('a pod of the newest revision comes before longer ready ones of older revisions', () => {
    const old = of('web', 'old', { createdMs: 1000, readyTransitionMs: 1 });
    const fresh = of('web', 'new', { createdMs: 5000, readyTransitionMs: 9000 });
    expect(order(pod('a', old), pod('b', fresh))).toEqual(['b', 'a']);
  });

  it('a revision is as new as its newest pod, ready or not', () => {
    const older = of('web', 'old', { createdMs: 3000 });
    const rolledBack = of('web', 'back', { createdMs: 1000 });
    const fresh = pod('c', of('web', 'back', { createdMs: 9000, ready: false }));
    expect(order(pod('a', older), pod('b', rolledBack), fresh)).toEqual(['b', 'a']);
  });

  it('of the revisions that one StatefulSet goes through, the newest comes first', () => {
    const owner = { apiVersion: 'apps/v1', kind: 'StatefulSet', name: 'db', uid: 'db' };
    const revision = (hash: string, createdMs: number, readyTransitionMs: number): PodOverrides => ({
      owner,
      labels: { app: 'notifier', 'controller-revision-hash': hash },
      createdMs,
      readyTransitionMs,
    });
    expect(order(pod('db-0', revision('db-1', 1, 1)), pod('db-2', revision('db-2', 9, 9)))).toEqual(['db-2', 'db-0']);
  });

  it('a newer pod of another workload does not come first for being newer: the workload with more pods does', () => {
    const stable = of('web', 'a', { createdMs: 1000, readyTransitionMs: 5000 });
    const canary = of('canary', 'b', { createdMs: 9000, readyTransitionMs: 9000 });
    expect(order(pod('c', canary), pod('s1', stable), pod('s2', stable))).toEqual(['s1', 's2', 'c']);
  });

  it('of workloads with as many pods the longest ready pod comes first', () => {
    const stable = of('web', 'a', { createdMs: 1000, readyTransitionMs: 5000 });
    const other = of('other', 'b', { createdMs: 9000, readyTransitionMs: 9000 });
    expect(order(pod('o', other), pod('s', stable))).toEqual(['s', 'o']);
  });

  it('a pod without a controller, and one that is made to end, is the last choice however many there are', () => {
    const bare = { owner: null, createdMs: 9000, readyTransitionMs: 1 };
    const ending = {
      owner: { apiVersion: 'argoproj.io/v1alpha1', kind: 'Workflow', name: 'w', uid: 'w' },
      runsToCompletion: true,
    };
    expect(
      order(pod('a', bare), pod('b', bare), pod('c', bare), pod('e', ending), pod('web', of('web', 'h'))).at(0),
    ).toBe('web');
    expect(order(pod('a', bare))).toEqual(['a']);
  });

  it('is a total order: of any two candidates one comes first, and no three go in a circle', () => {
    const kinds = [
      of('web', 'a'),
      of('web', 'b', { createdMs: 5 }),
      of('canary', 'x'),
      { owner: null },
      { runsToCompletion: true },
    ];
    const some = fc.record({ kind: fc.integer({ min: 0, max: 4 }), since: fc.option(fc.integer({ min: 0, max: 3 })) });
    fc.assert(
      fc.property(fc.array(some, { maxLength: 8 }), fc.integer(), (drawn, seed) => {
        const pods = drawn.map(({ kind, since }, at) => pod(`p${at}`, { ...kinds[kind], readyTransitionMs: since }));
        const key = ({ pod: { name } }: ObservedPod): number => hashOf(`${name}${seed}`);
        const shuffled = pods.toSorted((a, b) => key(a) - key(b));
        expect(order(...shuffled)).toEqual(order(...pods));
      }),
    );
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
    const pods = [pod('a', { owner: null }), pod('b', {}, { cordoned: true }), pod('c'), pod('d', { ready: false })];
    expect(order(...pods.toReversed())).toEqual(order(...pods));
  });
});

describe('a pod of a Job', () => {
  const owner = { apiVersion: 'batch/v1', kind: 'Job', name: 'backup', uid: 'job' };
  const job = observed(aPod({ name: 'backup-x', owner, runsToCompletion: true }));
  const reasonIn = (selector: Partial<LabelSelector>) => {
    const group = aGroup({ spec: { selector: { matchLabels: {}, matchExpressions: [], ...selector } } });
    return eligibility(anObservation({ group }), job);
  };

  it('does not lead, and the reason says so', () => {
    expect(reasonIn({ matchLabels: { app: 'notifier' } })).toEqual({ kind: 'ineligible', reason: 'JobPod' });
  });

  it.each([
    [{ matchLabels: { 'job-name': 'backup' } }],
    [{ matchExpressions: [{ key: 'batch.kubernetes.io/job-name', operator: 'Exists', values: [] }] }],
  ] as const)('may lead where the selector asks for it: %j', (selector) => {
    expect(reasonIn(selector)).toEqual({ kind: 'candidate' });
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
