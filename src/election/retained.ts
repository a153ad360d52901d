/**
 * Whom a group leaves its label when it is deleted (deletionPolicy Retain). The lock is let go all the same, which nobody but a group of this name
 * can take; that group fences whoever carries the label before it promotes anybody, as it does after any group before it.
 */
import { fencedAnnotation } from '../api/names.ts';
import { promotedHere } from './candidates.ts';
import { labelledPods } from './fencing.ts';
import type { Observation, ObservedPod } from './observation.ts';
import { tokenOf } from './token.ts';

/**
 * The leader that keeps its label; null: nobody does. Only the last holder, as the record names it: no promotion of another pod can be under way then.
 * Where no record is known (Consul does not answer, or was wiped; or the bucket may be another's, which may have moved the lock since), whoever carries
 * the label by a promotion that nothing has fenced is that holder, since a lock never leaves its holder before the fencing patch (rule b); of two, which
 * somebody must have labelled, the one that led last.
 */
export function retainedLeader(o: Observation): ObservedPod | null {
  const { group, lock, ownership } = o;
  if (group.spec.deletionPolicy !== 'Retain') return null;
  const holder = ownership.kind === 'owned' ? (lock?.record?.holder.uid ?? null) : null;
  const led = labelledPods(o).filter(
    ({ pod }) =>
      promotedHere(group, pod) &&
      pod.annotations[fencedAnnotation(group.name)] === undefined &&
      (holder === null || pod.uid === holder),
  );
  return led.toSorted((a, b) => tokenOf(b.pod, group.name) - tokenOf(a.pod, group.name))[0] ?? null;
}
