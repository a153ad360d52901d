/** Whom rebalance would have lead: the rules, and the same order as the operator's. */
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { LeaderGroup } from '../../../../src/api/leadergroup.ts';
import type { ClusterNode, Pod } from '../../../../src/api/pod.ts';
import { type Advice, advise } from '../../../../src/cli/rebalance/better.ts';
import { ranked } from '../../../../src/election/ranking.ts';
import { aGroup, aLeader, aNode, aPod, aReplicaSet, type GroupOverrides } from '../../../kit/fakes/builders.ts';
import { observed } from '../../../kit/fakes/builders-election.ts';
import { trying } from '../../../kit/model/seed.ts';

type Spec = NonNullable<GroupOverrides['spec']>;

const TIER = { tier: 'x' };
const podSelector = { matchLabels: TIER, matchExpressions: [] };
const nodeSelector = { matchLabels: { zone: 'a' }, matchExpressions: [] };
const prefersTier: Spec = { preferences: [{ weight: 5, podSelector, nodeSelector: null }] };
const prefersZone: Spec = { preferences: [{ weight: 5, podSelector: null, nodeSelector }] };
const bySpread: Spec = { spread: { topologyKey: 'zone' } };

const labels = { app: 'notifier' };
const tierPod = aPod({ name: 'b', labels: { ...labels, ...TIER } });
const NODES = [aNode({ name: 'one', labels: { zone: 'a' } }), aNode({ name: 'two', labels: { zone: 'b' } })];

function adviceFor(spec: Spec, pods: readonly Pod[], nodes: readonly ClusterNode[] | null = NODES): Advice {
  const byName = nodes === null ? null : new Map(nodes.map((node) => [node.name, node]));
  return advise({ group: aGroup({ spec }), pods, nodes: byName, nowMs: 1_800_000_000_000 });
}

describe('rebalance', () => {
  it('would have a pod lead that is preferred to the leader', () => {
    expect(adviceFor(prefersTier, [aLeader(3, { name: 'a', labels }), tierPod])).toMatchObject({
      kind: 'move',
      from: 'a',
      to: 'b',
    });
  });

  it('would have a pod lead on a node that is preferred', () => {
    const pods = [aLeader(3, { name: 'a', labels, node: 'two' }), aPod({ name: 'b', labels, node: 'one' })];
    expect(adviceFor(prefersZone, pods)).toMatchObject({ kind: 'move', to: 'b' });
  });

  it.each<[string, Spec, readonly Pod[], string]>([
    [
      'that is as good',
      prefersTier,
      [aLeader(3, { name: 'a', labels: { ...labels, ...TIER } }), tierPod],
      'nobody is preferred',
    ],
    [
      'of a group without preferences',
      {},
      [aLeader(3, { name: 'a', labels }), tierPod],
      'neither preferences nor spread',
    ],
    [
      'of a group that is paused',
      { ...prefersTier, paused: true },
      [aLeader(3, { name: 'a', labels }), tierPod],
      'paused',
    ],
    [
      'where the preferred pod is not ready',
      prefersTier,
      [aLeader(3, { name: 'a', labels }), { ...tierPod, ready: false }],
      'no other pod can lead',
    ],
    [
      'where the preferred pod is about to be evicted',
      prefersTier,
      [aLeader(3, { name: 'a', labels }), { ...tierPod, disrupted: true }],
      'no other pod can lead',
    ],
    ['that is missing', prefersTier, [tierPod], 'nobody leads'],
  ])('lets a leader stay %s', (_, spec, pods, words) => {
    expect(adviceFor(spec, pods)).toEqual({ kind: 'stay', why: expect.stringContaining(words) as string });
  });

  it('moves nobody to a node that is cordoned', () => {
    const pods = [aLeader(3, { name: 'a', labels, node: 'two' }), aPod({ name: 'b', labels, node: 'one' })];
    const nodes = NODES.map((node) => ({ ...node, cordoned: node.name === 'one' }));
    expect(adviceFor(prefersZone, pods, nodes).kind).toBe('stay');
  });

  it('moves nobody during a rolling update', () => {
    const old = aLeader(3, { name: 'a', labels: { ...labels, 'pod-template-hash': '1' } });
    const young = aPod({ name: 'b', labels: { ...labels, ...TIER, 'pod-template-hash': '2' } });
    expect(adviceFor(prefersTier, [old, young])).toEqual({
      kind: 'stay',
      why: expect.stringContaining('being updated') as string,
    });
  });

  it('cannot tell without the right to list nodes, where it prefers by them', () => {
    const pods = [aLeader(3, { name: 'a', labels }), tierPod];
    expect([adviceFor(prefersZone, pods, null).kind, adviceFor(bySpread, pods, null).kind]).toEqual([
      'unknown',
      'unknown',
    ]);
    expect(adviceFor(prefersTier, pods, null).kind).toBe('move');
  });

  it('leaves a leader where the operator would elect it, and names nobody whom it would not', () => {
    const place = fc.record({ tier: fc.boolean(), node: fc.constantFrom('one', 'two') });
    let moves = 0;
    fc.assert(
      fc.property(
        fc.array(place, { minLength: 2, maxLength: 4 }),
        fc.constantFrom<Spec>({ ...prefersTier, ...bySpread }, prefersZone, bySpread, prefersTier),
        fc.string({ minLength: 1, maxLength: 4, unit: fc.constantFrom('a', 'b', 'c') }),
        (places, spec, name) => {
          const group: LeaderGroup = aGroup({ name, spec });
          const pods = places.map(({ tier, node }, at) => {
            const own = { app: 'notifier', ...(tier ? TIER : {}) };
            const same = { owner: aReplicaSet(), node, labels: own };
            return at === 0 ? aLeader(3, { name: 'p0', ...same }, name) : aPod({ name: `p${at}`, ...same });
          });
          const host = new Map(NODES.map((node) => [node.name, node]));
          const all = pods.map((pod) => observed(pod, { host: host.get(pod.node ?? '') ?? null }));
          const first = ranked(group, all, all)[0]?.pod;
          const advice = advise({ group, pods, nodes: host, nowMs: 1_800_000_000_000 });
          const chosen = advice.kind === 'move' ? advice.to : 'p0';
          const pod = pods.find((each) => each.name === chosen);
          expect(isLike(spec, pod, first)).toBe(true);
          if (advice.kind === 'move') moves += 1;
        },
      ),
      trying(300),
    );
    expect(moves).toBeGreaterThan(50);
  });
});

/** By what the spec looks at. */
function isLike({ preferences = [], spread = null }: Spec, one: Pod | undefined, other: Pod | undefined): boolean {
  const byTier = preferences.some((each) => each.podSelector !== null);
  const byNode = spread !== null || preferences.some((each) => each.nodeSelector !== null);
  return (!byTier || one?.labels['tier'] === other?.labels['tier']) && (!byNode || one?.node === other?.node);
}
