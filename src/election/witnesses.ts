/** What tells of a group's last token: the lock's own keys, and everything outside Consul. */
import type { LockView, Observation } from './observation.ts';
import { believable, tokenOf } from './token.ts';

/** Highest token that the lock's own keys tell of. */
export const recordedToken = (lock: LockView): number =>
  Math.max(lock.record?.token ?? 0, believable(lock.sharedToken) ? lock.sharedToken : 0);

/** Highest token seen outside Consul: on the pods and in the status. A record below it comes from a restored Consul. */
export function witnessedToken(o: Observation): number {
  const onPods = o.pods.map(({ pod }) => tokenOf(pod, o.group.name));
  const inStatus = o.group.status?.leaders.map((leader) => leader.token) ?? [];
  const inHistory = o.group.status?.recentTransitions.map((transition) => transition.token) ?? [];
  return Math.max(0, ...[...onPods, ...inStatus, ...inHistory].filter(believable));
}
