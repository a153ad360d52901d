/** What this replica may see and use, and what it knows of itself. */
import type { LeaderGroup } from '../../api/leadergroup.ts';
import { createKnownGroups, whileElsewhere } from '../cache/known-groups.ts';
import type { Store } from '../cache/store.ts';
import type { ApiConnectivity } from '../connectivity/api-connectivity.ts';
import type { LockWatches } from '../locks/lock-watches.ts';
import type { ObserverOptions } from '../observe/view.ts';
import type { OperatorOptions } from '../options.ts';
import { createSight, type Sight } from '../probe/sight.ts';
import type { BucketOwnership } from '../sharding/ownership.ts';

export function knownGroups(
  { groupsIn = () => 'listed', replica, ...options }: OperatorOptions,
  replicas: Pick<BucketOwnership, 'live' | 'unchangedForMs'>,
) {
  const groups = createKnownGroups(groupsIn, replicas, replica.id);
  return { known: groups.known, unwatched: whileElsewhere(options.unwatched, groups) };
}

export const limitsOf = (options: OperatorOptions): Pick<ObserverOptions, 'nodesReadable' | 'lockKeyProblem'> => ({
  nodesReadable: () => !options.watch.nodes.denied(),
  lockKeyProblem: (group) => problemOf(options, group),
});

const problemOf = ({ lockKeyProblem }: OperatorOptions, { spec, namespace }: LeaderGroup): string | null =>
  spec.lockKey === null ? null : lockKeyProblem(spec.lockKey, namespace);

type Following = { readonly store: Store; readonly ownership: BucketOwnership; readonly watches: LockWatches };

export function followSharedKey(options: OperatorOptions, { store, ownership, watches }: Following, key: string): void {
  const parsed = store.group(key);
  if (parsed?.kind !== 'valid' || problemOf(options, parsed.group) !== null) return;
  if (ownership.of(parsed.group).kind === 'owned') watches.follow(parsed.group);
}

/** The watch of pods says something each minute at least, and much more often where anything happens. */
export const sightOf = ({ clock, watch }: OperatorOptions, reach: ApiConnectivity, signal: AbortSignal): Sight =>
  createSight(
    clock,
    reach.reaches,
    () => Math.max(watch.pods.lastContactMs() ?? 0, reach.answeredMs() ?? 0),
    () => reach.kubernetes.clusterUid(signal),
  );

export const nodeOf = ({ replica: { pod } }: OperatorOptions, store: Store): string | null =>
  (pod === null ? null : store.pod(pod.namespace, pod.name)?.pod.node) ?? null;
