/** What there is to tell of leaders beyond who leads: who led before, who has failed again, and whose label is left behind. */
import type { Criterion } from '../../api/criteria.ts';
import { podUid } from '../../api/ids.ts';
import type { TransitionStatus } from '../../api/leadergroup.ts';
import { type Clocks, deferrals, deferredForSeconds, historyOf } from '../../election/deferral.ts';
import type { Observation } from '../../election/observation.ts';
import type { LeaderChange } from '../observe/memory.ts';
import type { Memory } from '../observe/remember.ts';

/** Empty for nobody. */
type Former = Pick<LeaderChange, 'from' | 'fromUid'>;

export const NOBODY: Former = { from: '', fromUid: podUid('') };

/** The last leader that was reported. Its uid is known while the lock, or the status, still names it. */
export function lastLeader({ lock, group: { status } }: Observation, memory: Memory): Former {
  const last = memory.now.transitions.at(-1) ?? status?.recentTransitions[0];
  const from = last === undefined ? (status?.leader ?? '') : last.to;
  const known = [...(lock?.record == null ? [] : [lock.record.holder]), ...(status?.leaders ?? [])];
  return { from, fromUid: podUid(known.find(({ pod }) => pod === from)?.uid ?? '') };
}

/** `from`: who led before; empty for nobody. `by`: by what the next one was chosen; null: there was no choice. */
type Elected = Pick<LeaderChange, 'cause' | 'from'> & {
  readonly pod: string;
  readonly token: number;
  readonly by: Criterion | null;
  readonly milliseconds: number;
};

export function electedMessage({ pod, token, cause, from, by, milliseconds }: Elected): string {
  const before = from === '' ? '' : `; previous leader: ${from}`;
  const choice = by === null ? '' : `; chosen by: ${by}`;
  return `${pod} leads with token ${token} (${cause}${before}${choice}; took ${milliseconds} ms)`;
}

/** Whether who led before is deferred now, and what people should hear of it: nothing of a first failure. The memory has learnt the change. */
export function deferralNews(
  o: Observation,
  memory: Memory,
  { from, fromUID, reason }: Pick<TransitionStatus, 'from' | 'fromUID' | 'reason'>,
  now: Clocks,
): { readonly deferred: boolean; readonly message: string | null } {
  const found = deferrals(historyOf(o.group, memory.now.transitions), now).get(fromUID);
  if (found === undefined || found.failures < 2) return { deferred: found !== undefined, message: null };
  const message = `${from} has failed as the leader ${found.failures} times in a row (${reason}); for ${deferredForSeconds(found.failures)} s it leads only if nobody else can`;
  return { deferred: true, message };
}

/** `by`: who changes the label of the pod again and again. */
export const contestedMessage = ({ group }: Observation, pod: string, by: string): string =>
  `another client keeps changing the label ${group.spec.label.key} or the annotations of pod ${pod} (${by}); the operator restores them every few seconds. Stop that client from writing them, or create a LeaderGroup with another label.key.`;
