import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CRITERIA, type Criterion } from '../../../src/api/criteria.ts';
import { hashOf } from '../../../src/api/hash.ts';
import { chosenBy, rankedCandidates } from '../../../src/election/candidates.ts';
import type { Host, ObservedPod } from '../../../src/election/observation.ts';
import { ranked } from '../../../src/election/ranking.ts';
import { aGroup, aNode, aPod, aReplicaSet, type GroupOverrides, type PodOverrides } from '../../kit/fakes/builders.ts';
import { anObservation, NOW_MS, observed } from '../../kit/fakes/builders-election.ts';
import { uidOf, wallMs } from '../../kit/fakes/ids.ts';

type Spec = NonNullable<GroupOverrides['spec']>;

const pod = (name: string, overrides: PodOverrides = {}, more: Partial<ObservedPod> = {}): ObservedPod =>
  observed(aPod({ name, ...overrides }), more);

const orderFor = (spec: Spec, pods: readonly ObservedPod[], name = 'notifier'): readonly string[] =>
  rankedCandidates(anObservation({ pods, group: aGroup({ name, spec }) })).map(({ pod: { name: found } }) => found);
const order = (...pods: readonly ObservedPod[]): readonly string[] => orderFor({}, pods);

/** On a node made so many seconds after the others. */
const host = (seconds = 0, labels: Host['labels'] = {}): { readonly host: Host } => ({
  host: aNode({ createdMs: 1_600_000_000_000 + seconds * 1000, labels }),
});

const selecting = (matchLabels: Record<string, string>) => ({ matchLabels, matchExpressions: [] });

/** Of the Deployment, at a revision. */
const of = (deployment: string, hash: string, more: PodOverrides = {}): PodOverrides => ({
  owner: aReplicaSet({ name: `${deployment}-${hash}` }),
  labels: { app: 'notifier', 'pod-template-hash': hash },
  ...more,
});

/** The pod of the StatefulSet db with this ordinal, at a revision; one of a newer revision was made later. */
const member = (ordinal: number, revision: 1 | 2, more: PodOverrides = {}): ObservedPod =>
  pod(`db-${ordinal}`, {
    owner: { apiVersion: 'apps/v1', kind: 'StatefulSet', name: 'db', uid: 'db' },
    labels: { app: 'notifier', 'controller-revision-hash': `db-${revision}` },
    createdMs: revision * 1000 - ordinal,
    readyTransitionMs: 9000 - ordinal,
    ...more,
  });

describe('while a StatefulSet is updated', () => {
  it('the lowest ordinal comes first until an updated pod is ready: it is replaced last', () => {
    expect(order(member(2, 2, { ready: false }), member(1, 1), member(0, 1))).toEqual(['db-0', 'db-1']);
    expect(order(member(2, 2), member(1, 1), member(0, 1))).toEqual(['db-2', 'db-0', 'db-1']);
  });

  it('ordinals are numbers: 2 comes before 10', () => {
    const updating = member(11, 2, { ready: false });
    expect(order(updating, member(10, 1), member(2, 1))).toEqual(['db-2', 'db-10']);
  });

  it('and not otherwise: without a newer revision the longest ready comes first', () => {
    expect(order(member(0, 1), member(2, 1), member(1, 1))).toEqual(['db-2', 'db-1', 'db-0']);
  });

  it('what is preferred does not bring a pod first that is replaced sooner', () => {
    const spec = { preferences: [{ weight: 100, podSelector: selecting({ best: 'yes' }), nodeSelector: null }] };
    const labels = { app: 'notifier', 'controller-revision-hash': 'db-1', best: 'yes' };
    expect(orderFor(spec, [member(2, 2, { ready: false }), member(1, 1, { labels }), member(0, 1)])).toEqual([
      'db-0',
      'db-1',
    ]);
  });

  it('a pod whose name is not of its StatefulSet is no reason to fail', () => {
    expect(order(member(2, 2, { ready: false }), member(0, 1, { name: 'x' }), member(1, 1))).toHaveLength(2);
  });
});

