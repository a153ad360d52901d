import { beforeEach, describe, expect, it } from 'vitest';
import type { Pod, PodCondition } from '../../../../src/api/pod.ts';
import { createStore, type Store } from '../../../../src/operator/cache/store.ts';
import { candidacyOf } from '../../../../src/operator/observe/observe-candidacy.ts';
import { aGroup, aNode, aPod } from '../../../kit/fakes/builders.ts';
import { createFakeClock, type FakeClock } from '../../../kit/fakes/clock.ts';
import { wallMs } from '../../../kit/fakes/ids.ts';

const COULD_LEAD = 'mail.example.com/could-lead';
const byReady = aGroup();
const byCondition = aGroup({ spec: { candidateCondition: COULD_LEAD } });
const condition = (isTrue: boolean, transitionMs: number | null = null): PodCondition => ({
  type: COULD_LEAD,
  isTrue,
  transitionMs: transitionMs === null ? null : wallMs(transitionMs),
});
const NODE = aNode();

let clock: FakeClock;
let store: Store;
let shown: Pod | null;

beforeEach(() => {
  clock = createFakeClock();
  store = createStore(clock);
  shown = null;
  store.nodeChanged(null, NODE);
});

/** The watch shows the pod so. */
function see(overrides: Partial<Pod>): void {
  const pod = {
    ...aPod({ name: 'a', node: 'n', readyTransitionMs: null }),
    runningSinceMs: wallMs(clock.wallMs()),
    ...shown,
    ...overrides,
  };
  store.podChanged(shown, pod);
  shown = pod;
}

function judged(group = byCondition) {
  const stored = store.pod('default', 'a');
  if (stored === null) throw new Error('the pod was not shown');
  return candidacyOf(store, group, stored, clock.nowMs());
}

describe('a member of a group that goes by Ready', () => {
  it('is a candidate while it is ready, whatever its other conditions, its containers and its node', () => {
    see({ conditions: [condition(false)], runningSinceMs: null, node: 'unknown' });
    expect(judged(byReady).lacks).toBeNull();
    see({ ready: false, conditions: [condition(true)] });
    expect(judged(byReady).lacks).toBe('NotReady');
  });
});

describe('a member of a group that goes by another condition', () => {
  it('is a candidate by it, though it is not ready', () => {
    see({ ready: false, conditions: [condition(true)] });
    expect(judged().lacks).toBeNull();
  });

  it.each([
    ['that is False', [condition(false)]],
    ['that it does not have', []],
  ])('is none by one %s, though it is ready', (_what, conditions) => {
    see({ conditions });
    expect(judged().lacks).toBe('NotReady');
  });

  it('is none while not every container runs: the condition may have been left as it was', () => {
    see({ conditions: [condition(true)], runningSinceMs: null });
    expect(judged().lacks).toBe('ContainerNotRunning');
  });

  it.each([
    ['is not Ready', () => store.nodeChanged(NODE, aNode({ ready: false }))],
    ['is deleted', () => store.nodeChanged(NODE, null)],
    ['was never shown', () => see({ node: 'unknown' })],
    ['is none yet', () => see({ node: null })],
  ])('is none while its node %s: Kubernetes takes back nothing but Ready there', (_what, happens) => {
    see({ conditions: [condition(true)] });
    happens();
    expect(judged().lacks).toBe('NodeNotReady');
  });

  it('is one again once its node is', () => {
    see({ conditions: [condition(true)] });
    const away = aNode({ ready: false });
    store.nodeChanged(NODE, away);
    store.nodeChanged(away, NODE);
    expect(judged().lacks).toBeNull();
  });
});

