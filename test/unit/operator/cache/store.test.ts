import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { LeaderGroup, ParsedLeaderGroup } from '../../../../src/api/leadergroup.ts';
import type { Pod } from '../../../../src/api/pod.ts';
import { matches } from '../../../../src/api/selector.ts';
import { createStore } from '../../../../src/operator/cache/store.ts';
import { aGroup, aPod, type PodOverrides } from '../../../kit/fakes/builders.ts';
import { createFakeClock } from '../../../kit/fakes/clock.ts';

const KEY = 'default/notifier';
const valid = (group: LeaderGroup): ParsedLeaderGroup => ({ kind: 'valid', group });
const younger = aGroup({ name: 'younger', createdMs: 1_800_000_000_000 });

function aStore(...groups: readonly LeaderGroup[]) {
  const clock = createFakeClock();
  const store = createStore(clock);
  for (const group of groups) store.groupChanged(null, valid(group));
  const names = (key = KEY): readonly string[] => store.podsConcerning(key).map(({ pod }) => pod.name);
  return { clock, store, names };
}

describe('the store', () => {
  it('knows the pods of a group, whichever came first', () => {
    const { store, names } = aStore();
    store.podChanged(null, aPod({ name: 'a' }));
    store.groupChanged(null, valid(aGroup()));
    store.podChanged(null, aPod({ name: 'b' }));
    store.podChanged(null, aPod({ name: 'c', labels: { app: 'other' } }));
    store.podChanged(null, aPod({ name: 'd', namespace: 'other' }));
    expect(names()).toEqual(['a', 'b']);
  });

  it('wakes the groups that a pod concerns, before or after its change, and no other', () => {
    const { store } = aStore(aGroup(), aGroup({ name: 'cron', spec: { selector: select('cron') } }));
    const a = aPod({ name: 'a' });
    expect(store.podChanged(null, a)).toEqual([KEY]);
    const moved = { ...a, labels: { app: 'cron' } };
    expect(store.podChanged(a, moved)).toEqual([KEY, 'default/cron']);
    expect(store.podChanged(moved, null)).toEqual(['default/cron']);
    expect(store.podChanged(null, aPod({ labels: {} }))).toEqual([]);
  });

  it('counts a pod in that carries the group’s annotations, member or not', () => {
    const { store, names } = aStore(aGroup());
    const marked = aPod({ name: 'a', labels: {}, annotations: { 'token.leadergroup.dev/notifier': '3' } });
    expect(store.podChanged(null, marked)).toEqual([KEY]);
    expect(names()).toEqual(['a']);
    store.podChanged(marked, { ...marked, annotations: {} });
    expect(names()).toEqual([]);
  });

  it('is not misled by annotations that only look like ours', () => {
    const { store, names } = aStore(aGroup());
    const annotations = { 'leadergroup.dev/candidate': 'false', 'other.leadergroup.dev/notifier': 'x', notifier: 'x' };
    store.podChanged(null, aPod({ labels: {}, annotations }));
    expect(names()).toEqual([]);
  });

  it('takes a name that is used again for another pod', () => {
    const { store, names } = aStore(aGroup());
    const first = aPod({ name: 'a' });
    const second = aPod({ name: 'a', uid: 'second' });
    store.podChanged(null, first);
    store.podChanged(first, null);
    store.podChanged(null, second);
    expect(names()).toEqual(['a']);
    expect(store.pod('default', 'a')?.pod.uid).toBe('second');
  });

  it('forgets what is gone', () => {
    const { store, names } = aStore(aGroup());
    const a = aPod({ name: 'a' });
    store.podChanged(null, a);
    store.podChanged(a, null);
    expect([names(), store.pod('default', 'a')]).toEqual([[], null]);
    store.groupChanged(valid(aGroup()), null);
    expect([store.group(KEY), store.groupKeys()]).toEqual([null, []]);
  });

  it('wakes groups that come to overlap, or no longer do', () => {
    const { store } = aStore(aGroup());
    store.podChanged(null, aPod({ name: 'a' }));
    expect(store.groupChanged(null, valid(younger))).toEqual(expect.arrayContaining([KEY, 'default/younger']));
    expect(store.groupsSelecting(aPod()).map(({ name }) => name)).toEqual(['notifier', 'younger']);
    expect(store.groupChanged(valid(younger), null)).toEqual(expect.arrayContaining([KEY]));
    expect(store.groupsSelecting(aPod()).map(({ name }) => name)).toEqual(['notifier']);
  });

  it('keeps an invalid group, which selects nothing', () => {
    const { store, names } = aStore();
    const { spec: _spec, ...rest } = aGroup();
    store.groupChanged(null, { kind: 'invalid', group: { ...rest, problems: ['spec.selector is missing.'] } });
    store.podChanged(null, aPod());
    expect([store.group(KEY)?.kind, names(), store.groupsSelecting(aPod())]).toEqual(['invalid', [], []]);
  });

  it('finds groups whose selector demands no one label', () => {
    const selector = { matchLabels: {}, matchExpressions: [{ key: 'app', operator: 'Exists' as const, values: [] }] };
    const { names, store } = aStore(aGroup({ spec: { selector } }));
    store.podChanged(null, aPod({ name: 'a' }));
    expect(names()).toEqual(['a']);
  });
});

