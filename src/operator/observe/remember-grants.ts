/** Whose grants are stopped, from the plan that does it until it is known what became of it. */
import type { MonotonicMs } from '../../api/clocks.ts';
import type { PodUid } from '../../api/ids.ts';
import { put } from './collections.ts';
import type { GroupMemory } from './memory.ts';

export type GrantOutcome =
  /** `from`: who would still lose the lock by the plan; null: it has been dropped. `rests`: there is nothing to do, nor to wait for. */
  | { readonly kind: 'planned'; readonly from: PodUid | null; readonly rests: boolean }
  /** The leader with this token asks that another may lead. */
  | { readonly kind: 'resigned'; readonly uid: PodUid; readonly token: number; readonly atMs: MonotonicMs }
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
      return planned(memory, outcome);
    case 'resigned':
      return resigned(memory, outcome);
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

/** Whoever resigned while nobody else could lead goes on: it is not moved by the next one that can. */
function planned(memory: GroupMemory, { from, rests }: Extract<GrantOutcome, { kind: 'planned' }>): GroupMemory {
  const { revoked, resignation } = memory;
  const stays = revoked === null || revoked.sent || revoked.uid === from;
  if (stays && (resignation === null || !rests)) return memory;
  return { ...memory, revoked: stays ? revoked : null, resignation: rests ? null : resignation };
}

/** The first time for so long; each next one doubles it, until it has not resigned for a while. */
const YIELDS_MS = 10_000;
const MAX_DOUBLED = 6;
const FORGOTTEN_MS = 600_000;

function resigned(memory: GroupMemory, { uid, token, atMs }: Extract<GrantOutcome, { kind: 'resigned' }>): GroupMemory {
  const before = memory.resigned.get(uid);
  const count = before !== undefined && atMs - before.untilMs < FORGOTTEN_MS ? before.count + 1 : 0;
  const untilMs = atMs + YIELDS_MS * 2 ** Math.min(count, MAX_DOUBLED);
  return { ...memory, resignation: { uid, token }, resigned: put(memory.resigned, uid, { count, untilMs }) };
}
