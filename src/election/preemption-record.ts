/**
 * What the record of a lock says of preemptions: when the last one was, and how often the delay has doubled. Every transaction on the lock carries it on, so
 * neither a restart nor another owner of the bucket forgets it.
 */
import type { PodUid } from '../api/ids.ts';
import type { LockView, Observation } from './observation.ts';
import { type LastPreemption, type LockRecord, MAX_PREEMPTION_LEVEL } from './record.ts';

type Premises = Pick<Observation, 'group' | 'wallSeconds'>;

/** It doubles no further. */
const LONGEST_MS = 3_600_000;
/** A leader that is lost within so many delays has not kept the lead. */
const DELAYS_TO_KEEP = 10;

export const delayAt = ({ spec: { preemption } }: Observation['group'], level: number): number =>
  Math.min(preemption.delayMs * 2 ** level, LONGEST_MS);

/** null: none that is known; a record of an earlier group of this name says nothing of this one. */
export const lastPreemption = ({ group }: Premises, { record }: LockView): LastPreemption | null =>
  record?.groupUid === group.uid ? (record.preempted ?? null) : null;

/** What is asked of a transaction. `moved`: a switchover has asked for it, which is no loss of the leader. */
type How = { readonly preempts: boolean; readonly moved: boolean };

/** What a record says of preemptions once `to` has the lock; null: nobody has it. */
export function preemptionAfter(
  o: Premises,
  lock: LockView,
  to: PodUid | null,
  { preempts, moved }: How = { preempts: false, moved: false },
): Pick<LockRecord, 'preempted'> {
  const last = lastPreemption(o, lock);
  if (preempts) return { preempted: { atMs: o.wallSeconds * 1000, level: last?.level ?? 0, leads: true } };
  if (last === null) return {};
  const stays = !last.leads || lock.record?.holder.uid === to;
  if (stays) return { preempted: last };
  return { preempted: { ...last, level: moved ? last.level : levelAfterLoss(o, last), leads: false } };
}

/** By the clocks of the owners of the bucket: one that was set back, or is behind, makes the delay longer. */
function levelAfterLoss({ group, wallSeconds }: Premises, { atMs, level }: LastPreemption): number {
  const kept = wallSeconds * 1000 - atMs >= DELAYS_TO_KEEP * delayAt(group, level);
  return kept ? 0 : Math.min(level + 1, MAX_PREEMPTION_LEVEL);
}
