/** Transactions on a lock, and what their refusals mean. Rule (c): guards first, for every key the plan saw. */
import type { Locking, LockTransaction, TokenRule, Unlocking } from '../../election/actions.ts';
import type { BucketGuard, GroupKeys, LockView } from '../../election/observation.ts';
import { formatRecord, type LockRecord } from '../../election/record.ts';
import { fencingVersion, verificationOf } from '../../election/trust.ts';
import { ConsulError, type TxnOp, type TxnRejection, type TxnResult } from '../../ports/consul.ts';
import { refusedAgain } from '../observe/memory.ts';
import { again, answeredToken, failed, type Locked, later, type NotOk, OK, type Run, type Step } from './run.ts';

/** A closed lock is tried again after 1 to 2 s: no watch tells when a lock-delay ends. */
const LOCK_DELAY_RETRY_MS = 1000;

/**
 * Sends the transaction that gives the lock to a pod. Committed, it is the proof that the pod's promotion needs. Refused, the lock is unknown and read
 * again. With an unknown outcome it is unknown too; whatever is planned next moves the index and so makes a late
 * arrival void.
 */
export async function changeLock(run: Run, change: Locking): Promise<Locked> {
  const { sessionManager, locks } = run.ports;
  const token = tokenFor(run, change.token);
  if (change.from !== null && isNewReign(change)) run.memory.learn({ kind: 'moveSent' });
  const result = await send(run, lockOps(change, run.observation.keys, token));
  if (result.kind === 'rejected') return refusal(run, change, result.rejections);
  locks.applied(run.group, result.entries);
  const { uid } = change.to.pod;
  run.memory.learn({
    kind: 'locked',
    uid,
    newReign: isNewReign(change),
    verifiedAt: verificationOf(run.observation.ownership, locks.view(run.group)),
  });
  sessionManager.prove(change.to.session);
  return { kind: 'ok', proof: { pod: change.to.pod, token } };
}

const isNewReign = ({ view, to }: Locking): boolean => view.record?.holder.uid !== to.pod.uid;

/** Sends the transaction after which nobody has the lock: it proves nothing. */
export async function unlock(run: Run, change: Unlocking): Promise<Step> {
  const { keys, lock } = run.observation;
  const { locks } = run.ports;
  run.memory.learn({ kind: 'moveSent' });
  const result = await send(run, lockOps(change, keys, tokenFor(run, change.token)));
  if (result.kind === 'rejected') return refusal(run, change, result.rejections);
  locks.applied(run.group, result.entries);
  const version = fencingVersion(keys, locks.view(run.group));
  run.memory.learn({ kind: 'unlocked', version, before: fencingVersion(keys, lock) });
  return OK;
}

/** Fixed when the transaction is sent: above whatever this plan's fencing patches have shown. */
const tokenFor = (run: Run, rule: TokenRule): number =>
  rule.kind === 'keep' ? rule.token : Math.max(rule.token, answeredToken(run)) + 1;

async function send(run: Run, ops: readonly TxnOp[]): Promise<TxnResult> {
  const { consul, locks } = run.ports;
  const over = locks.writing(run.group);
  try {
    return await consul.txn(ops, run.signal);
  } catch (error) {
    if (!(error instanceof ConsulError) || error.kind === 'unknown') locks.invalidate(run.group);
    throw error;
  } finally {
    over();
  }
}

function refusal(run: Run, change: LockTransaction, rejections: readonly TxnRejection[]): NotOk {
  const { clock, random, sessionManager, locks, invalidateOwnership } = run.ports;
  locks.invalidate(run.group);
  run.memory.learn({ kind: 'moveRefused' });
  const first = rejections[0];
  switch (first?.reason) {
    case 'session-check':
      invalidateOwnership();
      return later('this replica no longer owns the bucket');
    case 'invalid-session':
      if (change.to !== null) sessionManager.lost(change.to.session);
      return again(`Consul has lost the session ${change.to?.session ?? ''}`);
    case 'lock-delay':
      run.memory.learn({ kind: 'lockDelayed', untilMs: clock.nowMs() + LOCK_DELAY_RETRY_MS * (1 + random.next()) });
      return again('the lock is closed for its lock-delay');
    case 'denied':
      run.memory.learn({
        kind: 'consulDenied',
        refusal: refusedAgain(run.memory.now.consulDenied, first.text, clock.nowMs()),
      });
      return again(first.text);
    case 'held':
    case 'index-check':
    case 'exists':
    case 'not-holder':
      return again(`the lock has changed: ${first.text}`);
    case 'other':
    case undefined:
      return failed(`Consul refused the transaction: ${first?.text ?? 'no reason given'}`);
  }
}

/** Leaves the last token of a deleted group; refused when the lock has changed since. */
export async function bury(run: Run, guard: BucketGuard, view: LockView, record: LockRecord): Promise<Step> {
  const token = Math.max(record.token, answeredToken(run));
  const result = await send(run, buryOps(guard, view, run.observation.keys, { ...record, token }));
  run.ports.locks.invalidate(run.group);
  return result.kind === 'committed' ? OK : again(`the lock has changed: ${result.rejections[0]?.text ?? ''}`);
}

/** The operations for `change`, in order: bucket guard, versions, unlock, lock, record and token beside a lockKey. */
export function lockOps(change: LockTransaction, keys: GroupKeys, token: number): readonly TxnOp[] {
  const value = formatRecord({ ...change.record, token });
  return [...guards(change.guard, change.view), ...move(change, keys, value), ...beside(change, keys, value, token)];
}

function move({ from, to }: LockTransaction, keys: GroupKeys, value: string): readonly TxnOp[] {
  const key = keys.lock;
  return [
    ...(from === null ? [] : [{ verb: 'unlock', key, session: from, value } as const]),
    ...(to === null ? [] : [{ verb: 'lock', key, session: to.session, value } as const]),
  ];
}

/** Strangers overwrite or delete what stands under a shared key, so the record also stands under our own prefix. */
function beside({ to }: LockTransaction, keys: GroupKeys, value: string, token: number): readonly TxnOp[] {
  if (keys.record === null || keys.token === null || to === null) return [];
  return [
    { verb: 'set', key: keys.record, value },
    { verb: 'set', key: keys.token, value: String(token) },
  ];
}

/** The bucket is still this session's, and every key still has the version that was seen. */
const guards = (guard: BucketGuard, view: LockView): readonly TxnOp[] => [
  { verb: 'check-session', key: guard.key, session: guard.session },
  ...view.versions.map(
    ({ key, index }): TxnOp => (index > 0 ? { verb: 'check-index', key, index } : { verb: 'check-not-exists', key }),
  ),
];

/** Writes what stays of a deleted group: in its lock, or beside a lockKey in the record only. Guarded like every change. */
export function buryOps(guard: BucketGuard, view: LockView, keys: GroupKeys, record: LockRecord): readonly TxnOp[] {
  const ours = keys.record ?? keys.lock;
  const versions = view.versions.filter(({ key }) => key === ours);
  return [...guards(guard, { ...view, versions }), { verb: 'set', key: ours, value: formatRecord(record) }];
}
