/** What tells of a group's last token: the lock's own keys, and everything outside Consul. */
import type { LeaderGroup } from '../api/leadergroup.ts';
import type { Pod } from '../api/pod.ts';
import type { LockView } from './observation.ts';
import { believable, tokenOf } from './token.ts';

/** Highest token that the lock's own keys tell of. */
export const recordedToken = (lock: LockView): number =>
  Math.max(lock.record?.token ?? 0, believable(lock.sharedToken) ? lock.sharedToken : 0);

/** As `recordedToken`, with that of an earlier group of this name, whose record stood elsewhere. */
export const rememberedToken = (lock: LockView): number => Math.max(recordedToken(lock), lock.earlierToken ?? 0);

/** Highest token on the pods, in the status, and in the slices of a route (`shown`; 0: none). */
export function highestObservedToken(group: LeaderGroup, pods: readonly Pod[], shown = 0): number {
  const onPods = pods.map((pod) => tokenOf(pod, group.name));
  const inStatus = group.status?.leaders.map((leader) => leader.token) ?? [];
  const inHistory = group.status?.recentTransitions.map((transition) => transition.token) ?? [];
  return [...onPods, ...inStatus, ...inHistory, shown].filter(believable).reduce((a, b) => Math.max(a, b), 0);
}
