/** Writes to pods and to the group's metadata: fencing patches, promotions, followers' labels, clean-up, the finalizer. */
import type { LeaderGroup } from '../../api/leadergroup.ts';
import { FINALIZER, fencedAnnotation, sinceAnnotation, tokenAnnotation } from '../../api/names.ts';
import type { Pod, PodRef } from '../../api/pod.ts';
import type { FencingTarget, PodVersion } from '../../election/actions.ts';
import { labelled } from '../../election/candidates.ts';
import { tokenOf } from '../../election/token.ts';
import { writeOffVersion } from '../../election/trust.ts';
import type { MetadataPatch, WriteOutcome } from '../../ports/kubernetes.ts';
import { inParallel } from '../common/in-parallel.ts';
import { neverLed, noteRepair, writeRefusal } from '../observe/refusals.ts';
import { endPreviousIncarnation } from './execute-reads.ts';
import { again, failed, later, notePod, noteWritten, OK, progressOf, type Run, type Step, worst } from './run.ts';

/** Fencing patches of one action do not depend on each other; so many go at a time. */
const AT_ONCE = 8;
/** For so long traces are taken off whatever fails. */
const CLEANING_MS = 5000;

export async function fenceAll(run: Run, targets: readonly FencingTarget[], because: string): Promise<Step> {
  const steps = await inParallel(targets, AT_ONCE, (target) => fenceOne(run, target, because), progressOf(run));
  const step = worst(steps);
  if (step.kind === 'ok' && because === 'silence') run.memory.demotedForOutage = true;
  return step;
}

async function fenceOne(run: Run, target: FencingTarget, because: string): Promise<Step> {
  if (target.precondition.kind === 'unknown') return confirmGone(run, target.pod, because);
  const version = target.precondition.kind === 'at' ? target.precondition.resourceVersion : null;
  const outcome = await run.ports.kubernetes.patchPod(target.pod, version, fencingPatch(run, target), run.signal);
  switch (outcome.kind) {
    case 'done':
      return wroteOff(run, outcome.object, because);
    case 'gone':
      return gone(run, target.pod, because);
    case 'conflict':
      return fencingConflict(run, target.pod, because);
    case 'refused':
      refuseFencing(run, target.pod, outcome);
      return refusedFencing(run, because, outcome.message);
    case 'unknown':
      return failed(`fencing pod ${target.pod.name}: ${outcome.message}`);
  }
}

function refuseFencing(run: Run, { name, uid }: PodRef, outcome: Refused): void {
  const { memory, ports, observation } = run;
  const before = observation.pods.find(({ pod }) => pod.uid === uid) ?? null;
  const what =
    before !== null && labelled(run.group, before) ? `taking the label off pod ${name}` : `writing to pod ${name}`;
  const about = { pod: before?.pod ?? null, generation: run.group.generation };
  memory.fencingRefusals.set(uid, writeRefusal(ports.clock, memory.fencingRefusals.get(uid), what, outcome, about));
  run.facts.push({
    kind: 'refused',
    pod: name,
    message: `the API server refuses ${what} (${outcome.status}): ${outcome.message}`,
  });
}

/** Where the group can be Stalled the next plan says so; the others wait as long as that would. */
function refusedFencing(run: Run, because: string, message: string): Step {
  if (because === 'move' || because === 'stray' || because === 'deletion') return again(message);
  return later(message, 5000);
}

/** Label off AND a value never used before, in one patch: it always changes the pod, so it voids every promotion under way. */
function fencingPatch(run: Run, { label }: FencingTarget): MetadataPatch {
  const { key, follower } = run.group.spec.label;
  const labels = label === 'keep' ? {} : { [key]: label === 'follower' ? follower : null };
  return { labels, annotations: { [fencedAnnotation(run.group.name)]: run.ports.random.unique() } };
}

function wroteOff(run: Run, pod: Pod, because: string): Step {
  const before = run.observation.pods.find((observed) => observed.pod.uid === pod.uid);
  // One that has the label from its template has never led.
  const promoted = before?.pod.annotations[tokenAnnotation(run.group.name)] !== undefined;
  const wasLeader = before !== undefined && promoted && labelled(run.group, before);
  const again = fencedBefore(run, pod.uid);
  noteWritten(run, pod);
  markFenced(run, pod.uid);
  run.memory.conflicts.delete(pod.uid);
  run.memory.fencingRefusals.delete(pod.uid);
  if (because === 'stray' || again) repaired(run, pod);
  const token = wasLeader ? tokenOf(pod, run.group.name) : 0;
  run.facts.push({ kind: 'fenced', pod: pod.name, wasLeader, token, because });
  return OK;
}

/** At the same version of the lock: somebody has labelled it since. */
const fencedBefore = ({ memory, observation }: Run, uid: string): boolean =>
  memory.fenced.version === writeOffVersion(observation.keys, observation.lock) && memory.fenced.uids.has(uid);

