/** I8: what a test of restarts, upgrades and outages asserts: in this interval no healthy leader lost its label. */
import { type Breach, podName } from './breach.ts';
import { isLabelled, isMember } from './groups.ts';
import { groupKey, type History, type Interval, type WatchedGroup, type WatchedPod } from './history.ts';
import { type Change, type Step, stepsOf } from './steps.ts';

/**
 * Breaches are leaders that were ready and not terminating through the whole interval and lost the label to the operator.
 * Throws when no group of the history has a healthy leader at `fromMs`: then there was nothing to see.
 */
export function noLeaderMoved(history: History, interval: Interval): readonly Breach[] {
  const steps = stepsOf(history);
  const healthy = leadersAt(history.groups, steps, interval.fromMs);
  if (healthy.size === 0) throw new Error('no group had a healthy leader when the interval began');
  const inside = steps.filter((step) => step.atMs > interval.fromMs && step.atMs <= interval.toMs);
  return inside.flatMap((step) =>
    step.changes.flatMap((change) => {
      const group = healthy.get(change.pod.uid);
      if (group === undefined) return [];
      const lost = losesLabel(group, change);
      if (lost || change.after === null || !isHealthy(change.after)) healthy.delete(change.pod.uid);
      return lost && change.after !== null && isHealthy(change.after) && change.by !== 'foreign'
        ? [moved(group, step, change.after)]
        : [];
    }),
  );
}

const isHealthy = (pod: WatchedPod): boolean => pod.ready && !pod.deleting;

const losesLabel = (group: WatchedGroup, { before, after }: Change): boolean =>
  isLabelled(group, before) && !isLabelled(group, after);

function leadersAt(groups: readonly WatchedGroup[], steps: readonly Step[], atMs: number): Map<string, WatchedGroup> {
  const pods = new Map<string, WatchedPod>();
  for (const { before, after } of steps.filter((step) => step.atMs <= atMs).flatMap((step) => step.changes)) {
    if (before !== null) pods.delete(before.uid);
    if (after !== null) pods.set(after.uid, after);
  }
  const leaders = new Map<string, WatchedGroup>();
  for (const pod of [...pods.values()].filter(isHealthy)) {
    const group = groups.find((candidate) => isLabelled(candidate, pod) && isMember(candidate, pod));
    if (group !== undefined) leaders.set(pod.uid, group);
  }
  return leaders;
}

const moved = (group: WatchedGroup, step: Step, pod: WatchedPod): Breach => ({
  promise: 'I8',
  group: groupKey(group),
  resourceVersion: step.resourceVersion,
  index: null,
  pods: [podName(pod)],
  message: `${podName(pod)} lost the label although it stayed ready`,
});
