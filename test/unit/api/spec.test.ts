/** What holds for every number of the spec, whichever it has, and that a spec can be written as it was read. */
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { specSchema } from '../../../dev/generate/crd.ts';
import { parseSpec } from '../../../src/api/parse-spec.ts';
import { asWritten } from '../../../src/api/spec.ts';

const selector = { matchLabels: { app: 'notifier' } };

const numbers = Object.entries(specSchema.properties ?? {})
  .filter(([, { type }]) => type === 'integer')
  .map(([name, schema]) => ({ name, minimum: 0, maximum: 0, ...schema }));

function read(spec: object) {
  const problems: string[] = [];
  return { spec: parseSpec(spec, problems), problems };
}

function written(spec: object): object {
  const { spec: parsed, problems } = read(spec);
  if (parsed === null) throw new Error(problems.join(' '));
  return asWritten(parsed);
}

describe.each(numbers)('spec.$name', ({ name, description, minimum, maximum, default: fallback }) => {
  it('is its default when it is absent', () => {
    expect(fallback).toEqual(expect.any(Number));
    expect(written({ selector })).toHaveProperty(name, fallback);
  });

  it('tells its limits and its default in its description', () => {
    for (const number of [minimum, maximum, fallback])
      expect(description).toMatch(new RegExp(`\\b${String(number)}\\b`));
  });

  it('may be anything from its minimum to its maximum', () => {
    for (const value of [minimum, maximum]) expect(written({ selector, [name]: value })).toHaveProperty(name, value);
  });

  it.each([minimum - 1, maximum + 1, minimum + 0.5, `${minimum}s`, [], {}, true, Number.NaN, 2 ** 60])(
    'is refused as %j, by a sentence that names field, value and limits',
    (value) => {
      const { problems } = read({ selector, [name]: value });
      expect(problems).toEqual([
        expect.stringMatching(
          new RegExp(`^spec\\.${name} is .+, but must be a whole number .*from ${minimum} to ${maximum}\\.$`),
        ),
      ]);
    },
  );
});

describe('a spec', () => {
  it('has numbers at all', () => {
    expect(numbers.map(({ name }) => name)).toContain('sessionTTLSeconds');
  });

  it('is written as it was read, so that reading it again gives the same', () => {
    const seconds = Object.fromEntries(
      numbers.map(({ name, minimum, maximum }) => [name, fc.integer({ min: minimum, max: maximum })]),
    );
    const word = fc.constantFrom('a', 'b.c/d', 'constructor');
    const good = fc.record(
      {
        selector: fc.record({
          matchLabels: fc.dictionary(
            word,
            word.filter((text) => !text.includes('/')),
            { minKeys: 1 },
          ),
        }),
        ...seconds,
        lockKey: fc.constantFrom('jobs/x', 'a'),
        label: fc.record(
          { key: fc.constant('e.com/role'), leader: fc.constant('l'), follower: fc.constant('f') },
          { requiredKeys: [] },
        ),
        onConsulLoss: fc.constantFrom('Hold', 'Demote'),
        paused: fc.boolean(),
        candidateCondition: fc.constantFrom('Ready', 'ContainersReady', 'a.b/c'),
        spread: fc.record({ topologyKey: fc.constantFrom('zone', 'a.b/c') }),
        preemption: fc.record(
          { policy: fc.constantFrom('Never', 'WhenPreferred'), delaySeconds: fc.integer({ min: 1, max: 3600 }) },
          { requiredKeys: [] },
        ),
        preferences: fc.array(
          fc.record(
            {
              weight: fc.integer({ min: 1, max: 100 }),
              podSelector: fc.record({ matchLabels: fc.constant({ a: 'b' }) }),
              nodeSelector: fc.record({
                matchExpressions: fc.constant([{ key: 'a', operator: 'NotIn', values: ['b', ''] }]),
              }),
            },
            { requiredKeys: ['weight', 'podSelector'] },
          ),
          { maxLength: 8 },
        ),
        beforePromotion: fc.record(
          {
            httpGet: fc.record({
              port: fc.integer({ min: 1, max: 65_535 }),
              path: fc.constantFrom('/', '/may-lead?x=1'),
            }),
            timeoutSeconds: fc.integer({ min: 1, max: 5 }),
            onFailure: fc.constantFrom('NextCandidate', 'Promote'),
          },
          { requiredKeys: ['httpGet'] },
        ),
        leaderProbe: fc.oneof(
          fc.record({ gate: fc.constant({}), periodMilliseconds: fc.integer({ min: 100, max: 60_000 }) }),
          fc.record(
            {
              httpGet: fc.record({
                port: fc.integer({ min: 1, max: 65_535 }),
                scheme: fc.constantFrom('HTTP', 'HTTPS'),
              }),
              periodMilliseconds: fc.integer({ min: 100, max: 60_000 }),
              timeoutMilliseconds: fc.integer({ min: 1, max: 100 }),
              failureThreshold: fc.integer({ min: 1, max: 10 }),
            },
            { requiredKeys: ['httpGet'] },
          ),
        ),
      },
      { requiredKeys: ['selector'] },
    );
    fc.assert(
      fc.property(good, (spec) => {
        expect(read(written(spec)).spec).toEqual(read(spec).spec);
      }),
    );
  });
});

