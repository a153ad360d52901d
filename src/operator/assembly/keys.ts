/** What the key of a group says: its name, and the bucket that it is in. */
import { bucketOf } from '../../election/keys.ts';

export function nameOf(key: string): { readonly namespace: string; readonly name: string } {
  const [namespace = '', name = ''] = key.split('/');
  return { namespace, name };
}

function bucketOfKey(key: string): number {
  const { namespace, name } = nameOf(key);
  return bucketOf(namespace, name);
}

export const inBuckets =
  (buckets: ReadonlySet<number>) =>
  (key: string): boolean =>
    buckets.has(bucketOfKey(key));

export const inBucket = (bucket: number) => inBuckets(new Set([bucket]));
