import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { LeaderGroup } from '../../../src/api/leadergroup.ts';
import { parseLeaderGroup } from '../../../src/api/parse.ts';

const metadata = { namespace: 'shop', name: 'notifier', uid: 'u-1' };
const selector = { matchLabels: { app: 'notifier' } };

function parseGood(spec: unknown): LeaderGroup {
  const parsed = parseLeaderGroup({ metadata, spec });
  if (parsed?.kind !== 'valid') throw new Error(`not valid: ${JSON.stringify(parsed)}`);
  return parsed.group;
}

function problemsOf(spec: unknown, over: object = {}): readonly string[] {
  const parsed = parseLeaderGroup({ metadata: { ...metadata, ...over }, spec });
  return parsed?.kind === 'invalid' ? parsed.group.problems : [];
}

describe('a good group', () => {
  // spec.test.ts has the default and the limits of every number.
  it('gets the defaults for all that it does not say', () => {
    expect(parseGood({ selector }).spec).toMatchObject({
      selector: { matchLabels: { app: 'notifier' }, matchExpressions: [] },
      sessionTtlMs: 60_000,
      lockDelayMs: 0,
      lockKey: null,
      label: { key: 'leadergroup.dev/role', leader: 'leader', follower: null },
      minReadyMs: 0,
      failoverDelayMs: 0,
      onConsulLoss: 'Hold',
      paused: false,
    });
  });

  it('keeps all that it says, durations in milliseconds', () => {
    const expressions = [
      { key: 'track', operator: 'NotIn', values: ['canary', ''] },
      { key: 'example.com/x', operator: 'Exists', values: [] },
    ];
    const spec = {
      selector: { matchLabels: { app: 'notifier', empty: '' }, matchExpressions: expressions },
      sessionTTLSeconds: 10,
      lockDelaySeconds: 60,
      lockKey: 'jobs/nightly',
      label: { key: 'example.com/role', leader: 'a', follower: 'b' },
      minReadySeconds: 5,
      failoverDelaySeconds: 86_400,
      onConsulLoss: 'Hold',
      paused: true,
    };
    expect(parseGood(spec).spec).toMatchObject({
      selector: spec.selector,
      sessionTtlMs: 10_000,
      lockDelayMs: 60_000,
      lockKey: 'jobs/nightly',
      label: spec.label,
      minReadyMs: 5_000,
      failoverDelayMs: 86_400_000,
      onConsulLoss: 'Hold',
      paused: true,
    });
  });

  it('demotes on a lost Consul exactly when it has a lockKey and does not say otherwise', () => {
    const lockKey = 'jobs/x';
    expect(parseGood({ selector }).spec.onConsulLoss).toBe('Hold');
    expect(parseGood({ selector, lockKey }).spec.onConsulLoss).toBe('Demote');
    expect(parseGood({ selector, lockKey, onConsulLoss: 'Hold' }).spec.onConsulLoss).toBe('Hold');
    expect(parseGood({ selector, onConsulLoss: 'Demote' }).spec.onConsulLoss).toBe('Demote');
  });

  it('takes null for absent, and does not mind fields it does not know', () => {
    const spec = { selector, sessionTTLSeconds: null, lockKey: null, label: null, paused: null, later: { x: 1 } };
    expect(parseGood(spec).spec).toEqual(parseGood({ selector }).spec);
  });

  it('may have a label key named like an inherited property', () => {
    const parsed = parseGood({ selector: { matchLabels: { app: 'x' } }, label: { key: 'constructor' } });
    expect(parsed.spec.label.key).toBe('constructor');
  });
});

