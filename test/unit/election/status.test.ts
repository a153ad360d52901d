import { describe, expect, it } from 'vitest';
import type { Condition, LeaderGroupStatus, TransitionStatus } from '../../../src/api/leadergroup.ts';
import type { Verdict } from '../../../src/election/actions.ts';
import type { Observation } from '../../../src/election/observation.ts';
import { plan } from '../../../src/election/plan.ts';
import { notReady, ready } from '../../../src/election/plans.ts';
import { buildStatus } from '../../../src/election/status.ts';
import { aGroup, aLeader, aPod } from '../../kit/fakes/builders.ts';
import { anObservation, heldBy, LOCK_KEY, NOW_MS, observed, readyFor } from '../../kit/fakes/builders-election.ts';
import { sessionId } from '../../kit/fakes/ids.ts';

const NOW = '2026-01-02T03:04:05Z';
const LED = ready('Led');

const build = (o: Observation, verdict: Verdict | null = LED, news: readonly TransitionStatus[] = []) =>
  buildStatus(o, verdict, news, NOW);

const condition = (status: LeaderGroupStatus, type: Condition['type']): Condition =>
  status.conditions.find((found) => found.type === type) ?? expect.fail(`no condition ${type}`);

const transition = (to: string, overrides: Partial<TransitionStatus> = {}): TransitionStatus => ({
  time: NOW,
  from: '',
  to,
  reason: 'LeaderNotReady',
  token: 4,
  fromUID: '',
  chosenBy: '',
  durationMilliseconds: 12,
  ...overrides,
});

const withStatus = (status: LeaderGroupStatus): Observation => anObservation({ group: aGroup({ status }) });

describe('the status', () => {
  it('tells who leads, where, since when, with which token and session', () => {
    const status = build(anObservation());
    expect(status).toMatchObject({
      leader: 'a',
      leaders: [
        {
          slot: 0,
          pod: 'a',
          uid: 'uid-of-a',
          node: 'node-of-a',
          token: 4,
          sessionID: 'session-of-a',
          acquireTime: '2023-11-14T22:13:20Z',
        },
      ],
      members: 3,
      candidates: 3,
      ineligible: [],
      lockKey: LOCK_KEY,
      lockedBy: '',
      onConsulLoss: 'Hold',
      observedGeneration: 1,
    });
  });

  it('names nobody where nobody carries the label, whoever holds the lock', () => {
    const pods = [observed(aPod({ name: 'a' }))];
    expect(build(anObservation({ pods }))).toMatchObject({ leader: '', leaders: [] });
  });

  it('keeps the token of a leader that vanished without having been fenced, once', () => {
    const led = build(anObservation());
    const pods = [observed(aPod({ name: 'b' }))];
    const next = build(
      anObservation({ pods, group: aGroup({ status: led }) }),
      notReady('ConsulUnreachable', 'silent'),
    );
    expect(next).toMatchObject({ leaders: [], leaderTransitions: 0 });
    expect(next.recentTransitions).toMatchObject([{ from: 'a', to: '', reason: 'LeaderGone', token: 4 }]);
    const after = build(anObservation({ pods, group: aGroup({ status: next }) }));
    expect(after.recentTransitions).toEqual(next.recentTransitions);
  });

  it('adds nothing for a leader whose token its news tell', () => {
    const led = build(anObservation());
    const o = anObservation({ pods: [observed(aPod({ name: 'b' }))], group: aGroup({ status: led }) });
    expect(build(o, LED, [transition('', { from: 'a' })]).recentTransitions).toHaveLength(1);
  });

  it.each(['yesterday', '2024-19-39T29:59:59Z', '2024-02-30T00:00:00Z', '2024-02-01T24:00:00Z', `${NOW}\n`])(
    'takes no time from an annotation that is none: %j',
    (since) => {
      const { pod } = observed(aLeader(4, { name: 'a' }));
      const annotations = { ...pod.annotations, 'since.leadergroup.dev/notifier': since };
      expect(build(anObservation({ pods: [observed({ ...pod, annotations })] })).leaders[0]?.acquireTime).toBe(NOW);
    },
  );

  it('counts members that cannot lead by reason, with three examples of each at most', () => {
    const pods = [
      ...['e', 'd', 'c', 'b'].map((name) => observed(aPod({ name, ready: false }))),
      observed(aPod({ name: 'x', deleting: true })),
      observed(aPod({ name: 'y' }), readyFor(1)),
      observed(aPod({ name: 'z' }), { member: false }),
    ];
    const group = aGroup({ spec: { minReadyMs: 5000 } });
    expect(build(anObservation({ group, pods }))).toMatchObject({
      members: 6,
      candidates: 0,
      ineligible: [
        { reason: 'MinReadySeconds', count: 1, examples: ['y'] },
        { reason: 'NotReady', count: 4, examples: ['b', 'c', 'd'] },
        { reason: 'Terminating', count: 1, examples: ['x'] },
      ],
    });
  });

  it('names an external holder that holds the lock', () => {
    const holderSession = { kind: 'external', name: '', node: 'vm-1' } as const;
    const o = anObservation({ lock: { ...heldBy('a'), session: sessionId('theirs') }, holderSession });
    expect(build(o).lockedBy).toBe('"unnamed session" on node vm-1 (session theirs)');
  });

  it('fits the schema and stays one line, whatever an external holder calls its session', () => {
    const name = `\u001b[31m\u202e\ud800\n${'n'.repeat(40_000)}`;
    const holderSession = { kind: 'external', name, node: 'm'.repeat(40_000) } as const;
    const o = anObservation({
      pods: [observed(aPod({ name: 'b' }))],
      lock: { ...heldBy('a'), session: sessionId('theirs') },
      holderSession,
      sessions: [],
    });
    const status = build(o, plan(o).verdict);
    for (const text of [status.lockedBy, ...status.conditions.map(({ message }) => message)]) {
      expect(text.length).toBeLessThan(500);
      expect(text).not.toMatch(/[\p{Cc}\p{Cf}\p{Cs}]/u);
    }
  });

  it('is the same for the same world, so that at rest nothing is written', () => {
    const first = build(anObservation());
    expect(buildStatus(withStatus(first), LED, [], '2030-01-01T00:00:00Z')).toEqual(first);
  });

  it('says nothing new in its conditions when nothing was learnt', () => {
    const first = build(anObservation(), notReady('Electing', 'x'));
    expect(build(withStatus(first), null).conditions).toEqual(first.conditions);
  });
});

