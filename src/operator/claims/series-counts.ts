/**
 * How many series there are: those of a group, and those of the whole cluster. Read when a group begins a new one, and from then on counted,
 * for nobody else writes a group's; those of other replicas are counted anew from time to time, and only where something is claimed.
 */

import type { GroupName } from '../../api/leadergroup.ts';
import { putNewest } from '../../common/bounded-map.ts';
import { BUCKETS, claimsPrefix, claimsPrefixOf, type KeySpace } from '../../election/keys.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Consul } from '../../ports/consul.ts';
import { groupKey } from '../cache/store.ts';

/** `notMade`: nothing was written. `unknown`: it may be there. */
export type Outcome = 'made' | 'notMade' | 'unknown';

export type Room =
  /** Kept until it is settled, once. */
  | { readonly kind: 'room'; settle(outcome: Outcome): void }
  | { readonly kind: 'full'; readonly of: 'group' | 'cluster' };

export type SeriesCounts = {
  /** Room for one more series of the group. Throws ConsulError. */
  reserve(group: GroupName, tenure: string): Promise<Room>;
  /** Something is claimed: those of the whole cluster are counted, unless they were lately. Nobody waits for it. */
  used(): void;
};

export type SeriesCountsOptions = {
  readonly consul: Pick<Consul, 'listKeys'>;
  readonly clock: Pick<Clock, 'nowMs'>;
  readonly space: KeySpace;
  /** Told of the series of the whole cluster. */
  readonly counted: (series: number) => void;
  readonly signal: AbortSignal;
};

/** They stay for good, and each takes some 3 KB of Consul's memory. */
const MOST_OF_GROUP = 1000;
const MOST_OF_CLUSTER = 100_000;
/** Groups that are kept; the first to be read go. */
const MOST_GROUPS = 10_000;
/** Somebody may have deleted some by hand: a refusal rests on nothing older. */
const RECENT_MS = 60_000;
const RECOUNT_MS = 3_600_000;

type Counted = { readonly tenure: string; readonly seenMs: number; count: number };

export function createSeriesCounts({ consul, clock, space, counted, signal }: SeriesCountsOptions): SeriesCounts {
  const groups = new Map<string, Counted>();
  const cluster = { series: 0, next: 0, counting: false };

  async function countOf(group: GroupName, tenure: string): Promise<Counted> {
    const key = groupKey(group);
    const known = (): Counted | null => {
      const found = groups.get(key);
      if (found?.tenure !== tenure) return null;
      return found.count < MOST_OF_GROUP || clock.nowMs() - found.seenMs < RECENT_MS ? found : null;
    };
    const found = known();
    if (found !== null) return found;
    const keys = await consul.listKeys(claimsPrefix(space, group), signal);
    // Another call has read it meanwhile, and may have counted on.
    const meanwhile = known();
    if (meanwhile !== null) return meanwhile;
    const read = { tenure, seenMs: clock.nowMs(), count: keys.length };
    putNewest(groups, key, read, MOST_GROUPS);
    return read;
  }

  function add(count: number): void {
    cluster.series += count;
    counted(cluster.series);
  }

  async function countAll(): Promise<void> {
    let series = 0;
    for (let bucket = 0; bucket < BUCKETS; bucket += 1)
      series += (await consul.listKeys(claimsPrefixOf(space, bucket), signal)).length;
    add(series - cluster.series);
  }

  /** An answer that does not come is waited for again after a minute. */
  async function recount(): Promise<void> {
    cluster.counting = true;
    const counts = await countAll().then(
      () => true,
      () => false,
    );
    cluster.counting = false;
    cluster.next = clock.nowMs() + (counts ? RECOUNT_MS : RECENT_MS);
  }

  return {
    reserve: async (group, tenure) => {
      const known = await countOf(group, tenure);
      if (known.count >= MOST_OF_GROUP) return { kind: 'full', of: 'group' };
      if (cluster.series >= MOST_OF_CLUSTER) {
        cluster.next = Math.min(cluster.next, clock.nowMs() + RECENT_MS);
        return { kind: 'full', of: 'cluster' };
      }
      known.count += 1;
      add(1);
      return {
        kind: 'room',
        settle: (outcome) => {
          if (outcome === 'made') return;
          add(-1);
          if (outcome === 'notMade') known.count -= 1;
          else if (groups.get(groupKey(group)) === known) groups.delete(groupKey(group));
        },
      };
    },
    used: () => {
      if (!cluster.counting && clock.nowMs() >= cluster.next) void recount();
    },
  };
}
