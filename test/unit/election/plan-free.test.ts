import { describe, expect, it } from 'vitest';
import type { LeaderGroup, LeaderGroupStatus } from '../../../src/api/leadergroup.ts';
import type { Observation } from '../../../src/election/observation.ts';
import { plan } from '../../../src/election/plan.ts';
import { buildStatus } from '../../../src/election/status.ts';
import { aGroup, aLeader, aPod } from '../../kit/fakes/builders.ts';
import {
  aLock,
  anObservation,
  aRecord,
  aSession,
  FENCE,
  freeAfter,
  NOW_MS,
  observed,
  readyFor,
  steps,
  theAction,
} from '../../kit/fakes/builders-election.ts';

const LABELLED = { app: 'notifier', 'leadergroup.dev/role': 'leader' };
const member = (name: string) => observed(aPod({ name }));
const shared = { spec: { lockKey: 'shared/cron' } };

describe('the lock is free', () => {
  it('the recorded holder goes on, its label untouched, under a higher token', () => {
    const planned = plan(anObservation({ lock: freeAfter('a') }));
    expect(steps(planned)).toEqual(['take a', 'promote a']);
    expect(planned.cause).toBe('SessionLost');
    expect(theAction(planned, 'take').transaction).toMatchObject({
      guard: FENCE,
      from: null,
      to: { session: 'session-of-a' },
      token: { kind: 'above', token: 4 },
      record: { holder: { uid: 'uid-of-a' }, writes: 5 },
    });
  });

  it('the recorded holder goes on also within minReadySeconds, which are for newcomers', () => {
    const group = aGroup({ spec: { minReadyMs: 120_000 } });
    expect(steps(plan(anObservation({ group, lock: freeAfter('a') })))).toContain('take a');
  });

  it('without it, whoever carries the label', () => {
    const pods = [member('b'), observed(aPod({ name: 'c', labels: LABELLED }))];
    expect(steps(plan(anObservation({ pods, lock: freeAfter('a') })))).toEqual(['fence a', 'take c', 'promote c']);
  });

  it('else the best', () => {
    const pods = [observed(aPod({ name: 'a', ready: false })), member('c'), member('b')];
    const planned = plan(anObservation({ pods, lock: freeAfter('a') }));
    expect(steps(planned)).toEqual(['fence a', 'take b', 'promote b']);
    expect(planned.cause).toBe('LeaderLost');
  });

  it('the previous holder and everyone else labelled are fenced before, the nominee never', () => {
    const pods = [observed(aLeader(3, { name: 'a', ready: false })), observed(aLeader(4, { name: 'b' })), member('c')];
    expect(steps(plan(anObservation({ pods, lock: freeAfter('a') })))).toEqual(['fence a', 'take b', 'promote b']);
  });

  it('the nominee gets a session first', () => {
    expect(steps(plan(anObservation({ lock: freeAfter('a'), sessions: [] })))).toEqual(['openSessions a']);
  });

  it('a first election takes what no session ever held', () => {
    const pods = [member('a'), member('b')];
    const lock = aLock({ record: aRecord('a', 0) });
    expect(steps(plan(anObservation({ pods, lock })))).toEqual(['take a', 'promote a']);
  });

  it('the token is above every one ever seen: on pods, in the status, in the record', () => {
    const pods = [observed(aPod({ name: 'a', annotations: { 'token.leadergroup.dev/notifier': '4' } })), member('b')];
    const planned = plan(anObservation({ pods, lock: freeAfter('a', 9) }));
    expect(theAction(planned, 'take').transaction.token).toEqual({ kind: 'above', token: 9 });
  });
});

