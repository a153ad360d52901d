/** The leader is well and all is at rest, and a candidate is preferred to it. */
import type { Idle, Plan } from './actions.ts';
import type { Observation, ObservedPod } from './observation.ts';
import { waitForPass } from './plan-free.ts';
import { type Held, handOverTo, isAlive } from './plan-handover.ts';
import { look } from './plans.ts';
import { judgePreemption } from './preemption.ts';
import { openingFor, suitableSession } from './sessions.ts';

/**
 * `rest`: what is planned while nobody is preferred; whatever was to be put right has been, so this comes after everything else. Before anything is taken from the
 * leader the lock and the group are read, once it is this group's turn.
 */
export function planPreemption(held: Held, holder: ObservedPod, rest: Idle): Plan {
  const { o } = held;
  const judged = judgePreemption(o);
  if (judged.kind === 'unsure') return waitForPass(judged.next);
  if (judged.kind !== 'due' || waitsForTurn(o)) return rest;
  if (suitableSession(o, judged.pod) === null)
    return look([openingFor(judged.pod)], 'the preferred pod needs a session');
  if (!o.preemption.confirmed)
    return look(
      [{ do: 'awaitTurn' }, { do: 'readLock' }, { do: 'readGroup' }],
      'reading the lock and the group before a preferred pod takes the lead',
    );
  return handOverTo(held, judged.pod, 'Preempted', { alive: isAlive(held, holder), preempts: true });
}

const waitsForTurn = ({ preemption: { turnMs }, nowMs }: Observation): boolean => turnMs !== null && turnMs > nowMs;
