/** What is measured from time to time rather than when it happens. */
import { bucketName } from '../../election/keys.ts';
import type { GroupState } from '../../ports/metrics.ts';
import type { Parts } from '../assemble.ts';
import type { OperatorOptions } from '../options.ts';

export function recordGauges(
  { metrics, clock }: Pick<OperatorOptions, 'metrics' | 'clock'>,
  { reconciler, sessionManager, ownership, queue, prober }: Parts,
): void {
  const counts: Partial<Record<GroupState, number>> = {};
  for (const state of reconciler.states().values()) counts[state] = (counts[state] ?? 0) + 1;
  metrics.groups(counts);
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
