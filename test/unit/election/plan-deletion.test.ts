import { describe, expect, it } from 'vitest';
import type { LeaderGroup } from '../../../src/api/leadergroup.ts';
import type { Observation } from '../../../src/election/observation.ts';
import { plan } from '../../../src/election/plan.ts';
import { aGroup, aLeader, aPod, type GroupOverrides } from '../../kit/fakes/builders.ts';
import {
  aLock,
  anObservation,
  aRecord,
  freeAfter,
  heldBy,
  NOW_MS,
  observed,
  steps,
  theAction,
} from '../../kit/fakes/builders-election.ts';
import { sessionId } from '../../kit/fakes/ids.ts';

const deleted = (overrides: GroupOverrides = {}): LeaderGroup => aGroup({ deleting: true, ...overrides });
const deleting = (overrides: Partial<Observation> = {}): Observation =>
  anObservation({ group: deleted(), deletingSinceMs: NOW_MS - 100, ...overrides });

/** Fenced, not cleaned yet. */
const marked = (name: string) =>
  observed(
    aPod({ name, annotations: { 'token.leadergroup.dev/notifier': '4', 'fenced.leadergroup.dev/notifier': 'x' } }),
  );

describe('a group is being deleted', () => {
  it('everyone labelled is fenced, then the lock is given up', () => {
    expect(steps(plan(deleting()))).toEqual(['fence a', 'unlock']);
  });

  it('then its last token is left in Consul, its traces on pods go, and last the finalizer', () => {
    const o = deleting({
      pods: [marked('a'), observed(aPod({ name: 'b' }))],
      lock: freeAfter('a'),
      fenced: new Set(['uid-of-a']),
    });
    expect(steps(plan(o))).toEqual(['bury', 'cleanUp a', 'removeFinalizer']);
  });

  it('the previous holder is fenced although it carries no label', () => {
    expect(steps(plan(deleting({ pods: [marked('a')], lock: freeAfter('a') })))[0]).toBe('fence a');
  });

  it('nothing is left of a group that never gave a token', () => {
    const lock = aLock({ versions: [{ key: 'k', index: 0 }] });
    expect(steps(plan(deleting({ pods: [], lock })))).toEqual(['removeFinalizer']);
  });

  it('beside a shared key the last token is left under our own prefix', () => {
    const keys = {
      lock: 'shared/cron/.lock',
      record: 'ours/.record',
      token: 'shared/cron/.token',
      earlier: 'ours/.lock',
    };
    const group = deleted({ spec: { lockKey: 'shared/cron' } });
    const index = (key: string, at: number) => ({ key, index: at });
    const lock = (record: number) =>
      aLock({
        record: aRecord('gone', 4),
        versions: [index(keys.lock, 5), index(keys.record, record), index(keys.token, 6)],
      });
    const fenced = new Set(['uid-of-gone']);
    const planned = plan(deleting({ group, keys, pods: [], lock: lock(7), fenced }));
    expect(steps(planned)).toEqual(['bury', 'removeFinalizer']);
    expect(theAction(planned, 'bury').record).toMatchObject({ token: 4, groupUid: group.uid });
  });

  it('an external holder keeps its lock, our own session is adopted first', () => {
    const lock = { ...heldBy('a'), session: sessionId('of-nobody') };
    expect(steps(plan(deleting({ lock })))).toEqual(['readHolderSession']);
    const holderSession = { kind: 'external', name: 's', node: 'n' } as const;
    expect(steps(plan(deleting({ lock, holderSession })))).toEqual(['fence a']);
  });

  it('a label that is another group’s business stays on the pod', () => {
    const pods = [
      observed(
        { ...marked('a').pod, labels: { 'leadergroup.dev/role': 'leader' } },
        { claimedByOther: true, member: false },
      ),
    ];
    const o = deleting({ pods, lock: freeAfter('gone'), fenced: new Set(['uid-of-gone']) });
    expect(theAction(plan(o), 'cleanUp').pods[0]?.label).toBe('keep');
  });

  it('followers’ labels go too', () => {
    const label = { key: 'leadergroup.dev/role', leader: 'leader', follower: 'follower' };
    const pods = [observed(aPod({ name: 'b', labels: { app: 'notifier', [label.key]: 'follower' } }))];
    const o = deleting({
      group: deleted({ spec: { label } }),
      pods,
      lock: freeAfter('gone'),
      fenced: new Set(['uid-of-gone']),
    });
    expect(theAction(plan(o), 'cleanUp').pods).toMatchObject([{ pod: { name: 'b' }, label: 'remove' }]);
  });

  it('gives nobody the value of a follower: the patch may arrive when the group is gone', () => {
    const label = { key: 'leadergroup.dev/role', leader: 'leader', follower: 'follower' };
    const pods = [observed(aLeader(3, { name: 'a' }))];
    const o = deleting({ group: deleted({ spec: { label } }), pods, lock: freeAfter('a') });
    expect(theAction(plan(o), 'fence').targets).toMatchObject([{ pod: { name: 'a' }, label: 'remove' }]);
  });

  it('nothing is left to do without our finalizer', () => {
    expect(plan(deleting({ group: deleted({ finalizers: ['another'] }) })).kind).toBe('idle');
  });

  it('a replica that does not own the bucket leaves it to the owner', () => {
    expect(plan(deleting({ ownership: { kind: 'notOwned' } })).kind).toBe('idle');
  });

  it('pause and a stall do not hold it up', () => {
    const o = deleting({ group: deleted({ spec: { paused: true } }), overlapsWith: 'older', lockKeyProblem: 'no' });
    expect(steps(plan(o))).toEqual(['fence a', 'unlock']);
  });

  it('nothing is done before a read has shown that it is this very group: a cache may show an earlier one', () => {
    expect(steps(plan(deleting({ deletionConfirmed: false })))).toEqual(['readGroup']);
  });

  it('the token that is left is the highest that anybody has seen', () => {
    const o = deleting({
      pods: [observed(aPod({ name: 'b', annotations: { 'token.leadergroup.dev/notifier': '9' } }))],
      lock: freeAfter('a', 4),
      fenced: new Set(['uid-of-a']),
    });
    expect(theAction(plan(o), 'bury').record).toMatchObject({ token: 9, deleted: Math.floor(o.wallSeconds / 60) });
  });

  it('what is left once is not written again', () => {
    const lock = aLock({ record: aRecord('a', 4, { deleted: 28_000_000 }) });
    const o = deleting({ pods: [marked('a')], lock, fenced: new Set(['uid-of-a']) });
    expect(steps(plan(o))).toEqual(['cleanUp a', 'removeFinalizer']);
  });

  it('a group that never led leaves the time of its own deletion, not that of the one before it', () => {
    const record = aRecord('a', 4, { deleted: 28_000_000, groupUid: 'uid-of-the-one-before' });
    const o = deleting({ pods: [], lock: aLock({ record }), fenced: new Set(['uid-of-a']) });
    expect(theAction(plan(o), 'bury').record).toMatchObject({ token: 4, deleted: Math.floor(o.wallSeconds / 60) });
  });
});