describe('metadata', () => {
  it('is taken over', () => {
    const full = {
      ...metadata,
      resourceVersion: '42',
      generation: 3,
      creationTimestamp: '2026-01-01T00:00:00Z',
      deletionTimestamp: '2026-01-02T00:00:00Z',
      finalizers: ['leadergroup.dev/finalizer', 5, 'other'],
    };
    expect(parseLeaderGroup({ metadata: full, spec: { selector } })?.group).toMatchObject({
      ...metadata,
      resourceVersion: '42',
      generation: 3,
      createdMs: Date.UTC(2026, 0, 1),
      deleting: true,
      finalizers: ['leadergroup.dev/finalizer', 'other'],
      status: null,
    });
  });

  it('has quiet defaults where the operator can do without', () => {
    expect(parseLeaderGroup({ metadata, spec: { selector } })?.group).toMatchObject({
      resourceVersion: '',
      generation: 0,
      createdMs: 0,
      deleting: false,
      finalizers: [],
    });
  });

  it.each(['namespace', 'name', 'uid'])('without %s is nothing', (name) => {
    for (const value of [undefined, null, '', 5, {}]) {
      expect(parseLeaderGroup({ metadata: { ...metadata, [name]: value }, spec: { selector } })).toBeNull();
    }
  });

  it('of an invalid group is there all the same, so that it can be told and cleaned up', () => {
    const parsed = parseLeaderGroup({ metadata: { ...metadata, deletionTimestamp: 'x', finalizers: ['f'] }, spec: {} });
    expect(parsed).toMatchObject({ kind: 'invalid', group: { ...metadata, deleting: true, finalizers: ['f'] } });
    expect(parsed?.group).not.toHaveProperty('spec');
  });
});

