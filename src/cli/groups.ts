/** LeaderGroups and their pods as the commands read them. */
import type { Condition, InvalidLeaderGroup, LeaderGroup, LeaderGroupStatus } from '../api/leadergroup.ts';
import { parseLeaderGroup } from '../api/parse.ts';
import { parseStatus } from '../api/parse-status.ts';
import type { Pod } from '../api/pod.ts';
import type { RawObject } from '../api/raw.ts';
import { projectPod } from '../kubernetes/objects/pod.ts';
import { ApiError } from './errors.ts';
import { LEADER_GROUPS, PODS } from './resources.ts';
import type { Session } from './session.ts';

/** A group whose spec the operator may refuse: `problems` says why, one sentence each. */
export type Group = {
  readonly raw: RawObject;
  readonly namespace: string;
  readonly name: string;
  readonly known: LeaderGroup | InvalidLeaderGroup;
  /** null: the spec cannot be acted on. */
  readonly valid: LeaderGroup | null;
  readonly problems: readonly string[];
  /** An empty one before the operator has written any. */
  readonly status: LeaderGroupStatus;
};

const NO_STATUS = parseStatus({ leader: '' });

/** null: it has no name; no object of an API server is so. */
export function groupOf(raw: RawObject): Group | null {
  const parsed = parseLeaderGroup(raw);
  if (parsed === null) return null;
  const { kind, group: known } = parsed;
  const status = known.status ?? NO_STATUS;
  if (status === null) return null;
  const { namespace, name } = known;
  const more =
    kind === 'valid' ? { valid: parsed.group, problems: [] } : { valid: null, problems: parsed.group.problems };
  return { raw, namespace, name, known, status, ...more };
}

export async function readGroups({ api, namespace }: Session): Promise<readonly Group[]> {
  const { items } = await api.list(LEADER_GROUPS, { namespace });
  return items.map(groupOf).filter((group) => group !== null);
}

/** Rejects with a sentence when there is none of this name. */
export async function readGroup({ api }: Session, namespace: string, name: string): Promise<Group> {
  const raw = await api.get({ resource: LEADER_GROUPS, namespace, name });
  const group = raw === null ? null : groupOf(raw);
  if (group !== null) return group;
  const sentence = `There is no LeaderGroup ${name} in namespace ${namespace}: \`kubectl leadergroup list -A\` shows where they are.`;
  throw new ApiError('notFound', sentence);
}

/** Every pod of the namespace; which of them are members, the group's selector says. */
export const readPods = (session: Session, namespace: string): Promise<readonly Pod[]> =>
  readPodsWithin(session, namespace);

/** `namespace` null: of all namespaces. */
export async function readPodsWithin({ api }: Session, namespace: string | null): Promise<readonly Pod[]> {
  const { items } = await api.list(PODS, { namespace });
  return items.map(projectPod).filter((pod) => pod !== null);
}

/** null: the operator has not written it. */
export const conditionOf = ({ status }: Group, type: Condition['type']): Condition | null =>
  status.conditions.find((condition) => condition.type === type) ?? null;

/** True, False or Unknown, as kubectl shows a condition that is not there yet: empty. */
export const statusOfCondition = (group: Group, type: Condition['type']): string =>
  conditionOf(group, type)?.status ?? '';

export const isTrue = (group: Group, type: Condition['type']): boolean => statusOfCondition(group, type) === 'True';

/** There is no status, or it is about an older spec, so that it says nothing of the present one. */
export const isOld = ({ known }: Group): boolean =>
  known.status === null || known.status.observedGeneration < known.generation;
