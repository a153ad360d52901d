/** Pairs of a key and a group, found from either side. Nothing is kept of a key or a group that is in no pair. */
export type Pairs = {
  add(key: string, group: string): void;
  has(key: string, group: string): boolean;
  dropKey(key: string): void;
  /** Returns the keys that are in no pair any more. */
  dropGroup(group: string): readonly string[];
};

export function createPairs(): Pairs {
  const groupsOf = new Map<string, Set<string>>();
  const keysOf = new Map<string, Set<string>>();
  return {
    add: (key, group) => {
      groupsOf.set(key, (groupsOf.get(key) ?? new Set()).add(group));
      keysOf.set(group, (keysOf.get(group) ?? new Set()).add(key));
    },
    has: (key, group) => groupsOf.get(key)?.has(group) === true,
    dropKey: (key) => {
      for (const group of groupsOf.get(key) ?? []) remove(keysOf, group, key);
      groupsOf.delete(key);
    },
    dropGroup: (group) => {
      const keys = [...(keysOf.get(group) ?? [])];
      keysOf.delete(group);
      for (const key of keys) remove(groupsOf, key, group);
      return keys.filter((key) => !groupsOf.has(key));
    },
  };
}

function remove(map: Map<string, Set<string>>, from: string, what: string): void {
  const found = map.get(from);
  found?.delete(what);
  if (found?.size === 0) map.delete(from);
}
