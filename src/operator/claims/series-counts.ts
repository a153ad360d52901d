/** How many series a group has. Read once, when a group begins a new one; from then on counted, for nobody else writes them. */
import { putNewest } from '../../common/bounded-map.ts';
import { claimsPrefix, type KeySpace } from '../../election/keys.ts';
import type { Consul } from '../../ports/consul.ts';
import type { GroupName } from '../../ports/gate.ts';
import { groupKey } from '../cache/store.ts';

export type SeriesCounts = {
  /** Whether the group may begin another one. Throws ConsulError. */
  mayAdd(group: GroupName, tenure: string): Promise<boolean>;
  added(group: GroupName, tenure: string): void;
};

/** They stay for good: each is an entry in Consul's memory. */
const MOST_SERIES = 1000;
/** Groups that are kept; the first to be read go. */
const MOST_GROUPS = 10_000;

export function createSeriesCounts(
  consul: Pick<Consul, 'readPrefix'>,
  space: KeySpace,
  signal: AbortSignal,
): SeriesCounts {
  const counts = new Map<string, { readonly tenure: string; count: number }>();

  async function countOf(group: GroupName, tenure: string): Promise<number> {
    const key = groupKey(group);
    const known = counts.get(key);
    if (known?.tenure === tenure) return known.count;
    const { entries } = await consul.readPrefix(claimsPrefix(space, group), { index: 0, waitMs: 0 }, signal);
    putNewest(counts, key, { tenure, count: entries.length }, MOST_GROUPS);
    return entries.length;
  }

  return {
    mayAdd: async (group, tenure) => (await countOf(group, tenure)) < MOST_SERIES,
    added: (group, tenure) => {
      const known = counts.get(groupKey(group));
      if (known?.tenure === tenure) known.count += 1;
    },
  };
}
