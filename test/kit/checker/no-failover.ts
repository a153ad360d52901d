/** I8: what a test of restarts, upgrades and outages asserts: in this interval no healthy leader lost its label. */
import { type Breach, podName } from './breach.ts';
import { isLabelled, isMember } from './groups.ts';
import { groupKey, type History, type Interval, type WatchedGroup, type WatchedPod } from './history.ts';
import { type Change, type Step, stepsOf } from './steps.ts';

/**
 * Breaches are leaders that were healthy through the whole interval and lost the label to the operator: ready, not terminating and, where their group has
 * a leader probe, passing it. Throws when no group of the history has a healthy leader at `fromMs`: then there was nothing to see.
 */
export function noLeaderMoved(history: History, interval: Interval): readonly Breach[] {
  const steps = stepsOf(history);
  const passed = passing(history, interval.fromMs);
  const healthy = leadersAt(history.groups, steps, interval.fromMs, passed);
  if (healthy.size === 0) throw new Error('no group had a healthy leader when the interval began');
  const inside = steps.filter((step) => step.atMs > interval.fromMs && step.atMs <= interval.toMs);
  return inside.flatMap((step) =>
    step.changes.flatMap((change) => {
      const group = healthy.get(change.pod.uid);
      if (group === undefined) return [];
      const well = change.after !== null && isReady(change.after) && passed(group, change.after, step.atMs);
      const lost = losesLabel(group, change);
      if (lost || !well) healthy.delete(change.pod.uid);
      return lost && well && change.by !== 'foreign' ? [moved(group, step, change.pod)] : [];
    }),
  );
}

const isReady = (pod: WatchedPod): boolean => pod.ready && !pod.deleting;

type Passed = (group: WatchedGroup, pod: WatchedPod, untilMs: number) => boolean;

/** All the time since then; where nothing is probed readiness decides. */
const passing =
  ({ silences = [] }: History, sinceMs: number): Passed =>
  ({ probed = false }, { uid }, untilMs) =>
    !probed || silences.every(({ podUid, fromMs, toMs }) => podUid !== uid || toMs < sinceMs || fromMs > untilMs);

const losesLabel = (group: WatchedGroup, { before, after }: Change): boolean =>
  isLabelled(group, before) && !isLabelled(group, after);

function leadersAt(
  groups: readonly WatchedGroup[],
  steps: readonly Step[],
  atMs: number,
  passed: Passed,
): Map<string, WatchedGroup> {
  const pods = new Map<string, WatchedPod>();
  for (const { before, after } of steps.filter((step) => step.atMs <= atMs).flatMap((step) => step.changes)) {
    if (before !== null) pods.delete(before.uid);
    if (after !== null) pods.set(after.uid, after);
  }
  const leaders = new Map<string, WatchedGroup>();
  for (const pod of [...pods.values()].filter(isReady)) {
    const group = groups.find((candidate) => isLabelled(candidate, pod) && isMember(candidate, pod));
    if (group !== undefined && passed(group, pod, atMs)) leaders.set(pod.uid, group);
  }
  return leaders;
}

const moved = (group: WatchedGroup, step: Step, pod: WatchedPod): Breach => ({
  promise: 'I8',
  group: groupKey(group),
  resourceVersion: step.resourceVersion,
  index: null,
  pods: [podName(pod)],
  message: `${podName(pod)} lost the label although it stayed ready${group.probed === true ? ' and passed its leader probe' : ''}`,
});
