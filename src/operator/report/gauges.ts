/** What is measured from time to time rather than when it happens. */
import type { MonotonicMs } from '../../api/clocks.ts';
import { silencedForMs } from '../../api/silence.ts';
import { bucketName } from '../../election/keys.ts';
import type { GroupState, SilencedGroup, UnledState } from '../../ports/metrics.ts';
import type { Parts } from '../assemble.ts';
import type { OperatorOptions } from '../options.ts';
import { createGroupFigures } from './group-figures.ts';

export type Gauges = {
  /** Looks at everything and tells it. */
  record(): void;
};

/** So many groups are named: each is a series of its own, and who has more of them at once knows that something is wrong with all. */
const NAMED = 100;
/** Of a longer time nothing is known: this process stood still, and another replica may have had its groups. */
const KNOWN_MS = 15_000;

export function createGauges(
  { metrics, clock, measuredGroups = 0 }: Pick<OperatorOptions, 'metrics' | 'clock' | 'measuredGroups'>,
  parts: Parts,
): Gauges {
  let lastMs = clock.nowMs();
  const figuresOf = createGroupFigures(measuredGroups, parts.store);
  /** Since when each group without a leader has been so. */
  let unledSinceMs: ReadonlyMap<string, MonotonicMs> = new Map();

  function recordGroups(states: ReadonlyMap<string, GroupState>): void {
    const nowMs = clock.nowMs();
    const seconds = Math.min(nowMs - lastMs, KNOWN_MS) / 1000;
    lastMs = nowMs;
    const counts = countedBy(states.values());
    metrics.groups(counts);
    metrics.groupSeconds(Object.fromEntries(Object.entries(counts).map(([state, count]) => [state, count * seconds])));
    const unled = [...states].filter((each): each is [string, UnledState] => isUnled(each[1]));
    unledSinceMs = new Map(unled.map(([group]) => [group, unledSinceMs.get(group) ?? nowMs]));
    metrics.groupFigures(figuresOf(states.keys(), (group) => secondsSince(group, nowMs) * 1000));
    metrics.silenced(silencedOf(states.keys(), parts.store, clock.wallMs()));
    metrics.unled(longest(unled.map(([group, state]) => ({ group, state, seconds: secondsSince(group, nowMs) }))));
  }

  const secondsSince = (group: string, nowMs: MonotonicMs): number =>
    (nowMs - (unledSinceMs.get(group) ?? nowMs)) / 1000;

  return {
    record: () => {
      const counted = [...parts.reconciler.states()].filter(([group]) => !isVerification(parts.store, group));
      recordGroups(new Map(counted));
      recordParts(metrics, clock, parts);
    },
  };
}

/** It fails its leaders on purpose: nobody is to be called for it. */
const isVerification = (store: Parts['store'], group: string): boolean =>
  store.group(group)?.group.isVerification === true;

function countedBy(states: Iterable<GroupState>): Readonly<Partial<Record<GroupState, number>>> {
  const counts: Partial<Record<GroupState, number>> = {};
  for (const state of states) counts[state] = (counts[state] ?? 0) + 1;
  return counts;
}

const isUnled = (state: GroupState): state is UnledState => state === 'notLed' || state === 'stalled';

/** Whoever has planned work on a group has said until when: it is over by itself. */
function silencedOf(groups: Iterable<string>, store: Parts['store'], nowMs: number): readonly SilencedGroup[] {
  return longest(
    [...groups].flatMap((group) => {
      const seconds = silencedForMs(store.group(group)?.group.silence ?? null, nowMs) / 1000;
      return seconds > 0 ? [{ group, seconds }] : [];
    }),
  );
}

const longest = <T extends { readonly seconds: number }>(groups: readonly T[]): readonly T[] =>
  groups.toSorted((one, other) => other.seconds - one.seconds).slice(0, NAMED);

function recordParts(
  metrics: OperatorOptions['metrics'],
  clock: OperatorOptions['clock'],
  { sessionManager, ownership, queue, prober }: Parts,
): void {
  metrics.leaderProbes(prober.counts());
  metrics.sessions(sessionManager.count());
  metrics.bucketsOwned(ownership.owned().map(bucketName));
  const replicas = ownership.overview().replicas;
  metrics.replicas({
    live: replicas.length,
    reaching: replicas.filter(({ reachesApiServer }) => reachesApiServer).length,
  });
  metrics.queueDepth(queue.depth());
  const nearestMs = sessionManager.nearestDeadlineMs();
  metrics.deadlineMilliseconds(nearestMs === null ? null : nearestMs - clock.nowMs());
}