describe('nobody can lead', () => {
  const unready = (name: string) => observed(aPod({ name, ready: false }));

  it('says so, and why', () => {
    const planned = plan(anObservation({ pods: [unready('a')], lock: freeAfter('a'), sessions: [] }));
    expect(planned).toMatchObject({ kind: 'idle', verdict: { ready: { status: 'False', reason: 'NoCandidate' } } });
    expect(planned.verdict?.detail).toBe(
      'none of 1 member can lead: 1 NotReady (a). Look at kubectl describe pod a; the first one that can lead is elected',
    );
  });

  it('sends nobody to a pod that the API server refuses to label: the refusal says why', () => {
    const pods = [
      observed(aPod({ name: 'b' }), { promotionRefused: { message: 'a policy', retryAtMs: NOW_MS + 5000 } }),
    ];
    expect(plan(anObservation({ pods, lock: freeAfter('gone'), sessions: [] })).verdict?.detail).toBe(
      'none of 1 member can lead: 1 PromotionRefused (b); a policy. The first one that can lead is elected',
    );
  });

  it('looks again when minReadySeconds have passed', () => {
    const group = aGroup({ spec: { minReadyMs: 10_000 } });
    const pods = [observed(aPod({ name: 'b' }), readyFor(4000))];
    expect(plan(anObservation({ group, pods, lock: freeAfter('gone'), sessions: [] }))).toMatchObject({
      kind: 'idle',
      againMs: 6000,
    });
  });

  it('looks again when a refused promotion may be tried again', () => {
    const pods = [observed(aPod({ name: 'b' }), { promotionRefused: { message: 'no', retryAtMs: NOW_MS + 5000 } })];
    expect(plan(anObservation({ pods, lock: freeAfter('gone'), sessions: [] })).againMs).toBe(5000);
  });

  it('names each reason with its members, the most frequent first, three of them at most', () => {
    const pods = [
      ...['e', 'd', 'c', 'b'].map(unready),
      observed(aPod({ name: 'x', annotations: { 'leadergroup.dev/candidate': 'false' } })),
    ];
    expect(plan(anObservation({ pods, lock: freeAfter('a'), sessions: [] })).verdict?.detail).toBe(
      'none of 5 members can lead: 4 NotReady (b, c, d, …), 1 Excluded (x). Look at kubectl describe pod b; the first one that can lead is elected',
    );
  });

  it('gives up sessions that nobody needs', () => {
    const planned = plan(anObservation({ pods: [], lock: freeAfter('a'), sessions: [aSession('gone')] }));
    expect(steps(planned)).toEqual(['destroySessions session-of-gone']);
  });
});

describe('a group without members', () => {
  const says = (o: Partial<Observation>) =>
    plan(anObservation({ pods: [], sessions: [], lock: aLock(), ...o })).verdict?.ready;
  const scaledToZero = { status: 'True', reason: 'ScaledToZero' };
  const status = (overrides: Partial<LeaderGroupStatus>): LeaderGroup =>
    aGroup({ status: { ...buildStatus(anObservation({ pods: [] }), null, [], ''), ...overrides } });

  it('is not Ready before anybody has led: whoever waits for a leader would go on too early', () => {
    const notYet = { status: 'False', reason: 'NoMembers' };
    expect(says({})).toEqual(notYet);
    expect(says({ group: status({ members: 2 }) })).toEqual(notYet);
    const previousIncarnation = aRecord('a', 4, { groupUid: 'uid-of-an-earlier-group' });
    expect(says({ lock: aLock({ record: previousIncarnation }), groupConfirmed: true })).toEqual(notYet);
  });

  it('is scaled to zero after somebody has led, which is no trouble', () => {
    expect(says({ lock: freeAfter('a') })).toEqual(scaledToZero);
    expect(says({ group: status({ leaderTransitions: 1 }) })).toEqual(scaledToZero);
  });
});

describe('Consul keeps the lock closed', () => {
  const closed = { lock: freeAfter('a'), lockDelayedUntilMs: NOW_MS + 1500 };

  it('is waited for without another try, and told', () => {
    const planned = plan(anObservation(closed));
    expect(planned).toMatchObject({
      kind: 'idle',
      againMs: 1500,
      verdict: { ready: { status: 'False', reason: 'LockDelay' } },
    });
  });

  it('is tried again at its time', () => {
    expect(steps(plan(anObservation({ ...closed, nowMs: NOW_MS + 1500 })))).toContain('take a');
  });
});

describe('a free lock under a shared key', () => {
  const keys = { lock: 'shared/cron/.lock', record: 'r', token: 't', earlier: 'e' };

  it('has everyone fenced first, the nominee too: an external holder may take it at any moment', () => {
    const o = anObservation({ group: aGroup(shared), keys, lock: freeAfter('a') });
    expect(steps(plan(o))).toEqual(['fence a', 'take a', 'promote a']);
  });

  it('has them fenced also when nobody can lead, or Consul keeps the lock closed', () => {
    const off = { group: aGroup(shared), keys, lock: freeAfter('a') };
    const pods = [observed(aLeader(4, { name: 'a', ready: false }))];
    expect(steps(plan(anObservation({ ...off, pods })))).toEqual(['fence a']);
    expect(steps(plan(anObservation({ ...off, lockDelayedUntilMs: NOW_MS + 1 })))).toEqual(['fence a']);
  });

  it('rests once they are', () => {
    const pods = [observed(aPod({ name: 'a', ready: false }))];
    const fenced = new Set(['uid-of-a']);
    const o = anObservation({ group: aGroup(shared), keys, lock: freeAfter('a'), pods, fenced, sessions: [] });
    expect(plan(o).kind).toBe('idle');
  });
});
