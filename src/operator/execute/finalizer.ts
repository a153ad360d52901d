/** The group's finalizer: on before the first lock, off last. */
import type { LeaderGroup } from '../../api/leadergroup.ts';
import { FINALIZER } from '../../api/names.ts';
import { neverLed } from '../observe/refusals.ts';
import { endPreviousIncarnation } from './execute-reads.ts';
import { again, failed, later, OK, type Run, type Step } from './run.ts';

/** The finalizer is acknowledged before the first lock, and goes last. */
export async function setFinalizer(run: Run, present: boolean): Promise<Step> {
  const { group } = run.observation;
  const ended = present ? await endPreviousIncarnation(run) : OK;
  if (ended.kind !== 'ok') return ended;
  const others = group.finalizers.filter((finalizer) => finalizer !== FINALIZER);
  const wanted = present ? [...others, FINALIZER] : others;
  const outcome = await run.ports.kubernetes.setFinalizers(group, group.resourceVersion, wanted, run.signal);
  switch (outcome.kind) {
    case 'done':
      if (outcome.object.kind === 'valid') run.memory.newerGroup = outcome.object.group;
      run.memory.groupKnown = true;
      if (present) run.memory.wholeIncarnation = neverLed(run);
      else run.memory.finalizerOff = true;
      return OK;
    case 'gone':
      run.memory.finalizerOff = true;
      return OK;
    case 'conflict':
      return rereadGroup(run, group);
    case 'refused':
    case 'unknown':
      return failed(`the finalizer of ${group.name}: ${outcome.message}`);
  }
}

/** The group is not the one that was read: the newer one is planned for. */
async function rereadGroup(run: Run, group: LeaderGroup): Promise<Step> {
  const found = await run.ports.kubernetes.getGroup(group.namespace, group.name, run.signal);
  if (found === null || found.kind === 'invalid' || found.group.uid !== group.uid)
    return later('the group has changed');
  run.memory.newerGroup = found.group;
  return again('the group has changed since it was read');
}