describe('since when a pod is ready', () => {
  const since = (store: ReturnType<typeof createStore>): number | undefined =>
    store.pod('default', 'a')?.readyChangedMs;
  const a = (overrides: PodOverrides = {}): Pod => aPod({ name: 'a', ...overrides });

  it('counts from when this process saw it change', async () => {
    const { clock, store } = aStore(aGroup());
    store.podChanged(null, a({ ready: false }));
    await clock.advance(500);
    store.podChanged(a({ ready: false }), a());
    await clock.advance(500);
    store.podChanged(a(), a({ labels: { app: 'notifier', more: 'x' } }));
    expect(since(store)).toBe(clock.nowMs() - 500);
  });

  it('counts from what its condition says when it is met for the first time', () => {
    const { clock, store } = aStore(aGroup());
    store.podChanged(null, a({ readyTransitionMs: clock.wallMs() - 9000 }));
    expect(since(store)).toBe(clock.nowMs() - 9000);
  });

  it('is never in the future, whatever a node’s clock says', () => {
    const { clock, store } = aStore(aGroup());
    store.podChanged(null, a({ readyTransitionMs: clock.wallMs() + 9000 }));
    expect(since(store)).toBe(clock.nowMs());
  });

  it('starts over for another pod of the same name', async () => {
    const { clock, store } = aStore(aGroup());
    store.podChanged(null, a({ readyTransitionMs: null }));
    await clock.advance(1000);
    store.podChanged(a(), null);
    store.podChanged(null, a({ uid: 'second', readyTransitionMs: null }));
    expect(since(store)).toBe(clock.nowMs());
  });
});

describe('the store knows who has an address', () => {
  const at = (address: string, overrides: PodOverrides & { readonly name: string }): Pod =>
    aPod({ addresses: [address], ...overrides });
  const names = (store: ReturnType<typeof createStore>, address: string): readonly string[] =>
    store.podsAt(address).map(({ name }) => name);

  it('by each of its addresses, as they are now', () => {
    const { store } = aStore();
    const a = at('10.0.0.1', { name: 'a', addresses: ['10.0.0.1', 'fd00::1'] });
    store.podChanged(null, a);
    expect([names(store, '10.0.0.1'), names(store, 'fd00::1'), names(store, '10.0.0.2')]).toEqual([['a'], ['a'], []]);
    store.podChanged(a, { ...a, addresses: ['10.0.0.2'] });
    expect([names(store, '10.0.0.1'), names(store, '10.0.0.2')]).toEqual([[], ['a']]);
    store.podChanged({ ...a, addresses: ['10.0.0.2'] }, null);
    expect(names(store, '10.0.0.2')).toEqual([]);
  });

  it('but for a pod that has finished: its address may be another’s', () => {
    const { store } = aStore();
    const job = at('10.0.0.1', { name: 'job' });
    store.podChanged(null, job);
    store.podChanged(null, at('10.0.0.1', { name: 'next' }));
    expect(names(store, '10.0.0.1')).toEqual(['job', 'next']);
    store.podChanged(job, { ...job, phase: 'Succeeded' });
    expect(names(store, '10.0.0.1')).toEqual(['next']);
  });
});

