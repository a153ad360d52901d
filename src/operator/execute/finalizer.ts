/** The group's finalizer: on before the first lock, off last. */
import { foreignFinalizers, type LeaderGroup, type ParsedLeaderGroup } from '../../api/leadergroup.ts';
import { FINALIZER, fencedAnnotation, tokenAnnotation } from '../../api/names.ts';
import type { Observation } from '../../election/observation.ts';
import type { Outcome } from '../observe/remember.ts';
import { endPreviousIncarnation } from './execute-reads.ts';
import { again, failed, later, OK, type Run, type Step } from './run.ts';

/** The finalizer is acknowledged before the first lock, and goes last. */
export async function setFinalizer(run: Run, present: boolean): Promise<Step> {
  const { group } = run.observation;
  const ended = present ? await endPreviousIncarnation(run) : OK;
  if (ended.kind !== 'ok') return ended;
  const others = foreignFinalizers(group);
  const wanted = present ? [...others, FINALIZER] : others;
  const outcome = await run.ports.kubernetes.setFinalizers(group, group.resourceVersion, wanted, run.signal);
  switch (outcome.kind) {
    case 'done':
      run.memory.learn(finalizerWritten(run, present, outcome.object));
      return OK;
    case 'gone':
      run.memory.learn({ kind: 'groupGone' });
      return OK;
    case 'conflict':
      return rereadGroup(run, group);
    case 'refused':
    case 'unknown':
      return failed(`the finalizer of ${group.name}: ${outcome.message}`);
  }
}

function finalizerWritten(run: Run, present: boolean, shown: ParsedLeaderGroup): Outcome {
  const group = shown.kind === 'valid' ? shown.group : null;
  return present ? { kind: 'finalizerAdded', group, whole: neverLed(run) } : { kind: 'finalizerRemoved', group };
}

/** The group is not the one that was read: the newer one is planned for. */
async function rereadGroup(run: Run, group: LeaderGroup): Promise<Step> {
  const found = await run.ports.kubernetes.getGroup(group.namespace, group.name, run.signal);
  if (found === null || found.kind === 'invalid' || found.group.uid !== group.uid)
    return later('the group has changed');
  run.memory.learn({ kind: 'groupChanged', group: found.group });
  return again('the group has changed since it was read');
}

/**
 * No trace of any lock before our finalizer: it may have been there and been taken off by hand, by a tool that owns finalizers, or by a
 * restore. The lock was read by this very run, under our bucket. What pods show is as old as their watch: an earlier group of the name, of which Consul may
 * have been wiped, may have left its label (deletionPolicy Retain) to one of which the watch has not told yet.
 */
function neverLed({ ports, group, observation }: Run): boolean {
  const { status } = observation.group;
  const reported =
    (status?.leaderTransitions ?? 0) + (status?.leaders.length ?? 0) + (status?.recentTransitions.length ?? 0);
  const lock = ports.locks.view(group);
  const untouched = lock !== null && lock.record === null && lock.earlierToken === null && lock.session === null;
  return reported === 0 && untouched && !isMarked(observation);
}

function isMarked({ group, pods, hadAnother }: Observation): boolean {
  const marks = [tokenAnnotation(group.name), fencedAnnotation(group.name)];
  return hadAnother || pods.some(({ pod }) => marks.some((mark) => pod.annotations[mark] !== undefined));
}
