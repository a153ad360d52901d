/** What a world at rest must look like. */
import { CANDIDATE_ANNOTATION } from '../../../src/api/names.ts';
import type { Pod } from '../../../src/api/pod.ts';
import type { Model } from './model.ts';
import { lockedFor } from './stage.ts';

const mayLead = (pod: Pod): boolean =>
  pod.labels['app'] === 'notifier' &&
  !pod.mirror &&
  pod.ready &&
  !pod.deleting &&
  pod.annotations[CANDIDATE_ANNOTATION] !== 'false' &&
  !['Succeeded', 'Failed'].includes(pod.phase);

/** What is wrong with the world, in words; nothing when it is as promised. */
export function wrongAtRest(model: Model): readonly string[] {
  const leaders = model.leaders();
  if (model.api.group()?.status?.lockedBy) {
    return leaders.length === 0 ? [] : [`an external holder has the lock, and ${leaders.join()} carries the label`];
  }
  if (leaders.length > 1) return [`${leaders.join(' and ')} carry the label`];
  return model.api.pods().some(mayLead) ? wrongWhileLed(leaders[0], lockedFor(model)?.name) : [];
}

function wrongWhileLed(leader: string | undefined, holder: string | undefined): readonly string[] {
  if (leader === undefined) return ['a member can lead, and nobody carries the label'];
  return holder === leader ? [] : [`${leader} carries the label, ${holder ?? 'nobody'} has the lock`];
}
