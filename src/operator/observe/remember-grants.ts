/** Whose grants are stopped, from the plan that does it until it is known what became of it. */
import type { PodUid } from '../../api/ids.ts';
import type { GroupMemory } from './memory.ts';

export type GrantOutcome =
  /** `from`: who would still lose the lock by the plan; null: it has been dropped. */
  | { readonly kind: 'planned'; readonly from: PodUid | null }
  | { readonly kind: 'revoked'; readonly uid: PodUid }
  /** A transaction that takes the lock from its holder is on its way. */
  | { readonly kind: 'moveSent' }
  /** Consul has refused it: nothing of it can come into force any more. */
  | { readonly kind: 'moveRefused' }
  /** The plan got no further, and is tried again later. */
  | { readonly kind: 'moveFailed' };

export function ofGrants(memory: GroupMemory, outcome: GrantOutcome): GroupMemory {
  const { revoked } = memory;
  switch (outcome.kind) {
    case 'planned':
      return revoked === null || revoked.sent || revoked.uid === outcome.from ? memory : { ...memory, revoked: null };
    case 'revoked':
      return { ...memory, revoked: { uid: outcome.uid, sent: revoked?.sent ?? false } };
    case 'moveSent':
      // Whatever it proved of the lock before is void: the next grant needs a write that overtakes this one.
      return { ...memory, verifiedAt: null, revoked: revoked === null ? null : { ...revoked, sent: true } };
    case 'moveRefused':
      return { ...memory, revoked: revoked === null ? null : { ...revoked, sent: false } };
    case 'moveFailed':
      return revoked === null || revoked.sent ? memory : { ...memory, revoked: null };
  }
}
