/** A map that is never changed, and of which a copy with one more entry costs little, however large it is. */

const SHELVES = 256;

/** The entries stand on shelves by their key; a copy shares all shelves but one. */
export class Shelved<Value> implements ReadonlyMap<string, Value> {
  readonly size: number;
  readonly #shelves: readonly ReadonlyMap<string, Value>[];

  constructor(shelves: readonly ReadonlyMap<string, Value>[]) {
    this.#shelves = shelves;
    this.size = shelves.reduce((sum, shelf) => sum + shelf.size, 0);
  }

  static of<Value>(entries: Iterable<readonly [string, Value]>): Shelved<Value> {
    const shelves = Array.from({ length: SHELVES }, () => new Map<string, Value>());
    for (const [key, value] of entries) shelves[shelfOf(key)]?.set(key, value);
    return new Shelved(shelves);
  }

  with(key: string, value: Value): Shelved<Value> {
    return this.#replaced(key, (shelf) => shelf.set(key, value));
  }

  without(key: string): Shelved<Value> {
    return this.has(key) ? this.#replaced(key, (shelf) => shelf.delete(key)) : this;
  }

  #replaced(key: string, change: (shelf: Map<string, Value>) => void): Shelved<Value> {
    const shelf = new Map(this.#shelves[shelfOf(key)]);
    change(shelf);
    return new Shelved(this.#shelves.with(shelfOf(key), shelf));
  }

  get(key: string): Value | undefined {
    return this.#shelves[shelfOf(key)]?.get(key);
  }

  has(key: string): boolean {
    return this.#shelves[shelfOf(key)]?.has(key) ?? false;
  }

  *entries(): MapIterator<[string, Value]> {
    for (const shelf of this.#shelves) yield* shelf.entries();
  }

  *keys(): MapIterator<string> {
    for (const shelf of this.#shelves) yield* shelf.keys();
  }

  *values(): MapIterator<Value> {
    for (const shelf of this.#shelves) yield* shelf.values();
  }

  [Symbol.iterator](): MapIterator<[string, Value]> {
    return this.entries();
  }

  forEach(each: (value: Value, key: string, map: ReadonlyMap<string, Value>) => void): void {
    for (const [key, value] of this) each(value, key, this);
  }
}

/** Any even spread of uids will do. */
function shelfOf(key: string): number {
  let hash = 0;
  for (let at = 0; at < key.length; at += 1) hash = (hash * 31 + key.charCodeAt(at)) % 65_521;
  return hash % SHELVES;
}
