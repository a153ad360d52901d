/** Records that cannot be believed, each kind of them. */
import { describe, expect, it } from 'vitest';
import type { LockView, Observation } from '../../../src/election/observation.ts';
import { plan } from '../../../src/election/plan.ts';
import { trustOf, versionOf } from '../../../src/election/trust.ts';
import { aGroup, aLeader, aPod } from '../../kit/fakes/builders.ts';
import {
  aLock,
  anObservation,
  aRecord,
  aSession,
  heldBy,
  LOCK_KEY,
  NOW_MS,
  observed,
  steps,
  theAction,
} from '../../kit/fakes/builders-election.ts';

const member = (name: string) => observed(aPod({ name }));

const KINDS: readonly (readonly [string, LockView])[] = [
  ['missing', aLock()],
  ['previousIncarnation', aLock({ record: aRecord('a', 9, { groupUid: 'uid-of-another' }) })],
  ['previousIncarnation', aLock({ record: aRecord('a', 9, { generation: 2 }) })],
  ['tooLow', aLock({ record: aRecord('a', 3) })],
  ['contradicted', aLock({ session: 'session-of-a', record: aRecord('b', 9) })],
];

describe('trust in a record', () => {
  it.each(KINDS)('is not given: %s', (kind, lock) => {
    const holder = lock.session === null ? null : aSession('a');
    expect(trustOf(anObservation(), lock, holder)).toBe(kind);
  });

  it('is given to one of this group, of a generation that exists, with the highest token seen', () => {
    expect(trustOf(anObservation(), heldBy('a'), aSession('a'))).toBe('good');
    expect(trustOf(anObservation(), aLock({ record: aRecord('gone', 4) }), null)).toBe('good');
    const edited = aGroup({ generation: 5 });
    expect(trustOf(anObservation({ group: edited }), heldBy('a'), aSession('a'))).toBe('good');
  });

  it('beside a shared key the token counter may stand for a lower record', () => {
    expect(trustOf(anObservation(), aLock({ record: aRecord('a', 2), sharedToken: 4 }), null)).toBe('good');
  });

  it('a lock’s version names the index of every key; an unread one has none', () => {
    const versions = [1, 0, 7].map((index) => ({ key: `${index}`, index }));
    expect(versionOf(aLock({ versions }))).toBe('1/0/7');
    expect(versionOf(null)).toBeNull();
  });
});

