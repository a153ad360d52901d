/** What the owner says of a group, and what it foresees: nothing is performed, and what cannot be known is not guessed. */
import { describe, expect, it } from 'vitest';
import { type Explanation, explanation, type Supposition } from '../../../src/api/diagnostics.ts';
import { explain } from '../../../src/election/explain.ts';
import type { Observation } from '../../../src/election/observation.ts';
import { A_QUESTION, aGroup, aLeader, aPod } from '../../kit/fakes/builders.ts';
import { anObservation, NOW_MS, observed, readyFor } from '../../kit/fakes/builders-election.ts';
import { uidOf } from '../../kit/fakes/ids.ts';

const then = (o: Observation, what: Supposition) => explain(o, what).supposed?.foreseen;
const DELETE_A: Supposition = { kind: 'delete', pod: 'a' };
const CONSUL_DOWN: Supposition = { kind: 'consulDown' };

function frozen<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value) && !(value instanceof Set)) {
    Object.freeze(value);
    for (const part of Object.values(value)) frozen(part);
  }
  return value;
}

function specified(spec: Partial<ReturnType<typeof aGroup>['spec']>) {
  const group = aGroup();
  return { ...group, spec: { ...group.spec, ...spec } };
}

describe('the owner of a group', () => {
  it('says who has the lock, and ranks the members, with what keeps each from leading', () => {
    const pods = [
      observed(aPod({ name: 'd', ready: false })),
      observed(aPod({ name: 'b' }), { yields: true }),
      observed(aPod({ name: 'c' })),
      observed(aLeader(4, { name: 'a' })),
    ];
    const { lock, leader, members } = explain(anObservation({ pods }), null);
    expect([lock.state, lock.holder, lock.token, leader]).toEqual(['held', 'a', 4, 'a']);
    expect(members.map(({ pod, rank, whyNot, resigned }) => [pod, rank, whyNot, resigned])).toEqual([
      ['a', 1, null, false],
      ['c', 2, null, false],
      ['b', 3, null, true],
      ['d', null, 'NotReady', false],
    ]);
  });

  it('says what it waits for, and for how long', () => {
    const group = specified({ failoverDelayMs: 10_000, minReadyMs: 30_000 });
    const pods = [
      observed(aLeader(4, { name: 'a', ready: false }), { candidacy: { lacks: 'NotReady', forMs: 4000 } }),
      observed(aPod({ name: 'b' }), readyFor(10_000)),
    ];
    expect(explain(anObservation({ group, pods }), null).waits.map(({ inMs }) => inMs)).toEqual([6000, 20_000]);
  });

  it('gives an answer that the command can read', () => {
    const told: Explanation = { replica: 'a', version: '1', ...explain(anObservation(), DELETE_A) };
    expect(explanation.parse(JSON.parse(JSON.stringify(told)))).toEqual(told);
  });

  it('names at most 200 members, the best first, and says how many more there are', () => {
    const pods = [
      observed(aLeader(4, { name: 'a' })),
      ...Array.from({ length: 300 }, (_, at) => observed(aPod({ name: `p${at}` }))),
    ];
    const { members, membersLeftOut } = explain(anObservation({ pods }), null);
    expect([members.length, membersLeftOut, members[0]?.rank]).toEqual([200, 101, 1]);
  });
});

describe('it foresees', () => {
  it('that the best other candidate follows a leader that is deleted', () => {
    expect(then(anObservation(), DELETE_A)).toMatchObject({
      outcome: 'moves',
      next: 'b',
      cause: 'LeaderTerminating',
      inMs: 0,
    });
  });

  it('nobody on a node that is drained, but for pods of DaemonSets, which stay', () => {
    const daemon = { apiVersion: 'apps/v1', kind: 'DaemonSet', name: 'd', uid: 'uid-of-d' };
    const pods = [
      observed(aLeader(4, { name: 'a', node: 'node-a' })),
      observed(aPod({ name: 'b', node: 'node-a' })),
      observed(aPod({ name: 'c', node: 'node-c' })),
    ];
    const drain: Supposition = { kind: 'drain', node: 'node-a' };
    expect(explain(anObservation({ pods }), drain).supposed).toMatchObject({
      touches: ['a', 'b'],
      foreseen: { next: 'c' },
    });
    const staying = pods.map((each) => ({ ...each, pod: { ...each.pod, owner: daemon } }));
    expect(explain(anObservation({ pods: staying }), drain).supposed).toMatchObject({
      touches: [],
      foreseen: { outcome: 'stays' },
    });
  });

  it('that the leader stays where another pod goes, or none of that name is there', () => {
    for (const pod of ['b', 'absent'])
      expect(then(anObservation(), { kind: 'delete', pod })).toMatchObject({ outcome: 'stays', next: 'a' });
  });

  it('that the last one is kept, for want of another, when it is told to end', () => {
    expect(then(anObservation({ pods: [observed(aLeader(4, { name: 'a' }))] }), DELETE_A)).toMatchObject({
      outcome: 'stays',
      next: 'a',
      ready: expect.stringContaining('NoCandidate'),
    });
  });

  it.each([
    ['Hold', 'stays', 'a'],
    ['Demote', 'demoted', null],
  ] as const)('what onConsulLoss %s does at the deadline, and when that is', (onConsulLoss, outcome, next) => {
    const o = anObservation({ group: specified({ onConsulLoss }), lockDeadlineMs: NOW_MS + 12_000 });
    expect(then(o, CONSUL_DOWN)).toMatchObject({
      outcome,
      next,
      inMs: 12_000,
      ready: expect.stringContaining('ConsulUnreachable'),
    });
  });

  it('a session that has still to be opened as opened, and says what else it takes for granted', () => {
    const o = anObservation();
    const pods = o.pods.map((each) => ({
      ...each,
      owner: { kind: 'unread' } as const,
      pod: { ...each.pod, owner: { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'r', uid: 'r' } },
    }));
    const alone = { ...o, pods, sessions: o.sessions.filter(({ podUid }) => podUid === o.pods[0]?.pod.uid) };
    expect(then(alone, DELETE_A)).toMatchObject({
      outcome: 'moves',
      next: 'b',
      assumed: [expect.stringContaining('selects by the label')],
    });
  });

  it('who would be asked before a promotion next, and that it was taken to pass; who has failed does not', () => {
    const o = anObservation();
    const [a, ...others] = ['a', 'b', 'c'].map((name, at) => {
      const pod = { name, addresses: [`10.0.0.${at + 1}`] };
      return observed(name === 'a' ? aLeader(4, pod) : aPod(pod));
    });
    const failed = { kind: 'failed', askedMs: NOW_MS, failure: 'Status5xx', retryAtMs: NOW_MS + 5000 } as const;
    const asking: Observation = {
      ...o,
      group: specified({ beforePromotion: A_QUESTION }),
      pods: a === undefined ? [] : [a, ...others],
      beforePromotion: { blind: null, answers: new Map([[uidOf('b'), failed]]) },
    };
    expect(then(asking, DELETE_A)).toMatchObject({
      outcome: 'moves',
      next: 'c',
      assumed: ['whoever is asked before its promotion passes'],
    });
  });

  it('nothing where the lock has not been read, and says so', () => {
    expect(then(anObservation({ lock: null }), DELETE_A)).toMatchObject({
      outcome: 'unknown',
      next: null,
      reason: expect.stringContaining('not been read'),
    });
  });

  it('without changing what it looks at', () => {
    const o = frozen(anObservation());
    for (const what of [DELETE_A, CONSUL_DOWN, { kind: 'drain', node: 'node-a' } as const])
      expect(() => explain(o, what)).not.toThrow();
  });
});