describe('a bad group', () => {
  const many = (count: number, make: (index: number) => unknown): unknown[] =>
    Array.from({ length: count }, (_, i) => make(i));
  const expression = (over: object) => ({
    selector: { matchExpressions: [{ key: 'a', operator: 'In', values: ['x'], ...over }] },
  });

  it.each<[string, unknown, RegExp]>([
    ['no spec', undefined, /^spec is missing, but must be an object/],
    ['a spec that is a list', [], /^spec is a list, but must be an object/],
    ['no selector', {}, /^spec\.selector is missing, but must be an object/],
    ['an empty selector', { selector: {} }, /^spec\.selector must not be empty: set matchLabels/],
    ['empty parts', { selector: { matchLabels: {}, matchExpressions: [] } }, /^spec\.selector must not be empty/],
    [
      'labels that are a text',
      { selector: { matchLabels: 'app' } },
      /^spec\.selector\.matchLabels is "app", but must be/,
    ],
    [
      'a bad label key',
      { selector: { matchLabels: { 'a b': 'x' } } },
      /matchLabels has the key "a b", but it must be a/,
    ],
    [
      'a bad label value',
      { selector: { matchLabels: { a: 'x y' } } },
      /matchLabels\["a"\] is "x y", but must be a label v/,
    ],
    [
      'a number as a label',
      { selector: { matchLabels: { a: 5 } } },
      /matchLabels\["a"\] is 5, but must be text; put it in/,
    ],
    [
      'too many labels',
      { selector: { matchLabels: Object.fromEntries(many(33, (i) => [`k${i}`, 'x']) as [string, string][]) } },
      /matchLabels has 33 labels, but may have at most 32/,
    ],
    [
      'expressions that are no list',
      { selector: { matchExpressions: {} } },
      /matchExpressions is an object, but must be a l/,
    ],
    [
      'an expression that is none',
      { selector: { matchExpressions: [5] } },
      /matchExpressions\[0\] is 5, but must be an obj/,
    ],
    [
      'too many expressions',
      { selector: { matchExpressions: many(33, (i) => ({ key: `k${i}`, operator: 'Exists' })) } },
      /matchExpressions has 33 elements, but may have at most 32/,
    ],
    [
      'an expression without a key',
      expression({ key: undefined }),
      /matchExpressions\[0\]\.key is missing, but must be a/,
    ],
    [
      'an expression with a bad key',
      expression({ key: 'a b' }),
      /matchExpressions\[0\]\.key is "a b", but must be a label/,
    ],
    [
      'an unknown operator',
      expression({ operator: 'Is' }),
      /\.operator is "Is", but must be one of In, NotIn, Exists, Do/,
    ],
    ['an operator of Object', expression({ operator: 'toString' }), /\.operator is "toString", but must be one of/],
    ['In without values', expression({ values: [] }), /\.values is empty, but In needs at least one value/],
    ['NotIn without values', expression({ operator: 'NotIn', values: undefined }), /NotIn needs at least one value/],
    ['Exists with values', expression({ operator: 'Exists' }), /\.values is set, but Exists takes no values/],
    ['DoesNotExist with values', expression({ operator: 'DoesNotExist' }), /DoesNotExist takes no values/],
    ['a bad value', expression({ values: ['x', 'a b'] }), /\.values\[1\] is "a b", but must be a label value/],
    ['a value that is no text', expression({ values: [true] }), /\.values\[0\] is true, but must be text/],
    ['values that are no list', expression({ values: 'x' }), /\.values is "x", but must be a list/],
    ['too many values', expression({ values: many(65, String) }), /\.values has 65 elements, but may have at most 64/],
    [
      'a TTL too short',
      { selector, sessionTTLSeconds: 9 },
      /^spec\.sessionTTLSeconds is 9, but .* from 10 to 86400\.$/,
    ],
    ['a TTL too long', { selector, sessionTTLSeconds: 86_401 }, /^spec\.sessionTTLSeconds is 86401, but must be/],
    [
      'a TTL with a unit',
      { selector, sessionTTLSeconds: '30s' },
      /sessionTTLSeconds is "30s", but .* whole number of sec/,
    ],
    ['half a second', { selector, sessionTTLSeconds: 10.5 }, /sessionTTLSeconds is 10.5, but/],
    ['no number', { selector, sessionTTLSeconds: Number.NaN }, /sessionTTLSeconds is NaN, but/],
    ['a negative lock-delay', { selector, lockDelaySeconds: -1 }, /lockDelaySeconds is -1, but .* from 0 to 60\.$/],
    ['a long lock-delay', { selector, lockDelaySeconds: 61 }, /lockDelaySeconds is 61, but/],
    ['a negative minReady', { selector, minReadySeconds: -1 }, /minReadySeconds is -1, but .* from 0 to 86400\.$/],
    ['a long failover delay', { selector, failoverDelaySeconds: 86_401 }, /failoverDelaySeconds is 86401, but/],
    ['a bad lock key', { selector, lockKey: 'a//b' }, /^spec\.lockKey is "a\/\/b", but must not begin or end/],
    ['a lock key that is no text', { selector, lockKey: ['a'] }, /^spec\.lockKey is a list, but must be text\.$/],
    [
      'a lock key that is too long',
      { selector, lockKey: 'x'.repeat(300) },
      /^spec\.lockKey is "x{77}\.\.\.", but must have 1/,
    ],
    ['a label that is a text', { selector, label: 'role' }, /^spec\.label is "role", but must be an object/],
    ['a bad key', { selector, label: { key: 'a b' } }, /^spec\.label\.key is "a b", but must be a label key/],
    ['an empty key', { selector, label: { key: '' } }, /^spec\.label\.key is "", but must be a label key/],
    ['a key that is no text', { selector, label: { key: 5 } }, /^spec\.label\.key is 5, but must be a label key/],
    [
      "Kubernetes' own key",
      { selector, label: { key: 'a.k8s.io/b' } },
      /^spec\.label\.key is "a.k8s.io\/b", but must not/,
    ],
    ['a key of the selector', { selector, label: { key: 'app' } }, /^spec\.label\.key is "app", but .* own selector/],
    [
      'a key of an expression',
      { ...expression({}), label: { key: 'a' } },
      /^spec\.label\.key is "a", but must not be a key of the group's own selector/,
    ],
    ['the default key in the selector', { selector: { matchLabels: { 'leadergroup.dev/role': 'x' } } }, /own selector/],
    ['a bad value', { selector, label: { leader: 'a b' } }, /^spec\.label\.leader is "a b", but must be a label value/],
    [
      'an empty value',
      { selector, label: { follower: '' } },
      /^spec\.label\.follower is "", but must be text that is not e/,
    ],
    [
      'equal values',
      { selector, label: { leader: 'x', follower: 'x' } },
      /^spec\.label\.follower is "x", but must differ/,
    ],
    ['the default as follower', { selector, label: { follower: 'leader' } }, /must differ from spec\.label\.leader/],
    [
      'an unknown policy',
      { selector, onConsulLoss: 'hold' },
      /^spec\.onConsulLoss is "hold", but must be Hold or Demote\.$/,
    ],
    ['a text for paused', { selector, paused: 'true' }, /^spec\.paused is "true", but must be true or false\.$/],
  ])('with %s is invalid and told so', (_what, spec, expected) => {
    const problems = problemsOf(spec);
    expect(problems.filter((problem) => expected.test(problem))).toHaveLength(1);
    for (const problem of problems) expect(problem).toMatch(/^(spec|metadata)[^\n]*\.$/);
  });

  it('is told all its problems at once', () => {
    const spec = {
      selector: {},
      sessionTTLSeconds: 1,
      lockKey: '/',
      label: { key: 'k8s.io/x', leader: '-' },
      paused: 1,
    };
    expect(problemsOf(spec).map((problem) => problem.split(' ')[0])).toEqual([
      'spec.selector',
      'spec.lockKey',
      'spec.sessionTTLSeconds',
      'spec.label.key',
      'spec.label.leader',
      'spec.paused',
    ]);
  });

  it.each<[string, unknown, readonly string[]]>([
    ['values that are no list as missing', expression({ values: 'x' }), ['.values is "x", but must be a list']],
    ['too many values as none', expression({ values: many(65, String) }), ['.values has 65 elements, but may']],
    [
      'label values that are no text as equal',
      { selector, label: { leader: 5, follower: 6 } },
      ['spec.label.leader is 5, but must be text', 'spec.label.follower is 6, but must be text'],
    ],
    [
      'a label key that is no text as a key of the selector',
      { ...expression({ key: undefined }), label: { key: 5 } },
      ['[0].key is missing, but must be a label key', 'spec.label.key is 5, but must be a label key'],
    ],
  ])('is not told of %s', (_what, spec, expected) => {
    expect(problemsOf(spec)).toEqual(expected.map((text) => expect.stringContaining(text)));
  });

  it.each<[string, object]>([
    ['an operator', expression({ operator: 'Is' })],
    ['a list of values', expression({ values: many(65, String) })],
    ['the list of expressions', { selector: { matchExpressions: many(33, () => ({ key: 'a', operator: 'Exists' })) } }],
    ['the labels', { selector: { ...expression({}).selector, matchLabels: 'app' } }],
    ['half a second', { ...expression({}), sessionTTLSeconds: 10.5 }],
    ['a number far too large', { ...expression({}), lockDelaySeconds: 2 ** 60 }],
    ['the lock key', { ...expression({}), lockKey: '' }],
    ['the policy', { ...expression({}), onConsulLoss: 5 }],
  ])('is told of a label key of its selector, and of %s too', (_what, spec) => {
    const problems = problemsOf({ ...spec, label: { key: 'a' } });
    expect(problems).toHaveLength(2);
    expect(problems).toContainEqual(
      expect.stringContaining(`spec.label.key is "a", but must not be a key of the group's own selector`),
    );
  });

  it('has a name that does not fit into an annotation key', () => {
    expect(problemsOf({ selector }, { name: 'x'.repeat(64) })).toEqual([
      expect.stringMatching(/^metadata\.name is "x+", but may have at most 63 characters/),
    ]);
  });
});