describe('a record that cannot be believed', () => {
  const fresh = (overrides: Partial<Observation>): Observation =>
    anObservation({ freshList: true, groupConfirmed: true, ...overrides });

  it.each(KINDS)('makes the lock read and the pods listed anew first: %s', (kind, lock) => {
    const planned = plan(anObservation({ lock, groupConfirmed: kind === 'previousIncarnation' }));
    expect(steps(planned)).toEqual(['readLock', 'listPods']);
  });

  it('of another incarnation needs the API server’s word on the group before that', () => {
    const lock = aLock({ record: aRecord('a', 9, { generation: 2 }) });
    expect(steps(plan(anObservation({ lock })))).toEqual(['readGroup']);
  });

  it('makes every other member and everyone labelled fenced, members without a label too', () => {
    const outside = observed(aLeader(2, { name: 'x' }), { member: false });
    const bystander = observed(aPod({ name: 'y' }), { member: false });
    const pods = [observed(aLeader(4, { name: 'a' })), member('b'), outside, bystander];
    expect(steps(plan(fresh({ lock: aLock(), pods })))).toEqual(['fence b,x', 'take a', 'promote a']);
  });

  it('elects whoever carries the label under the highest token', () => {
    const pods = [observed(aLeader(2, { name: 'a' })), observed(aLeader(7, { name: 'b' })), member('c')];
    expect(steps(plan(fresh({ lock: aLock(), pods })))).toEqual(['fence a,c', 'take b', 'promote b']);
  });

  it('else whoever holds the lock, if it is fit', () => {
    const lock = aLock({ session: 'session-of-b' });
    const pods = [member('a'), member('b')];
    expect(steps(plan(fresh({ lock, pods })))).toEqual(['fence a', 'verify b', 'promote b']);
    const degraded = [member('a'), observed(aPod({ name: 'b', ready: false }))];
    expect(steps(plan(fresh({ lock, pods: degraded })))).toEqual(['fence b', 'handOver a', 'promote a']);
  });

  it('also when the lock is ours: the token is raised above all that is seen', () => {
    const lock = aLock({ session: 'session-of-a', record: aRecord('a', 2) });
    const planned = plan(fresh({ lock }));
    expect(theAction(planned, 'verify').transaction.token).toEqual({ kind: 'above', token: 4 });
  });

  it('is a first election where nobody has ever led, else the record was lost', () => {
    const never = [member('a'), member('b')];
    expect(plan(fresh({ lock: aLock(), pods: never })).cause).toBe('FirstElection');
    expect(plan(fresh({ lock: aLock() })).cause).toBe('RecordLost');
  });

  it('takes the next token from the group as the API server has it now: a cached status may lag', () => {
    expect(steps(plan(fresh({ lock: aLock(), groupConfirmed: false })))).toEqual(['readGroup']);
  });

  it('fences nobody twice at one version of the lock: each fencing patch would wake the group once more', () => {
    const lock = aLock();
    const fenced = new Set(['uid-of-b', 'uid-of-c']);
    expect(steps(plan(fresh({ lock, fenced })))).toEqual(['take a', 'promote a']);
    const labelledAgain = [observed(aLeader(3, { name: 'a' })), observed(aLeader(2, { name: 'b' }))];
    expect(steps(plan(fresh({ lock, fenced, pods: labelledAgain })))).toEqual(['fence b', 'take a', 'promote a']);
  });

  it('fences a pod that has led before and is no member any more: it may be the last holder', () => {
    const former = { ...observed(aLeader(2, { name: 'b', labels: {} })), member: false };
    const stranger = { ...observed(aPod({ name: 'c' })), member: false };
    const pods = [observed(aPod({ name: 'a' })), former, stranger];
    expect(steps(plan(fresh({ lock: aLock(), pods })))).toEqual(['fence b', 'take a', 'promote a']);
  });

  it('fences whom the record of an earlier group names, also where nothing on that pod tells of it any more', () => {
    const lock = aLock({ record: aRecord('b', 4, { groupUid: 'uid of an earlier group' }) });
    const former = { ...observed(aPod({ name: 'b', phase: 'Succeeded' })), member: false };
    const planned = plan(fresh({ lock, pods: [observed(aPod({ name: 'a' })), former] }));
    expect(steps(planned)).toEqual(['fence b', 'take a', 'promote a']);
  });

  it('waits where nobody can lead', () => {
    const pods = [observed(aPod({ name: 'a', ready: false }))];
    expect(plan(fresh({ lock: aLock(), pods })).verdict?.ready.reason).toBe('NoCandidate');
  });

  it('of a group that never had a member leaves nothing to elect', () => {
    expect(plan(anObservation({ lock: aLock(), pods: [] })).verdict?.ready.reason).toBe('NoMembers');
  });

  it('waits for a lock that Consul keeps closed', () => {
    const planned = plan(fresh({ lock: aLock(), lockDelayedUntilMs: NOW_MS + 900 }));
    expect(planned).toMatchObject({ kind: 'idle', againMs: 900, verdict: { ready: { reason: 'LockDelay' } } });
  });

  it('gets sessions opened first', () => {
    expect(steps(plan(fresh({ lock: aLock(), sessions: [] })))).toEqual(['openSessions a']);
  });

  it('is written anew under the version of the lock that was read', () => {
    const lock = aLock({ versions: [{ key: LOCK_KEY, index: 0 }] });
    expect(theAction(plan(fresh({ lock })), 'take').transaction.view).toEqual(lock);
  });
});

describe('a group by which nobody can have led', () => {
  const fresh = (name: string) => observed(aPod({ name }), { neverPromoted: true });
  const nothing = aLock({ versions: [{ key: LOCK_KEY, index: 0 }] });
  const untouched = (overrides: Partial<Observation> = {}): Observation =>
    anObservation({ lock: nothing, pods: [fresh('a'), fresh('b')], untouched: 'read', ...overrides });

  it('gets its first leader without a list and without a fencing patch', () => {
    expect(steps(plan(untouched()))).toEqual(['take a', 'promote a']);
  });

  it('has its lock read after the finalizer first', () => {
    expect(steps(plan(untouched({ untouched: 'unread' })))).toEqual(['readLock']);
  });

  it('has whoever carries the label fenced all the same', () => {
    const labelled = observed(aLeader(0, { name: 'x', ready: false }), { neverPromoted: true });
    expect(steps(plan(untouched({ pods: [fresh('a'), labelled] })))).toEqual(['fence x', 'take a', 'promote a']);
  });

  it('is none where a pod may have been promoted', () => {
    const pods = [fresh('a'), observed(aPod({ name: 'b' }))];
    expect(steps(plan(untouched({ pods })))).toEqual(['readLock', 'listPods']);
  });
});
