/** Which rule decides, and the rules that keep the election from happening. */

import { describe, expect, it } from 'vitest';
import type { Observation, Ownership } from '../../../src/election/observation.ts';
import { plan } from '../../../src/election/plan.ts';
import { aGroup, aLeader, aPod } from '../../kit/fakes/builders.ts';
import {
  aLock,
  anObservation,
  aSession,
  freeAfter,
  heldBy,
  NOW_MS,
  observed,
  readyFor,
  steps,
  theAction,
} from '../../kit/fakes/builders-election.ts';
import { sessionId } from '../../kit/fakes/ids.ts';

const past = NOW_MS - 1;
const unready = observed(aPod({ name: 'b', ready: false }));
const shared = {
  group: aGroup({ spec: { lockKey: 'shared/cron' } }),
  keys: { lock: 'shared/cron/.lock', record: 'r', token: 't', earlier: 'e' },
};
const demote = aGroup({ spec: { onConsulLoss: 'Demote' } });

describe('a replica that does not own the bucket', () => {
  it.each(['lapsed', 'notOwned'] as const)('does nothing: %s', (kind: Ownership['kind']) => {
    const pods = [observed(aPod({ name: 'a', ready: false })), observed(aPod({ name: 'b' }))];
    const planned = plan(anObservation({ pods, ownership: { kind } as Ownership }));
    expect(planned).toMatchObject({ kind: 'idle', verdict: null });
  });
});

describe('the finalizer', () => {
  it('is acknowledged before the first lock', () => {
    const group = aGroup({ finalizers: [] });
    expect(steps(plan(anObservation({ group, lock: aLock() })))).toEqual(['readLock', 'addFinalizer']);
  });

  it('is not added to a group that may not act', () => {
    const group = aGroup({ finalizers: [], spec: { paused: true } });
    expect(plan(anObservation({ group })).kind).toBe('idle');
  });
});

describe('a lock that is not known', () => {
  it('is read before anything else', () => {
    expect(steps(plan(anObservation({ lock: null })))).toEqual(['readLock']);
  });
});

describe('a session that we do not know holds the lock', () => {
  const elsewhere = { lock: { ...heldBy('a'), session: sessionId('of-nobody') } };
  const external = { kind: 'external', name: 'consul lock', node: 'vm-1' } as const;

  it('is asked for first: it may be ours from a previous incarnation', () => {
    expect(steps(plan(anObservation(elsewhere)))).toEqual(['readHolderSession']);
  });

  it('that is gone means that our view of the lock is behind', () => {
    expect(steps(plan(anObservation({ ...elsewhere, holderSession: { kind: 'gone' } })))).toEqual(['readLock']);
  });

  it('that is an external holder’s takes our leader down and everyone labelled, and says who leads', () => {
    const pods = [observed(aLeader(4, { name: 'a' })), observed(aLeader(2, { name: 'b' }))];
    const planned = plan(anObservation({ ...elsewhere, pods, holderSession: external }));
    expect(steps(planned)).toEqual(['fence a,b']);
    expect(planned.verdict).toMatchObject({ ready: { status: 'True', reason: 'LedElsewhere' } });
    expect(planned.verdict?.detail).toContain('"consul lock" on node vm-1');
  });

  it('is left alone once nobody of ours is labelled', () => {
    const pods = [observed(aPod({ name: 'a' })), unready];
    const fenced = new Set(['uid-of-a']);
    expect(plan(anObservation({ ...elsewhere, pods, fenced, holderSession: external })).kind).toBe('idle');
  });
});

