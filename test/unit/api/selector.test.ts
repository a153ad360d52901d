import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { LabelSelector, SelectorRequirement } from '../../../src/api/leadergroup.ts';
import { indexPair, matches, selectorKeys } from '../../../src/api/selector.ts';

const selector = (
  matchLabels: LabelSelector['matchLabels'],
  ...matchExpressions: readonly SelectorRequirement[]
): LabelSelector => ({ matchLabels, matchExpressions });

const requirement = (
  key: string,
  operator: SelectorRequirement['operator'],
  ...values: readonly string[]
): SelectorRequirement => ({ key, operator, values });

describe('matches', () => {
  const isIn = requirement('tier', 'In', 'a', 'b');
  const isNotIn = requirement('tier', 'NotIn', 'a', 'b');
  const exists = requirement('tier', 'Exists');
  const existsNot = requirement('tier', 'DoesNotExist');

  it.each<[string, LabelSelector, Record<string, string>, boolean]>([
    ['an empty selector matches everything', selector({}), {}, true],
    ['a label must be there', selector({ app: 'x' }), {}, false],
    ['a label must have the very value', selector({ app: 'x' }), { app: 'X' }, false],
    ['other labels do not matter', selector({ app: 'x' }), { app: 'x', tier: 'a' }, true],
    ['an empty value is a value', selector({ app: '' }), { app: '' }, true],
    ['an empty value is not an absent label', selector({ app: '' }), {}, false],
    ['In holds for each of its values', selector({}, isIn), { tier: 'b' }, true],
    ['In fails for another value', selector({}, isIn), { tier: 'c' }, false],
    ['In fails for an absent label', selector({}, isIn), {}, false],
    ['NotIn fails for each of its values', selector({}, isNotIn), { tier: 'b' }, false],
    ['NotIn holds for another value', selector({}, isNotIn), { tier: 'c' }, true],
    ['NotIn holds for an absent label', selector({}, isNotIn), {}, true],
    ['Exists holds for an empty value', selector({}, exists), { tier: '' }, true],
    ['Exists fails for an absent label', selector({}, exists), { app: 'x' }, false],
    ['DoesNotExist fails for an empty value', selector({}, existsNot), { tier: '' }, false],
    ['DoesNotExist holds for an absent label', selector({}, existsNot), {}, true],
    ['labels and expressions must both hold', selector({ app: 'x' }, isIn), { app: 'x', tier: 'c' }, false],
    ['all expressions must hold', selector({}, isIn, requirement('tier', 'NotIn', 'b')), { tier: 'b' }, false],
    ['an inherited property is no label', selector({}, requirement('constructor', 'Exists')), {}, false],
    ['a label may be named like an inherited property', selector({ constructor: 'x' }), { constructor: 'x' }, true],
  ])('%s', (_rule, given, labels, expected) => {
    expect(matches(given, labels)).toBe(expected);
  });

  const word = fc.constantFrom('app', 'tier', 'constructor', 'a', 'b', '');
  const labels = fc.dictionary(word, word, { maxKeys: 4 });
  const anyRequirement = fc.record({
    key: word,
    operator: fc.constantFrom('In' as const, 'NotIn' as const, 'Exists' as const, 'DoesNotExist' as const),
    values: fc.array(word, { maxLength: 3 }),
  });
  const anySelector = fc.record({
    matchLabels: fc.dictionary(word, word, { maxKeys: 2 }),
    matchExpressions: fc.array(anyRequirement, { maxLength: 3 }),
  });

  it('agrees with a naive evaluator on all selectors and labels', () => {
    fc.assert(
      fc.property(anySelector, labels, (given, pod) => {
        expect(matches(given, pod)).toBe(naive(given, pod));
      }),
      { numRuns: 2000 },
    );
  });

  it('never matches a pod that lacks the index pair', () => {
    fc.assert(
      fc.property(anySelector, labels, (given, pod) => {
        const pair = indexPair(given);
        const pairs = Object.entries(pod).map(([key, value]) => `${key}=${value}`);
        expect(pair === null || pairs.includes(pair) || !matches(given, pod)).toBe(true);
      }),
      { numRuns: 2000 },
    );
  });
});

/** Written another way on purpose: turns the selector into a list of allowed sets, `undefined` standing for no label. */
function naive(given: LabelSelector, pod: Record<string, string>): boolean {
  const present = new Map(Object.entries(pod));
  const all = new Set<string | undefined>([...present.values(), undefined, 'something else']);
  const allowed = (r: SelectorRequirement): Set<string | undefined> => {
    const values = new Set<string | undefined>(r.values);
    if (r.operator === 'In') return values;
    if (r.operator === 'NotIn') return all.difference(values);
    return r.operator === 'Exists' ? all.difference(new Set([undefined])) : new Set([undefined]);
  };
  const labelsAsRequirements = Object.entries(given.matchLabels).map(([key, value]) => requirement(key, 'In', value));
  return [...labelsAsRequirements, ...given.matchExpressions].every((r) => allowed(r).has(present.get(r.key)));
}

describe('selectorKeys', () => {
  it('names each key once, of labels and of every kind of expression', () => {
    const given = selector({ app: 'x' }, requirement('app', 'Exists'), requirement('tier', 'DoesNotExist'));
    expect(selectorKeys(given)).toEqual(['app', 'tier']);
  });
});

describe('indexPair', () => {
  it.each<[string, LabelSelector, string | null]>([
    ['is the first label', selector({ app: 'x', tier: 'a' }), 'app=x'],
    ['is the label rather than an expression', selector({ app: 'x' }, requirement('tier', 'In', 'a')), 'app=x'],
    ['is an In of one value', selector({}, requirement('a', 'Exists'), requirement('tier', 'In', 'a')), 'tier=a'],
    ['is not an In of two values', selector({}, requirement('tier', 'In', 'a', 'b')), null],
    ['is not a NotIn', selector({}, requirement('tier', 'NotIn', 'a')), null],
    ['is not an Exists', selector({}, requirement('tier', 'Exists')), null],
    ['does not exist for an empty selector', selector({}), null],
  ])('%s', (_rule, given, expected) => {
    expect(indexPair(given)).toBe(expected);
  });
});
