/** Where the mark of a series stands in Consul. Whatever the text of the series is made of, the key holds none of it. */
import { createHash } from 'node:crypto';
import type { GroupName } from '../../api/leadergroup.ts';
import { putNewest } from '../../common/bounded-map.ts';
import { claimsPrefix, type KeySpace } from '../../election/keys.ts';
import { groupKey } from '../cache/store.ts';

/** A call needs its key several times, and a series is claimed of again and again: the longest unused go, as their marks do. */
const MOST = 20_000;

export function createSeriesKeys(space: KeySpace): (group: GroupName, series: string) => string {
  const keys = new Map<string, string>();
  return (group, series) => {
    // No name of Kubernetes has a space in it.
    const asked = `${groupKey(group)} ${series}`;
    const key = keys.get(asked) ?? `${claimsPrefix(space, group)}${hashOf(series)}`;
    putNewest(keys, asked, key, MOST);
    return key;
  };
}

const hashOf = (series: string): string => createHash('sha256').update(series).digest('base64url');
