import { describe, expect, it } from 'vitest';
import type { ObservedPod } from '../../../src/election/observation.ts';
import { plan } from '../../../src/election/plan.ts';
import { aGroup, aLeader, aPod, type PodOverrides } from '../../kit/fakes/builders.ts';
import {
  anObservation,
  aSession,
  FENCE,
  freeAfter,
  heldBy,
  NOW_MS,
  observed,
  readyFor,
  steps,
  theAction,
} from '../../kit/fakes/builders-election.ts';
import { sessionId, uidOf, wallMs } from '../../kit/fakes/ids.ts';

const b = observed(aPod({ name: 'b' }));
const notReady = (name: string) => observed(aPod({ name, ready: false }));
const leader = (pod: PodOverrides = {}, more: Partial<ObservedPod> = {}) =>
  observed(aLeader(4, { name: 'a', ...pod }), more);

describe('the lock is ours and the leader is fine', () => {
  it('nothing is done, and the group is Led', () => {
    const planned = plan(anObservation());
    expect(planned).toMatchObject({
      kind: 'idle',
      againMs: null,
      verdict: { ready: { status: 'True', reason: 'Led' } },
    });
  });

  it('anyone else labelled is fenced, after a verification', () => {
    const stray = observed(aLeader(3, { name: 'b' }));
    expect(steps(plan(anObservation({ pods: [leader(), stray] })))).toEqual(['verify a', 'fence b']);
  });

  it('one without its label is promoted, after a verification', () => {
    const pods = [observed(aPod({ name: 'a' })), b];
    expect(steps(plan(anObservation({ pods })))).toEqual(['verify a', 'promote a']);
  });

  it('one that lost its label after a promotion comes back with a higher token', () => {
    const pods = [leader({ labels: { app: 'notifier' } }), b];
    const off = pods.map((pod) => observed({ ...pod.pod, labels: { app: 'notifier' } }));
    const { transaction } = theAction(plan(anObservation({ pods: off })), 'verify');
    expect(transaction.token).toEqual({ kind: 'above', token: 4 });
  });

  it('one that was locked but never promoted keeps its token', () => {
    const pods = [observed(aPod({ name: 'a' })), b];
    const { transaction } = theAction(plan(anObservation({ pods })), 'verify');
    expect(transaction.token).toEqual({ kind: 'keep', token: 4 });
  });

  it('one with a lower token than the record’s is promoted again', () => {
    const pods = [observed(aLeader(3, { name: 'a' })), b];
    expect(steps(plan(anObservation({ pods })))).toEqual(['verify a', 'promote a']);
  });

  it('a verification changes the record, so that it moves the lock’s index', () => {
    const pods = [observed(aPod({ name: 'a' })), b];
    const o = anObservation({ pods });
    const { transaction } = theAction(plan(o), 'verify');
    expect(transaction.record.writes).toBe((o.lock?.record?.writes ?? 0) + 1);
    expect(transaction).toMatchObject({ guard: FENCE, from: null, to: { session: 'session-of-a' } });
  });

  it('one that terminates is not labelled anew', () => {
    const pods = [observed(aPod({ name: 'a', deleting: true }))];
    expect(steps(plan(anObservation({ pods })))).not.toContain('promote a');
  });

  it('every candidate gets a session before it is needed', () => {
    expect(steps(plan(anObservation({ sessions: [aSession('a')] })))).toEqual(['openSessions b,c']);
  });

  it('sessions of pods that are gone are given up, the holder’s never', () => {
    const sessions = ['a', 'b', 'c', 'gone'].map((name) => aSession(name));
    expect(steps(plan(anObservation({ sessions })))).toEqual(['destroySessions session-of-gone']);
  });

  it('a session past its deadline is verified once it is renewed, before anything rests on it', () => {
    const sessions = [aSession('a', { proven: false }), aSession('b'), aSession('c')];
    expect(steps(plan(anObservation({ sessions })))).toEqual(['verify a']);
  });

  it('minReadySeconds is for nominees, not for the holder', () => {
    const group = aGroup({ spec: { minReadyMs: 120_000 } });
    expect(plan(anObservation({ group })).verdict?.ready.reason).toBe('Led');
  });

  it('it hands over when it has resigned, and stays where nobody else can lead', () => {
    const resigned = { uid: uidOf('a'), token: 4 };
    const planned = plan(anObservation({ resigned }));
    expect([steps(planned), planned.cause]).toEqual([
      ['revoke a', 'fence a', 'handOver b', 'promote b'],
      'LeaderResigned',
    ]);
    const alone = anObservation({ resigned, pods: [leader(), notReady('b')] });
    expect(plan(alone)).toMatchObject({ kind: 'idle', verdict: { ready: { reason: 'Led' } } });
  });

  it('it hands over when it has resigned while it is not ready, and failoverDelaySeconds has not passed: at once, for it cannot be told to stop', () => {
    const group = aGroup({ spec: { failoverDelayMs: 10_000 } });
    const pods = [leader({ ready: false }, { notReadyForMs: 4000 }), observed(aPod({ name: 'b' }))];
    const resigned = { uid: uidOf('a'), token: 4 };
    const planned = plan(anObservation({ group, pods, resigned, sessions: [aSession('a'), aSession('b')] }));
    expect(steps(planned)).toEqual(['fence a', 'handOver b', 'promote b']);
    const alone = anObservation({ group, pods: [pods[0] ?? leader()], resigned });
    expect(steps(plan(alone))).toEqual([]);
  });

  it('it stays when it was an earlier token that it resigned', () => {
    expect(plan(anObservation({ resigned: { uid: uidOf('a'), token: 3 } })).kind).toBe('idle');
  });

  it('a better candidate does not take the lead from it', () => {
    const pods = [leader({}, { cordoned: true }), observed(aPod({ name: 'b', createdMs: 1_800_000_000_000 }))];
    expect(plan(anObservation({ pods, sessions: [aSession('a'), aSession('b')] })).kind).toBe('idle');
  });
});

