/**
 * Fencing patches: label off AND a `fenced` value never used before, in one patch, before a lock moves. Whoever still has a
 * promotion of that pod under way then loses it to a conflict. (Rule (b) behind promise I1.)
 */
import type { PodUid } from '../api/ids.ts';
import type { PodRef } from '../api/pod.ts';
import type { Fence, FencingTarget, PodVersion, Promote } from './actions.ts';
import { finished, labelled, needsNoFencing, neverAgain } from './candidates.ts';
import type { LockView, Observation, ObservedPod } from './observation.ts';

/** After so many conflicts in a row a fencing patch goes by uid alone. */
const CONFLICTS_BEFORE_FORCE = 5;

export const refOf = ({ pod }: ObservedPod): PodRef => ({ namespace: pod.namespace, name: pod.name, uid: pod.uid });

export const versionRef = (observed: ObservedPod): PodVersion => ({
  ...refOf(observed),
  resourceVersion: observed.pod.resourceVersion,
});

export const promotion = ({ pod }: ObservedPod): Promote => ({
  do: 'promote',
  resourceVersion: pod.resourceVersion,
});

export function fencingTarget(o: Observation, observed: ObservedPod): FencingTarget {
  const { pod } = observed;
  const force = neverAgain(pod) || observed.fencingConflicts >= CONFLICTS_BEFORE_FORCE;
  return {
    pod: refOf(observed),
    precondition: force ? { kind: 'anyVersion' } : { kind: 'at', resourceVersion: pod.resourceVersion },
    label: labelAfterFencing(o, observed),
  };
}

function labelAfterFencing(o: Observation, observed: ObservedPod): FencingTarget['label'] {
  if (observed.claimedByOther) return 'foreign';
  if (o.labelStop !== null) return 'keep';
  // Of a group that is being deleted nobody follows: the patch may arrive when the group is gone.
  const followed = o.group.spec.label.follower !== null && !o.group.deleting;
  const follows = observed.member && followed && !finished(observed.pod);
  return follows ? 'follower' : 'remove';
}

export const labelledPods = (o: Observation): readonly ObservedPod[] => o.pods.filter((pod) => labelled(o.group, pod));

/**
 * Whom a move of the lock must fence: the recorded holder always, whatever a cache says of its label, and whoever
 * is labelled; never `spared`, the nominee. Those already fenced at this version of the lock are done, unless
 * labelled again.
 */
export function fencingForMove(o: Observation, lock: LockView, spared: PodUid | null): readonly FencingTarget[] {
  const known = o.pods.filter((observed) => observed.pod.uid !== spared && mustGo(o, lock, observed));
  return [...known.map((observed) => fencingTarget(o, observed)), ...unknownHolder(o, lock, spared)];
}

const mustGo = (o: Observation, lock: LockView, observed: ObservedPod): boolean =>
  removable(o, observed) ||
  (observed.pod.uid === lock.record?.holder.uid && !o.fenced.has(observed.pod.uid) && !needsNoFencing(o, observed));

/** Labelled; where no label may be taken off, fencing it once is all that can be done. */
const removable = (o: Observation, observed: ObservedPod): boolean =>
  labelled(o.group, observed) && (o.labelStop === null || !o.fenced.has(observed.pod.uid));

/** A recorded holder that no cache knows: only the API server can say that it is gone. */
function unknownHolder(o: Observation, lock: LockView, spared: PodUid | null): readonly FencingTarget[] {
  const holder = lock.record?.holder;
  if (holder === undefined || holder.uid === spared || o.fenced.has(holder.uid)) return [];
  if (o.pods.some(({ pod }) => pod.uid === holder.uid)) return [];
  const pod = { namespace: o.group.namespace, name: holder.pod, uid: holder.uid };
  return [{ pod, precondition: { kind: 'unknown' }, label: 'remove' }];
}

/** The action, or none when there is nobody to fence. */
export function fence(targets: readonly FencingTarget[], because: Fence['because']): readonly Fence[] {
  return targets.length === 0 ? [] : [{ do: 'fence', targets, because }];
}
