/** A client ends its term: its grants need not be waited for any more. */
import { answerGate, MAX_GRANT_MS } from '../../election/gate.ts';
import type { Gate } from '../../ports/gate.ts';
import { groupKey } from '../cache/store.ts';
import type { Reconciler } from '../reconcile/reconciler.ts';
import type { Grants } from './grants.ts';

/** `wake`: a handover of this group may be waiting for it. */
export function createRelease(
  reconciler: Pick<Reconciler, 'glance' | 'resigned'>,
  grants: Grants,
  wake: (key: string) => void,
): Gate['release'] {
  return (group, podUid, { secret, resign }) => {
    const key = groupKey(group);
    const view = reconciler.glance(key);
    if (view === null || view.ownership.kind !== 'owned' || view.nowMs >= view.ownership.untilMs)
      return { kind: 'unknown', reason: 'this replica does not own the bucket now' };
    const answer = answerGate(view, podUid, MAX_GRANT_MS);
    const token = grants.release(key, podUid, secret);
    if (token === 'tooMany') return { kind: 'tooMany' };
    if (token === null) return { kind: 'released', resigned: false };
    // A grant of an earlier token is none by which it leads.
    const resigned = resign && answer.kind === 'grant' && answer.leader.token === token;
    if (resigned) reconciler.resigned(key, podUid, token);
    wake(key);
    return { kind: 'released', resigned };
  };
}
