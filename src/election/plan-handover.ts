/** The lead passes from whoever has it to a candidate, in one transaction. */
import type { TransitionCause } from '../api/transition-causes.ts';
import type { Plan } from './actions.ts';
import { askedFirst } from './before-promotion.ts';
import { finished } from './candidates.ts';
import { fence, fencingForMove, promotion, refOf } from './fencing.ts';
import { promoted } from './gate.ts';
import type { Observation, ObservedPod } from './observation.ts';
import type { HeldLock } from './owned-lock.ts';
import { electing, look, transition } from './plans.ts';
import type { HandledSwitchover } from './record.ts';
import { openingFor, suitableSession } from './sessions.ts';
import { transaction } from './transactions.ts';

export type Held = HeldLock & { readonly o: Observation };

/** It leads, and as far as anybody sees its process goes on: it can be told to stop. Who has gone, or is not ready, is fenced at once. */
export const isAlive = ({ o, lock, session }: Held, holder: ObservedPod | null): boolean =>
  holder !== null &&
  holder.candidacy.lacks === null &&
  !holder.nodeLost &&
  !finished(holder.pod) &&
  promoted(o, lock, session) !== null;

/**
 * `why`: more of the cause, in brackets. `moved`: the switchover that asks for it. `preempts`: it is preferred to the leader. `others`: who comes next where the nominee
 * does not pass spec.beforePromotion.
 */
type How = {
  readonly alive: boolean;
  readonly why?: string;
  readonly moved?: HandledSwitchover | null;
  readonly preempts?: boolean;
  readonly others?: readonly ObservedPod[];
};

export function handOverTo(
  held: Held,
  nominee: ObservedPod,
  cause: TransitionCause,
  { alive, why = '', moved = null, preempts = false, others = [] }: How,
): Plan {
  const { o, lock } = held;
  const asking = askedFirst(o, [nominee, ...others]);
  if (asking !== null) return asking;
  const next = suitableSession(o, nominee);
  if (next === null) return look([openingFor(nominee)], 'the nominee needs a session');
  return transition(electing(cause, `${cause}${why}: handing over to ${nominee.pod.name}`), {
    fence: fence(fencingForMove(o, lock, nominee.pod.uid), 'move'),
    lock: (alive ? transaction.revokeAndHandOver : transaction.handOver)(o, held, {
      session: next,
      pod: refOf(nominee),
      moved,
      preempts,
    }),
    after: [promotion(nominee)],
  });
}