describe('the lock is ours and the leader cannot stay', () => {
  const cases: readonly (readonly [string, string, readonly ObservedPod[]])[] = [
    ['LeaderGone', 'its pod is gone', []],
    ['LeaderTerminating', 'it terminates', [leader({ deleting: true })]],
    ['LeaderExcluded', 'it is excluded', [withAnnotation(leader(), 'leadergroup.dev/candidate', 'false')]],
    ['LeaderFinished', 'it has finished', [leader({ phase: 'Succeeded' }, { member: false })]],
    ['LeaderNoLongerMember', 'it is no member any more', [leader({}, { member: false })]],
    ['LeaderNotReady', 'it is not ready', [leader({ ready: false })]],
    ['LeaderNodeLost', 'its node is lost, however ready it looks', [leader({}, { nodeLost: true })]],
    [
      'PromotionRefused',
      'its promotion is refused',
      [leader({}, { promotionRefused: { message: 'no', retryAtMs: NOW_MS + 1 } })],
    ],
  ];

  /** It may be acting on a grant, and can be told to stop. */
  const ALIVE = ['LeaderTerminating', 'LeaderExcluded', 'LeaderNoLongerMember', 'PromotionRefused'];

  it.each(cases)('%s: %s; it is fenced, then the lock passes, then the next is promoted', (cause, _, before) => {
    const planned = plan(anObservation({ pods: [...before, b] }));
    const first = ALIVE.includes(cause) ? ['revoke a'] : [];
    expect(steps(planned)).toEqual([...first, 'fence a', 'handOver b', 'promote b']);
    expect(planned.cause).toBe(cause);
    expect(theAction(planned, 'handOver').transaction).toMatchObject({
      from: 'session-of-a',
      to: { session: 'session-of-b', pod: { name: 'b' } },
      token: { kind: 'above', token: 4 },
    });
  });

  it.each<[string, ObservedPod]>([
    ['is not ready any more', leader({ deleting: true, ready: false })],
    ['is on a node that is lost', leader({ deleting: true }, { nodeLost: true })],
    ['has no label', observed(aPod({ name: 'a', deleting: true }))],
    ['has the label of an earlier token', observed(aLeader(3, { name: 'a', deleting: true }))],
  ])('a leader that terminates and %s is fenced at once', (_, before) => {
    expect(steps(plan(anObservation({ pods: [before, b] })))).toEqual(['fence a', 'handOver b', 'promote b']);
  });

  it.each(['LeaderTerminating', 'LeaderNotReady', 'LeaderNodeLost', 'PromotionRefused'])(
    '%s and nobody else can lead: it is kept, label and all',
    (cause) => {
      const before = cases.find(([name]) => name === cause)?.[2] ?? [];
      const planned = plan(anObservation({ pods: [...before, notReady('b')] }));
      expect(planned).toMatchObject({ kind: 'idle', verdict: { ready: { status: 'False', reason: 'NoCandidate' } } });
    },
  );

  it.each(['LeaderGone', 'LeaderExcluded', 'LeaderFinished', 'LeaderNoLongerMember'])(
    '%s and nobody else can lead: it is fenced and the lock is given up',
    (cause) => {
      const before = cases.find(([name]) => name === cause)?.[2] ?? [];
      const planned = plan(anObservation({ pods: [...before, notReady('b')] }));
      expect(steps(planned)).toEqual(['fence a', 'unlock']);
      expect(theAction(planned, 'unlock').transaction).toMatchObject({ from: 'session-of-a', to: null });
    },
  );

  it('one kept without its label is promoted when it is ready again, not before', () => {
    const bare = (ready: boolean) => [observed(aPod({ name: 'a', ready })), notReady('b')];
    expect(plan(anObservation({ pods: bare(false) })).kind).toBe('idle');
    expect(steps(plan(anObservation({ pods: bare(true) })))).toContain('promote a');
  });

  it('a stray label is taken off although nobody can lead', () => {
    const stray = observed(aLeader(2, { name: 'b', ready: false }));
    const planned = plan(anObservation({ pods: [leader({ ready: false }), stray] }));
    expect(steps(planned)).toEqual(['verify a', 'fence b']);
  });

  it('the nominee gets a session first', () => {
    const planned = plan(anObservation({ pods: [leader({ ready: false }), b], sessions: [aSession('a')] }));
    expect(steps(planned)).toEqual(['openSessions b']);
  });

  it('a nominee with two sessions uses the newest that suits the spec', () => {
    const older = aSession('b', { id: 'old', ttlMs: 10_000 });
    const sessions = [aSession('a'), older, aSession('b', { id: 'new' })];
    const planned = plan(anObservation({ pods: [leader({ ready: false }), b], sessions }));
    expect(theAction(planned, 'handOver').transaction.to.session).toBe('new');
  });

  it('a pod that no cache knows is gone only after a GET', () => {
    const [target] = theAction(plan(anObservation({ pods: [b] })), 'fence').targets;
    expect(target).toMatchObject({ pod: { name: 'a', uid: 'uid-of-a' }, precondition: { kind: 'unknown' } });
  });

  it('a fencing patch names the version that was read; of a pod that never leads again only the uid', () => {
    const precondition = (pod: ObservedPod) =>
      theAction(plan(anObservation({ pods: [pod, b] })), 'fence').targets[0]?.precondition;
    expect(precondition(leader({ ready: false }))).toEqual({ kind: 'at', resourceVersion: '100' });
    expect(precondition(leader({ deleting: true }))).toEqual({ kind: 'anyVersion' });
    expect(precondition(leader({ phase: 'Failed' }, { member: false }))).toEqual({ kind: 'anyVersion' });
    expect(precondition(leader({ ready: false }, { fencingConflicts: 5 }))).toEqual({ kind: 'anyVersion' });
  });

  it('the previous holder is fenced although it carries no label', () => {
    const pods = [observed(aPod({ name: 'a', ready: false })), b];
    expect(steps(plan(anObservation({ pods })))[0]).toBe('fence a');
  });

  it('a fencing patch made at this version of the lock counts, unless the pod is labelled again', () => {
    const fenced = new Set(['uid-of-a']);
    const bare = observed(aPod({ name: 'a', ready: false }));
    expect(steps(plan(anObservation({ pods: [bare, b], fenced })))[0]).toBe('handOver b');
    expect(steps(plan(anObservation({ pods: [leader({ ready: false }), b], fenced })))[0]).toBe('fence a');
  });
});

