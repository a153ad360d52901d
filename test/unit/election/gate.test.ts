import { describe, expect, it } from 'vitest';
import type { GateAnswer } from '../../../src/api/gate.ts';
import { sinceAnnotation } from '../../../src/api/names.ts';
import { actionsOf } from '../../../src/election/actions.ts';
import { answerGate, MAX_GRANT_MS } from '../../../src/election/gate.ts';
import type { Observation } from '../../../src/election/observation.ts';
import { plan } from '../../../src/election/plan.ts';
import { aGroup, aLeader, aPod } from '../../kit/fakes/builders.ts';
import {
  aLock,
  anObservation,
  aRecord,
  aSession,
  FENCE,
  freeAfter,
  heldBy,
  kinds,
  NOW_MS,
  observed,
  theAction,
} from '../../kit/fakes/builders-election.ts';
import { uidOf } from '../../kit/fakes/ids.ts';

const ask = (o: Partial<Observation> = {}, pod = 'a'): GateAnswer =>
  answerGate(anObservation(o), uidOf(pod), MAX_GRANT_MS);

const owned = (untilMs: number) => ({ ownership: { kind: 'owned', guard: FENCE, untilMs } }) as const;
const sessions = (overrides: Parameters<typeof aSession>[1]) => ({
  sessions: [aSession('a', overrides), aSession('b')],
});

describe('the gate says grant', () => {
  it('to the pod that leads, with its token, for two seconds', () => {
    expect(ask()).toMatchObject({ kind: 'grant', leader: { pod: 'a', uid: 'uid-of-a', token: 4 }, validForMs: 2000 });
  });

  it('whichever of the members it is, and tells since when it leads', () => {
    const since = sinceAnnotation('notifier');
    const leader = aLeader(4, { name: 'b' });
    const pods = [
      observed(aPod({ name: 'a' })),
      observed({ ...leader, annotations: { ...leader.annotations, [since]: '2026-01-02T12:00:00Z' } }),
    ];
    expect(ask({ pods, lock: heldBy('b') }, 'b')).toMatchObject({
      kind: 'grant',
      leader: { pod: 'b', acquireTime: '2026-01-02T12:00:00Z' },
    });
  });

  it('no longer than the replica’s own session may be believed (attack 13)', () => {
    expect(ask(owned(NOW_MS + 300))).toMatchObject({ kind: 'grant', validForMs: 300 });
  });

  it('no longer than the leader’s session may be believed', () => {
    expect(ask(sessions({ deadlineMs: NOW_MS + 700 }))).toMatchObject({ kind: 'grant', validForMs: 700 });
  });
});

describe('the gate says that it revokes', () => {
  it('to the leader that the lock is to leave, and to others who leads still', () => {
    const o = { revoked: uidOf('a') };
    expect(ask(o)).toMatchObject({ kind: 'revoking', leader: { pod: 'a', token: 4 } });
    expect(ask(o, 'b')).toMatchObject({ kind: 'no', leader: { pod: 'a', token: 4 } });
  });

  it('not to the next leader, whatever became of the one before', () => {
    const pods = [observed(aPod({ name: 'a' })), observed(aLeader(5, { name: 'b' }))];
    expect(ask({ revoked: uidOf('a'), pods, lock: heldBy('b', 5) }, 'b').kind).toBe('grant');
  });
});

describe('the gate says no', () => {
  it('to a follower, and tells who leads', () => {
    expect(ask({}, 'b')).toMatchObject({ kind: 'no', leader: { pod: 'a', uid: 'uid-of-a', token: 4 } });
  });

  it.each<[string, Partial<Observation>]>([
    ['whose lock is free', { lock: freeAfter('a') }],
    ['that has been fenced', { pods: [observed(aPod({ name: 'a' }))] }],
    ['that is not yet promoted with the lock’s token', { lock: heldBy('a', 5) }],
    ['whose group is being deleted', { group: aGroup({ deleting: true }) }],
    ['that is gone', { pods: [observed(aPod({ name: 'b' }))] }],
    ['while an external holder holds the lock', { lock: aLock({ session: 'a-external', record: aRecord('a', 4) }) }],
  ])('to a pod %s', (_what, o) => {
    expect(ask(o)).toEqual({ kind: 'no', leader: null });
  });
});

describe('the gate does not know', () => {
  it.each<[string, Partial<Observation>]>([
    ['on a replica that does not own the bucket', { ownership: { kind: 'notOwned' } }],
    ['on a replica whose bucket is not proven', { ownership: { kind: 'lapsed' } }],
    ['past the deadline of the replica’s own session (attack 13)', owned(NOW_MS)],
    ['while the lock is unknown', { lock: null }],
    ['before the lock has been verified', { verified: false }],
    ['past the deadline of the leader’s session', sessions({ deadlineMs: NOW_MS })],
    ['when only a renewal has been acknowledged since that deadline', sessions({ proven: false })],
    [
      'while the record is of another incarnation',
      { lock: { ...heldBy('a'), record: aRecord('a', 4, { groupUid: 'other' }) } },
    ],
  ])('%s', (_what, o) => {
    expect(ask(o).kind).toBe('unknown');
  });
});