describe('Consul is silent', () => {
  const silent = (overrides: Partial<Observation> = {}) =>
    anObservation({ consulUnreachable: true, lockDeadlineMs: NOW_MS + 7000, ...overrides });
  const late = (overrides: Partial<Observation> = {}) => silent({ lockDeadlineMs: past, ...overrides });

  it('before the deadline nothing is written, not even to the status, whatever happens', () => {
    for (const group of [aGroup(), demote]) {
      const planned = plan(silent({ group, pods: [unready] }));
      expect(planned).toMatchObject({ kind: 'idle', verdict: null, againMs: 7000 });
    }
  });

  it('from the deadline on the leader is taken down with Demote', () => {
    const planned = plan(late({ group: demote }));
    expect(steps(planned)).toEqual(['fence a']);
    expect(planned).toMatchObject({ cause: 'ConsulUnreachable', verdict: { ready: { reason: 'ConsulUnreachable' } } });
  });

  it('exactly at the deadline it is late', () => {
    expect(steps(plan(silent({ group: demote, lockDeadlineMs: NOW_MS })))).toEqual(['fence a']);
  });

  it('is done with Demote once', () => {
    expect(plan(late({ group: demote, demotedForOutage: true })).kind).toBe('idle');
  });

  it('changes nothing with Hold, also when the leader is deleted', () => {
    const pods = [observed(aLeader(4, { name: 'a', deleting: true })), observed(aPod({ name: 'b' }))];
    expect(plan(late({ pods }))).toMatchObject({ kind: 'idle', verdict: { ready: { status: 'False' } } });
    expect(plan(late({ pods: [] })).kind).toBe('idle');
  });

  it('changes nothing where the group is paused, also with Demote', () => {
    const group = aGroup({ spec: { onConsulLoss: 'Demote', paused: true } });
    expect(plan(late({ group })).kind).toBe('idle');
  });

  it('for one session past its deadline is silence as well, although Consul answers others', () => {
    const sessions = [aSession('a', { deadlineMs: past, proven: false }), aSession('b'), aSession('c')];
    const o = anObservation({ sessions, lockDeadlineMs: past, group: demote });
    expect(steps(plan(o))).toEqual(['fence a']);
  });

  it('promotes nobody past the deadline', () => {
    const pods = [observed(aPod({ name: 'a' }))];
    expect(plan(late({ pods, lock: freeAfter('a') })).kind).toBe('idle');
    expect(plan(late({ pods, lock: null })).kind).toBe('idle');
  });

  it('since this process started: the label waits for start + TTL - margin', () => {
    const fresh = { ownership: { kind: 'neverKnown' } as const, lock: null, group: demote };
    expect(plan(silent(fresh)).kind).toBe('idle');
    expect(steps(plan(late(fresh)))).toEqual(['fence a']);
  });

  it('tells what to do', () => {
    for (const group of [aGroup(), demote]) {
      expect(plan(late({ group })).verdict?.detail).toContain('Check Consul');
    }
  });
});

describe('a paused group', () => {
  const group = aGroup({ spec: { paused: true } });

  it('keeps its leader, whatever the leader is like', () => {
    const pods = [observed(aLeader(4, { name: 'a', ready: false })), observed(aPod({ name: 'b' }))];
    expect(plan(anObservation({ group, pods }))).toMatchObject({
      kind: 'idle',
      verdict: { ready: { status: 'True', reason: 'Led' } },
    });
  });

  it('does not take a free lock', () => {
    expect(plan(anObservation({ group, lock: freeAfter('a') })).kind).toBe('idle');
  });

  it('without a leader is not led', () => {
    const pods = [observed(aPod({ name: 'a' }))];
    expect(plan(anObservation({ group, pods })).verdict?.ready).toEqual({ status: 'False', reason: 'NoCandidate' });
  });
});

describe('an older group over the same pods', () => {
  const promotedHere = observed(aLeader(4, { name: 'a' }), { claimedByOther: true });

  it('makes this one fence its leader, unlock, and be stalled', () => {
    const planned = plan(anObservation({ overlapsWith: 'older', pods: [promotedHere] }));
    expect(steps(planned)).toEqual(['fence a', 'unlock']);
    expect(theAction(planned, 'fence').targets[0]?.label).toBe('foreign');
    expect(planned.verdict?.stalled?.reason).toBe('SelectorOverlap');
  });

  it('leaves nothing to do for one that has no lock and no label', () => {
    const pods = [
      observed(aPod({ name: 'a', labels: { 'leadergroup.dev/role': 'leader' } }), { claimedByOther: true }),
    ];
    const planned = plan(anObservation({ overlapsWith: 'older', pods, lock: freeAfter('gone') }));
    expect(planned.kind).toBe('idle');
    expect(planned.verdict?.stalled?.message).toMatch(/older.*Delete one of the two/);
  });
});