/** Counts for what the plan saw of the lock. */
function markFenced(run: Run, uid: string): void {
  const version = writeOffVersion(run.observation.keys, run.observation.lock);
  if (run.memory.fenced.version !== version) run.memory.fenced = { version, uids: new Set() };
  run.memory.fenced.uids.add(uid);
}

function gone(run: Run, pod: PodRef, because: string): Step {
  run.memory.goneUids.add(pod.uid);
  markFenced(run, pod.uid);
  const led = run.group.status?.leaders.find(({ uid }) => uid === pod.uid);
  if (led !== undefined) run.facts.push({ kind: 'fenced', pod: pod.name, wasLeader: true, token: led.token, because });
  return OK;
}

/** No cache knows the pod. Gone only if the API server says so; else our cache is behind and nothing may be concluded. */
async function confirmGone(run: Run, pod: PodRef, because: string): Promise<Step> {
  const found = await run.ports.kubernetes.getPod(pod.namespace, pod.name, run.signal);
  if (found === null || found.uid !== pod.uid) return gone(run, pod, because);
  return later(`the watch has not yet delivered pod ${pod.name}`);
}

async function fencingConflict(run: Run, pod: PodRef, because: string): Promise<Step> {
  run.memory.conflicts.set(pod.uid, (run.memory.conflicts.get(pod.uid) ?? 0) + 1);
  const found = await run.ports.kubernetes.getPod(pod.namespace, pod.name, run.signal);
  if (found === null || found.uid !== pod.uid) return gone(run, pod, because);
  notePod(run, found);
  return again(`pod ${pod.name} has changed since it was read`);
}

/**
 * Sets the label, with the token and under the proof of this run's own transaction (promise I2). The resourceVersion is
 * the one read before that transaction: by the observation, or by this run's fencing patch of the same pod.
 */
export async function promote(run: Run, pod: PodVersion): Promise<Step> {
  const { proof, memory, ports } = run;
  if (proof === null || proof.podUid !== pod.uid)
    throw new Error(`promotion of pod ${pod.name} without a verification of its lock`);
  const version = latestVersion(run, pod);
  const before = memory.perhapsPromoted.has(pod.uid);
  memory.perhapsPromoted.add(pod.uid);
  const outcome = await ports.kubernetes.patchPod(pod, version, promotionPatch(run, proof.token), run.signal);
  if (outcome.kind === 'refused' && !before) memory.perhapsPromoted.delete(pod.uid);
  switch (outcome.kind) {
    case 'done':
      noteWritten(run, outcome.object);
      memory.promotionRefusals.delete(pod.uid);
      if (isRepair(run, pod)) repaired(run, outcome.object);
      memory.promoted = { uid: pod.uid, token: proof.token };
      run.facts.push({
        kind: 'promoted',
        pod: outcome.object,
        token: proof.token,
        atMs: ports.clock.nowMs(),
      });
      return OK;
    case 'gone':
      memory.goneUids.add(pod.uid);
      return again(`pod ${pod.name} is gone`);
    case 'conflict':
      return reread(run, pod);
    case 'refused':
      refusePromotion(run, pod, outcome);
      return again(outcome.message);
    case 'unknown':
      return failed(`promoting pod ${pod.name}: ${outcome.message}`);
  }
}

function refusePromotion(run: Run, { name, uid }: PodVersion, outcome: Refused): void {
  const { memory, ports, observation } = run;
  const pod = memory.newerPods.get(uid) ?? observation.pods.find((observed) => observed.pod.uid === uid)?.pod ?? null;
  const what = `labelling pod ${name}`;
  const about = { pod, generation: run.group.generation };
  memory.promotionRefusals.set(uid, writeRefusal(ports.clock, memory.promotionRefusals.get(uid), what, outcome, about));
  run.facts.push({
    kind: 'refused',
    pod: name,
    message: `the API server refuses ${what} (${outcome.status}): ${outcome.message}`,
  });
}

/** It led before this plan, and lacks what its promotion wrote although nothing of ours has written it off. */
function isRepair({ memory, observation: { lock, group, pods } }: Run, { uid }: PodVersion): boolean {
  if (lock?.record?.holder.uid !== uid || lock.session === null) return false;
  const before = pods.find(({ pod }) => pod.uid === uid);
  if (before === undefined || before.pod.annotations[fencedAnnotation(group.name)] !== undefined) return false;
  const token = tokenOf(before.pod, group.name);
  if (token === lock.record.token) return !labelled(group, before);
  // As the last promotion left it, its lock is in another session since, after an edit of the TTL, say.
  return memory.promoted?.uid === uid && memory.promoted.token !== token;
}

function repaired({ memory, ports }: Run, { uid }: Pod): void {
  noteRepair(memory, uid, ports.clock);
  ports.repaired();
}

function promotionPatch(run: Run, token: number): MetadataPatch {
  const { name, spec } = run.group;
  return {
    labels: { [spec.label.key]: spec.label.leader },
    annotations: {
      [tokenAnnotation(name)]: String(token),
      [sinceAnnotation(name)]: new Date(run.ports.clock.wallMs()).toISOString(),
      [fencedAnnotation(name)]: null,
    },
  };
}