describe('changes of leader', () => {
  it('stand newest first, ten of them', () => {
    const first = build(anObservation(), LED, [transition('a')]);
    const news = Array.from({ length: 12 }, (_, at) => transition(`pod-${at}`));
    const status = build(withStatus(first), LED, news);
    expect(status.recentTransitions.map(({ to }) => to)).toEqual(
      news
        .slice(2)
        .map(({ to }) => to)
        .toReversed(),
    );
  });

  it('are counted when somebody came to lead', () => {
    const first = build(anObservation(), LED, [transition('a')]);
    expect(first.leaderTransitions).toBe(1);
    const next = build(withStatus(first), LED, [transition('', { from: 'a' }), transition('b')]);
    expect(next.leaderTransitions).toBe(2);
    expect(next.recentTransitions.map(({ to }) => to)).toEqual(['b', '', 'a']);
  });

  it('counts a change once whose status was written, and the answer lost', () => {
    const news = [transition('b', { from: 'a' })];
    const first = build(anObservation(), LED, news);
    const next = build(withStatus(first), LED, news);
    expect([next.leaderTransitions, next.recentTransitions]).toEqual([
      first.leaderTransitions,
      first.recentTransitions,
    ]);
  });
});

describe('conditions, as kstatus reads them', () => {
  it('of a settled group: Ready, not Reconciling, not Stalled', () => {
    const status = build(anObservation());
    const said = status.conditions.map(({ type, status, reason }) => [type, status, reason]);
    expect(said).toEqual([
      ['Ready', 'True', 'Led'],
      ['Reconciling', 'False', 'Settled'],
      ['Stalled', 'False', 'NotStalled'],
      ['Paused', 'False', 'NotPaused'],
    ]);
  });

  it.each(['Electing', 'LockDelay'] as const)('while %s: Reconciling and not Ready', (reason) => {
    const status = build(anObservation(), notReady(reason, 'half a sentence'));
    expect(condition(status, 'Ready').status).toBe('False');
    expect(condition(status, 'Reconciling')).toMatchObject({ status: 'True', reason, message: 'half a sentence' });
  });

  it.each(['NoCandidate', 'ConsulUnreachable'] as const)('%s is not Ready, and nothing is under way', (reason) => {
    const status = build(anObservation(), notReady(reason, 'x'));
    expect(condition(status, 'Ready')).toMatchObject({ status: 'False', reason });
    expect(condition(status, 'Reconciling')).toMatchObject({ status: 'False', reason: 'Waiting' });
  });

  it('stalled says what a human must do, in both conditions', () => {
    const o = anObservation({ overlapsWith: 'older', pods: [], lock: heldBy('a') });
    const status = build(o, plan(o).verdict);
    expect(condition(status, 'Stalled')).toMatchObject({ status: 'True', reason: 'SelectorOverlap' });
    expect(condition(status, 'Stalled').message).toContain('Delete one of the two');
    expect(condition(status, 'Ready').status).toBe('False');
    expect(condition(status, 'Reconciling')).toMatchObject({ status: 'False', reason: 'Stalled' });
  });

  it('paused stands apart', () => {
    const o = anObservation({ group: aGroup({ spec: { paused: true } }) });
    expect(condition(build(o, plan(o).verdict), 'Paused')).toMatchObject({ status: 'True', reason: 'PausedBySpec' });
  });

  it('carry the generation they were made for', () => {
    const status = build(anObservation({ group: aGroup({ generation: 7 }) }));
    expect(status.conditions.every(({ observedGeneration }) => observedGeneration === 7)).toBe(true);
    expect(status.observedGeneration).toBe(7);
  });

  it('change lastTransitionTime with their status only', () => {
    const first = build(anObservation());
    const later = '2030-01-01T00:00:00Z';
    const other = buildStatus(withStatus(first), ready('LedElsewhere', 'the lock is elsewhere'), [], later);
    expect(condition(other, 'Ready')).toMatchObject({ reason: 'LedElsewhere', lastTransitionTime: NOW });
    const lost = buildStatus(withStatus(first), notReady('NoCandidate', 'x'), [], later);
    expect(condition(lost, 'Ready').lastTransitionTime).toBe(later);
    expect(condition(lost, 'Stalled').lastTransitionTime).toBe(NOW);
  });
});

