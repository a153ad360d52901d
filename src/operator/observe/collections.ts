/** Maps and sets with one entry more or less; the same one where nothing changes. Large ones are kept on shelves. */
import type { PodUid } from '../../api/ids.ts';
import { Shelved } from './shelved.ts';

/** A set that grows one by one, and may get large. */
export type Uids = ReadonlyMap<PodUid, true>;

/** Up to this size a copy of the whole costs no more than shelves would. */
const SMALL = 64;

const shelved = <Key extends string, Value>(map: ReadonlyMap<Key, Value>): Shelved<Key, Value> =>
  map instanceof Shelved ? map : Shelved.of(map);

export const put = <Key extends string, Value>(
  map: ReadonlyMap<Key, Value>,
  key: Key,
  value: Value,
): ReadonlyMap<Key, Value> => (map.size < SMALL ? new Map(map).set(key, value) : shelved(map).with(key, value));

export function removed<Key extends string, Value>(map: ReadonlyMap<Key, Value>, key: Key): ReadonlyMap<Key, Value> {
  if (!map.has(key)) return map;
  return map.size > SMALL ? shelved(map).without(key) : entriesThat(map, (each) => each !== key);
}

export function entriesThat<Key extends string, Value>(
  map: ReadonlyMap<Key, Value>,
  stay: (key: Key, value: Value) => boolean,
): ReadonlyMap<Key, Value> {
  const left = [...map].filter(([key, value]) => stay(key, value));
  return left.length === map.size ? map : new Map(left);
}

export const plus = <Key>(set: ReadonlySet<Key>, key: Key): ReadonlySet<Key> =>
  set.has(key) ? set : new Set(set).add(key);

/** With the key as the last of so many: the oldest go. */
export const plusNewest = <Key>(set: ReadonlySet<Key>, key: Key, most: number): ReadonlySet<Key> =>
  new Set([...minus(set, key), key].slice(-most));

export const minus = <Key>(set: ReadonlySet<Key>, key: Key): ReadonlySet<Key> =>
  membersThat(set, (each) => each !== key);

export function membersThat<Key>(set: ReadonlySet<Key>, stay: (key: Key) => boolean): ReadonlySet<Key> {
  const left = [...set].filter(stay);
  return left.length === set.size ? set : new Set(left);
}
