/** While the election itself must wait: what is taken down, when, and what people are told. */
import { describe, expect, it } from 'vitest';
import type { LeaderGroupSpec } from '../../../src/api/leadergroup.ts';
import type { Observation } from '../../../src/election/observation.ts';
import { plan } from '../../../src/election/plan.ts';
import { ready } from '../../../src/election/plans.ts';
import { buildStatus } from '../../../src/election/status.ts';
import { aGroup, aLeader, aPod, aReplicaSet } from '../../kit/fakes/builders.ts';
import { anObservation, aSession, NOW_MS, observed, steps } from '../../kit/fakes/builders-election.ts';

const leading = observed(aLeader(4, { name: 'a' }));
const follower = observed(aPod({ name: 'b' }));
const demote = aGroup({ spec: { onConsulLoss: 'Demote' } });
const silent: Partial<Observation> = { consulUnreachable: true, group: demote, pods: [leading, follower] };
const planned = (o: Partial<Observation>) => plan(anObservation(o));

describe('while Consul is silent', () => {
  it('nothing is done before the deadline, but to look again then', () => {
    const before = planned({ ...silent, lockDeadlineMs: NOW_MS + 700 });
    expect([steps(before), before.againMs]).toEqual([[], 700]);
  });

  it.each(['owned', 'lapsed'] as const)('a leader that goes is not called Led until the deadline (%s)', (kind) => {
    const led = buildStatus(anObservation(), ready('Led'), [], '');
    const { ownership } = anObservation();
    const gone = {
      ...silent,
      group: aGroup({ status: led }),
      pods: [follower],
      lockDeadlineMs: NOW_MS + 700,
      ownership: kind === 'owned' ? ownership : { kind },
    };
    const before = planned(gone);
    expect([steps(before), before.verdict?.ready, before.againMs]).toEqual([
      [],
      { status: 'False', reason: 'ConsulUnreachable' },
      700,
    ]);
    expect(planned({ ...gone, ownership: { kind: 'notOwned' } }).verdict).toBeNull();
    expect(planned({ ...gone, pods: [leading] }).verdict).toBeNull();
  });

  it('at the deadline the leader is fenced, once, where the group wants that', () => {
    expect(steps(planned({ ...silent, lockDeadlineMs: NOW_MS }))).toEqual(['fence a']);
    expect(steps(planned({ ...silent, lockDeadlineMs: NOW_MS, demotedForOutage: true }))).toEqual([]);
    expect(steps(planned({ ...silent, lockDeadlineMs: NOW_MS, pods: [follower] }))).toEqual([]);
  });

  it.each<[string, Partial<LeaderGroupSpec>]>([
    ['Hold', { onConsulLoss: 'Hold' }],
    ['paused', { onConsulLoss: 'Demote', paused: true }],
  ])('%s: the leader keeps its label, and people are told so', (_, spec) => {
    const held = planned({ ...silent, lockDeadlineMs: NOW_MS, group: aGroup({ spec }) });
    expect([steps(held), held.verdict?.ready.reason]).toEqual([[], 'ConsulUnreachable']);
    expect(held.verdict?.detail).toContain('the leader keeps its label');
  });

  it.each([
    ['answers nothing', false, /^Consul has not confirmed the lock within its deadline; .*Check Consul;/],
    ['denies everything', true, /^Consul denies what the operator asks: .*Give the operator a token/],
  ])('people are told what to mend where Consul %s', (_, consulDeniesAll, told) => {
    const held = planned({ ...silent, consulDeniesAll, lockDeadlineMs: NOW_MS, group: aGroup() });
    expect(held.verdict?.detail).toMatch(told);
  });

  it('with Demote people are told that nobody carries the label', () => {
    const demoted = planned({ ...silent, lockDeadlineMs: NOW_MS, demotedForOutage: true, pods: [follower] });
    expect(demoted.verdict?.detail).toContain('no pod carries the leader label');
  });

  it('people are told of a pod that keeps the label because its controller cannot be read, and may select by it', () => {
    const labels = { 'leadergroup.dev/role': 'leader' };
    const owner = { kind: 'unreadable', workload: 'ReplicaSet web', trial: null } as const;
    const pods = [leading, observed(aPod({ name: 'c', owner: aReplicaSet(), labels }), { owner })];
    const demoted = planned({ ...silent, lockDeadlineMs: NOW_MS, pods });
    expect(steps(demoted)).toEqual(['fence a']);
    expect(demoted.verdict?.detail).toContain('pod c, which never led, keeps the leader label');
  });

  it('who must be demoted by now does not wait until its controller has been read', () => {
    const pods = [{ ...leading, pod: { ...leading.pod, owner: aReplicaSet() }, owner: { kind: 'unread' } as const }];
    expect(steps(planned({ ...silent, lockDeadlineMs: NOW_MS, pods }))).toEqual(['fence a']);
    const early = planned({ ...silent, lockDeadlineMs: NOW_MS + 3000, pods });
    expect(steps(early)).toEqual([`readOwners ${aReplicaSet().name}`]);
    expect(early).toMatchObject({ after: [{ hurry: true }] });
    // A read that hangs would be over after the deadline.
    expect(steps(planned({ ...silent, lockDeadlineMs: NOW_MS + 2900, pods }))).toEqual([]);
  });

  it('a replica that never owned the bucket says nothing to people', () => {
    const notOwned = planned({
      ...silent,
      lockDeadlineMs: NOW_MS,
      ownership: { kind: 'notOwned' },
      demotedForOutage: true,
    });
    expect([steps(notOwned), notOwned.verdict]).toEqual([[], null]);
  });
});