describe('what the store does for one more group', () => {
  /** How often anybody has read the labels of `count` pods, each of a group of its own, while these groups are added. */
  function looksFor(count: number): number {
    const { store } = aStore();
    let looks = 0;
    for (let at = 0; at < count; at += 1) {
      const labels = { app: `g${at}`, team: 'all' };
      const pod = { ...aPod({ name: `p${at}` }) };
      store.podChanged(null, Object.defineProperty(pod, 'labels', { get: () => ((looks += 1), labels) }));
    }
    looks = 0;
    for (let at = 0; at < count; at += 1)
      store.groupChanged(null, valid(aGroup({ name: `g${at}`, spec: { selector: select(`g${at}`) } })));
    return looks;
  }

  it('is as much in a namespace of a thousand pods as in one of ten', () => {
    expect(looksFor(10)).toBeGreaterThan(0);
    expect(looksFor(1000) / 1000).toBe(looksFor(10) / 10);
  });
});

describe('which pods concern a group', () => {
  const values = fc.constantFrom('x', 'y');
  const labels = fc.record({ app: values, tier: values }, { requiredKeys: [] });
  const names = fc.constantFrom('a', 'b', 'c');
  const group = fc
    .record({ name: names, matchLabels: labels, notTier: fc.option(values) })
    .map(({ name, matchLabels, notTier }) => {
      const matchExpressions = notTier === null ? [] : [{ key: 'tier', operator: 'NotIn' as const, values: [notTier] }];
      return aGroup({ name, uid: `uid of ${name}`, spec: { selector: { matchLabels, matchExpressions } } });
    });
  const pod = fc
    .record({ name: names, labels, marked: fc.option(names) })
    .map(({ name, labels: own, marked }) =>
      aPod({ name, labels: own, annotations: marked === null ? {} : { [`token.leadergroup.dev/${marked}`]: '1' } }),
    );
  const event = fc.oneof(
    group.map((after) => ({ kind: 'group', name: after.name, after }) as const),
    pod.map((after) => ({ kind: 'pod', name: after.name, after }) as const),
    names.map((name) => ({ kind: 'group', name, after: null }) as const),
    names.map((name) => ({ kind: 'pod', name, after: null }) as const),
  );

  it('is what a look at every pod would show, whatever came and went before', () => {
    fc.assert(
      fc.property(fc.array(event, { maxLength: 30 }), (events) => {
        const { store } = aStore();
        const pods = new Map<string, Pod>();
        const groups = new Map<string, LeaderGroup>();
        for (const { kind, name, after } of events) {
          if (kind === 'pod') store.podChanged(put(pods, name, after), after);
          else store.groupChanged(parsed(put(groups, name, after)), parsed(after));
        }
        for (const [name, { spec }] of groups) {
          const expected = [...pods.values()].filter(
            (each) =>
              matches(spec.selector, each.labels) || each.annotations[`token.leadergroup.dev/${name}`] !== undefined,
          );
          const known = store.podsConcerning(`default/${name}`).map((entry) => entry.pod.name);
          expect(known.toSorted()).toEqual(expected.map((each) => each.name).toSorted());
        }
      }),
    );
  });

  const parsed = (each: LeaderGroup | null): ParsedLeaderGroup | null => (each === null ? null : valid(each));

  /** What was there before. */
  function put<T>(all: Map<string, T>, name: string, after: T | null): T | null {
    const before = all.get(name) ?? null;
    if (after === null) all.delete(name);
    else all.set(name, after);
    return before;
  }
});

function select(app: string) {
  return { matchLabels: { app }, matchExpressions: [] };
}