describe('failoverDelaySeconds', () => {
  const group = aGroup({ spec: { failoverDelayMs: 10_000 } });

  it('is not waited for where the node of the leader is lost: it cannot come back', () => {
    const pods = [leader({ ready: false }, { notReadyForMs: 1, nodeLost: true }), b];
    expect(plan(anObservation({ group, pods })).cause).toBe('LeaderNodeLost');
  });
  const degraded = (notReadyForMs: number) => [leader({ ready: false }, { notReadyForMs }), b];

  it('waits for a leader that is not ready, and looks again when it has passed', () => {
    const sessions = ['a', 'b'].map((name) => aSession(name));
    const planned = plan(anObservation({ group, sessions, pods: degraded(4000) }));
    expect(planned).toMatchObject({ kind: 'idle', againMs: 6000 });
    expect(planned.verdict?.detail).toContain('failoverDelaySeconds');
  });

  it('labels nobody meanwhile who has lost the label', () => {
    const annotations = { 'token.leadergroup.dev/notifier': '4' };
    const pods = [observed(aPod({ name: 'a', ready: false, annotations }), { notReadyForMs: 4000 }), b];
    expect(plan(anObservation({ group, pods })).kind).toBe('idle');
  });

  it('is not given to one that has got the lock and was not labelled with it: nobody would lead meanwhile', () => {
    const before = { 'token.leadergroup.dev/notifier': '3' };
    for (const annotations of [{}, before]) {
      const next = observed(aPod({ name: 'a', ready: false, annotations }), { notReadyForMs: 4000 });
      expect(steps(plan(anObservation({ group, pods: [next, b] })))).toContain('handOver b');
      expect(plan(anObservation({ group, pods: [next] })).kind).toBe('idle');
    }
  });

  it('is not given to one that was fenced, and whose lock did not move: nobody would lead meanwhile', () => {
    const { annotations } = aLeader(4);
    const guarded = { ...annotations, 'fenced.leadergroup.dev/notifier': 'x' };
    const started = { runningSinceMs: wallMs(1_600_000_000_000) };
    const fenced = observed(aPod({ name: 'a', ready: false, annotations: guarded, ...started }), {
      notReadyForMs: 4000,
    });
    expect(steps(plan(anObservation({ group, pods: [fenced, b] })))).toContain('handOver b');
    expect(plan(anObservation({ group, pods: [fenced] })).kind).toBe('idle');
  });

  it('is over at its end', () => {
    expect(steps(plan(anObservation({ group, pods: degraded(10_000) })))).toContain('handOver b');
  });

  it('waits for nobody who is gone, terminating or excluded', () => {
    expect(steps(plan(anObservation({ group, pods: [b] })))).toContain('handOver b');
    expect(steps(plan(anObservation({ group, pods: [leader({ deleting: true }), b] })))).toContain('handOver b');
  });
});

