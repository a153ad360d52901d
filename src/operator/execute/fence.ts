/** Fencing: the label comes off, and whatever promotion of the pod is under way becomes void. */
import type { PodUid } from '../../api/ids.ts';
import { fencedAnnotation, LABEL_KEPT, tokenAnnotation } from '../../api/names.ts';
import type { Pod, PodRef } from '../../api/pod.ts';
import type { FencingTarget } from '../../election/actions.ts';
import { labelled } from '../../election/candidates.ts';
import { costOfDemotion } from '../../election/deletion-cost.ts';
import { labelAfter } from '../../election/label-writes.ts';
import { tokenOf } from '../../election/token.ts';
import { fencingVersion } from '../../election/trust.ts';
import type { MetadataPatch } from '../../ports/kubernetes.ts';
import { inParallel } from '../common/in-parallel.ts';
import { type Refused, writeRefusal } from '../observe/refusals.ts';
import { AT_ONCE, isUndone, noteRefused, repaired, sendPatch } from './patches.ts';
import { again, failed, later, notePod, noteWritten, OK, progressOf, type Run, type Step, worst } from './run.ts';

export async function fenceAll(run: Run, targets: readonly FencingTarget[], because: string): Promise<Step> {
  const steps = await inParallel(targets, AT_ONCE, (target) => fenceOne(run, target, because), progressOf(run));
  const step = worst(steps);
  if (step.kind === 'ok' && because === 'outage') run.memory.learn({ kind: 'demotedForOutage' });
  return step;
}

async function fenceOne(run: Run, target: FencingTarget, because: string): Promise<Step> {
  if (target.precondition.kind === 'unknown') return confirmGone(run, target.pod, because);
  const version = target.precondition.kind === 'at' ? target.precondition.resourceVersion : null;
  const outcome = await sendPatch(run, target.pod, version, fencingPatch(run, target));
  switch (outcome.kind) {
    case 'done':
      return noteFenced(run, outcome.object, because);
    case 'gone':
      return gone(run, target.pod, because);
    case 'conflict':
      return fencingConflict(run, target.pod, because);
    case 'refused':
      refuseFencing(run, target.pod, outcome);
      return refusedFencing(run, because, outcome.message);
    case 'unknown':
      run.memory.learn({ kind: 'perhapsFenced', uid: target.pod.uid });
      return failed(`fencing pod ${target.pod.name}: ${outcome.message}`);
  }
}

function refuseFencing(run: Run, { name, uid }: PodRef, outcome: Refused): void {
  const { memory, ports } = run;
  const before = run.podsByUid.get(uid) ?? null;
  const what =
    before !== null && labelled(run.group, before) ? `removing the label from pod ${name}` : `writing to pod ${name}`;
  const about = { what, pod: before?.pod ?? null, generation: run.group.generation };
  const refusal = writeRefusal(ports.clock, memory.now.fencingRefusals.get(uid), outcome, about);
  memory.learn({ kind: 'fencingRefused', uid, refusal });
  noteRefused(run, name, what, outcome);
}

/** Where the group can be Stalled the next plan says so; the others wait as long as that would. */
function refusedFencing(run: Run, because: string, message: string): Step {
  if (because === 'move' || because === 'stray' || because === 'deletion') return again(message);
  return later(message, 5000);
}

/** Label off AND a value never used before, in one patch: it always changes the pod, so it voids every promotion under way. */
function fencingPatch(run: Run, target: FencingTarget): MetadataPatch {
  const { key, follower } = run.group.spec.label;
  const { label } = target;
  const after = labelAfter(target, follower);
  const labels = after === undefined ? {} : { [key]: after };
  const value = run.ports.random.unique();
  const fenced = { [fencedAnnotation(run.group.name)]: label === 'keep' ? LABEL_KEPT + value : value };
  const read = target.precondition.kind === 'at' ? run.podsByUid.get(target.pod.uid)?.pod : undefined;
  return { labels, annotations: { ...fenced, ...(read === undefined ? {} : costOfDemotion(run.group, read)) } };
}

function noteFenced(run: Run, pod: Pod, because: string): Step {
  const before = run.podsByUid.get(pod.uid);
  // One that has the label from its template has never led.
  const promoted = before?.pod.annotations[tokenAnnotation(run.group.name)] !== undefined;
  const wasLeader = before !== undefined && promoted && labelled(run.group, before);
  // One whose label is taken off once more while it waits to be replaced would get it back each time, at once, if that did not count.
  const counts = because === 'stray' || fencedBefore(run, pod.uid) || isUndone(run, pod);
  noteWritten(run, pod);
  markFenced(run, pod.uid);
  if (counts) repaired(run, pod);
  const token = wasLeader ? tokenOf(pod, run.group.name) : 0;
  run.facts.push({ kind: 'fenced', pod: pod.name, uid: pod.uid, wasLeader, token, because });
  return OK;
}

/** At the same version of the lock: somebody has labelled it since. */
const fencedBefore = ({ memory: { now: memory }, observation }: Run, uid: PodUid): boolean =>
  memory.fenced.version === fencingVersion(observation.keys, observation.lock) && memory.fenced.uids.has(uid);

/** Counts for what the plan saw of the lock. */
function markFenced(run: Run, uid: PodUid): void {
  const version = fencingVersion(run.observation.keys, run.observation.lock);
  run.memory.learn({ kind: 'podFenced', uid, version });
}

function gone(run: Run, pod: PodRef, because: string): Step {
  run.memory.learn({ kind: 'podGone', uid: pod.uid });
  markFenced(run, pod.uid);
  const led = run.group.status?.leaders.find(({ uid }) => uid === pod.uid);
  if (led !== undefined)
    run.facts.push({ kind: 'fenced', pod: pod.name, uid: pod.uid, wasLeader: true, token: led.token, because });
  return OK;
}

/** No cache knows the pod. Gone only if the API server says so; else our cache is behind and nothing may be concluded. */
async function confirmGone(run: Run, pod: PodRef, because: string): Promise<Step> {
  const found = await run.ports.kubernetes.getPod(pod.namespace, pod.name, run.signal);
  if (found === null || found.uid !== pod.uid) return gone(run, pod, because);
  return later(`the watch has not yet delivered pod ${pod.name}`);
}

async function fencingConflict(run: Run, pod: PodRef, because: string): Promise<Step> {
  run.memory.learn({ kind: 'fencingMetConflict', uid: pod.uid });
  const found = await run.ports.kubernetes.getPod(pod.namespace, pod.name, run.signal);
  if (found === null || found.uid !== pod.uid) return gone(run, pod, because);
  notePod(run, found);
  return again(`pod ${pod.name} has changed since it was read`);
}
