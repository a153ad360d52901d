/** The locks that say which replica a bucket belongs to. Each write has a value of its own, so that it moves the lock's index. */
import type { SessionId } from '../../api/ids.ts';
import { BUCKETS, bucketKey, type KeySpace, replicaKey } from '../../election/keys.ts';
import type { LiveReplica } from '../../election/replicas.ts';
import type { Random } from '../../ports/clock.ts';
import type { Consul, TxnOp, TxnResult } from '../../ports/consul.ts';

export const ALL_BUCKETS: readonly number[] = Array.from({ length: BUCKETS }, (_, bucket) => bucket);

/** A bucket's lock as it was read. `index` 0: it has never been locked. */
export type BucketEntry = { readonly session: SessionId | null; readonly index: number };

export type BucketLocks = {
  /** Every bucket, consistently, in one request. */
  read(signal: AbortSignal): Promise<ReadonlyMap<number, BucketEntry>>;
  /** Locks free buckets: all at once, or one by one when somebody else was faster with some. Returns those taken. */
  take(session: SessionId, free: readonly number[], signal: AbortSignal): Promise<readonly number[]>;
  /**
   * Locks again what the session holds. A write: whatever was sent before and has not arrived, a move above all, is void.
   * False: at least one of them is not the session's any more.
   */
  confirm(session: SessionId, mine: readonly number[], signal: AbortSignal): Promise<boolean>;
  /** A planned move: one transaction, at the version that was read, while the other replica lives. */
  pass(
    session: SessionId,
    from: { readonly bucket: number; readonly index: number },
    to: LiveReplica,
    signal: AbortSignal,
  ): Promise<TxnResult>;
  /**
   * The end of a replica: each bucket to its next owner, or to nobody, and its own entry gone. Returns whether Consul agreed; it does
   * not if a next owner has gone meanwhile, and nothing is done then.
   */
  leave(
    session: SessionId,
    replica: string,
    moves: ReadonlyMap<number, LiveReplica | null>,
    signal: AbortSignal,
  ): Promise<boolean>;
};

export function createBucketLocks(
  { consul, random }: { readonly consul: Consul; readonly random: Random },
  space: KeySpace,
  self: string,
): BucketLocks {
  const valueFor = (replica: string | null): string => JSON.stringify({ v: 1, replica, write: random.unique() });

  const lock = (bucket: number, session: SessionId, replica: string): TxnOp => ({
    verb: 'lock',
    key: bucketKey(space, bucket),
    session,
    value: valueFor(replica),
  });

  const unlock = (bucket: number, session: SessionId): TxnOp => ({
    verb: 'unlock',
    key: bucketKey(space, bucket),
    session,
    value: valueFor(null),
  });

  /** The replica has not left, and its session has not ended: its entry is that session's. */
  const lives = (id: string, session: SessionId): TxnOp => ({
    verb: 'check-session',
    key: replicaKey(space, id),
    session,
  });

  async function commits(ops: readonly TxnOp[], signal: AbortSignal): Promise<boolean> {
    return (await consul.txn(ops, signal)).kind === 'committed';
  }

  const moved = (bucket: number, session: SessionId, to: LiveReplica | null): readonly TxnOp[] => [
    unlock(bucket, session),
    ...(to === null ? [] : [lock(bucket, to.session, to.id)]),
  ];

  return {
    read: async (signal) => {
      const entries = await consul.readKeys(
        ALL_BUCKETS.map((bucket) => bucketKey(space, bucket)),
        signal,
      );
      return new Map(
        entries.map((entry, bucket) => [bucket, { session: entry?.session ?? null, index: entry?.modifyIndex ?? 0 }]),
      );
    },
    take: async (session, free, signal) => {
      const all = free.map((bucket) => lock(bucket, session, self));
      if (free.length === 0 || (await commits(all, signal))) return free;
      const taken: number[] = [];
      for (const bucket of free) if (await commits([lock(bucket, session, self)], signal)) taken.push(bucket);
      return taken;
    },
    confirm: async (session, mine, signal) => {
      const checks = mine.map((bucket): TxnOp => ({ verb: 'check-session', key: bucketKey(space, bucket), session }));
      const locks = mine.map((bucket) => lock(bucket, session, self));
      return mine.length === 0 || (await commits([...checks, ...locks], signal));
    },
    pass: async (session, { bucket, index }, to, signal) =>
      await consul.txn(
        [
          { verb: 'check-session', key: bucketKey(space, bucket), session },
          { verb: 'check-index', key: bucketKey(space, bucket), index },
          lives(to.id, to.session),
          ...moved(bucket, session, to),
        ],
        signal,
      ),
    leave: async (session, replica, moves, signal) => {
      const ops = [...moves].flatMap(([bucket, to]) => moved(bucket, session, to));
      const next = new Map([...moves.values()].filter((to) => to !== null).map((to) => [to.id, to.session]));
      const checks = [...next].map(([id, of]) => lives(id, of));
      return await commits(
        [...checks, ...ops, lives(replica, session), { verb: 'delete', key: replicaKey(space, replica) }],
        signal,
      );
    },
  };
}
