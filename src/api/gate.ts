/** What the gate says of a group, and who leads it. */
import type { PodUid } from './ids.ts';

export type GateLeader = {
  readonly pod: string;
  readonly uid: PodUid;
  readonly token: number;
  /** RFC 3339, since when it leads; empty: unknown. */
  readonly acquireTime: string;
};

export type GateAnswer =
  /** `validForMs`: a duration, which the client counts from BEFORE it sent the question. */
  | { readonly kind: 'grant'; readonly leader: GateLeader; readonly validForMs: number }
  /** Somebody else leads, or nobody. */
  | { readonly kind: 'no'; readonly leader: GateLeader | null }
  /** The lock is about to leave the pod that asks: it gets no more grants, and should end what it does and say so. */
  | { readonly kind: 'revoking'; readonly leader: GateLeader }
  /** The client has ended the term with whose secret it asks. */
  | { readonly kind: 'released'; readonly leader: GateLeader }
  /** This replica does not know: ask again, or another one. Never to be taken for a grant. */
  | { readonly kind: 'unknown'; readonly reason: string };
