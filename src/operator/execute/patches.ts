/** What patches of pods have in common: which version they name, and what their answers mean. */
import type { LeaderGroup } from '../../api/leadergroup.ts';
import { fencedAnnotation } from '../../api/names.ts';
import type { Pod, PodRef } from '../../api/pod.ts';
import type { PodVersion } from '../../election/actions.ts';
import { labelled } from '../../election/candidates.ts';
import { isOrphan } from '../../election/owners.ts';
import { tokenOf } from '../../election/token.ts';
import type { MetadataPatch, WriteOutcome } from '../../ports/kubernetes.ts';
import type { GroupMemory } from '../observe/memory.ts';
import { type Refused, refusalWords } from '../observe/refusals.ts';
import { labelMemory } from '../observe/remember-pods.ts';
import { again, failed, notePod, noteWritten, OK, type Run, type Step } from './run.ts';

/** Fencing patches of one action do not depend on each other; so many go at a time. */
export const AT_ONCE = 8;

/** As read by the observation, or as this run's own earlier write left it: never from a read after its transaction. */
export const latestVersion = (run: Run, pod: PodVersion): string =>
  run.answers.get(pod.uid)?.resourceVersion ?? pod.resourceVersion;

/**
 * Sends a patch of a pod. Of one that changes the label the attempt is remembered before it is sent: its controller may act on a patch whose
 * answer never comes. What was certainly not applied takes that back. The trial of a controller counts from the end of the attempt.
 * `resourceVersion` null: by uid alone.
 */
export async function sendPatch(
  run: Run,
  pod: PodRef,
  resourceVersion: string | null,
  patch: MetadataPatch,
): Promise<WriteOutcome<Pod>> {
  const { kubernetes, clock } = run.ports;
  const known = run.answers.get(pod.uid) ?? run.podsByUid.get(pod.uid)?.pod;
  if (known !== undefined && isOrphan(known)) run.memory.learn({ kind: 'orphanWritten', uid: pod.uid });
  const change = known === undefined ? null : labelChange(run, known, patch);
  if (change === null) return await kubernetes.patchPod(pod, resourceVersion, patch, run.signal);
  const attempt = { ...change, before: labelMemory(run.memory.now, pod.uid, change.owner) };
  run.memory.learn({ kind: 'labelSent', ...attempt, atMs: clock.nowMs() });
  const outcome = await kubernetes.patchPod(pod, resourceVersion, patch, run.signal);
  const perhaps = outcome.kind === 'done' || outcome.kind === 'unknown';
  if (perhaps) run.memory.learn({ kind: 'labelSent', ...attempt, atMs: clock.nowMs() });
  else run.memory.learn({ kind: 'labelNotSent', ...attempt });
  return outcome;
}

/** What the patch makes of the label, where that may make the controller of the pod act; null: it has none, or the label stays. */
function labelChange(run: Run, { uid, owner, labels, deleting }: Pod, patch: MetadataPatch) {
  const { key } = run.group.spec.label;
  const label = patch.labels[key];
  if (owner === null || label === undefined || (labels[key] ?? null) === label) return null;
  return { uid, owner: owner.uid, label, trial: !deleting };
}

/** After a conflict everything starts again at the read of the pod, with the index and token of a new transaction. */
export async function reread(run: Run, pod: PodRef): Promise<Step> {
  const found = await run.ports.kubernetes.getPod(pod.namespace, pod.name, run.signal);
  if (found === null || found.uid !== pod.uid) run.memory.learn({ kind: 'podGone', uid: pod.uid });
  else notePod(run, found);
  return again(`pod ${pod.name} has changed since it was read`);
}

export async function patched(run: Run, pod: PodRef, outcome: WriteOutcome<Pod>): Promise<Step> {
  switch (outcome.kind) {
    case 'done':
      noteWritten(run, outcome.object);
      return OK;
    case 'gone':
      run.memory.learn({ kind: 'podGone', uid: pod.uid });
      return OK;
    case 'conflict':
      return reread(run, pod);
    case 'refused':
    case 'unknown':
      return failed(`patching pod ${pod.name}: ${outcome.message}`);
  }
}

/** The pod led before this plan, and lacks what its promotion wrote although nothing of ours has fenced it: somebody else has undone that. */
export function isUndone({ memory, observation: { lock, group }, podsByUid }: Run, { uid }: PodRef): boolean {
  if (lock?.record?.holder.uid !== uid || lock.session === null) return false;
  const before = podsByUid.get(uid);
  const promoted = memory.now.promoted?.uid === uid ? memory.now.promoted : null;
  if (before === undefined || isFencedByUs(group, before.pod, promoted)) return false;
  const token = tokenOf(before.pod, group.name);
  if (token === lock.record.token) return !labelled(group, before);
  // As the last promotion left it, its lock is in another session since, after an edit of the TTL, say.
  return promoted !== null && promoted.token !== token;
}

/** Whoever writes back what the pod was like before its promotion puts the value of an earlier fencing patch there, too. */
const isFencedByUs = ({ name }: LeaderGroup, { annotations }: Pod, promoted: GroupMemory['promoted']): boolean =>
  annotations[fencedAnnotation(name)] !== undefined && (promoted === null || promoted.fenced);

export function repaired({ memory, ports }: Run, { uid }: Pod): void {
  memory.learn({ kind: 'podRepaired', uid, atMs: ports.clock.nowMs(), atWallMs: ports.clock.wallMs() });
  ports.repaired();
}

/** People are to hear of it. */
export function noteRefused(run: Run, pod: string, what: string, outcome: Refused): void {
  run.facts.push({ kind: 'refused', pod, message: refusalWords(what, outcome) });
}