describe('a group that goes by another condition than Ready', () => {
  const group = aGroup({ spec: { candidateCondition: 'mail/could-lead' } });
  const unready = observed(aLeader(4, { name: 'a', ready: false }), readyFor(60_000));
  const lacking = observed(aLeader(4, { name: 'a' }), { candidacy: { lacks: 'NodeNotReady', forMs: 60_000 } });
  const b = observed(aPod({ name: 'b', ready: false }), readyFor(60_000));

  it('keeps a leader that is a candidate by it, though the leader is not ready', () => {
    const planned = plan(anObservation({ group, pods: [unready, b] }));
    expect([planned.kind, planned.verdict?.ready.reason]).toEqual(['idle', 'Led']);
  });

  it('replaces one that is none, though it is ready, by one that is', () => {
    expect(steps(plan(anObservation({ group, pods: [lacking, b] })))).toEqual(['fence a', 'handOver b', 'promote b']);
  });

  it('keeps one that is none where nobody is, and names the condition', () => {
    const other = observed(aPod({ name: 'b' }), { candidacy: { lacks: 'NotReady', forMs: 1 } });
    const planned = plan(anObservation({ group, pods: [lacking, other] }));
    expect(planned.kind).toBe('idle');
    expect(planned.verdict?.detail).toContain('1 NotReady (b: mail/could-lead is not True)');
  });

  it('names what a leader lacks that has time to come back', () => {
    const patient = aGroup({ spec: { candidateCondition: 'mail/could-lead', failoverDelayMs: 90_000 } });
    const planned = plan(anObservation({ group: patient, pods: [lacking, b] }));
    expect([planned.againMs, planned.verdict?.detail]).toEqual([
      30_000,
      'a is no candidate by spec.candidateCondition: its Node is not Ready; failoverDelaySeconds has not passed yet',
    ]);
  });

  it('is stalled where nodes cannot be watched: its leader stays, whatever becomes of it, and the gate is answered', () => {
    const blind = { group, nodesReadable: false, pods: [lacking, b] };
    const planned = plan(anObservation(blind));
    expect([steps(planned), planned.verdict?.stalled?.reason]).toEqual([[], 'NodesNotReadable']);
    expect(planned.verdict?.stalled?.message).toMatch(/mail\/could-lead.*remove spec\.candidateCondition/);
    expect(steps(plan(anObservation({ ...blind, asked: true, verified: false })))).toEqual(['verify a']);
  });

  it('elects nobody where nodes cannot be watched', () => {
    const planned = plan(anObservation({ group, nodesReadable: false, pods: [b], lock: freeAfter('gone') }));
    expect([steps(planned), planned.verdict?.stalled?.reason]).toEqual([[], 'NodesNotReadable']);
  });

  it('has nobody lead without a shared lock, also where nodes cannot be watched: it may be led in another cluster', () => {
    const common = { ...shared.group, spec: { ...shared.group.spec, candidateCondition: 'mail/could-lead' } };
    const blind = { ...shared, group: common, nodesReadable: false, pods: [lacking, b] };
    expect(steps(plan(anObservation({ ...blind, lock: null })))).toEqual(['readLock']);
    const elsewhere = { ...blind, lock: { ...heldBy('a'), session: sessionId('of-nobody') } };
    expect(steps(plan(anObservation(elsewhere)))).toEqual(['readHolderSession']);
    const external = { kind: 'external', name: 'consul lock', node: 'vm-1' } as const;
    const led = plan(anObservation({ ...elsewhere, holderSession: external }));
    expect([steps(led)[0], led.verdict?.ready.reason]).toEqual(['fence a', 'LedElsewhere']);
    const free = plan(anObservation({ ...blind, sessions: [], lock: freeAfter('a') }));
    expect([steps(free), free.verdict?.stalled?.reason]).toEqual([['fence a'], 'NodesNotReadable']);
    const fencingRefused = { status: 403, message: 'no', retryAtMs: NOW_MS + 1 };
    expect(steps(plan(anObservation({ ...blind, lock: freeAfter('a'), fencingRefused })))).toEqual([]);
    expect(steps(plan(anObservation(blind)))).toEqual([]);
  });

  it('demotes at the deadline of an outage all the same, and is deleted all the same', () => {
    const demoting = { ...group, spec: { ...group.spec, onConsulLoss: 'Demote' } } as const;
    const away = { group: demoting, nodesReadable: false, consulUnreachable: true, lockDeadlineMs: NOW_MS };
    expect(steps(plan(anObservation({ ...away, pods: [unready, b] })))).toEqual(['fence a']);
    const deleted = plan(anObservation({ group: { ...group, deleting: true }, nodesReadable: false }));
    expect(deleted.verdict?.stalled?.reason).not.toBe('NodesNotReadable');
  });

  it('goes by Ready where Ready is what it names, and needs no nodes', () => {
    const planned = plan(anObservation({ nodesReadable: false, pods: [observed(aLeader(4, { name: 'a' })), b] }));
    expect(planned.verdict?.ready.reason).toBe('Led');
  });
});