describe('once the gate has been asked', () => {
  it('the lock is verified, by a write', () => {
    const planned = plan(anObservation({ asked: true, verified: false }));
    expect(kinds(planned)).toEqual(['verify']);
  });

  it('the lock of a leader that is kept for want of another is verified too', () => {
    const pods = [observed(aLeader(4, { name: 'a', ready: false })), observed(aPod({ name: 'b', ready: false }))];
    expect(kinds(plan(anObservation({ pods, asked: true, verified: false })))).toEqual(['verify']);
    expect(plan(anObservation({ pods, asked: true, verified: true })).kind).toBe('idle');
  });

  it('the lock of a paused group is verified, with the token it has, and nothing else is done', () => {
    const group = aGroup({ spec: { paused: true } });
    const planned = plan(anObservation({ group, asked: true, verified: false }));
    expect(actionsOf(planned)).toMatchObject([{ do: 'verify', transaction: { token: { kind: 'keep', token: 4 } } }]);
    expect(plan(anObservation({ group, asked: true, verified: true })).kind).toBe('idle');
    expect(plan(anObservation({ group, asked: false, verified: false })).kind).toBe('idle');
  });

  it('verifies for no question while no label may be written and the session is past its deadline: no write proves it', () => {
    const labelStop = { message: 'a controller selects by the key' };
    const sessions = (deadlineMs: number) => [aSession('a', { proven: false, deadlineMs })];
    const asked = { asked: true, verified: false, labelStop } as const;
    expect(kinds(plan(anObservation({ ...asked, sessions: sessions(NOW_MS + 1) })))).toEqual(['verify']);
    expect(plan(anObservation({ ...asked, sessions: sessions(NOW_MS) })).kind).toBe('idle');
  });

  it.each<[string, Partial<Observation>, readonly string[]]>([
    ['is read where it is not known', { lock: null }, ['readLock']],
    ['is left alone where nobody has it', { lock: freeAfter('a') }, []],
    ['is left alone where its holder is not labelled', { pods: [observed(aPod({ name: 'a' }))] }, []],
    ['is left alone where its record cannot be believed', { lock: { ...heldBy('a'), record: null } }, []],
    [
      'is left alone where an external holder has written over it',
      { lock: { ...heldBy('a'), foreignEntry: true } },
      [],
    ],
    [
      'is verified after an outage that its session has survived',
      { verified: true, ...sessions({ proven: false }) },
      ['verify'],
    ],
  ])('the lock of a paused group %s', (_what, o, expected) => {
    const paused = { group: aGroup({ spec: { paused: true } }), asked: true, verified: false, ...o };
    expect(kinds(plan(anObservation(paused)))).toEqual(expected);
  });

  it('the lock of a paused group is not verified while Consul refuses it', () => {
    const paused = { group: aGroup({ spec: { paused: true } }), asked: true, verified: false };
    const denied = (retryAtMs: number) =>
      plan(anObservation({ ...paused, consulDenied: { message: 'no', retryAtMs } }));
    expect(denied(NOW_MS + 7000)).toMatchObject({ kind: 'idle', againMs: 7000 });
    expect(kinds(denied(NOW_MS))).toEqual(['verify']);
  });

  it('nothing more is written: the verification counts until the lock changes', () => {
    expect(plan(anObservation({ asked: true, verified: true })).kind).toBe('idle');
    expect(plan(anObservation({ asked: false, verified: false })).kind).toBe('idle');
  });
});

describe('a lock that leaves its holder', () => {
  const unready = observed(aLeader(4, { name: 'a', ready: false }));
  const b = observed(aPod({ name: 'b' }));
  const kindsOf = (o: Partial<Observation>) => kinds(plan(anObservation(o)));

  it('waits for every grant after the fencing patch and before the transaction', () => {
    expect(kindsOf({ pods: [unready, b] })).toEqual(['fence', 'awaitGrantExpiry', 'handOver', 'promote']);
    expect(kindsOf({ lock: freeAfter('x'), pods: [b] })).toEqual(['fence', 'awaitGrantExpiry', 'take', 'promote']);
    expect(
      kindsOf({ pods: [observed(aLeader(4, { name: 'a', phase: 'Failed', ready: false }), { member: false })] }),
    ).toEqual(['fence', 'awaitGrantExpiry', 'unlock']);
  });

  it.each([
    ['nor of one whose containers have ended', true, ['uid-of-a', 'uid-of-b']],
    ['but for one that is said to have failed and may be running', false, ['uid-of-b']],
  ])('does not wait for a grant of the pod that gets it, %s', (_, stopped, exempt) => {
    const over = observed(aLeader(4, { name: 'a', phase: 'Failed', stopped, ready: false }), { member: false });
    const planned = plan(anObservation({ pods: [over, b] }));
    expect(theAction(planned, 'awaitGrantExpiry')).toEqual({ do: 'awaitGrantExpiry', exempt });
  });
});
