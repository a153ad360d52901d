import { describe, expect, it } from 'vitest';
import type { ClusterNode } from '../../../../src/api/pod.ts';
import { createStore } from '../../../../src/operator/cache/store.ts';
import { aGroup, aNode, aPod } from '../../../kit/fakes/builders.ts';
import { PREEMPTING } from '../../../kit/fakes/builders-preemption.ts';
import { createFakeClock } from '../../../kit/fakes/clock.ts';

const NODE = aNode();
const POD = aPod({ name: 'a', node: 'n' });

function aStore(shown: ClusterNode | null = NODE) {
  const store = createStore(createFakeClock());
  store.groupChanged(null, { kind: 'valid', group: aGroup() });
  if (shown !== null) store.nodeChanged(null, shown);
  store.podChanged(null, POD);
  return store;
}

describe('a node', () => {
  it('that no watch has shown is not lost: the watch may be behind, or a right missing', () => {
    expect(aStore(null).nodeLost('n')).toBe(false);
  });

  it('is known as it was shown last, while it is there', () => {
    const store = aStore();
    expect([store.node('n'), store.node('m'), store.node(null), aStore(null).node('n')]).toEqual([
      NODE,
      null,
      null,
      null,
    ]);
    const cordoned = aNode({ cordoned: true });
    store.nodeChanged(NODE, cordoned);
    expect(store.node('n')).toEqual(cordoned);
    store.nodeChanged(cordoned, null);
    expect(store.node('n')).toBeNull();
  });

  it('that is shown is not lost, and a pod without one has none to lose', () => {
    expect([aStore().nodeLost('n'), aStore().nodeLost(null)]).toEqual([false, false]);
  });

  it('is lost once its deletion is seen, and wakes the groups of its pods', () => {
    const store = aStore();
    expect(store.nodeChanged(NODE, null)).toEqual(['default/notifier']);
    expect(store.nodeLost('n')).toBe(true);
  });

  it('that is not Ready any more, or is again, wakes the groups of its pods; a cordon does not', () => {
    const store = aStore();
    const away = aNode({ ready: false });
    expect(store.nodeChanged(NODE, away)).toEqual(['default/notifier']);
    expect(store.nodeChanged(away, aNode({ ready: false, cordoned: true }))).toEqual([]);
    expect(store.nodeChanged(aNode({ ready: false, cordoned: true }), NODE)).toEqual(['default/notifier']);
  });

  it('stays lost while its pods change, and is there again when it is made anew', () => {
    const store = aStore();
    store.nodeChanged(NODE, null);
    store.podChanged(POD, { ...POD, resourceVersion: '101' });
    expect(store.nodeLost('n')).toBe(true);
    expect(store.nodeChanged(null, { ...NODE, resourceVersion: '2' })).toEqual(['default/notifier']);
    expect(store.nodeLost('n')).toBe(false);
  });

  it('of which nothing is left is not remembered: clusters make new nodes for ever', () => {
    const store = aStore();
    store.nodeChanged(NODE, null);
    store.podChanged(POD, null);
    expect(store.nodeLost('n')).toBe(false);
  });

  it('that is out of service is lost until it is not', () => {
    const store = aStore();
    const off = { ...NODE, outOfService: true };
    expect(store.nodeChanged(NODE, off)).toEqual(['default/notifier']);
    expect(store.nodeLost('n')).toBe(true);
    expect(store.nodeChanged(off, NODE)).toEqual(['default/notifier']);
    expect(store.nodeLost('n')).toBe(false);
  });

  it.each<[string, ClusterNode]>([
    ['is cordoned', aNode({ cordoned: true })],
    ['gets another label', aNode({ labels: { zone: 'a' } })],
  ])('that %s wakes the groups of its pods whose leader may be preempted, and those alone', (_, after) => {
    const store = aStore();
    const group = aGroup({ name: 'preempting', spec: PREEMPTING });
    store.groupChanged(null, { kind: 'valid', group });
    expect(store.nodeChanged(NODE, after)).toEqual(['default/preempting']);
    expect(store.nodeChanged(after, { ...after, resourceVersion: '3' })).toEqual([]);
    expect(store.nodeChanged(after, NODE)).toEqual(['default/preempting']);
  });

  it('that changes otherwise wakes nobody: each node reports itself all the time', () => {
    expect(aStore().nodeChanged(NODE, { ...NODE, resourceVersion: '2', cordoned: true })).toEqual([]);
  });
});
