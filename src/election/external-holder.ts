/** Who holds a lock that none of ours holds, in words for people: all of it was written by somebody else, and proves nothing. */
import type { SessionId } from '../api/ids.ts';
import { plainText } from '../api/plain-text.ts';
import { clusterOfNode, parseSessionName } from './keys.ts';
import type { ExternalSession, LockView } from './observation.ts';

type External = Extract<ExternalSession, { kind: 'external' }>;

const LENGTH = 100;

/**
 * `"name" on node n (session s)`, as Consul shows it; where an operator of another cluster opened the session, which pod of which group of which
 * cluster it is for. The name of the pod is that of the lock's value, if this is of the same pod.
 */
export function nameOfExternal({ name, node }: External, lock: Pick<LockView, 'heldFor'>, session: SessionId): string {
  const cluster = clusterOfNode(node);
  const member = parseSessionName(name);
  if (cluster === null || member === null)
    return `"${name === '' ? 'unnamed session' : plainText(name, LENGTH)}" on node ${plainText(node, LENGTH)} (session ${session})`;
  const pod = lock.heldFor?.uid === member.podUid ? `pod ${plainText(lock.heldFor.pod, LENGTH)}` : 'a pod';
  const group = plainText(`${member.namespace}/${member.group}`, LENGTH);
  return `${pod} of LeaderGroup ${group} in cluster ${plainText(cluster, LENGTH)} (session ${session})`;
}
