/** The lock is held by a session that is none of ours, or not yet known to be. */
import type { Idle, Plan } from './actions.ts';
import { labelled } from './candidates.ts';
import { askFor, contestMessage, due, unknownContester } from './contests.ts';
import { nameOfExternal } from './external-holder.ts';
import { fence, fencingForMove } from './fencing.ts';
import type { Observation } from './observation.ts';
import type { LockElsewhere } from './owned-lock.ts';
import { idle, look, ready, sentences, withFirst } from './plans.ts';

/**
 * Sessions of ours from a previous incarnation are adopted by the read itself (they then are `sessions`); one that is gone
 * means that our view of the lock is behind. Only a true external's makes our own leader go.
 */
export function planElsewhere(o: Observation, { lock, by: session }: LockElsewhere): Plan {
  if (o.holderSession === null)
    return look([{ do: 'readHolderSession', session }], 'an unknown session holds the lock');
  if (o.holderSession.kind === 'gone') return look([{ do: 'readLock' }], 'the session that held the lock is gone');
  const unknown = askFor(unknownContester(o, (observed) => labelled(o.group, observed)));
  if (unknown !== null) return unknown;
  const who = nameOfExternal(o.holderSession, lock, session);
  const held = `the lock ${o.keys.lock} is held by ${who}; no pod of this group leads until that lets it go`;
  const verdict = ready('LedElsewhere', sentences([held, contestMessage(o)]));
  const targets = due(o, fencingForMove(o, lock, null));
  if (targets.length === 0) return idle(verdict);
  const said: Idle = { ...idle(verdict), cause: 'LedElsewhere', reason: `${who} holds the lock` };
  return withFirst(fence(targets, 'external'), said);
}
