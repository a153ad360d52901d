/** What becomes of the groups of a bucket when this replica gets it, has it opened and adopted, or loses it. */
import type { Store } from '../cache/store.ts';
import type { LockWatches } from '../locks/lock-watches.ts';
import type { Locks } from '../locks/locks.ts';
import { ADOPTION_MS } from '../observe/lock-deadline.ts';
import type { Changes } from '../reconcile/changes.ts';
import type { Queue } from '../reconcile/queue.ts';
import type { SessionManager } from '../sessions/sessions.ts';
import type { OwnershipOptions } from '../sharding/options.ts';
import { inBucket, inBuckets } from './keys.ts';

export type Affected = {
  readonly store: Store;
  readonly sessionManager: SessionManager;
  readonly locks: Locks;
  readonly watches: LockWatches;
  readonly changes: Changes;
  readonly queue: () => Pick<Queue, 'addAfter' | 'quiet'>;
  readonly wake: (key: string) => void;
  readonly forget: (key: string) => void;
};

type BucketNews = Pick<
  OwnershipOptions,
  'holders' | 'got' | 'opened' | 'adopted' | 'closed' | 'ownersChanged' | 'quiet'
>;

export const bucketNews = ({
  store,
  sessionManager,
  locks,
  watches,
  changes,
  queue,
  wake,
  forget,
}: Affected): BucketNews => ({
  holders: () => new Set(locks.entries().flatMap(({ session }) => session ?? [])),
  // Also where the bucket only lapsed: another may have had it since.
  got: (buckets) => store.groupKeys().filter(inBuckets(buckets)).forEach(forget),
  opened: async (buckets) => {
    // Where adoption gets nowhere nothing else wakes it, and a lock that cannot be proven in time counts as unknown.
    for (const key of store.groupKeys().filter(inBuckets(buckets))) queue().addAfter(key, ADOPTION_MS);
    await Promise.all([...buckets].map(watches.openBucket));
  },
  // Also of groups that are gone: their sessions were adopted with the bucket and must be dropped.
  adopted: (buckets) => [...store.groupKeys(), ...sessionManager.keys()].filter(inBuckets(buckets)).forEach(wake),
  closed: (bucket) => {
    watches.closeBucket(bucket);
    for (const key of sessionManager.keys().filter(inBucket(bucket))) sessionManager.leave(key);
    for (const key of store.groupKeys().filter(inBucket(bucket))) {
      watches.unfollow(key);
      forget(key);
      changes.tell(key);
    }
  },
  ownersChanged: (buckets) => store.groupKeys().filter(inBuckets(buckets)).forEach(changes.tell),
  quiet: (bucket) => queue().quiet(inBucket(bucket)),
});
