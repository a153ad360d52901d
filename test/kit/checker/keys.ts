/** I6: a patch touches no key outside the table, and no pod that has just been made under a used name. */
import { type Breach, podName } from './breach.ts';
import { annotationKeys, costKey, DELETION_COST, existsAt, isMember, tokenKey } from './groups.ts';
import { groupKey, type WatchedGroup, type WatchedPod } from './history.ts';
import type { Change, Step } from './steps.ts';

export function onlyOwnKeys(steps: readonly Step[], groups: readonly WatchedGroup[]): readonly Breach[] {
  const reported = new Set<string>();
  return steps.flatMap((step) =>
    step.changes.flatMap((change) => {
      const here = groups.filter((group) => group.namespace === change.pod.namespace);
      const messages = [...outside(change, here, step), ...owned(change, here), ...bornWith(change, here)];
      const fresh = messages.filter((message) => !reported.has(`${change.pod.uid} ${message}`));
      for (const message of fresh) reported.add(`${change.pod.uid} ${message}`);
      return fresh.map(
        (message): Breach => ({
          promise: 'I6',
          group: here.map(groupKey).join(' ') || change.pod.namespace,
          resourceVersion: step.resourceVersion,
          index: null,
          pods: [podName(change.pod)],
          message,
        }),
      );
    }),
  );
}

function outside(change: Change, groups: readonly WatchedGroup[], step: Step): readonly string[] {
  if (change.by !== 'operator') return [];
  const { pod } = change;
  const labels = change.changedLabels.filter((key) => !groups.some((group) => group.labelKey === key));
  const annotations = change.changedAnnotations.filter(
    (key) => key !== DELETION_COST && !groups.some((group) => annotationKeys(group).includes(key)),
  );
  return [
    ...labels.map((key) => `the operator changed the label ${key} of ${podName(pod)}`),
    ...annotations.map((key) => `the operator changed the annotation ${key} of ${podName(pod)}`),
    ...change.changedLabels.flatMap((key) => wrongValue(change, key, groups, step)),
    ...costOfOthers(change, groups),
  ];
}

/** It is set where there was none, and taken off where it is as it was set; with the mark that says so in either case. */
function costOfOthers(
  { before, after, pod, changedAnnotations }: Change,
  groups: readonly WatchedGroup[],
): readonly string[] {
  if (before === null || after === null || !changedAnnotations.includes(DELETION_COST)) return [];
  const [was, is] = [before.annotations[DELETION_COST], after.annotations[DELETION_COST]];
  const marked = (state: WatchedPod, cost: string | undefined, by: readonly WatchedGroup[]): boolean =>
    cost !== undefined && by.some((group) => state.annotations[costKey(group)] === cost);
  const setting = groups.filter(({ anyOrder }) => anyOrder !== true);
  const fair = was === undefined ? marked(after, is, setting) : is === undefined && marked(before, was, groups);
  return fair
    ? []
    : [`the operator changed the deletion cost of ${podName(pod)} from ${was ?? 'none'} to ${is ?? 'none'}`];
}

function wrongValue(change: Change, key: string, groups: readonly WatchedGroup[], step: Step): readonly string[] {
  const value = change.after?.labels[key];
  const users = groups.filter((group) => group.labelKey === key && existsAt(group, step.resourceVersion));
  if (value === undefined || users.length === 0) return [];
  const meant = users.filter((group) => value === group.leaderValue || value === group.followerValue);
  if (meant.length === 0) return [`the operator gave the label ${key} of ${podName(change.pod)} the value ${value}`];
  const theirs = (group: WatchedGroup): boolean =>
    isMember(group, change.pod) || change.changedAnnotations.includes(tokenKey(group));
  return meant.some(theirs) ? [] : [`the operator labelled ${podName(change.pod)}, which no group selects`];
}

/** By managed fields, where they are known: what the operator owns it has written at some time. */
function owned(change: Change, groups: readonly WatchedGroup[]): readonly string[] {
  const allowed = groups.flatMap((group) => [
    `metadata.annotations[${DELETION_COST}]`,
    `metadata.labels[${group.labelKey}]`,
    ...annotationKeys(group).map((key) => `metadata.annotations[${key}]`),
  ]);
  return (change.pod.operatorOwns ?? [])
    .filter((field) => !allowed.includes(field))
    .map((field) => `the operator owns the field ${field} of ${podName(change.pod)}`);
}

function bornWith(change: Change, groups: readonly WatchedGroup[]): readonly string[] {
  if (!change.created) return [];
  const keys = groups.flatMap(annotationKeys).filter((key) => change.pod.annotations[key] !== undefined);
  return keys.map((key) => `${podName(change.pod)} was created with the operator's annotation ${key}`);
}
