/** The replicas that are there, as the watch of their entries tells; a hint, like all that a watch tells. */
import type { MonotonicMs } from '../../api/clocks.ts';
import { type KeySpace, replicasPrefix } from '../../election/keys.ts';
import { type LiveReplica, liveReplica } from '../../election/replicas.ts';
import type { Clock } from '../../ports/clock.ts';
import type { KvEntry, KvSnapshot } from '../../ports/consul.ts';

export type Registry = {
  /** Takes what the watch shows. Returns whether others are there now, or say something else of themselves. */
  update(snapshot: KvSnapshot): boolean;
  /** By id. Empty before the first update. */
  live(): readonly LiveReplica[];
  known(): boolean;
  /** Monotonic milliseconds since when the same replicas are there and say the same of themselves. */
  unchangedSinceMs(): MonotonicMs;
  /** Entries whose replica is gone: they are of no use to anybody. */
  left(): readonly KvEntry[];
};

/** Of the entries below `replicasPrefix` those whose session is alive. */
export function liveReplicas(space: KeySpace, entries: readonly KvEntry[]): readonly LiveReplica[] {
  const prefix = replicasPrefix(space);
  return entries.flatMap(({ key, session, value }) =>
    session === null ? [] : [liveReplica(key.slice(prefix.length), session, value)],
  );
}

export function createRegistry(clock: Clock, space: KeySpace): Registry {
  let live: readonly LiveReplica[] = [];
  let left: readonly KvEntry[] = [];
  let known = false;
  let changedMs = clock.nowMs();
  let shown = '';

  return {
    update: ({ entries }) => {
      live = liveReplicas(space, entries);
      left = entries.filter(({ session }) => session === null);
      const shows = JSON.stringify(live);
      const changed = shows !== shown;
      if (changed) changedMs = clock.nowMs();
      shown = shows;
      known = true;
      return changed;
    },
    live: () => live,
    known: () => known,
    unchangedSinceMs: () => changedMs,
    left: () => left,
  };
}
