/** Maps and sets with one entry more or less; the same one where nothing changes. Large ones are kept on shelves. */
import { Shelved } from './shelved.ts';

/** A set that grows one by one, and may get large. */
export type Uids = ReadonlyMap<string, true>;

/** Up to this size a copy of the whole costs no more than shelves would. */
const SMALL = 64;

const shelved = <Value>(map: ReadonlyMap<string, Value>): Shelved<Value> =>
  map instanceof Shelved ? map : Shelved.of(map);

export const put = <Value>(map: ReadonlyMap<string, Value>, key: string, value: Value): ReadonlyMap<string, Value> =>
  map.size < SMALL ? new Map(map).set(key, value) : shelved(map).with(key, value);

export function removed<Value>(map: ReadonlyMap<string, Value>, key: string): ReadonlyMap<string, Value> {
  if (!map.has(key)) return map;
  return map.size > SMALL ? shelved(map).without(key) : entriesThat(map, (each) => each !== key);
}

export function entriesThat<Value>(
  map: ReadonlyMap<string, Value>,
  stay: (key: string, value: Value) => boolean,
): ReadonlyMap<string, Value> {
  const left = [...map].filter(([key, value]) => stay(key, value));
  return left.length === map.size ? map : new Map(left);
}

export const plus = (set: ReadonlySet<string>, key: string): ReadonlySet<string> =>
  set.has(key) ? set : new Set(set).add(key);

export const minus = (set: ReadonlySet<string>, key: string): ReadonlySet<string> =>
  membersThat(set, (each) => each !== key);

export function membersThat(set: ReadonlySet<string>, stay: (key: string) => boolean): ReadonlySet<string> {
  const left = [...set].filter(stay);
  return left.length === set.size ? set : new Set(left);
}
