/**
 * Writes claims, those of a bucket together. A claim counts only if at that very Raft index the bucket is ours, its pod has the lock and the
 * series stands where it was seen: so of two claims on one mark one is written, and none for a pod that leads no more.
 */
import type { BucketGuard, KeyVersion } from '../../election/observation.ts';
import { type Consul, ConsulError, type KvEntry, type TxnOp, type TxnRejection } from '../../ports/consul.ts';
import { type Batches, createBatches } from './batches.ts';

export type Write = {
  readonly guard: BucketGuard;
  /** As it was seen with the pod's session; null: whoever leads (a report about what was claimed before). */
  readonly lock: KeyVersion | null;
  readonly series: KeyVersion;
  readonly value: string;
};

export type Commit =
  | { readonly kind: 'committed'; readonly entry: KvEntry }
  | { readonly kind: 'lockMoved' | 'seriesMoved' | 'bucketLost' }
  /** It was sent, and nobody knows what became of it. */
  | { readonly kind: 'unknown'; readonly reason: string }
  /** Nothing was written. */
  | { readonly kind: 'failed'; readonly reason: string };

export type Commits = {
  /** `urgent`: before the others. Never rejects. */
  commit(write: Write, urgent: boolean): Promise<Commit>;
};

/** Consul takes no more in one transaction. */
const MOST_OPS = 64;

/** `sent`: told how many go in each transaction. `signal` ends what is under way. */
export function createCommits(
  consul: Pick<Consul, 'txn'>,
  sent: (writes: number) => void,
  signal: AbortSignal,
): Commits {
  const buckets = new Map<string, Batches<Write, Commit>>();
  const bucketOf = (guard: BucketGuard): Batches<Write, Commit> => {
    const known = buckets.get(guard.key);
    if (known !== undefined) return known;
    const made = createBatches<Write, Commit>(fits, async (writes) => {
      sent(writes.length);
      return await send(consul, writes, signal);
    });
    buckets.set(guard.key, made);
    return made;
  };
  return { commit: (write, urgent) => bucketOf(write.guard).add(write, urgent) };
}

/** One session of the replica guards them all, and of a series there is one at a time. */
const fits = (writes: readonly Write[], next: Write): boolean =>
  writes.every(({ guard, series }) => guard.session === next.guard.session && series.key !== next.series.key) &&
  stepsOf([...writes, next]).length <= MOST_OPS;

/** An operation, the writes that stand or fall with it, and what it means for them if what it checks is otherwise. */
type Step = {
  readonly op: TxnOp;
  readonly of: readonly Write[];
  readonly otherwise: 'lockMoved' | 'seriesMoved' | 'bucketLost' | null;
};

function stepsOf(writes: readonly Write[]): readonly Step[] {
  const bucket = writes.slice(0, 1).map(({ guard }): Step => {
    return { op: { verb: 'check-session', ...guard }, of: writes, otherwise: 'bucketLost' };
  });
  const locks = byLock(writes).map(({ lock, of }): Step => ({ op: isAsSeen(lock), of, otherwise: 'lockMoved' }));
  const series = writes.flatMap((write): readonly Step[] => [
    { op: isAsSeen(write.series), of: [write], otherwise: 'seriesMoved' },
    { op: { verb: 'set', key: write.series.key, value: write.value }, of: [write], otherwise: null },
  ]);
  return [...bucket, ...locks, ...series];
}

/** Of two that have seen one lock at different versions one fails, and only that one. */
function byLock(writes: readonly Write[]): readonly { readonly lock: KeyVersion; readonly of: readonly Write[] }[] {
  const locks = new Map<string, { readonly lock: KeyVersion; readonly of: Write[] }>();
  for (const write of writes) {
    if (write.lock === null) continue;
    const id = `${write.lock.index} ${write.lock.key}`;
    const known = locks.get(id) ?? { lock: write.lock, of: [] };
    known.of.push(write);
    locks.set(id, known);
  }
  return [...locks.values()];
}

const isAsSeen = ({ key, index }: KeyVersion): TxnOp =>
  index > 0 ? { verb: 'check-index', key, index } : { verb: 'check-not-exists', key };

async function send(
  consul: Pick<Consul, 'txn'>,
  writes: readonly Write[],
  signal: AbortSignal,
): Promise<readonly (Commit | 'again')[]> {
  const steps = stepsOf(writes);
  try {
    const result = await consul.txn(
      steps.map(({ op }) => op),
      signal,
    );
    if (result.kind === 'rejected') return refused(writes, steps, result.rejections);
    return writes.map((write, at) => committed(write, result.entries[at]));
  } catch (error) {
    return writes.map(() => failed(error, signal));
  }
}

/** Whatever else has failed, the request may have been sent. */
function failed(error: unknown, signal: AbortSignal): Commit {
  if (signal.aborted) return { kind: 'unknown', reason: 'this replica is stopping' };
  if (!(error instanceof ConsulError)) return { kind: 'unknown', reason: `a defect of the operator: ${String(error)}` };
  return { kind: error.kind === 'unknown' ? 'unknown' : 'failed', reason: error.message };
}

function committed({ series }: Write, entry: KvEntry | undefined): Commit {
  if (entry?.key === series.key) return { kind: 'committed', entry };
  return { kind: 'unknown', reason: 'Consul has committed a claim and did not say how it stands' };
}

/** Nothing was written. Those that are to blame hear so, the others go again. */
function refused(
  writes: readonly Write[],
  steps: readonly Step[],
  rejections: readonly TxnRejection[],
): readonly (Commit | 'again')[] {
  const outcomes = new Map<Write, Commit>();
  for (const rejection of rejections) {
    const step = steps[rejection.op];
    for (const write of step?.of ?? writes) {
      if (!outcomes.has(write)) outcomes.set(write, outcomeOf(rejection, step?.otherwise ?? null));
    }
  }
  const nobody: Commit = { kind: 'failed', reason: 'Consul has refused claims and gave no reason' };
  return writes.map((write) => outcomes.get(write) ?? (outcomes.size === 0 ? nobody : 'again'));
}

const CHECKS: readonly TxnRejection['reason'][] = ['session-check', 'index-check', 'exists'];

const outcomeOf = ({ reason, text }: TxnRejection, otherwise: Step['otherwise']): Commit =>
  otherwise !== null && CHECKS.includes(reason) ? { kind: otherwise } : { kind: 'failed', reason: text };
