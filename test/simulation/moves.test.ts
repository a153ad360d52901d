/** Planned work moves a lead as seldom as docs/how-to/preferences.md says. `npm run moves` prints the means. */
import { describe, expect, it } from 'vitest';
import type { TransitionStatus } from '../../src/api/leadergroup.ts';
import { rankedCandidates } from '../../src/election/candidates.ts';
import { deferrals } from '../../src/election/deferral.ts';
import { aNode, aPod } from '../kit/fakes/builders.ts';
import { anObservation, observed } from '../kit/fakes/builders-election.ts';
import { byRank, longestReady, type Moves, movesOf, type Order, type Work } from '../kit/simulation/moves.ts';
import {
  deploymentUpdate,
  nodeRestarts,
  nodeRoll,
  running,
  statefulSetUpdate,
} from '../kit/simulation/planned-work.ts';

const TIMES = 60;

const played = (begin: Work, work: Work, order: Order = byRank()): readonly Moves[] =>
  Array.from({ length: TIMES }, (_, at) => movesOf(begin, work, order, `moves ${at}`));

const most = (all: readonly Moves[]): number => Math.max(...all.map(({ moved }) => moved));
const mean = (all: readonly Moves[], of: keyof Moves = 'moved'): number =>
  all.reduce((sum, each) => sum + each[of], 0) / all.length;

describe('the lead moves', () => {
  it.each([1, 3, 10])('once where a Deployment of %i whose leader is deleted last is updated', (pods) => {
    const all = played(running({ pods, nodes: pods }), deploymentUpdate({ cost: true }));
    expect([most(all), mean(all)]).toEqual([1, 1]);
  });

  it.each([3, 10])('once where a Deployment of %i is updated, none of which may be unavailable', (pods) => {
    const all = played(running({ pods, nodes: pods }), deploymentUpdate({ cost: false }));
    expect([most(all), mean(all)]).toEqual([1, 1]);
  });

  it.each([2, 3, 5, 10])('twice at most where a StatefulSet of %i is updated', (pods) => {
    const all = played(running({ pods, nodes: pods, stateful: true }), statefulSetUpdate);
    expect(most(all)).toBeLessThanOrEqual(2);
  });

  it.each([
    ['the new node comes first', nodeRoll({ surge: true })],
    ['the new node comes last, and pods wait for it', nodeRoll({ surge: false, apart: true })],
  ])('twice at most where 3 nodes with 3 pods are rolled, and %s', (_, work) => {
    expect(most(played(running({ pods: 3, nodes: 3 }), work))).toBeLessThanOrEqual(2);
  });

  it.each([
    ['rolled, the new node first', nodeRoll({ surge: true })],
    ['rolled, the new node last', nodeRoll({ surge: false })],
    ['restarted in place', nodeRestarts],
  ])('twice or so where 20 nodes with 10 pods are %s, and less than by who is the longest ready', (_, work) => {
    const all = played(running({ pods: 10, nodes: 20 }), work);
    expect(mean(all)).toBeLessThan(2.5);
    expect(mean(all)).toBeLessThan(mean(played(running({ pods: 10, nodes: 20 }), work, longestReady)) - 0.5);
  });

  it('never less than the least possible, which is counted right', () => {
    const all = played(running({ pods: 10, nodes: 20 }), nodeRoll({ surge: true }));
    for (const { moved, least } of all) expect(moved).toBeGreaterThanOrEqual(least);
    expect(mean(all) - mean(all, 'least')).toBeLessThan(0.5);
  });
});

describe('pods that fail whenever they lead', () => {
  const MINUTES = 30;

  /** Of three pods two are on newer nodes; each of these fails ten seconds after it was elected, and is ready again five seconds later. */
  function lossesIn(minutes: number, defers: boolean): number {
    const history: TransitionStatus[] = [];
    const readyAgain = new Map<string, number>();
    let [leader, since, losses] = ['c', 0, 0];
    for (let second = 0; second < minutes * 60; second += 1) {
      const fails = leader !== 'a' && second - since >= 10;
      if (!fails) continue;
      readyAgain.set(leader, second + 5);
      losses += 1;
      history.unshift(failure(leader, second));
      const deferred = defers ? deferrals(history.slice(0, 10), { nowMs: 0, wallSeconds: second }) : new Map();
      const pods = ['a', 'b', 'c'].map((name, at) =>
        observed(aPod({ name, uid: name, ready: (readyAgain.get(name) ?? 0) <= second }), {
          host: aNode({ createdMs: at }),
          deferred: deferred.get(name) ?? null,
        }),
      );
      leader = rankedCandidates(anObservation({ pods, lock: null }))[0]?.pod.name ?? '';
      since = second;
    }
    return losses;
  }

  const failure = (from: string, second: number): TransitionStatus => ({
    time: new Date(second * 1000).toISOString(),
    from,
    fromUID: from,
    to: '',
    reason: 'LeaderNotReady',
    chosenBy: '',
    token: 1,
    durationMilliseconds: 0,
  });

  it('do not pass the lead to and fro past one that would keep it', () => {
    expect(lossesIn(MINUTES, false)).toBeGreaterThan(MINUTES * 5);
    expect(lossesIn(MINUTES, true)).toBe(2);
  });
});
