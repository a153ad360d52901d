/** A group's members and the keys its operator may write, spelled out here a second time on purpose. */
import type { SelectorRequirement } from '../../../src/api/leadergroup.ts';
import { compareVersions, type WatchedGroup, type WatchedPod } from './history.ts';

function meets(labels: Readonly<Record<string, string>>, requirement: SelectorRequirement): boolean {
  const value = labels[requirement.key];
  switch (requirement.operator) {
    case 'In':
      return value !== undefined && requirement.values.includes(value);
    case 'NotIn':
      return value === undefined || !requirement.values.includes(value);
    case 'Exists':
      return value !== undefined;
    case 'DoesNotExist':
      return value === undefined;
    default:
      throw new Error(`unknown selector operator ${String(requirement.operator)}`);
  }
}

export const isMember = (group: WatchedGroup, pod: WatchedPod): boolean =>
  pod.namespace === group.namespace &&
  Object.entries(group.selector.matchLabels).every(([key, value]) => pod.labels[key] === value) &&
  group.selector.matchExpressions.every((requirement) => meets(pod.labels, requirement));

export const existsAt = (group: WatchedGroup, resourceVersion: string): boolean =>
  (group.bornAt === undefined || compareVersions(group.bornAt, resourceVersion) <= 0) &&
  (group.goneAt === undefined || compareVersions(resourceVersion, group.goneAt) <= 0);

export const tokenKey = (group: WatchedGroup): string => `token.leadergroup.dev/${group.name}`;
const sinceKey = (group: WatchedGroup): string => `since.leadergroup.dev/${group.name}`;
export const fencedKey = (group: WatchedGroup): string => `fenced.leadergroup.dev/${group.name}`;

export const costKey = (group: WatchedGroup): string => `cost.leadergroup.dev/${group.name}`;
/** Kubernetes' own, and everybody's: the operator may set it where there is none, and take off what it has set. */
export const DELETION_COST = 'controller.kubernetes.io/pod-deletion-cost';

/** Of the group alone. */
export const annotationKeys = (group: WatchedGroup): readonly string[] => [
  tokenKey(group),
  sinceKey(group),
  fencedKey(group),
  costKey(group),
];

export const isLabelled = (group: WatchedGroup, pod: WatchedPod | null): boolean =>
  pod !== null && pod.namespace === group.namespace && pod.labels[group.labelKey] === group.leaderValue;

/** The decimal integer in a token annotation; null when there is none, NaN when it is no token. */
export function tokenOf(group: WatchedGroup, pod: WatchedPod | null): number | null {
  const text = pod?.annotations[tokenKey(group)];
  if (text === undefined) return null;
  return /^[1-9][0-9]{0,15}$/.test(text) ? Number(text) : Number.NaN;
}

/** Keys whose value differs between two states of one map. */
export const changedKeys = (
  before: Readonly<Record<string, string>>,
  after: Readonly<Record<string, string>>,
): readonly string[] =>
  [...new Set([...Object.keys(before), ...Object.keys(after)])].filter((key) => before[key] !== after[key]);
