/** Maps that are kept small: what was put, or used, longest ago goes. */

/** Puts the entry last, and lets those go that were put first while there are more than `most`. */
export function putNewest<K, V>(map: Map<K, V>, key: K, value: V, most: number): void {
  map.delete(key);
  map.set(key, value);
  for (const oldest of map.keys()) {
    if (map.size <= most) return;
    map.delete(oldest);
  }
}
