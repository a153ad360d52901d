/** A preferred candidate takes the lead from a leader that is well: one group after the other, and none again and again. */
import type { Transition } from '../../election/actions.ts';
import { groupKey } from '../cache/store.ts';
import { again, OK, type Run, type Step } from './run.ts';

/** Until it is its turn the group rests, and what happens in it meanwhile is told. */
export function awaitTurn({ ports, group, memory }: Run): Step {
  const leftMs = Math.ceil(ports.turns.take(groupKey(group)));
  memory.learn({ kind: 'turn', atMs: ports.clock.nowMs() + leftMs });
  return leftMs > 0 ? again('the leaders of other groups are preempted first') : OK;
}

/** What must be waited for, as a grant of the gate, is no failure. */
export function notePreemption({ memory }: Run, { cause }: Transition, step: Step): void {
  if (cause === 'Preempted' && step.kind !== 'ok' && step.kind !== 'later') memory.learn({ kind: 'preemptionFailed' });
}