describe('what a human must put right', () => {
  it('a forbidden lock key takes the field away from the group', () => {
    const planned = plan(anObservation({ ...shared, lockKeyProblem: 'spec.lockKey is not allowed here.' }));
    expect(steps(planned)).toEqual(['fence a', 'unlock']);
    expect(planned.verdict).toMatchObject({
      ready: { status: 'False', reason: 'LockKeyNotAllowed' },
      stalled: { reason: 'LockKeyNotAllowed' },
    });
  });

  it('a forbidden lock key that Consul does not let us read either is named all the same, and not asked for again and again', () => {
    const consulDenied = { message: 'no right to the key', retryAtMs: NOW_MS + 5000 };
    const barred = { ...shared, lock: null, lockKeyProblem: 'spec.lockKey is not allowed here.', consulDenied };
    const planned = plan(anObservation(barred));
    expect(steps(planned)).not.toContain('readLock');
    expect(planned.verdict).toMatchObject({ stalled: { reason: 'LockKeyNotAllowed' } });
    expect(planned.againMs).toBe(5000);
  });

  it('a forbidden lock key is not even read while nothing of ours is to be undone', () => {
    const pods = [observed(aPod({ name: 'a' }))];
    const planned = plan(anObservation({ ...shared, pods, sessions: [], lock: null, lockKeyProblem: 'not allowed' }));
    expect(planned.kind).toBe('idle');
    expect(planned.verdict).toMatchObject({ stalled: { reason: 'LockKeyNotAllowed' } });
  });

  it('an entry under a shared key that is no lock is left untouched, and named', () => {
    const pods = [observed(aPod({ name: 'a' }))];
    const lock = aLock({ foreignEntry: true, versions: [{ key: 'shared/cron/.lock', index: 7 }] });
    const planned = plan(anObservation({ ...shared, pods, lock }));
    expect(planned.kind).toBe('idle');
    expect(planned.verdict?.stalled).toMatchObject({ reason: 'KeyConflict' });
    expect(planned.verdict?.stalled?.message).toContain('shared/cron/.lock');
  });

  it.each(['consulDenied', 'fencingRefused'] as const)(
    'a missing right (%s) is named, and tried again later',
    (what) => {
      const refusal = { message: 'token lacks key:write', retryAtMs: NOW_MS + 5000, status: 403 };
      const pods = [observed(aPod({ name: 'a', ready: false })), observed(aPod({ name: 'b' }))];
      const planned = plan(anObservation({ pods, [what]: refusal }));
      expect(planned).toMatchObject({
        kind: 'idle',
        againMs: 5000,
        verdict: { stalled: { reason: 'PermissionDenied', message: 'token lacks key:write' } },
      });
      expect(plan(anObservation({ pods, [what]: { ...refusal, retryAtMs: NOW_MS } })).kind).not.toBe('idle');
    },
  );

  it('a write that is refused for what it is, not for who asks, is no missing right', () => {
    const fencingRefused = { message: 'too long', retryAtMs: NOW_MS + 5000, status: 422 };
    const pods = [observed(aPod({ name: 'a', ready: false })), observed(aPod({ name: 'b' }))];
    expect(plan(anObservation({ pods, fencingRefused })).verdict?.stalled?.reason).toBe('WriteRefused');
  });
});
