/** Where a group stands, for the gauge of groups, and whether its status still says so. */
import type { ReadyReason } from '../../api/condition-reasons.ts';
import type { Verdict } from '../../election/actions.ts';
import { labelledPods } from '../../election/fencing.ts';
import type { Observation } from '../../election/observation.ts';
import type { GroupState } from '../../ports/metrics.ts';
import { readyReason } from './announce.ts';

/** `before`: as of its last pass; undefined where there was none. */
export function stateOf(verdict: Verdict | null, o: Observation, before: GroupState | undefined): GroupState {
  if (o.group.spec.paused) return 'paused';
  if (verdict === null) return stateWithoutVerdict(o, before);
  if (verdict.stalled !== null) return 'stalled';
  if (verdict.ready.status === 'False') return 'notLed';
  switch (verdict.ready.reason) {
    case 'Led':
      return 'led';
    case 'LedElsewhere':
      return 'ledElsewhere';
    case 'ScaledToZero':
      return 'scaledToZero';
  }
}

/** Nothing was learnt, as while Consul is unreachable and the deadline is yet to come: who leads still leads. */
function stateWithoutVerdict(o: Observation, before: GroupState | undefined): GroupState {
  if (labelledPods(o).length > 0) return 'led';
  return before === undefined || before === 'led' ? 'notLed' : before;
}

/** The status says that all is well, with a leader that is gone or without members, and nobody leads. */
export const claimsLead = (o: Observation): boolean =>
  o.ownership.kind === 'owned' && labelledPods(o).length === 0 && CLAIMS.has(readyReason(o));

/** Of another version of the operator, perhaps: any text. */
const CLAIMS: ReadonlySet<string> = new Set<ReadyReason>(['Led', 'ScaledToZero']);