describe('an outdated revision', () => {
  it('is one of which a newer one of the same workload could lead: a canary does not come first for a rollout of another', () => {
    const stable = of('web', 'old', { createdMs: 1000 });
    const starting = pod('new', of('web', 'new', { createdMs: 9000, ready: false }));
    const canary = pod('canary', of('canary', 'c', { createdMs: 9500 }));
    expect(order(canary, pod('s1', stable), pod('s2', stable), starting)).toEqual(['s1', 's2', 'canary']);
  });

  it('is the more outdated the more newer ones could lead', () => {
    const at = (name: string, createdMs: number) => pod(name, of('web', name, { createdMs }));
    expect(order(at('a', 1), at('c', 3), at('b', 2))).toEqual(['c', 'b', 'a']);
  });

  it('is none of two revisions whose newest pods are as new', () => {
    const at = (name: string, readyTransitionMs: number) =>
      pod(name, of('web', name, { createdMs: 5, readyTransitionMs }));
    expect(order(at('a', 9), at('b', 1))).toEqual(['b', 'a']);
  });
});

describe('who has been ready for longest', () => {
  it('is told by the condition that the group goes by', () => {
    const type = 'mail/could-lead';
    const at = (name: string, since: number, readyTransitionMs: number) =>
      pod(name, { readyTransitionMs, conditions: [{ type, isTrue: true, transitionMs: wallMs(since) }] });
    const candidates = [at('a', 9, 1), at('b', 1, 9)];
    const first = (candidateCondition: string) =>
      ranked(aGroup({ spec: { candidateCondition } }), candidates, candidates)[0]?.pod.name;
    expect([first('Ready'), first(type)]).toEqual(['a', 'b']);
  });
});

describe('what the user prefers', () => {
  const zone = (name: string) => ({ 'topology.kubernetes.io/zone': name });
  const prefers = (
    weight: number,
    nodeLabels: Record<string, string> | null,
    podLabels: Record<string, string> | null,
  ) => ({
    weight,
    nodeSelector: nodeLabels === null ? null : selecting(nodeLabels),
    podSelector: podLabels === null ? null : selecting(podLabels),
  });

  it('comes first: the sum of the weights that fit', () => {
    const spec = {
      preferences: [prefers(10, zone('a'), null), prefers(8, null, { tier: 'x' }), prefers(3, null, { ssd: '1' })],
    };
    const labels = { app: 'notifier', tier: 'x', ssd: '1' };
    expect(orderFor(spec, [pod('a', {}, host(0, zone('a'))), pod('b', { labels }), pod('c')])).toEqual(['b', 'a', 'c']);
  });

  it('both selectors of one must fit', () => {
    const spec = { preferences: [prefers(1, zone('a'), { tier: 'x' })] };
    const labels = { app: 'notifier', tier: 'x' };
    const pods = [pod('a', {}, host(0, zone('a'))), pod('b', { labels }), pod('c', { labels }, host(0, zone('a')))];
    expect(orderFor(spec, pods)[0]).toBe('c');
  });

  it('a node that is not known fits nothing, also no NotIn', () => {
    const nodeSelector = {
      matchLabels: {},
      matchExpressions: [{ key: 'gpu', operator: 'DoesNotExist' as const, values: [] }],
    };
    const spec = { preferences: [{ weight: 1, podSelector: null, nodeSelector }] };
    // But for that it would come first: its workload has more pods.
    const unknown = [pod('a', of('web', 'h')), pod('c', of('web', 'h', { ready: false }))];
    expect(orderFor(spec, [...unknown, pod('b', {}, host())])).toEqual(['b', 'a']);
  });

  it('is not asked where a pod is about to go, nor of an outdated one', () => {
    const spec = { preferences: [prefers(100, null, { tier: 'x' })] };
    const labels = { app: 'notifier', tier: 'x' };
    expect(orderFor(spec, [pod('a', { labels }, { cordoned: true }), pod('b')])).toEqual(['b', 'a']);
    const old = of('web', 'old', { createdMs: 1, labels: { ...labels, 'pod-template-hash': 'old' } });
    expect(orderFor(spec, [pod('a', old), pod('b', of('web', 'new', { createdMs: 2 }))])).toEqual(['b', 'a']);
  });

  it('comes before the size of the workload, which only guesses', () => {
    const spec = { preferences: [prefers(1, null, { tier: 'x' })] };
    const primary = of('primary', 'p', { labels: { app: 'notifier', tier: 'x', 'pod-template-hash': 'p' } });
    const standby = of('standby', 's');
    expect(orderFor(spec, [pod('a', standby), pod('b', standby), pod('c', primary)])[0]).toBe('c');
    expect(orderFor({}, [pod('a', standby), pod('b', standby), pod('c', primary)])[0]).toBe('a');
  });
});

