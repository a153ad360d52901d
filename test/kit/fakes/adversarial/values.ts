/** Values that nobody should send: any JSON, and valid objects with something in them replaced. */
import * as fc from 'fast-check';

/** Whatever JSON can hold, and keys that have a meaning in JavaScript. */
export const anything: fc.Arbitrary<unknown> = fc.oneof(
  fc.jsonValue({ maxDepth: 4 }),
  fc.constantFrom(null, '', 'x', 0, -1, 1.5, 1e308, 2 ** 60, true, false, [], {}, [null], '\ud800', '0x10', 'NaN'),
  fc.dictionary(fc.constantFrom('__proto__', 'constructor', 'toString', 'metadata', 'spec', 'length'), fc.jsonValue()),
);

/** The object as JSON, with up to three of its values replaced by anything, or left out. */
export function bent(valid: unknown): fc.Arbitrary<unknown> {
  const paths = pathsOf(valid);
  const change = fc.record({ path: fc.constantFrom(...paths), to: fc.oneof(anything, fc.constant(undefined)) });
  return fc
    .array(change, { minLength: 1, maxLength: 3 })
    .map((changes) => changes.reduce((object, { path, to }) => replaced(object, path, to), structuredClone(valid)));
}

type Path = readonly (string | number)[];

function pathsOf(value: unknown, at: Path = []): readonly [Path, ...Path[]] {
  if (typeof value !== 'object' || value === null) return [at];
  return [
    at,
    ...Object.entries(value).flatMap(([key, inner]) =>
      pathsOf(inner, [...at, Array.isArray(value) ? Number(key) : key]),
    ),
  ];
}

function replaced(object: unknown, [first, ...rest]: Path, to: unknown): unknown {
  if (first === undefined) return to;
  if (typeof object !== 'object' || object === null) return object;
  const copy: Record<string | number, unknown> = Array.isArray(object) ? ([...object] as never) : { ...object };
  if (rest.length === 0 && to === undefined) delete copy[first];
  else copy[first] = replaced(copy[first], rest, to);
  return copy;
}

/** As JSON text; nothing at all becomes a word that is none. */
export const jsonText = (value: unknown): string => (value === undefined ? '' : JSON.stringify(value));
