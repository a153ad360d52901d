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
import type { KnownBy, Statement } from './statement.ts';
import type { TokenVerdict, VerifyToken } from './tokens.ts';

export type Caller =
  /**
   * `ref`: where this replica itself has found out who asks. `unseen`: another replica has seen the pod at the address; this one sees nobody there.
   */
  | {
      readonly kind: 'pod';
      readonly uid: PodUid;
      readonly by: KnownBy;
      readonly ref?: PodRef;
      readonly unseen?: boolean;
    }
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
    const verdict = verify(header.slice('Bearer '.length).trim(), query.client, signal);
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
function callerAt(gate: Pick<Gate, 'podsAt'>, address: string): Caller {
  const [pod, another] = gate.podsAt(address);
  if (pod === undefined || another !== undefined) return { kind: 'unverified', address };
  return { kind: 'pod', uid: pod.uid, by: 'Address', ref: pod };
}

/**
 * Of a question that another replica has passed on. That one's watch of pods may lag behind, and so may this one's: whoever this one sees at the
 * address is the caller, as if it had been asked itself, unless the other has seen another pod there. The other's word alone counts for a pod
 * that has no address here yet, at an address that nobody has here: else the address may have been used again since.
 */
export function callerPassedOn(gate: Pick<Gate, 'podsAt'>, { caller, address }: Statement): Caller {
  const nobody = { kind: 'unverified', address } as const;
  if (caller?.by === 'Token') return { kind: 'pod', ...caller };
  const here = callerAt(gate, address);
  if (here.kind === 'pod') return caller === null || caller.uid === here.uid ? here : nobody;
  return caller === null || gate.podsAt(address).length > 0 ? nobody : { kind: 'pod', ...caller, unseen: true };
}

export const isCaller = (caller: Caller, { uid, addresses }: Pod): boolean =>
  caller.kind === 'pod' && caller.uid === uid && (caller.unseen !== true || addresses.length === 0);

/** null: the question comes from this very pod. Else what to answer to one that only the pod itself may ask. */
export function verifyCaller(caller: Caller, member: Pod): Reply | null {
  if (isCaller(caller, member)) return null;
  return refusal('CallerNotMember', `the request must come from pod ${member.name} itself, but ${whoAsks(caller)}`);
}

const HIDDEN =
  'where source NAT, a mesh or the host network hides the address of a pod, set gate.authentication to Token and send a ServiceAccount token';

function whoAsks(caller: Caller): string {
  if (caller.kind === 'unverified') return `${caller.address} is no address of its own; ${HIDDEN}`;
  if (caller.unseen === true) return `its address is not known to be its own here yet; ask again. Else ${HIDDEN}`;
  if (caller.by === 'Token') return `its token is that of the pod with uid ${caller.uid}; send the pod's own`;
  return `it came from the address of the pod with uid ${caller.uid}; ${HIDDEN}`;
}
