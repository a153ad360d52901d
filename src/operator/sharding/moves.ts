/** Planned moves: a bucket that should be another replica's is passed to it. */
import type { MonotonicMs } from '../../api/clocks.ts';
import type { LiveReplica } from '../../election/replicas.ts';
import type { TxnResult } from '../../ports/consul.ts';
import { inParallel } from '../common/in-parallel.ts';
import type { Incarnation } from './incarnation.ts';
import type { OwnershipOptions } from './options.ts';

/**
 * Buckets move only when the same replicas have been there for so long and say the same of themselves: while several come, go or
 * lose the API server one after the other, each bucket would move several times.
 */
const SETTLE_MS = 2000;
/** Passes in work hold a move up for at most so long; then it is put off. */
const QUIET_MS = 5000;
const PUT_OFF_MS = 1000;
const MOVES_AT_ONCE = 8;

/** No lock has this index: what was just taken is moved only after it has been read. */
export const UNREAD = -1;

/** Monotonic milliseconds at which it is worth trying to move something; null: everything is where it should be. */
export function nextMoveMs(
  incarnation: Incarnation,
  owners: ReadonlyMap<number, LiveReplica>,
  nowMs: MonotonicMs,
): number | null {
  const wanted = misplaced(incarnation, owners);
  if (wanted.length === 0) return null;
  return Math.max(nowMs + PUT_OFF_MS, Math.min(...wanted.map((bucket) => settledAtMs(incarnation, bucket))));
}

const misplaced = ({ buckets, own }: Incarnation, owners: ReadonlyMap<number, LiveReplica>): readonly number[] =>
  buckets.inState('owned').filter((bucket) => (owners.get(bucket)?.session ?? own.id) !== own.id);

/**
 * What was just got stays as long as the replicas have to: whoever passed it on may know of some that the watch here, which may hang,
 * has not told of, and the two would pass it to and fro.
 */
const settledAtMs = ({ registry, buckets }: Incarnation, bucket: number): number =>
  Math.max(registry.unchangedSinceMs(), buckets.heldSinceMs(bucket) ?? 0) + SETTLE_MS;

/** Moves what should be another's, as far as it has settled. */
export async function moveAway(
  options: OwnershipOptions,
  incarnation: Incarnation,
  owners: ReadonlyMap<number, LiveReplica>,
  signal: AbortSignal,
): Promise<void> {
  if (!incarnation.own.proven()) return;
  const nowMs = options.clock.nowMs();
  const moving = misplaced(incarnation, owners).filter((bucket) => settledAtMs(incarnation, bucket) <= nowMs);
  await inParallel(moving, MOVES_AT_ONCE, async (bucket) => {
    const to = owners.get(bucket);
    if (to !== undefined) await move(options, incarnation, { bucket, to }, signal);
  });
}

/**
 * A planned move. From `leaving` on nothing is planned for the bucket's groups and the gate gives no more grants; what is in work
 * ends; then one transaction. Thrown out of it, the bucket stays `leaving` until a round has read who has it.
 */
async function move(
  options: OwnershipOptions,
  { own, buckets, locks, seen, wakeSignal }: Incarnation,
  { bucket, to }: { readonly bucket: number; readonly to: LiveReplica },
  signal: AbortSignal,
): Promise<void> {
  const entry = seen.get(bucket);
  if (entry === undefined || entry.index === UNREAD) return wakeSignal.ring();
  buckets.set(bucket, 'leaving');
  const result = (await quietInTime(options, bucket, signal))
    ? await locks.pass(own.id, { bucket, index: entry.index }, to, signal)
    : null;
  if (result?.kind === 'committed') {
    options.log.info({ bucket, to: to.id }, 'moved a bucket to its desired owner');
    options.metrics.bucketsMoved('passed', 1);
    return buckets.close(bucket);
  }
  if (result !== null && lost(result)) return wakeSignal.ring();
  buckets.set(bucket, 'owned');
  options.adopted(new Set([bucket]));
  wakeSignal.notifyAfter(PUT_OFF_MS);
}

/** Consul says that it is not ours to be passed: who has it is read before anything else. */
const lost = (result: TxnResult): boolean =>
  result.kind === 'rejected' && result.rejections.some(({ op, reason }) => op === 0 && reason === 'session-check');

/** Whether the passes over the bucket's groups have ended in time. */
async function quietInTime({ clock, quiet }: OwnershipOptions, bucket: number, signal: AbortSignal): Promise<boolean> {
  const limit = new AbortController();
  const late = clock.sleep(QUIET_MS, AbortSignal.any([signal, limit.signal])).then(
    () => false,
    () => false,
  );
  const ended = await Promise.race([quiet(bucket).then(() => true), late]);
  limit.abort();
  signal.throwIfAborted();
  return ended;
}
