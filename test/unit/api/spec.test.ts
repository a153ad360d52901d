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
