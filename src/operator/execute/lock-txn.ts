/** Writes a planned change of a lock as Consul's transaction. Rule (c): guards first, for every key the plan saw. */
import type { LockTransaction } from '../../election/actions.ts';
import type { BucketGuard, GroupKeys, LockView } from '../../election/observation.ts';
import { formatRecord, type LockRecord } from '../../election/record.ts';
import type { TxnOp } from '../../ports/consul.ts';

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
