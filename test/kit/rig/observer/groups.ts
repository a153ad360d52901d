import type { LabelSelector, SelectorRequirement } from '../../../../src/api/leadergroup.ts';
import type { WatchedGroup } from '../../checker/history.ts';
import type { RawObject } from './raw.ts';

type RawSpec = {
  readonly selector?: {
    readonly matchLabels?: LabelSelector['matchLabels'];
    readonly matchExpressions?: readonly (Omit<SelectorRequirement, 'values'> & Partial<SelectorRequirement>)[];
  };
  readonly label?: { readonly key?: string; readonly leader?: string; readonly follower?: string };
  readonly lockKey?: string;
  readonly onConsulLoss?: string;
  readonly beforePromotion?: { readonly onFailure?: 'NextCandidate' | 'Promote' };
  readonly scaleDown?: string;
  readonly route?: { readonly serviceName?: string };
};

/** The Service that a LeaderGroup routes to; null: none. */
export const routeOf = ({ spec }: RawObject): string | null => ((spec ?? {}) as RawSpec).route?.serviceName ?? null;

/** Whether a Consul key is the group's under the operator's own prefix, whatever bucket the group is in. */
export const isOwnKey = (key: string, namespace: string, group: string, leaf: '.lock' | '.record'): boolean =>
  key.includes('/groups/') && key.endsWith(`/${namespace}/${group}/0/${leaf}`);

/** A LeaderGroup as the checker needs it. Our own keys are found among those seen: only the operator knows the bucket. */
export function toWatchedGroup(raw: RawObject, keys: Iterable<string>): WatchedGroup {
  const { name, namespace = '', uid } = raw.metadata;
  const { selector = {}, label = {}, lockKey } = (raw.spec ?? {}) as RawSpec;
  const seen = [...keys];
  const own = (leaf: '.lock' | '.record'): string =>
    seen.find((key) => isOwnKey(key, namespace, name, leaf)) ?? `unseen/groups/${namespace}/${name}/0/${leaf}`;
  return {
    namespace,
    name,
    uid,
    selector: {
      matchLabels: selector.matchLabels ?? {},
      matchExpressions: (selector.matchExpressions ?? []).map((each) => ({ ...each, values: each.values ?? [] })),
    },
    labelKey: label.key ?? 'leadergroup.dev/role',
    leaderValue: label.leader ?? 'leader',
    followerValue: label.follower ?? null,
    lockKey: lockKey === undefined ? own('.lock') : `${lockKey}/.lock`,
    recordKey: lockKey === undefined ? own('.lock') : own('.record'),
    ...wishesOf(raw),
  };
}

function wishesOf({ spec }: RawObject): Pick<WatchedGroup, 'mayDemote' | 'asksFirst' | 'anyOrder'> {
  const { onConsulLoss, beforePromotion, scaleDown } = (spec ?? {}) as RawSpec;
  return {
    mayDemote: onConsulLoss === 'Demote',
    ...(beforePromotion && { asksFirst: beforePromotion.onFailure ?? 'NextCandidate' }),
    ...(scaleDown === 'AnyOrder' && { anyOrder: true }),
  };
}