describe('a replica whose bucket has lapsed', () => {
  const lapsed: Partial<Observation> = {
    ownership: { kind: 'lapsed' },
    group: demote,
    pods: [leading, follower],
    lock: null,
  };

  it('counts as cut off from the deadline on, if there is a leader to lose', () => {
    expect(steps(planned({ ...lapsed, lockDeadlineMs: NOW_MS }))).toEqual(['fence a']);
    expect(steps(planned({ ...lapsed, lockDeadlineMs: NOW_MS + 1 }))).toEqual([]);
    expect(steps(planned({ ...lapsed, lockDeadlineMs: NOW_MS, pods: [follower] }))).toEqual([]);
  });

  it('looks again at the deadline of whoever carries the label, and else not as often', () => {
    expect(planned({ ...lapsed, lockDeadlineMs: NOW_MS + 700 })).toMatchObject({ againMs: 700 });
    expect(planned({ ...lapsed, lockDeadlineMs: NOW_MS + 60_000 })).toMatchObject({ againMs: 5000 });
    expect(planned({ ...lapsed, lockDeadlineMs: NOW_MS + 700, pods: [follower] })).toMatchObject({ againMs: 5000 });
  });
});

describe('past the deadline of the holder’s session', () => {
  const sessions = (deadlineMs: number) => [aSession('a', { deadlineMs }), aSession('b')];

  it('the lock is not believed, though Consul answers', () => {
    const late = { group: demote, pods: [leading, follower], lockDeadlineMs: NOW_MS };
    expect(steps(planned({ ...late, sessions: sessions(NOW_MS) }))).toEqual(['fence a']);
    expect(steps(planned({ ...late, sessions: sessions(NOW_MS + 1) }))).toEqual([]);
  });
});

describe('a group that another one overrules', () => {
  const overlapping: Partial<Observation> = { overlapsWith: 'older', pods: [leading, follower] };

  it('takes its label off and gives its lock up', () => {
    const given = planned(overlapping);
    expect(steps(given)).toEqual(['fence a', 'unlock']);
    expect(given.verdict?.stalled?.reason).toBe('SelectorOverlap');
  });

  it('reads a lock that it does not know only if something of its own is to be undone', () => {
    expect(steps(planned({ ...overlapping, lock: null }))).toEqual(['readLock']);
    expect(steps(planned({ ...overlapping, lock: null, pods: [follower] }))).toEqual(['readLock']);
    expect(steps(planned({ ...overlapping, lock: null, sessions: [] }))).toEqual(['readLock']);
    expect(steps(planned({ ...overlapping, lock: null, sessions: [], pods: [follower] }))).toEqual([]);
  });

  it('leaves the lock to the replica that owns the bucket', () => {
    expect(steps(planned({ ...overlapping, ownership: { kind: 'notOwned' } }))).toEqual([]);
  });

  it('while Consul refuses it at least takes the label off', () => {
    const denied = { message: 'no', count: 1, retryAtMs: NOW_MS + 5000 };
    const given = planned({ ...overlapping, consulDenied: denied });
    expect([steps(given), given.againMs]).toEqual([['fence a'], 5000]);
  });
});

describe('while labels must not be written', () => {
  const stopped = (readAgainAtMs?: number) =>
    planned({
      labelStop: { message: 'Deployment web selects', ...(readAgainAtMs === undefined ? {} : { readAgainAtMs }) },
    });

  it('the controllers are read again a minute after they were, whatever wakes the group meanwhile', () => {
    expect(stopped(NOW_MS + 17_000).againMs).toBe(17_000);
    expect([stopped().againMs, stopped(NOW_MS + 90_000).againMs]).toEqual([60_000, 60_000]);
  });
});
