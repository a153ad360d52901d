/** A client ends its term: its grants need not be waited for any more. */
import type { GateAnswer } from '../../api/gate.ts';
import { answerGate, MAX_GRANT_MS } from '../../election/gate.ts';
import type { Gate } from '../../ports/gate.ts';
import type { Metrics } from '../../ports/metrics.ts';
import { groupKey } from '../cache/store.ts';
import type { Reconciler } from '../reconcile/reconciler.ts';
import type { Grants } from './grants.ts';

/** `wake`: a handover of this group may be waiting for it. */
export type ReleaseOptions = {
  readonly wake: (key: string) => void;
  readonly metrics: Pick<Metrics, 'gateRelease' | 'gateResignation'>;
};

export function createRelease(
  reconciler: Pick<Reconciler, 'glance' | 'resigned'>,
  grants: Grants,
  { wake, metrics }: ReleaseOptions,
): Gate['release'] {
  return (group, podUid, { secret, resign }) => {
    const key = groupKey(group);
    const view = reconciler.glance(key);
    if (view === null || view.ownership.kind !== 'owned' || view.nowMs >= view.ownership.untilMs)
      return { kind: 'unknown', reason: 'this replica does not own the bucket now' };
    const answer = answerGate(view, podUid, MAX_GRANT_MS);
    const leftMs = (): number => Math.max(0, grants.untilMs(key, null, []) - view.nowMs);
    const beforeMs = leftMs();
    const token = grants.release(key, podUid, secret);
    metrics.gateRelease(outcomeOf(token), beforeMs - leftMs());
    if (token === 'tooMany') return { kind: 'tooMany' };
    // A grant of an earlier token is none by which it leads.
    const resigned = resign && token !== null && leadsWith(answer) === token;
    if (resign) metrics.gateResignation(resigned ? 'heeded' : 'notHeeded');
    if (token === null) return { kind: 'released', resigned: false };
    if (resigned) reconciler.resigned(key, podUid, token);
    wake(key);
    return { kind: 'released', resigned };
  };
}

function outcomeOf(token: number | null | 'tooMany'): 'voided' | 'nothing' | 'tooMany' {
  if (token === null) return 'nothing';
  return token === 'tooMany' ? token : 'voided';
}

/** null: it is not this pod that leads. */
const leadsWith = (answer: GateAnswer): number | null => (answer.kind === 'grant' ? answer.leader.token : null);