describe('since when', () => {
  it('a pod met for the first time is a candidate is told by the latest of its condition, its containers and its node', () => {
    const ago = (ms: number) => wallMs(clock.wallMs() - ms);
    store.nodeChanged(NODE, null);
    store.nodeChanged(null, aNode({ readyTransitionMs: ago(30_000) }));
    see({ conditions: [condition(true, ago(9000))], runningSinceMs: ago(20_000) });
    expect(judged().forMs).toBe(9000);
    see({ uid: aPod({ uid: 'second' }).uid, conditions: [condition(true, ago(9000))], runningSinceMs: ago(5000) });
    expect(judged().forMs).toBe(5000);
  });

  it('is told by own observation from then on: nobody’s clock is trusted', async () => {
    see({ conditions: [condition(false, 0)] });
    await clock.advance(4000);
    expect(judged()).toEqual({ lacks: 'NotReady', forMs: expect.any(Number) });
    see({ conditions: [condition(true, 0)] });
    await clock.advance(3000);
    expect(judged()).toEqual({ lacks: null, forMs: 3000 });
  });

  it('a change of anything else does not begin it anew', async () => {
    see({ conditions: [condition(true)] });
    await clock.advance(3000);
    see({ labels: { app: 'notifier', x: 'y' }, conditions: [condition(true)] });
    expect(judged().forMs).toBe(3000);
  });

  it('a container that was started again begins it anew', async () => {
    see({ conditions: [condition(true)] });
    await clock.advance(3000);
    see({ runningSinceMs: wallMs(clock.wallMs()) });
    await clock.advance(1000);
    expect(judged()).toEqual({ lacks: null, forMs: 1000 });
  });

  it('the first of what it lacks counts, so that it is not given its time twice', async () => {
    see({ conditions: [condition(true)] });
    await clock.advance(1000);
    see({ conditions: [condition(false)] });
    await clock.advance(2000);
    store.nodeChanged(NODE, aNode({ ready: false }));
    await clock.advance(500);
    expect(judged()).toEqual({ lacks: 'NodeNotReady', forMs: 2500 });
  });

  it('a condition that is taken off the pod is not True from then on', async () => {
    see({ conditions: [condition(true)] });
    await clock.advance(1000);
    see({ conditions: [] });
    await clock.advance(2000);
    see({ labels: {} });
    expect(judged()).toEqual({ lacks: 'NotReady', forMs: 2000 });
  });

  it('a condition that it never had here is lacked since the pod was met: a replica that has just begun gives a leader all of its time', async () => {
    const hourAgo = wallMs(clock.wallMs() - 3_600_000);
    see({ readyTransitionMs: hourAgo, conditions: [], runningSinceMs: hourAgo });
    expect(judged()).toEqual({ lacks: 'NotReady', forMs: 0 });
    await clock.advance(2000);
    see({ ready: false });
    await clock.advance(1000);
    expect(judged()).toEqual({ lacks: 'NotReady', forMs: 3000 });
  });

  it('a node that was never shown is not Ready since the pod was met', async () => {
    see({ readyTransitionMs: wallMs(clock.wallMs() - 3_600_000), conditions: [condition(true)], node: 'unknown' });
    await clock.advance(1000);
    expect(judged()).toEqual({ lacks: 'NodeNotReady', forMs: 1000 });
  });

  it('no more is kept of conditions that came and went than a pod may have', () => {
    for (let at = 0; at < 100; at += 1) see({ conditions: [{ ...condition(true), type: `x/${at}` }] });
    expect(store.pod('default', 'a')?.conditions.length).toBeLessThanOrEqual(17);
  });
});

describe('groups that go by such a condition, or by preferences while somebody leads', () => {
  it('are those that are woken when nodes can be watched, or cannot any more', () => {
    store.groupChanged(null, { kind: 'valid', group: byReady });
    store.groupChanged(null, { kind: 'valid', group: { ...byCondition, name: 'other' } });
    const preempting = aGroup({ name: 'third', spec: { preemption: { policy: 'WhenPreferred', delayMs: 1000 } } });
    store.groupChanged(null, { kind: 'valid', group: preempting });
    expect(store.keysNeedingNodes()).toEqual(['default/other', 'default/third']);
  });
});