describe('Ready’s message', () => {
  const message = (o: Observation, verdict: Verdict | null, news: readonly TransitionStatus[] = []): string =>
    condition(build(o, verdict, news), 'Ready').message;

  it('is one sentence: who, since when, with which token, why', () => {
    expect(message(anObservation(), LED, [transition('a')])).toBe(
      'a leads since 2023-11-14T22:13:20Z with token 4 (cause: LeaderNotReady)',
    );
  });

  it('does not give the reason of another’s lead, also not of an earlier one of that name', () => {
    expect(message(anObservation(), LED, [transition('b')])).not.toContain('LeaderNotReady');
    expect(message(anObservation(), LED, [transition('a', { token: 3 })])).not.toContain('LeaderNotReady');
  });

  it('gives the leader’s own reason also when its history has gone on', () => {
    const news = [transition('a'), transition('', { from: 'b', reason: 'LeaderGone', token: 3 })];
    expect(message(anObservation(), LED, news)).toMatch(/with token 4 \(cause: LeaderNotReady\)$/);
  });

  it('adds what is wrong, also of a leader that is kept', () => {
    const pods = [observed(aLeader(4, { name: 'a', ready: false }))];
    const o = anObservation({ pods });
    expect(message(o, plan(o).verdict)).toBe(
      'none of 1 member can lead: 1 NotReady (a). Look at kubectl describe pod a; the first one that can lead is elected; a still carries the leader label, since 2023-11-14T22:13:20Z with token 4',
    );
  });

  it('says why nobody leads', () => {
    const o = anObservation({ pods: [], lock: { ...heldBy('a'), session: null }, sessions: [] });
    expect(message(o, plan(o).verdict)).toBe('the selector matches no pods');
  });

  it('says what to do when Consul does not answer', () => {
    const o = anObservation({ consulUnreachable: true, lockDeadlineMs: NOW_MS });
    expect(message(o, plan(o).verdict)).toMatch(
      /^Consul has not confirmed the lock .*onConsulLoss is Hold.*Check Consul.*by itself\. a still carries the leader label/,
    );
  });
});
