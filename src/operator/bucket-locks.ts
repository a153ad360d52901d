/** The locks that say which replica a bucket belongs to. */
import { bucketKey, type KeySpace } from '../election/keys.ts';
import type { Consul, TxnOp } from '../ports/consul.ts';

/** Locks free buckets for a session: all at once, or one by one when somebody else was faster with some. Returns those taken. */
export async function lockBuckets(
  consul: Consul,
  space: KeySpace,
  replica: string,
  session: string,
  free: readonly number[],
  signal: AbortSignal,
): Promise<readonly number[]> {
  const tryLock = async (some: readonly number[]): Promise<boolean> => {
    const value = JSON.stringify({ v: 1, replica });
    const ops = some.map((bucket): TxnOp => ({ verb: 'lock', key: bucketKey(space, bucket), session, value }));
    return (await consul.txn(ops, signal)).kind === 'committed';
  };
  if (free.length === 0 || (await tryLock(free))) return free;
  const taken: number[] = [];
  for (const bucket of free) if (await tryLock([bucket])) taken.push(bucket);
  return taken;
}

/** Gives buckets up at once. Refused when one of them is not the session's any more; ending the session then does the same. */
export async function unlockBuckets(
  consul: Consul,
  space: KeySpace,
  session: string,
  mine: readonly number[],
  signal: AbortSignal,
): Promise<void> {
  const value = JSON.stringify({ v: 1, replica: null });
  await consul.txn(
    mine.map((bucket): TxnOp => ({ verb: 'unlock', key: bucketKey(space, bucket), session, value })),
    signal,
  );
}
