/** A switchover that could not be completed: nobody must be moved just now, so it is not tried for ever. */
import type { Transition } from '../../election/actions.ts';
import { labelledPods } from '../../election/fencing.ts';
import type { Run, Step } from './run.ts';

/**
 * What comes after the transaction does not count: the record has it as handled by then. Nor does what must be waited for, as a grant of the gate: each pass
 * meanwhile meets it, and whatever happens in the group begins one.
 */
export function noteSwitchover({ memory, group, facts, observation }: Run, { cause }: Transition, step: Step): void {
  if (cause !== 'Switchover' || step.kind === 'ok' || step.kind === 'later' || group.switchover === null) return;
  const unlabelled =
    labelledPods(observation).length === 0 || facts.some((fact) => fact.kind === 'fenced' && fact.wasLeader);
  memory.learn({ kind: 'switchoverFailed', text: group.switchover.text, failure: step.reason, unlabelled });
}
