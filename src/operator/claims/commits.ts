/**
 * Writes claims, those of all buckets together. A claim counts only if at that very Raft index its bucket is ours, its pod has the lock and the
 * series stands where it was seen: so of two claims on one mark one is written, and none for a pod that leads no more. A transaction is made
 * as a whole or not at all, so whoever is to blame is told, and the others go again.
 */
import type { BucketGuard, KeyVersion } from '../../election/observation.ts';
import { type Consul, ConsulError, type KvEntry, type TxnOp, type TxnRejection } from '../../ports/consul.ts';
import { createBatches } from './batches.ts';

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

/** Consul takes no more in one transaction (from 1.14 on, as it reads several keys at once). */
const MOST_OPS = 128;
/**
 * Transactions under way. Two are enough for a Consul that answers within a millisecond; one that takes ten is used to the full by four, and one
 * request whose answer does not come holds up a quarter of them.
 */
const AT_ONCE = 4;

/** `sent`: told how many go in each transaction. `signal` ends what is under way. */
export function createCommits(
  consul: Pick<Consul, 'txn'>,
  sent: (writes: number) => void,
  signal: AbortSignal,
): Commits {
  const batches = createBatches<Write, Commit>({
    atOnce: AT_ONCE,
    laneOf: ({ guard }) => guard.key,
    room,
    run: async (writes) => {
      sent(writes.length);
      return await send(consul, writes, signal);
    },
  });
  return { commit: (write, urgent) => batches.add(write, urgent) };
}

/** Counted as `stepsOf` makes them. Of a series there is one at a time: of two the second would find the first. */
function room(): (write: Write) => boolean {
  const series = new Set<string>();
  const checked = new Set<string>();
  return (write) => {
    const more = [bucketId(write), lockId(write)].filter((id) => id !== null && !checked.has(id));
    if (series.has(write.series.key) || series.size + checked.size + more.length + 1 > MOST_OPS) return false;
    series.add(write.series.key);
    for (const id of more) if (id !== null) checked.add(id);
    return true;
  };
}

/** An operation, the writes that stand or fall with it, and what it means for them if what it checks is otherwise. */
type Step = {
  readonly op: TxnOp;
  readonly of: readonly Write[];
  readonly otherwise: 'lockMoved' | 'seriesMoved' | 'bucketLost';
};

/** Each bucket and each lock is checked once for all that rest on it: whoever is to blame for a failure is known by the operation. */
function stepsOf(writes: readonly Write[]): readonly Step[] {
  const buckets = checks(writes, bucketId, ({ guard }, of): Step => {
    return { op: { verb: 'check-session', ...guard }, of, otherwise: 'bucketLost' };
  });
  const locks = checks(writes, lockId, ({ lock }, of): readonly Step[] =>
    lock === null ? [] : [{ op: { verb: 'check-index', ...lock }, of, otherwise: 'lockMoved' }],
  );
  const series = writes.map((write): Step => {
    return { op: { verb: 'cas', ...write.series, value: write.value }, of: [write], otherwise: 'seriesMoved' };
  });
  return [...buckets, ...locks.flat(), ...series];
}

/** Of two that have seen one key otherwise one fails, and only that one. */
function checks<T>(
  writes: readonly Write[],
  idOf: (write: Write) => string | null,
  check: (first: Write, of: readonly Write[]) => T,
): readonly T[] {
  const groups = Map.groupBy(writes, idOf);
  return [...groups.values()].flatMap((of) => (of[0] === undefined ? [] : [check(of[0], of)]));
}

const bucketId = ({ guard }: Write): string => `${guard.session} ${guard.key}`;
const lockId = ({ lock }: Write): string | null => (lock === null ? null : `${lock.index} ${lock.key}`);

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

const CHECKS: readonly TxnRejection['reason'][] = ['session-check', 'index-check'];

const outcomeOf = ({ reason, text }: TxnRejection, otherwise: Step['otherwise'] | null): Commit =>
  otherwise !== null && CHECKS.includes(reason) ? { kind: otherwise } : { kind: 'failed', reason: text };