describe('spec.candidateCondition', () => {
  const going = (candidateCondition: unknown) => read({ selector, candidateCondition });

  it('is Ready unless it says otherwise, and no other condition is thought of', () => {
    expect(
      [going(undefined), going(null), going('Ready'), going('a.b/c')].map(({ spec }) => spec?.candidateCondition),
    ).toEqual(['Ready', 'Ready', 'Ready', 'a.b/c']);
  });

  it.each([
    ['no text', 7, /must be the type of a pod condition/],
    ['empty', '', /must be the type of a pod condition/],
    ['no type', 'could lead', /is "could lead", but must be the type of a pod condition/],
    ['True of a pod that hangs', 'PodScheduled', /must be a condition that says of a pod that it can lead/],
    ['True of a pod that is to go', 'DisruptionTarget', /leave the field out for Ready/],
  ])('is refused where it is %s', (_what, type, sentence) => {
    expect(going(type).problems).toEqual([expect.stringMatching(sentence)]);
  });
});

describe('spec.preemption', () => {
  const preempting = (preemption: unknown) => read({ selector, preemption });

  it('is Never unless somebody asks for it, and waits for five minutes unless told otherwise', () => {
    const never = { policy: 'Never', delayMs: 300_000 };
    expect([read({ selector }).spec?.preemption, preempting(null).spec?.preemption]).toEqual([never, never]);
    expect(preempting({ policy: 'WhenPreferred' }).spec?.preemption).toEqual({ ...never, policy: 'WhenPreferred' });
  });

  it.each([
    [
      'by a policy that there is not',
      { policy: 'Always' },
      /spec\.preemption\.policy .*must be Never or WhenPreferred/,
    ],
    ['without a delay', { delaySeconds: 0 }, /spec\.preemption\.delaySeconds .*from 1 to 3600/],
    ['after more than an hour', { delaySeconds: 3601 }, /spec\.preemption\.delaySeconds .*from 1 to 3600/],
    ['that is no object', 'WhenPreferred', /spec\.preemption .*must be an object/],
  ])('is refused %s', (_, preemption, problem) => {
    expect(preempting(preemption).problems.join()).toMatch(problem);
  });
});

describe('spec.preferences', () => {
  const preferring = (...preferences: readonly unknown[]) => read({ selector, preferences });
  const podSelector = { matchLabels: { tier: 'x' } };

  it('is empty unless it says otherwise, and an empty list says nothing', () => {
    expect([read({ selector }).spec?.preferences, preferring().spec?.preferences]).toEqual([[], []]);
  });

  it('has each selector whole, and null for one that is not there', () => {
    const nodeSelector = { matchExpressions: [{ key: 'gpu', operator: 'Exists' }] };
    expect(preferring({ weight: 5, podSelector }, { weight: 100, nodeSelector }).spec?.preferences).toEqual([
      { weight: 5, podSelector: { ...podSelector, matchExpressions: [] }, nodeSelector: null },
      {
        weight: 100,
        podSelector: null,
        nodeSelector: { matchLabels: {}, matchExpressions: [{ key: 'gpu', operator: 'Exists', values: [] }] },
      },
    ]);
  });

  it.each<[string, readonly unknown[], RegExp]>([
    [
      'without a selector',
      [{ weight: 1 }],
      /^spec\.preferences\[0\] prefers nothing; set podSelector, nodeSelector or both/,
    ],
    [
      'with an empty selector',
      [{ weight: 1, podSelector: {} }],
      /^spec\.preferences\[0\]\.podSelector must not be empty/,
    ],
    ['without a weight', [{ podSelector }], /^spec\.preferences\[0\]\.weight .*must be a whole number from 1 to 100/],
    [
      'of weight 0',
      [{ weight: 0, podSelector }],
      /^spec\.preferences\[0\]\.weight is 0, but must be a whole number from 1 to 100/,
    ],
    ['of weight 101', [{ weight: 101, podSelector }], /from 1 to 100/],
    ['that is none', ['zone a'], /^spec\.preferences\[0\] .*must be an object with weight/],
    ['with a bad label', [{ weight: 1, nodeSelector: { matchLabels: { 'a b': 'c' } } }], /has the key "a b"/],
    [
      'with more values than cost allows',
      [
        {
          weight: 1,
          podSelector: { matchExpressions: [{ key: 'a', operator: 'In', values: Array.from({ length: 17 }, String) }] },
        },
      ],
      /has 17 elements, but may have at most 16/,
    ],
    [
      'beyond the eighth',
      Array.from({ length: 9 }, () => ({ weight: 1, podSelector })),
      /^spec\.preferences has 9 elements/,
    ],
  ])('is refused %s, by a sentence that names the field', (_, preferences, sentence) => {
    const { spec, problems } = preferring(...preferences);
    expect([spec, problems]).toEqual([null, [expect.stringMatching(sentence)]]);
  });
});

