/** Names of groups that were shown and are gone. Once some had to be forgotten every name may be one of them. */

export type GoneNames = { note(key: string): void; has(key: string): boolean };

const MOST = 10_000;

export function createGoneNames(most = MOST): GoneNames {
  const names = new Set<string>();
  let isFull = false;
  return {
    note: (key) => {
      if (names.size < most) names.add(key);
      else if (!names.has(key)) isFull = true;
    },
    has: (key) => isFull || names.has(key),
  };
}
