/** Looking at values from outside, as JSON.parse makes them. Nothing here throws, whatever it is given. */

export type RawObject = Readonly<Record<string, unknown>>;

/** The value if it is an object; null for anything else, lists included. */
export const asObject = (value: unknown): RawObject | null =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as RawObject) : null;

/** A field; undefined when it is absent or null, which Kubernetes treats alike. */
export const field = (object: RawObject, name: string): unknown => object[name] ?? undefined;

/** A text field; empty when it is absent or no text. */
export function textField(object: RawObject, name: string): string {
  const value = field(object, name);
  return typeof value === 'string' ? value : '';
}

/** A counter: a whole number from 0 to 2^53 - 1; 0 for anything else. */
export function countField(object: RawObject, name: string): number {
  const value = field(object, name);
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : 0;
}

/** What `parse` makes of each element of a list field; elements that it answers with null are left out. */
export function listField<T>(object: RawObject, name: string, parse: (element: unknown) => T | null): readonly T[] {
  const value = field(object, name);
  if (!Array.isArray(value)) return [];
  return value.map(parse).filter((element) => element !== null);
}

/** The value as a problem's sentence shows it: at most some 80 characters, never its structure. */
export function show(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.length > 80 ? `${value.slice(0, 77)}...` : value);
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  if (value === undefined || value === null) return 'missing';
  return Array.isArray(value) ? 'a list' : 'an object';
}
