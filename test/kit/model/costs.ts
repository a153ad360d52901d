/** The deletion cost of leaders, by its rules: set by a promotion where there is none, taken off where it is what the promotion set. (Promise I6.) */
import type { LeaderGroup } from '../../../src/api/leadergroup.ts';
import { costAnnotation, DELETION_COST, fencedAnnotation, tokenAnnotation } from '../../../src/api/names.ts';
import type { PodWrite } from './world-api-server.ts';

/** What is wrong with a write as far as the cost goes; null: nothing. `group`: as it is by now. */
export function costProblem(group: LeaderGroup, write: PodWrite): string | null {
  const { annotations } = write.patch;
  const cost = annotations[DELETION_COST];
  if (cost === undefined && annotations[costAnnotation(group.name)] === undefined) return null;
  return typeof cost === 'string' ? settingProblem(group, write, cost) : endingProblem(group, write);
}

function settingProblem({ name, spec }: LeaderGroup, { before, after, patch }: PodWrite, cost: string): string | null {
  const was = before.annotations[DELETION_COST];
  if (spec.scaleDown !== 'LeaderLast') return 'sets a deletion cost, though pods go in any order';
  if (patch.labels[spec.label.key] !== spec.label.leader) return 'sets a deletion cost, and does not promote';
  if (was !== undefined) return `sets the deletion cost over ${was}`;
  const fair = patch.annotations[costAnnotation(name)] === cost && after.owner?.kind === 'ReplicaSet';
  return fair ? null : 'sets a deletion cost without its mark, or in vain';
}

function endingProblem({ name }: LeaderGroup, { before, patch: { annotations } }: PodWrite): string | null {
  const [was, ours] = [before.annotations[DELETION_COST], before.annotations[costAnnotation(name)]];
  const ends = typeof annotations[fencedAnnotation(name)] === 'string' || annotations[tokenAnnotation(name)] === null;
  if (!ends) return 'takes the deletion cost off whoever may lead';
  const takesOff = annotations[DELETION_COST] === null && was !== undefined;
  if (takesOff && was !== ours) return `takes off the deletion cost ${was} of others`;
  return annotations[costAnnotation(name)] === null ? null : 'leaves the mark of its deletion cost';
}