describe('where leaders are spread', () => {
  const topologyKey = 'kubernetes.io/hostname';
  const spec = { spread: { topologyKey } };
  const on = (name: string, seconds = 0) => pod(`on-${name}`, {}, host(seconds, { [topologyKey]: name }));
  const pods = ['n1', 'n2', 'n3', 'n4'].map((name, at) => on(name, at));

  it('each group has an order of its own, and all domains get leaders', () => {
    const first = Array.from({ length: 200 }, (_, at) => orderFor(spec, pods, `group-${at}`)[0] ?? '');
    const counts = pods.map(({ pod: { name } }) => first.filter((each) => each === name).length);
    expect(Math.min(...counts)).toBeGreaterThan(25);
    expect(Math.max(...counts)).toBeLessThan(75);
  });

  it('a domain that comes or goes moves no group between the others', () => {
    for (let at = 0; at < 50; at += 1) {
      const all = orderFor(spec, pods, `group-${at}`);
      const without = orderFor(spec, pods.slice(1), `group-${at}`);
      expect(without).toEqual(all.filter((name) => name !== 'on-n1'));
    }
  });

  it('pods of one domain are as good, and those of none come last', () => {
    const key = 'topology.kubernetes.io/zone';
    const inZone = (name: string, seconds: number) => pod(name, {}, host(seconds, { [key]: 'z' }));
    const found = orderFor({ spread: { topologyKey: key } }, [
      pod('none', {}, host(99)),
      inZone('a', 1),
      inZone('b', 2),
    ]);
    expect(found).toEqual(['b', 'a', 'none']);
  });

  it('and not otherwise: all of them gather on the newest node', () => {
    const first = Array.from({ length: 20 }, (_, at) => orderFor({}, pods, `group-${at}`)[0]);
    expect(new Set(first)).toEqual(new Set(['on-n4']));
  });
});

describe('among pods that are otherwise as good', () => {
  it('the one on the newest node comes first, which is replaced last', () => {
    expect(order(pod('a', { readyTransitionMs: 1 }, host(1)), pod('b', {}, host(5)), pod('c'))).toEqual([
      'b',
      'a',
      'c',
    ]);
  });

  it('one that has failed lately comes last, also after one whose node is cordoned, and leads where there is no other', () => {
    const deferred = { failures: 1, untilMs: NOW_MS + 1 };
    expect(order(pod('a', {}, { deferred }), pod('b', {}, { cordoned: true }))).toEqual(['b', 'a']);
    expect(order(pod('a', {}, { deferred }))).toEqual(['a']);
  });
});

describe('why the best comes first', () => {
  /** Each differs from its like in this alone, and in what comes after it. */
  const DECIDED: Readonly<Record<Criterion, readonly [Spec, ObservedPod, ObservedPod, ...ObservedPod[]]>> = {
    NotResigned: [{}, pod('b'), pod('a', {}, { yields: true })],
    NotFailedLately: [{}, pod('b'), pod('a', {}, { deferred: { failures: 1, untilMs: NOW_MS + 1 } })],
    NodeStays: [{}, pod('b'), pod('a', { disrupted: true })],
    Controlled: [{}, pod('b'), pod('a', { owner: null })],
    Revision: [{}, pod('b', of('w', 'n', { createdMs: 2 })), pod('a', of('w', 'o', { createdMs: 1 }))],
    Ordinal: [{}, member(0, 1), member(1, 1), member(2, 2, { ready: false })],
    Preference: [
      { preferences: [{ weight: 1, podSelector: selecting({ x: 'y' }), nodeSelector: null }] },
      pod('b', { labels: { app: 'notifier', x: 'y' } }),
      pod('a'),
    ],
    Workload: [{}, pod('b', of('w', 'h')), pod('a', of('v', 'h')), pod('c', of('w', 'h', { ready: false }))],
    Spread: [{ spread: { topologyKey: 'k' } }, pod('b', {}, host(0, { k: 'v' })), pod('a')],
    NewestNode: [{}, pod('b', {}, host(2)), pod('a', {}, host(1))],
    LongestReady: [{}, pod('b', { readyTransitionMs: 1 }), pod('a', { readyTransitionMs: 2 })],
    Name: [{}, pod('a'), pod('b')],
  };

  it.each(Object.keys(CRITERIA) as Criterion[])('%s', (criterion) => {
    const [spec, best, next, ...more] = DECIDED[criterion];
    const o = anObservation({ pods: [next, best, ...more], group: aGroup({ spec }) });
    expect(chosenBy(o, best.pod.uid, null)).toBe(criterion);
  });

  it('is nothing where there was no choice, the former leader being none, or where something else decided', () => {
    const o = anObservation({ pods: [pod('a'), pod('b')] });
    expect(chosenBy(o, uidOf('b'), uidOf('a'))).toBeNull();
    expect(chosenBy(o, uidOf('b'), null)).toBeNull();
    expect(chosenBy(anObservation({ pods: [pod('a')] }), uidOf('a'), null)).toBeNull();
  });
});

