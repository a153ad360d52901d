import { describe, expect, it } from 'vitest';
import { transaction } from '../../../../src/election/transactions.ts';
import { buryOps, lockOps } from '../../../../src/operator/execute/execute-locks.ts';
import { aPod } from '../../../kit/fakes/builders.ts';
import {
  aFreeLock,
  aHeldLock,
  aLock,
  anObservation,
  aRecord,
  aSession,
  FENCE,
  heldBy,
  LOCK_KEY,
  OWN_KEYS,
  observed,
} from '../../../kit/fakes/builders-election.ts';
import { uidOf } from '../../../kit/fakes/ids.ts';

const SHARED = {
  lock: 'shared/cron/.lock',
  record: 'ours/.record',
  token: 'shared/cron/.token',
  earlier: 'ours/.lock',
};
const b = { namespace: 'default', name: 'b', uid: uidOf('b') };
const o = anObservation({ pods: [observed(aPod({ name: 'b' }))] });
const view = heldBy('a');

/** An older version wrote the record before: whatever could have been asked for by now counts as handled. */
const switchover = { atMs: 1_700_000_060_000, to: null };

const record = (token: number, writes: number, holder = 'b') =>
  JSON.stringify(aRecord(holder, token, { writes, switchover }));

describe('a lock transaction', () => {
  it('begins with its bucket, then the version it was planned with, then moves the lock', () => {
    const change = transaction.handOver(o, aHeldLock('a'), { session: aSession('b'), pod: b });
    expect(lockOps(change.transaction, OWN_KEYS, 5)).toEqual([
      { verb: 'check-session', key: FENCE.key, session: FENCE.session },
      { verb: 'check-index', key: LOCK_KEY, index: 40 },
      { verb: 'unlock', key: LOCK_KEY, session: 'session-of-a', value: sorted(5) },
      { verb: 'lock', key: LOCK_KEY, session: 'session-of-b', value: sorted(5) },
    ]);
  });

  it('checks that a key does not exist only where none was seen', () => {
    const never = aLock({ versions: [{ key: LOCK_KEY, index: 0 }] });
    const change = transaction.take(o, aFreeLock(never), aSession('b'), b);
    expect(lockOps(change.transaction, OWN_KEYS, 1).map(({ verb }) => verb)).toEqual([
      'check-session',
      'check-not-exists',
      'lock',
    ]);
  });

  it('beside a shared key checks all three keys, and writes record and token with the lock', () => {
    const versions = [
      { key: SHARED.lock, index: 0 },
      { key: SHARED.record, index: 7 },
      { key: SHARED.token, index: 8 },
    ];
    const change = transaction.take(o, aFreeLock(aLock({ versions })), aSession('b'), b);
    expect(lockOps(change.transaction, SHARED, 3).map(({ verb, key }) => [verb, key])).toEqual([
      ['check-session', FENCE.key],
      ['check-not-exists', SHARED.lock],
      ['check-index', SHARED.record],
      ['check-index', SHARED.token],
      ['lock', SHARED.lock],
      ['set', SHARED.record],
      ['set', SHARED.token],
    ]);
    expect(lockOps(change.transaction, SHARED, 3).at(-1)).toMatchObject({ value: '3' });
  });

  it('that gives the lock up leaves a record that names who had it, and its token', () => {
    const change = transaction.unlock(o, aHeldLock('a'));
    const ops = lockOps(change.transaction, OWN_KEYS, 4);
    expect(ops.map(({ verb }) => verb)).toEqual(['check-session', 'check-index', 'unlock']);
    expect(JSON.parse((ops.at(-1) as { value: string }).value)).toEqual(JSON.parse(record(4, 5, 'a')));
  });

  it('that verifies locks again with another value: an identical one would leave the index alone', () => {
    const change = transaction.verify(o, aHeldLock('b'), b, false);
    const value = (lockOps(change.transaction, OWN_KEYS, 4).at(-1) as { value: string }).value;
    expect(JSON.parse(value)).toEqual(JSON.parse(record(4, 5)));
  });
});

describe('what stays of a deleted group', () => {
  const buried = aRecord('b', 9, { deleted: 28_000_000 });

  it('is written under the bucket and at the version that was seen', () => {
    expect(buryOps(FENCE, view, OWN_KEYS, buried)).toEqual([
      { verb: 'check-session', key: FENCE.key, session: FENCE.session },
      { verb: 'check-index', key: LOCK_KEY, index: 40 },
      { verb: 'set', key: LOCK_KEY, value: JSON.stringify(buried) },
    ]);
  });

  it('is never written to the shared keys, whose versions do not matter', () => {
    const versions = [SHARED.lock, SHARED.record, SHARED.token].map((key, at) => ({ key, index: at + 5 }));
    expect(buryOps(FENCE, aLock({ versions }), SHARED, buried)).toEqual([
      { verb: 'check-session', key: FENCE.key, session: FENCE.session },
      { verb: 'check-index', key: SHARED.record, index: 6 },
      { verb: 'set', key: SHARED.record, value: JSON.stringify(buried) },
    ]);
  });
});

/** The record of a handover to b. */
function sorted(token: number): string {
  const { v, groupUid, generation, holder, writes } = aRecord('b', token, { writes: 5 });
  return JSON.stringify({ v, groupUid, generation, holder, writes, switchover, token });
}