const FIELDS = (
  'metadata spec status namespace name uid selector matchLabels matchExpressions key operator values label leader lockKey ' +
  'sessionTTLSeconds leaders conditions __proto__'
).split(' ');

describe('hostile input', () => {
  const hostile = fc.anything({
    maxDepth: 4,
    key: fc.constantFrom(...FIELDS),
    withBigInt: true,
    withDate: true,
    withMap: true,
    withNullPrototype: true,
    withSparseArray: true,
    withObjectString: true,
  });

  it('never throws', () => {
    fc.assert(
      fc.property(hostile, hostile, (object, part) => {
        parseLeaderGroup(object);
        parseLeaderGroup({ metadata, spec: part, status: part });
        parseLeaderGroup({ metadata, spec: { selector: part, label: part, lockKey: part, sessionTTLSeconds: part } });
      }),
      { numRuns: 2000 },
    );
  });

  it('cannot set a prototype by a label key', () => {
    const text = `{"metadata":${JSON.stringify(metadata)},"spec":{"selector":{"matchLabels":{"__proto__":"x"}}}}`;
    const parsed = parseLeaderGroup(JSON.parse(text));
    expect(parsed).toMatchObject({ kind: 'invalid', group: { problems: [expect.stringContaining('"__proto__"')] } });
    expect(({} as Record<string, unknown>)['x']).toBeUndefined();
  });

  it('is not shown at length', () => {
    const [problem] = problemsOf({ selector: { matchLabels: { a: `x y${'z'.repeat(100_000)}` } } });
    expect(problem?.length).toBeLessThan(400);
  });
});
