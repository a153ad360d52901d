/** A switchover that somebody has asked for: the leader is well, and another one is to lead. */
import type { Plan } from './actions.ts';
import { onHold } from './contests.ts';
import { promoted } from './gate.ts';
import type { ObservedPod } from './observation.ts';
import { waitForPass } from './plan-free.ts';
import { type Held, handOverTo, isAlive } from './plan-handover.ts';
import { look } from './plans.ts';
import { mayBePromoted } from './promotion-answers.ts';
import { suitableSession } from './sessions.ts';
import { judgeSwitchover } from './switchover.ts';

/**
 * null: none is asked for, or it cannot be done, or not now. A leader that has lost its label, as where the transaction of this very switchover was refused, is given
 * it back before anything is read or prepared: nobody is left without a leader for what need not be. One that is not ready is not given it back, nor, for a while, one
 * whose label somebody else takes off again and again: for those nothing is waited for. Nor is one by which a controller is tried that cannot be read: given back at
 * once, the label would begin the trial anew, again and again.
 */
export function planSwitchover(held: Held, holder: ObservedPod): Plan | null {
  const { o, lock, session } = held;
  const judged = judgeSwitchover(o);
  const lacksLabel = promoted(o, lock, session) === null && holder.candidacy.lacks === null;
  const isOwedLabel = lacksLabel && !onHold(o, holder) && !isTried(holder);
  if (judged.kind === 'unsure') return isOwedLabel ? null : waitForPass(judged.next);
  if (judged.kind !== 'moves') return null;
  const { asked, nominee, others } = judged;
  const isPrepared = o.switchover.confirmed && suitableSession(o, nominee) !== null && mayBePromoted(o, nominee);
  if (isOwedLabel && !isPrepared) return null;
  if (!o.switchover.confirmed) {
    // Consul too: should it have fallen silent, the leader would be fenced, and nobody could follow before it is back.
    return look([{ do: 'readLock' }, { do: 'readGroup' }], 'reading the lock and the group before the leader is moved');
  }
  const moved = { atMs: asked.atMs, to: nominee.pod.name };
  return handOverTo(held, nominee, 'Switchover', { alive: isAlive(held, holder), moved, others });
}

const isTried = ({ owner }: ObservedPod): boolean =>
  owner.kind === 'unreadable' && owner.trial !== null && !owner.trial.kept;