describe('the session’s timing was edited', () => {
  const group = aGroup({ spec: { sessionTtlMs: 60_000 } });
  const suiting = (name: string) => aSession(name, { id: `new-of-${name}`, ttlMs: 60_000 });

  it('the holder gets a new session first', () => {
    expect(steps(plan(anObservation({ group })))).toEqual(['openSessions a']);
  });

  it('the lock passes to it in one transaction under a higher token, and nobody is fenced', () => {
    const planned = plan(anObservation({ group, sessions: [aSession('a'), suiting('a')] }));
    expect(steps(planned)).toEqual(['handOver a', 'promote a']);
    expect(theAction(planned, 'handOver').transaction).toMatchObject({
      from: 'session-of-a',
      to: { session: 'new-of-a' },
      token: { kind: 'above' },
    });
  });

  it('the same goes for lock-delay', () => {
    const delayed = aGroup({ spec: { lockDelayMs: 5000 } });
    expect(steps(plan(anObservation({ group: delayed })))).toEqual(['openSessions a']);
  });

  it('the replaced session is not given up while it holds the lock, whatever its pod is like', () => {
    const pods = [leader({ ready: false }), notReady('b')];
    const sessions = [aSession('a'), suiting('a')];
    expect(plan(anObservation({ group, pods, sessions })).kind).toBe('idle');
  });

  it('the replaced session is given up once it does not hold the lock any more', () => {
    const sessions = [aSession('a'), ...['a', 'b', 'c'].map(suiting)];
    const lock = { ...heldBy('a'), session: sessionId('new-of-a') };
    expect(steps(plan(anObservation({ group, sessions, lock })))).toEqual(['destroySessions session-of-a']);
  });
});