describe('spec.spread', () => {
  it('is a label key of nodes, or nothing', () => {
    expect(read({ selector }).spec?.spread).toBeNull();
    expect(read({ selector, spread: { topologyKey: 'a.b/zone' } }).spec?.spread).toEqual({ topologyKey: 'a.b/zone' });
  });

  it.each([[{}], ['zone'], [{ topologyKey: '' }], [{ topologyKey: 'a b' }], [{ topologyKey: 3 }]])(
    'is refused as %j, by a sentence that names the field',
    (spread) => {
      const { spec, problems } = read({ selector, spread });
      expect([spec, problems]).toEqual([null, [expect.stringMatching(/^spec\.spread/)]]);
    },
  );
});

describe('spec.beforePromotion', () => {
  const asked = (beforePromotion: object) => read({ selector, beforePromotion });

  it('waits for a second, and takes the next one, unless it says otherwise', () => {
    expect(asked({ httpGet: { port: 80 } }).spec?.beforePromotion).toEqual({
      by: { kind: 'httpGet', path: '/', port: 80, scheme: 'HTTP', timeoutMs: 1000 },
      onFailure: 'NextCandidate',
    });
  });

  it.each([
    [{}, /httpGet/],
    [{ httpGet: {} }, /httpGet\.port/],
    [{ httpGet: { port: 80 }, timeoutSeconds: 6 }, /must be a whole number of seconds from 1 to 5/],
    [{ httpGet: { port: 80 }, onFailure: 'Ignore' }, /must be NextCandidate or Promote/],
    [{ httpGet: { port: 80, path: '//elsewhere/' } }, /must begin with one/],
  ])('refuses %j, and says why', (written, why) => {
    const { spec, problems } = asked(written);
    expect(spec).toBeNull();
    expect(problems.join('; ')).toMatch(why);
  });
});

describe('spec.leaderProbe', () => {
  const probe = (leaderProbe: object) => read({ selector, leaderProbe });

  it('listens to two failures, and asks for three, unless it says otherwise', () => {
    expect(probe({ gate: {} }).spec?.leaderProbe).toEqual({
      periodMs: 1000,
      failureThreshold: 2,
      by: { kind: 'gate' },
    });
    expect(probe({ httpGet: { port: 80 } }).spec?.leaderProbe).toEqual({
      periodMs: 1000,
      failureThreshold: 3,
      by: { kind: 'httpGet', path: '/', port: 80, scheme: 'HTTP', timeoutMs: 1000 },
    });
  });

  it('waits for no answer for longer than the leader may fail', () => {
    const { spec } = probe({ httpGet: { port: 80 }, periodMilliseconds: 100 });
    expect(spec?.leaderProbe?.by).toMatchObject({ timeoutMs: 300 });
  });

  it.each([
    [{}, 'exactly one way'],
    [{ gate: {}, httpGet: { port: 80 } }, 'exactly one way'],
    [{ gate: 'yes' }, 'must be an empty object'],
    [{ httpGet: {} }, 'from 1 to 65535'],
    [{ httpGet: { port: 80, path: '//elsewhere' } }, "must begin with one '/'"],
    [{ httpGet: { port: 80, path: '/\\elsewhere' } }, "must begin with one '/'"],
    [{ httpGet: { port: 80, path: 'http://elsewhere/' } }, "must begin with one '/'"],
    [{ httpGet: { port: 80, path: '/a b' } }, "must begin with one '/'"],
    [{ httpGet: { port: 80, path: `/${'x'.repeat(1024)}` } }, '1024'],
    [{ httpGet: { port: 80, scheme: 'http' } }, 'must be HTTP or HTTPS'],
    [{ httpGet: { port: 80 }, timeoutMilliseconds: 3001 }, 'at most periodMilliseconds times failureThreshold'],
    [{ gate: {}, periodMilliseconds: 99 }, 'from 100 to 60000'],
    [{ gate: {}, failureThreshold: 11 }, 'from 1 to 10'],
  ])('refuses %j, and says why', (leaderProbe, why) => {
    const { spec, problems } = probe(leaderProbe);
    expect([spec, problems.length > 0]).toEqual([null, true]);
    expect(problems.join(' ')).toContain(why);
    for (const problem of problems) expect(problem).toMatch(/^spec\.leaderProbe/);
  });
});