describe('a group whose label may not be taken off', () => {
  const refused = { fencingRefused: { message: 'the policy says no', status: 422, retryAtMs: NOW_MS + 30_000 } };

  it('says so while it waits', () => {
    const planned = plan(deleting(refused));
    expect(planned.verdict?.ready).toEqual({ status: 'False', reason: 'Deleting' });
    expect(planned.verdict?.detail).toContain('the policy says no');
    expect(planned.againMs).toBeGreaterThan(0);
  });

  it.each([
    ['leaves its token and goes', 25_000, ['bury', 'removeFinalizer']],
    ['goes, whatever else fails', 30_000, ['removeFinalizer']],
  ] as const)('%s after a while', (_what, waitedMs, expected) => {
    expect(steps(plan(deleting({ ...refused, deletingSinceMs: NOW_MS - waitedMs })))).toEqual(expected);
  });
});

describe('a group is being deleted while Consul is away', () => {
  it.each([
    { consulUnreachable: true },
    { ownership: { kind: 'lapsed' } },
    { ownership: { kind: 'neverKnown' } },
    { consulDenied: { message: 'no', retryAtMs: NOW_MS + 1 } },
  ] as const)('labels come off first: %j', (away) => {
    expect(steps(plan(deleting(away)))).toEqual(['fence a']);
  });

  it('Consul is waited for for ten seconds', () => {
    const pods = [marked('a')];
    const waiting = deleting({ consulUnreachable: true, pods, deletingSinceMs: NOW_MS - 9500 });
    expect(plan(waiting)).toMatchObject({ kind: 'idle', againMs: 500 });
    const over = deleting({ consulUnreachable: true, pods, deletingSinceMs: NOW_MS - 10_000 });
    expect(steps(plan(over))).toEqual(['cleanUp a', 'removeFinalizer']);
  });
});
