/** Names of everything that stands in Consul. All operators of one cluster must agree on them. */
import { fnv1a } from '../api/hash.ts';
import { type PodUid, podUid } from '../api/ids.ts';
import type { GroupKeys } from './observation.ts';

export const BUCKETS = 32;

/** Where one cluster's operators keep their keys: `<prefix>/<cluster>`. */
export type KeySpace = { readonly prefix: string; readonly cluster: string };

const NODE_PREFIX = 'leadergroup-';

const root = ({ prefix, cluster }: KeySpace): string => `${prefix}/${cluster}`;

export const clusterIdentityKey = (space: KeySpace): string => `${root(space)}/.cluster`;
export const syntheticNode = (space: KeySpace): string => `${NODE_PREFIX}${space.cluster}`;
/** Whose operators' node it is, if it is named like one; null: it is not. Anybody may name a node so. */
export const clusterOfNode = (node: string): string | null =>
  node.startsWith(NODE_PREFIX) ? node.slice(NODE_PREFIX.length) || null : null;
export const replicasPrefix = (space: KeySpace): string => `${root(space)}/replicas/`;
export const replicaKey = (space: KeySpace, replica: string): string => `${replicasPrefix(space)}${replica}`;
export const bucketsPrefix = (space: KeySpace): string => `${root(space)}/buckets/`;
export const bucketKey = (space: KeySpace, bucket: number): string =>
  `${bucketsPrefix(space)}${bucketName(bucket)}/.lock`;
export const groupsPrefix = (space: KeySpace, bucket: number): string => `${root(space)}/groups/${bucketName(bucket)}/`;
export const claimsPrefixOf = (space: KeySpace, bucket: number): string =>
  `${root(space)}/claims/${bucketName(bucket)}/`;
/** What a group's calls have claimed. Of the name, not of the group: a group that is made again goes on where it stood. */
export const claimsPrefix = (space: KeySpace, group: { readonly namespace: string; readonly name: string }): string =>
  `${claimsPrefixOf(space, bucketOf(group.namespace, group.name))}${group.namespace}/${group.name}/`;

/** Keys of a group's slot 0, the only one so far. */
export function groupKeys(
  space: KeySpace,
  group: { namespace: string; name: string },
  lockKey: string | null,
): GroupKeys {
  const bucket = bucketOf(group.namespace, group.name);
  const slot = `${groupsPrefix(space, bucket)}${group.namespace}/${group.name}/0`;
  const [own, beside] = [`${slot}/.lock`, `${slot}/.record`];
  if (lockKey === null) return { lock: own, record: null, token: null, earlier: beside };
  return { lock: sharedLockKey(lockKey), record: beside, token: sharedTokenKey(lockKey), earlier: own };
}

/** Two parts, so that it is never taken for a member's. */
export const replicaSessionName = (replica: string): string => `replica/${replica}`;

/**
 * What is watched of a shared key: the lock, and never its folder, where anybody may keep anything. The token beside it changes with the
 * lock only.
 */
export const sharedLockKey = (lockKey: string): string => `${lockKey}/.lock`;
export const sharedTokenKey = (lockKey: string): string => `${lockKey}/.token`;

/** The group whose lock or record a key below groupsPrefix is; null for anything else. */
export function groupOfKey(space: KeySpace, key: string): string | null {
  const start = `${root(space)}/groups/`;
  if (!key.startsWith(start)) return null;
  const [, namespace, name, slot] = key.slice(start.length).split('/');
  return namespace && name && slot ? `${namespace}/${name}` : null;
}

/** Every name in it is refused by Kubernetes if it holds a slash, so the three parts stay apart. */
export const sessionName = (namespace: string, group: string, uid: PodUid): string => `${namespace}/${group}/${uid}`;

export function parseSessionName(name: string): { namespace: string; group: string; podUid: PodUid } | null {
  const [namespace, group, uid, ...more] = name.split('/');
  if (!namespace || !group || !uid || more.length > 0) return null;
  return { namespace, group, podUid: podUid(uid) };
}

export const bucketOf = (namespace: string, name: string): number => fnv1a(`${namespace}/${name}`) % BUCKETS;

/** Two hexadecimal digits, as in the keys. */
export const bucketName = (bucket: number): string => bucket.toString(16).padStart(2, '0');