describe('the order', () => {
  const maybe = fc.boolean();
  const small = fc.integer({ min: 0, max: 2 });
  const drawn = fc.record({
    kind: fc.integer({ min: 0, max: 5 }),
    node: small,
    ready: fc.option(small),
    created: small,
    cordoned: maybe,
    disrupted: maybe,
    yields: maybe,
    failed: maybe,
    stands: maybe,
  });
  type Drawn = typeof drawn extends fc.Arbitrary<infer T> ? T : never;
  const KINDS: readonly ((at: number) => PodOverrides)[] = [
    () => of('web', 'a'),
    () => of('web', 'b', { labels: { app: 'notifier', 'pod-template-hash': 'b', tier: 'x' } }),
    () => of('canary', 'c'),
    () => ({ owner: null }),
    () => ({ runsToCompletion: true }),
    (at) => member(at, at % 2 === 0 ? 1 : 2).pod,
  ];
  const made = ({ kind, node, ready, created, ...one }: Drawn, at: number): ObservedPod => {
    const base = aPod({
      name: `p${at}`,
      ...KINDS[kind]?.(at),
      createdMs: created,
      readyTransitionMs: ready,
      disrupted: one.disrupted,
      ready: !one.stands,
    });
    return observed(base, {
      cordoned: one.cordoned,
      yields: one.yields,
      deferred: one.failed ? { failures: 1, untilMs: NOW_MS + 1 } : null,
      ...(node === 0 ? {} : host(node, { k: `d${node}` })),
    });
  };
  const specs = fc.constantFrom<Spec>(
    {},
    { spread: { topologyKey: 'k' } },
    {
      preferences: [
        { weight: 3, podSelector: selecting({ tier: 'x' }), nodeSelector: null },
        { weight: 3, podSelector: null, nodeSelector: selecting({ k: 'd1' }) },
      ],
    },
  );

  it('is the same whatever order the pods are known in, and has everybody in it once', () => {
    fc.assert(
      fc.property(specs, fc.array(drawn, { maxLength: 9 }), fc.integer(), (spec, some, seed) => {
        const pods = some.map(made);
        const key = ({ pod: { name } }: ObservedPod): number => hashOf(`${name}${seed}`);
        const shuffled = pods.toSorted((a, b) => key(a) - key(b));
        const found = orderFor(spec, shuffled);
        expect(found).toEqual(orderFor(spec, pods));
        expect(new Set(found).size).toBe(pods.filter(({ pod: { ready } }) => ready).length);
      }),
    );
  });

  it('of those who remain is the same when somebody goes who does not tell of another revision or workload', () => {
    fc.assert(
      fc.property(specs, fc.array(drawn, { minLength: 2, maxLength: 9 }), (spec, some) => {
        const pods = some.map(({ kind, ...one }, at) => made({ ...one, kind: 3 + (kind % 2) }, at));
        const [first, ...rest] = orderFor(spec, pods);
        const left = pods.filter(({ pod: { name } }) => name !== first);
        expect(orderFor(spec, left)).toEqual(rest);
      }),
    );
  });

  it('looks at each member a few times only, however many revisions they are of', () => {
    let reads = 0;
    const counted = (at: number): ObservedPod => {
      const found = pod(`p${at}`, of('web', `h${at}`, { createdMs: at }));
      return Object.defineProperty({ ...found }, 'pod', {
        get: () => {
          reads += 1;
          return found.pod;
        },
      }) as ObservedPod;
    };
    const readsOf = (count: number): number => {
      const pods = Array.from({ length: count }, (_, at) => counted(at));
      const o = anObservation({ pods: [] });
      reads = 0;
      rankedCandidates({ ...o, pods });
      return reads / count;
    };
    expect(readsOf(1000)).toBeLessThanOrEqual(readsOf(10) + 1);
  });
});
