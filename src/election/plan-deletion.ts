/**
 * The group is being deleted: labels off, lock released, our keys gone, pods cleaned, finalizer removed; in this order,
 * so that whatever interrupts it the next pass goes on. It never hangs a namespace: with Consul away the labels come
 * off and after ten seconds the finalizer goes; sessions expire by themselves, the record left is an earlier life.
 */
import { FINALIZER, fencedAnnotation, sinceAnnotation, tokenAnnotation } from '../api/names.ts';
import type { Action, Plan } from './actions.ts';
import { labelled } from './candidates.ts';
import type { LockView, Observation, ObservedPod } from './observation.ts';
import { unlockOf } from './plan-restrained.ts';
import { look, nothing } from './plans.ts';
import { holderAmong } from './sessions.ts';
import { labelledPods, versionRef, writeOff, writeOffsForMove, writeOffTarget } from './write-off.ts';

/** How long an unreachable Consul may hold up a deletion. */
const PATIENCE_MS = 10_000;

export function planDeletion(o: Observation): Plan {
  if (!o.group.finalizers.includes(FINALIZER)) return nothing('gone but for other finalizers');
  if (withoutConsul(o)) return deleteWithoutConsul(o);
  if (o.ownership.kind !== 'owned') return nothing('this replica does not own the bucket');
  if (o.lock === null) return look([{ do: 'readLock' }], 'the lock is not known');
  return deleteWithConsul(o, o.lock);
}

const withoutConsul = (o: Observation): boolean =>
  o.consulSilent ||
  (o.consulDenied !== null && o.nowMs < o.consulDenied.retryAtMs) ||
  o.ownership.kind === 'lapsed' ||
  o.ownership.kind === 'neverKnown';

function deleteWithoutConsul(o: Observation): Plan {
  const off = writeOff(
    labelledPods(o)
      .filter(({ pod }) => o.labelStop === null || !o.writtenOff.has(pod.uid))
      .map((target) => writeOffTarget(o, target)),
    'deletion',
  );
  if (off.length > 0) return look(off, 'the group is deleted while Consul is away: labels first');
  const waitedMs = o.nowMs - (o.deletingSinceMs ?? o.nowMs);
  if (waitedMs < PATIENCE_MS)
    return nothing('the group is deleted while Consul is away', Math.min(1000, PATIENCE_MS - waitedMs));
  return look(
    [...cleanUp(o), { do: 'removeFinalizer' }],
    'the group is deleted; Consul did not answer for ten seconds',
  );
}

function deleteWithConsul(o: Observation, lock: LockView): Plan {
  const holder = holderAmong(o.sessions, lock);
  if (lock.session !== null && holder === null && o.holderSession === null) {
    return look([{ do: 'readHolderSession', session: lock.session }], 'an unknown session holds the lock');
  }
  const off = writeOff(writeOffsForMove(o, lock, null), 'deletion');
  const unlock = unlockOf(o, lock, holder);
  if (off.length > 0 || unlock.length > 0) return look([...off, ...unlock], 'the group is deleted: labels and lock');
  const keys: readonly Action[] =
    ownKeysExist(o, lock) && o.ownership.kind === 'owned'
      ? [{ do: 'deleteKeys', fence: o.ownership.fence, view: lock }]
      : [];
  return look([...cleanUp(o), ...keys, { do: 'removeFinalizer' }], 'the group is deleted: its traces');
}

/** The lock itself without a lockKey; with one only the record: the shared keys belong to everyone. */
const ownKeysExist = (o: Observation, lock: LockView): boolean =>
  lock.versions.some(({ key, index }) => key === (o.keys.record ?? o.keys.lock) && index > 0);

function cleanUp(o: Observation): readonly Action[] {
  const marked = o.pods.filter((observed) => carriesOurs(o, observed));
  const pods = marked.map((observed) => ({ pod: versionRef(observed), label: labelOnCleanUp(o, observed) }));
  return pods.length === 0 ? [] : [{ do: 'cleanUp', pods }];
}

function carriesOurs(o: Observation, observed: ObservedPod): boolean {
  const { name } = o.group;
  const annotations = [tokenAnnotation(name), sinceAnnotation(name), fencedAnnotation(name)];
  const marked = annotations.some((key) => observed.pod.annotations[key] !== undefined);
  return marked || (o.labelStop === null && ownLabel(o, observed));
}

const labelOnCleanUp = (o: Observation, observed: ObservedPod): 'remove' | 'keep' =>
  ownLabel(o, observed) && o.labelStop === null ? 'remove' : 'keep';

function ownLabel(o: Observation, observed: ObservedPod): boolean {
  const { key, leader, follower } = o.group.spec.label;
  const value = observed.pod.labels[key];
  if (value === leader) return labelled(o.group, observed);
  return value !== undefined && value === follower && observed.member && !observed.claimedByOther;
}
