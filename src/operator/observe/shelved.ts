/** A map that is never changed, and of which a copy with one more entry costs little, however large it is. */

const SHELVES = 256;

/** The entries stand on shelves by their key; a copy shares all shelves but one. */
export class Shelved<Key extends string, Value> implements ReadonlyMap<Key, Value> {
  readonly size: number;
  readonly #shelves: readonly ReadonlyMap<Key, Value>[];

  constructor(shelves: readonly ReadonlyMap<Key, Value>[]) {
    this.#shelves = shelves;
    this.size = shelves.reduce((sum, shelf) => sum + shelf.size, 0);
  }

  static of<Key extends string, Value>(entries: Iterable<readonly [Key, Value]>): Shelved<Key, Value> {
    const shelves = Array.from({ length: SHELVES }, () => new Map<Key, Value>());
    for (const [key, value] of entries) shelves[shelfOf(key)]?.set(key, value);
    return new Shelved(shelves);
  }

  with(key: Key, value: Value): Shelved<Key, Value> {
    return this.#replaced(key, (shelf) => shelf.set(key, value));
  }

  without(key: Key): Shelved<Key, Value> {
    return this.has(key) ? this.#replaced(key, (shelf) => shelf.delete(key)) : this;
  }

  #replaced(key: Key, change: (shelf: Map<Key, Value>) => void): Shelved<Key, Value> {
    const shelf = new Map(this.#shelves[shelfOf(key)]);
    change(shelf);
    return new Shelved(this.#shelves.with(shelfOf(key), shelf));
  }

  get(key: Key): Value | undefined {
    return this.#shelves[shelfOf(key)]?.get(key);
  }

  has(key: Key): boolean {
    return this.#shelves[shelfOf(key)]?.has(key) ?? false;
  }

  *entries(): MapIterator<[Key, Value]> {
    for (const shelf of this.#shelves) yield* shelf.entries();
  }

  *keys(): MapIterator<Key> {
    for (const shelf of this.#shelves) yield* shelf.keys();
  }

  *values(): MapIterator<Value> {
    for (const shelf of this.#shelves) yield* shelf.values();
  }

  [Symbol.iterator](): MapIterator<[Key, Value]> {
    return this.entries();
  }

  forEach(each: (value: Value, key: Key, map: ReadonlyMap<Key, Value>) => void): void {
    for (const [key, value] of this) each(value, key, this);
  }
}

/** Any even spread of uids will do. */
function shelfOf(key: string): number {
  let hash = 0;
  for (let at = 0; at < key.length; at += 1) hash = (hash * 31 + key.charCodeAt(at)) % 65_521;
  return hash % SHELVES;
}
