/** Whether the leader may be given grants of the gate while its lead is moved, as the memory of the group has it. */
import type { Metrics } from '../../ports/metrics.ts';
import type { Memory } from '../observe/remember.ts';
import type { GrantOutcome } from '../observe/remember-grants.ts';

/** What came of a move is learnt; a leader that may be given grants again is counted. */
export function learnOfMove(memory: Memory, outcome: GrantOutcome, metrics: Pick<Metrics, 'gateRevocation'>): void {
  const { revoked } = memory.now;
  memory.learn(outcome);
  if (revoked !== null && memory.now.revoked === null) metrics.gateRevocation('resumed');
}
