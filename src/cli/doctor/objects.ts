/** Looking at objects of the API server without trust. Pure. */
import { asObject, field, listField, type RawObject, textField } from '../../api/raw.ts';

export const section = (object: RawObject, ...names: readonly string[]): RawObject =>
  names.reduce<RawObject>((within, name) => asObject(field(within, name)) ?? {}, object);

export const namespaceOf = (object: RawObject): string => textField(section(object, 'metadata'), 'namespace');
export const nameOf = (object: RawObject): string => textField(section(object, 'metadata'), 'name');

/** `Service mail/notifier-leader` */
export const titleOf = (object: RawObject): string =>
  `${textField(object, 'kind')} ${namespaceOf(object)}/${nameOf(object)}`;

/** The texts of a map of labels, annotations or a plain selector. */
export const texts = (object: RawObject): Readonly<Record<string, string>> =>
  Object.fromEntries(Object.entries(object).filter((entry): entry is [string, string] => typeof entry[1] === 'string'));

/** Of a Service. */
export const selectorOf = (service: RawObject): Readonly<Record<string, string>> =>
  texts(section(service, 'spec', 'selector'));

/** Keys of a label selector. */
export const selectorKeys = (selector: RawObject): readonly string[] => [
  ...Object.keys(section(selector, 'matchLabels')),
  ...listField(selector, 'matchExpressions', asObject).map((each) => textField(each, 'key')),
];

/** Each once, in the order in which they were met. */
export function grouped<T>(items: readonly T[], key: (item: T) => string): ReadonlyMap<string, readonly T[]> {
  const found = new Map<string, T[]>();
  for (const item of items) {
    const same = found.get(key(item));
    if (same === undefined) found.set(key(item), [item]);
    else same.push(item);
  }
  return found;
}