/** As read by the observation, or as this run's own earlier write left it: never from a read after its transaction. */
const latestVersion = (run: Run, pod: PodVersion): string =>
  run.answers.get(pod.uid)?.resourceVersion ?? pod.resourceVersion;

/** After a conflict everything starts again at the read of the pod, with the index and token of a new transaction. */
async function reread(run: Run, pod: PodRef): Promise<Step> {
  const found = await run.ports.kubernetes.getPod(pod.namespace, pod.name, run.signal);
  if (found === null || found.uid !== pod.uid) run.memory.goneUids.add(pod.uid);
  else notePod(run, found);
  return again(`pod ${pod.name} has changed since it was read`);
}

export async function labelFollowers(run: Run, pods: readonly PodVersion[]): Promise<Step> {
  const { key, follower } = run.group.spec.label;
  if (run.proof === null || follower === null) throw new Error('followers are labelled only after a verification');
  const patch: MetadataPatch = { labels: { [key]: follower }, annotations: {} };
  const refusals: { readonly pod: string; readonly outcome: Refused }[] = [];
  const refuse = (pod: PodVersion, outcome: Refused): void => void refusals.push({ pod: pod.name, outcome });
  const steps = await inParallel(pods, AT_ONCE, (pod) => labelFollower(run, pod, patch, refuse), progressOf(run));
  refuseFollowers(run, refusals);
  return worst(steps);
}

/** One for all: a policy that refuses a thousand pods is told once. */
function refuseFollowers(run: Run, refusals: readonly { readonly pod: string; readonly outcome: Refused }[]): void {
  const { memory, ports, group } = run;
  const first = refusals[0];
  if (first === undefined) {
    memory.followersRefused = null;
    return;
  }
  const { pod, outcome } = first;
  const others = refusals.length > 1 ? ` and ${refusals.length - 1} more` : '';
  const what = `labelling follower ${pod}${others}`;
  const about = { pod: null, generation: group.generation };
  memory.followersRefused = writeRefusal(ports.clock, memory.followersRefused, what, outcome, about);
  const message = `the API server refuses ${what} (${outcome.status}): ${outcome.message}`;
  run.facts.push({ kind: 'refused', pod, message });
}

/** Followers' labels are a convenience: that they are refused must not unsettle a group that is led. */
async function labelFollower(
  run: Run,
  pod: PodVersion,
  patch: MetadataPatch,
  refuse: (pod: PodVersion, outcome: Refused) => void,
): Promise<Step> {
  const version = latestVersion(run, pod);
  const outcome = await run.ports.kubernetes.patchPod(pod, version, patch, run.signal);
  if (outcome.kind === 'refused') {
    refuse(pod, outcome);
    return OK;
  }
  // The first one within a minute is no repair: it is a follower from now on.
  if (outcome.kind === 'done' && noteRepair(run.memory, pod.uid, run.ports.clock) > 1) run.ports.repaired();
  return await patched(run, pod, outcome);
}

/**
 * Takes this group's traces off its pods. A pod that is gone needs nothing. Where writes fail and time is over no other is begun: each may hang
 * for seconds, and of a pass that takes minutes little counts (see noteDeletion), so the group would stay for many of them.
 */
export async function cleanUp(
  run: Run,
  pods: readonly { readonly pod: PodVersion; readonly label: 'remove' | 'keep' }[],
): Promise<Step> {
  const { name, spec } = run.group;
  const annotations = { [tokenAnnotation(name)]: null, [sinceAnnotation(name)]: null, [fencedAnnotation(name)]: null };
  const startedMs = run.ports.clock.nowMs();
  let failure: Step | null = null;
  const clean = async (pod: PodVersion, label: 'remove' | 'keep'): Promise<Step> => {
    if (failure !== null && run.ports.clock.nowMs() - startedMs >= CLEANING_MS) return failure;
    const labels = label === 'remove' ? { [spec.label.key]: null } : {};
    const step = await patchOrReread(run, pod, { labels, annotations });
    if (step.kind === 'failed') failure = step;
    return step;
  };
  return worst(await inParallel(pods, AT_ONCE, ({ pod, label }) => clean(pod, label), progressOf(run)));
}

async function patchOrReread(run: Run, pod: PodVersion, patch: MetadataPatch): Promise<Step> {
  const version = latestVersion(run, pod);
  return await patched(run, pod, await run.ports.kubernetes.patchPod(pod, version, patch, run.signal));
}

async function patched(run: Run, pod: PodRef, outcome: WriteOutcome<Pod>): Promise<Step> {
  switch (outcome.kind) {
    case 'done':
      noteWritten(run, outcome.object);
      return OK;
    case 'gone':
      run.memory.goneUids.add(pod.uid);
      return OK;
    case 'conflict':
      return reread(run, pod);
    case 'refused':
    case 'unknown':
      return failed(`patching pod ${pod.name}: ${outcome.message}`);
  }
}

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

type Refused = Extract<WriteOutcome<unknown>, { kind: 'refused' }>;