describe('followers’ labels', () => {
  const group = aGroup({ spec: { label: { key: 'leadergroup.dev/role', leader: 'leader', follower: 'follower' } } });
  const following = (name: string) =>
    observed(aPod({ name, labels: { app: 'notifier', 'leadergroup.dev/role': 'follower' } }));

  it('are set after a verification, never on the holder nor on pods that terminate or are another group’s', () => {
    const pods = [
      leader(),
      b,
      observed(aPod({ name: 'c', deleting: true })),
      observed(aPod({ name: 'd' }), { claimedByOther: true }),
      following('e'),
    ];
    const sessions = ['a', 'b', 'd', 'e'].map((name) => aSession(name));
    expect(steps(plan(anObservation({ group, pods, sessions })))).toEqual(['verify a', 'labelFollowers b']);
  });

  it('are not set on a holder that is kept without its label', () => {
    const degraded = aGroup({ spec: { label: group.spec.label, failoverDelayMs: 120_000 } });
    const annotations = { 'token.leadergroup.dev/notifier': '4' };
    const pods = [observed(aPod({ name: 'a', ready: false, annotations })), b];
    expect(steps(plan(anObservation({ group: degraded, pods })))).toEqual(['verify a', 'labelFollowers b']);
  });

  it('are not written at rest', () => {
    const pods = [leader(), following('b'), following('c')];
    expect(plan(anObservation({ group, pods })).kind).toBe('idle');
  });

  it('a fencing patch sets the value on a member and takes the key off any other pod', () => {
    const outside = observed(aLeader(2, { name: 'c' }), { member: false });
    const pods = [leader({ ready: false }), following('b'), outside];
    const { targets } = theAction(plan(anObservation({ group, pods })), 'fence');
    expect(targets.map(({ pod, label }) => [pod.name, label])).toEqual([
      ['a', 'follower'],
      ['c', 'remove'],
    ]);
  });

  it('nobody is labelled where no value is given', () => {
    expect(plan(anObservation()).kind).toBe('idle');
  });
});

describe('a lock whose session and record disagree', () => {
  it('is not believed: everyone is fenced from a fresh list first', () => {
    const lock = { ...freeAfter('b'), session: sessionId('session-of-a') };
    expect(steps(plan(anObservation({ lock })))).toEqual(['readLock', 'listPods']);
  });
});

function withAnnotation(pod: ObservedPod, key: string, value: string): ObservedPod {
  return { ...pod, pod: { ...pod.pod, annotations: { ...pod.pod.annotations, [key]: value } } };
}

describe('what only makes the next handover shorter', () => {
  const canWait = (overrides: Parameters<typeof anObservation>[0]): unknown => {
    const planned = plan(anObservation(overrides));
    return planned.kind === 'look' && planned.canWait;
  };

  it('can wait for other groups: sessions opened ahead, and given up', () => {
    expect(canWait({ sessions: [aSession('a')] })).toBe(true);
    expect(canWait({ sessions: ['a', 'b', 'c', 'gone'].map((name) => aSession(name)) })).toBe(true);
  });

  it('is looked at again when the time of a leader that is not ready is over', () => {
    const pods = [leader({ ready: false }, { notReadyForMs: 1000 }), b];
    const planned = plan(
      anObservation({ group: aGroup({ spec: { failoverDelayMs: 5000 } }), pods, sessions: [aSession('a')] }),
    );
    expect([steps(planned), planned.againMs]).toEqual([['openSessions b'], 4000]);
  });

  it('is looked at again when a repair may be made, a refusal is over, or a member has been ready for long enough', () => {
    const pods = [leader(), observed(aPod({ name: 'b' }), readyFor(1000))];
    const planned = plan(
      anObservation({
        group: aGroup({ spec: { minReadyMs: 4000 } }),
        pods,
        sessions: ['a', 'gone'].map((name) => aSession(name)),
      }),
    );
    expect([steps(planned), planned.againMs]).toEqual([['destroySessions session-of-gone'], 3000]);
  });

  it('is not the session of a nominee, nor of a leader whose timing was edited', () => {
    const pods = [leader({ ready: false }), b];
    expect(canWait({ pods, sessions: [aSession('a')] })).toBe(false);
    expect(canWait({ group: aGroup({ spec: { sessionTtlMs: 60_000 } }) })).toBe(false);
  });
});
