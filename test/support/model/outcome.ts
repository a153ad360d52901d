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
  const holder = lockedFor(model);
  const elsewhere = (model.api.group()?.status?.lockedBy ?? '') !== '';
  const due = !elsewhere && model.api.pods().some(mayLead);
  return [
    ...(due && leaders.length !== 1 ? [`a member can lead, and ${leaders.length} carry the label`] : []),
    ...(leaders.length > 1 ? [`${leaders.join(' and ')} carry the label`] : []),
    ...(due && holder?.name !== leaders[0] ? [`${leaders[0]} carries the label, ${holder?.name} has the lock`] : []),
    ...(elsewhere && leaders.length > 0 ? [`a stranger has the lock, and ${leaders.join()} carries the label`] : []),
  ];
}
