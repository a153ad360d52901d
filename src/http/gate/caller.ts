/**
 * Who asks, as far as it is known. An answer needs no proof of that; what a question does beyond its answer (that its pod was heard, a release)
 * counts only from the pod itself.
 */
import type { PodUid } from '../../api/ids.ts';
import type { Pod } from '../../api/pod.ts';
import type { Gate } from '../../ports/gate.ts';
import type { Reply } from '../router.ts';
import { refusal } from './replies.ts';
import type { KnownBy } from './statement.ts';

export type Caller =
  | { readonly kind: 'pod'; readonly uid: PodUid; readonly by: KnownBy }
  /** `address`: where the question came from, for messages. */
  | { readonly kind: 'unverified'; readonly address: string };

/** The pod whose own address it is, as the watch shows it; a pod on the network of its node has none. */
export function callerAt(gate: Pick<Gate, 'podAt'>, address: string): Caller {
  const pod = gate.podAt(address);
  return pod === null ? { kind: 'unverified', address } : { kind: 'pod', uid: pod.uid, by: 'Address' };
}

export const isCaller = (caller: Caller, { uid }: Pod): boolean => caller.kind === 'pod' && caller.uid === uid;

/** null: the question comes from this very pod. Else what to answer to one that only the pod itself may ask. */
export function verifyCaller(caller: Caller, member: Pod): Reply | null {
  if (isCaller(caller, member)) return null;
  const from = caller.kind === 'pod' ? `pod with uid ${caller.uid}` : `address ${caller.address}`;
  const why = 'source NAT, a mesh and the network of the node hide the address of a pod';
  return refusal(
    'CallerNotMember',
    `the request must come from pod ${member.name} itself, from an address of its own, and it came from the ${from} (${why})`,
  );
}
