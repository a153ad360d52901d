/**
 * Who asks, as far as it is known. An answer needs no proof of that; what a question does beyond its answer (that its pod was heard, a release)
 * counts only from the pod itself.
 */
import type { PodUid } from '../../api/ids.ts';
import type { Pod, PodRef } from '../../api/pod.ts';
import type { Gate } from '../../ports/gate.ts';
import type { Query, Reply } from '../router.ts';
import { AUDIENCE } from './audience.ts';
import { refusal } from './replies.ts';
import type { KnownBy } from './statement.ts';
import type { TokenVerdict, VerifyToken } from './tokens.ts';

export type Caller =
  /** `ref`: where this replica itself has found out who asks. */
  | { readonly kind: 'pod'; readonly uid: PodUid; readonly by: KnownBy; readonly ref?: PodRef }
  /** `address`: where the question came from, for messages. */
  | { readonly kind: 'unverified'; readonly address: string };

/** Known, or what to answer instead. */
type Identified = { readonly caller: Caller } | { readonly refused: Reply };

/** How this replica finds out who sends it a question. */
export type Identify = {
  readonly by: KnownBy;
  /** Rejects only when `signal` aborts. */
  readonly of: (gate: Gate, query: Query, signal: AbortSignal) => Identified | Promise<Identified>;
};

export const byAddress: Identify = { by: 'Address', of: (gate, { client }) => ({ caller: callerAt(gate, client) }) };

export function byToken(verify: VerifyToken): Identify {
  function of(_gate: Gate, query: Query, signal: AbortSignal): Identified | Promise<Identified> {
    const header = query.header('authorization') ?? '';
    if (!/^Bearer /i.test(header)) return { refused: tokenRequired('it sends none') };
    const verdict = verify(header.slice('Bearer '.length).trim(), signal);
    return 'then' in verdict ? verdict.then(identified) : identified(verdict);
  }
  function identified(verdict: TokenVerdict): Identified {
    switch (verdict.kind) {
      case 'pod':
        return { caller: { kind: 'pod', uid: verdict.pod.uid, by: 'Token', ref: verdict.pod } };
      case 'bad':
        return { refused: tokenRequired(verdict.why) };
      case 'unknown':
        return {
          refused: refusal('NotKnown', `the token cannot be verified at the moment: ${verdict.why}; ask again`),
        };
    }
  }
  return { by: 'Token', of };
}

const tokenRequired = (why: string): Reply =>
  refusal(
    'TokenRequired',
    `the gate is set to gate.authentication Token: send Authorization: Bearer with a projected ServiceAccount token of audience ${AUDIENCE} (${why})`,
  );

/** The pod whose own address it is, as the watch shows it; a pod on the network of its node has none. */
function callerAt(gate: Pick<Gate, 'podAt'>, address: string): Caller {
  const pod = gate.podAt(address);
  return pod === null ? { kind: 'unverified', address } : { kind: 'pod', uid: pod.uid, by: 'Address', ref: pod };
}

export const isCaller = (caller: Caller, { uid }: Pod): boolean => caller.kind === 'pod' && caller.uid === uid;

/** null: the question comes from this very pod. Else what to answer to one that only the pod itself may ask. */
export function verifyCaller(caller: Caller, member: Pod): Reply | null {
  if (isCaller(caller, member)) return null;
  return refusal('CallerNotMember', `the request must come from pod ${member.name} itself, but ${whoAsks(caller)}`);
}

const HIDDEN =
  'where source NAT, a mesh or the host network hides the address of a pod, set gate.authentication to Token and send a ServiceAccount token';

function whoAsks(caller: Caller): string {
  if (caller.kind === 'unverified') return `${caller.address} is no address of its own; ${HIDDEN}`;
  if (caller.by === 'Token') return `its token is that of the pod with uid ${caller.uid}; send the pod's own`;
  return `it came from the address of the pod with uid ${caller.uid}; ${HIDDEN}`;
}
