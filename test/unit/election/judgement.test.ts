/** The leader probe in plans: who is replaced, who follows, what is said. */
import { describe, expect, it } from 'vitest';
import type { PodUid } from '../../../src/api/ids.ts';
import { judgedBefore } from '../../../src/election/judgement.ts';
import type { Observation } from '../../../src/election/observation.ts';
import { plan } from '../../../src/election/plan.ts';
import type { Answers } from '../../../src/election/probe.ts';
import { buildStatus } from '../../../src/election/status.ts';
import { A_GATE_PROBE, AN_HTTP_PROBE, aGroup, aLeader, aPod } from '../../kit/fakes/builders.ts';
import {
  anObservation,
  aProbeView,
  eachHalfPeriod,
  freeAfter,
  heldBy,
  NOW_MS,
  observed,
  steps,
} from '../../kit/fakes/builders-election.ts';
import { uidOf } from '../../kit/fakes/ids.ts';

const group = aGroup({ spec: { leaderProbe: A_GATE_PROBE } });
const STEADY = eachHalfPeriod(5000, 0);
const PAST = eachHalfPeriod(5000, 2000);
const probed = (probe: Observation['probe'], overrides: Partial<Observation> = {}): Observation =>
  anObservation({ group, probe, ...overrides });

const leader = observed(aLeader(4, { name: 'a' }));
const b = observed(aPod({ name: 'b' }));
const c = observed(aPod({ name: 'c' }));

describe('a leader that fails its probe', () => {
  it('is fenced, and whoever passed takes over, though another would rank first', () => {
    const planned = plan(probed(aProbeView({ a: PAST, c: STEADY })));
    expect(steps(planned)).toEqual(['fence a', 'handOver c', 'promote c']);
    expect(planned).toMatchObject({
      cause: 'LeaderUnresponsive',
      reason: expect.stringContaining('(Silent)') as string,
    });
  });

  it('is replaced within failoverDelaySeconds as well', () => {
    const patient = aGroup({ spec: { leaderProbe: A_GATE_PROBE, failoverDelayMs: 60_000 } });
    const pods = [observed(aLeader(4, { name: 'a', ready: false }), { notReadyForMs: 1000 }), b];
    expect(plan(probed(aProbeView({ a: PAST, b: STEADY }), { group: patient, pods })).cause).toBe('LeaderUnresponsive');
  });

  it('is not replaced by one that cannot lead, however well it is heard', () => {
    const pods = [leader, observed(aPod({ name: 'b', ready: false }))];
    expect(plan(probed(aProbeView({ a: PAST, b: STEADY }), { pods })).kind).toBe('idle');
  });

  it('is kept where no candidate passes, and Ready says so', () => {
    const planned = plan(probed(aProbeView({ a: PAST })));
    expect(planned).toMatchObject({ kind: 'idle', verdict: { ready: { reason: 'Led' } } });
    expect(planned.verdict?.detail).toContain('no candidate has passed');
  });

  it('is none without a leader probe', () => {
    expect(plan(anObservation({ probe: null })).kind).toBe('idle');
  });
});

describe('a nominee', () => {
  const gone = { pods: [b, c] };

  it('is the best of those who were heard within the last period', () => {
    expect(steps(plan(probed(aProbeView({ b: [1000], c: [999] }), gone)))).toContain('handOver c');
  });

  it('is the best of all where nobody was', () => {
    expect(steps(plan(probed(aProbeView(), gone)))).toContain('handOver b');
  });

  it('is waited for while this replica has not listened for a period', () => {
    const fresh = aProbeView({}, { sinceMs: NOW_MS - 400 });
    expect(plan(probed(fresh, gone))).toMatchObject({ kind: 'idle', verdict: null, againMs: 50 });
    expect(plan(probed(fresh, { ...gone, lock: freeAfter('a') }))).toMatchObject({ kind: 'idle', verdict: null });
  });

  it('is not waited for where there is no choice, nor where nobody can be heard', () => {
    const fresh = aProbeView({}, { sinceMs: NOW_MS - 400 });
    expect(steps(plan(probed(fresh, { pods: [b] })))).toContain('handOver b');
    expect(steps(plan(probed({ ...fresh, blind: 'cut off' }, gone)))).toContain('handOver b');
  });

  it('is the recorded holder where only its session was lost: a leader is judged as a leader', () => {
    const o = probed(aProbeView({ b: STEADY }), { lock: freeAfter('a') });
    expect(steps(plan(o))).toEqual(['take a', 'promote a']);
  });
});

describe('a nominee that can be asked', () => {
  const asking = aGroup({ spec: { leaderProbe: AN_HTTP_PROBE } });
  const at = (name: string) => observed(aPod({ name, addresses: [`10.0.0.${name === 'b' ? 2 : 3}`] }));
  const SINCE_MS = NOW_MS - 1000;
  const gone = (
    answers: ReadonlyMap<PodUid, Answers>,
    pods = [at('b'), at('c')],
    searchSinceMs: number | null = SINCE_MS,
  ): Observation => anObservation({ group: asking, probe: aProbeView({}, { answers, searchSinceMs }), pods });
  const answered = (name: string, failure: Answers['failure'], msAgo = 100): readonly [PodUid, Answers] => [
    uidOf(name),
    {
      failures: failure === null ? 0 : 1,
      sinceMs: NOW_MS - msAgo,
      lastMs: NOW_MS - msAgo,
      failure,
      notAsked: null,
      besideMs: failure === null ? NOW_MS - msAgo : null,
    },
  ];

  it('is asked before it is elected, with the others', () => {
    expect(steps(plan(gone(new Map(), undefined, null)))).toEqual(['askCandidates b,c']);
  });

  it('is asked also when the leader has resigned, which is not forgotten for that', () => {
    const pods = [observed(aLeader(4, { name: 'a' })), at('b'), at('c')];
    const probe = aProbeView({}, { answers: new Map() });
    const planned = plan(anObservation({ group: asking, probe, pods, resigned: { uid: uidOf('a'), token: 4 } }));
    expect(steps(planned)).toEqual(['askCandidates b,c']);
  });

  it('is the best of those who pass', () => {
    expect(steps(plan(gone(new Map([answered('b', 'Timeout'), answered('c', null)]))))).toContain('handOver c');
  });

  it('is the best of all where nobody passes', () => {
    expect(steps(plan(gone(new Map([answered('b', 'Timeout'), answered('c', 'Reset')]))))).toContain('handOver b');
  });

  it('is asked though it passed before anybody thought of it', () => {
    const before = new Map([answered('b', null), answered('c', null)]);
    expect(steps(plan(gone(before, undefined, null)))).toEqual(['askCandidates b,c']);
    const both = new Map([answered('b', null, 1001), answered('c', 'Timeout')]);
    expect(steps(plan(gone(both)))).toEqual(['askCandidates b']);
  });

  it('is looked for among all, the best eight first, until one passes', () => {
    const names = Array.from({ length: 40 }, (_, at) => `p${10 + at}`);
    const pods = names.map((name) => observed(aPod({ name, addresses: [`10.0.1.${name.slice(1)}`] })));
    const failing = (count: number) => names.slice(0, count).map((name) => answered(name, 'Timeout'));
    const asked = (count: number): number =>
      steps(plan(gone(new Map(failing(count)), pods))).flatMap((step) => step.split(',')).length;
    expect([asked(0), asked(8), asked(16), asked(32)]).toEqual([8, 8, 16, 8]);
    const ninth = new Map([...failing(8), answered('p18', null)]);
    expect(steps(plan(gone(ninth, pods)))).toContain('handOver p18');
    expect(steps(plan(gone(new Map(failing(40)), pods)))).toContain('handOver p10');
  });

  it('is not asked where there is no choice, and is not one without an address where another passes', () => {
    expect(steps(plan(gone(new Map(), [at('b')])))).toContain('handOver b');
    const pods = [observed(aPod({ name: 'b' })), at('c')];
    expect(steps(plan(gone(new Map([answered('c', null)]), pods)))).toContain('handOver c');
  });
});

describe('the condition LeaderProbe', () => {
  const NOW = '2026-01-01T00:00:00Z';
  const conditionOf = (o: Observation) =>
    buildStatus(o, plan(o).verdict, [], '2026-01-01T00:00:00Z').conditions.find(({ type }) => type === 'LeaderProbe');
  const withStatus = (probe: Observation['probe'], before: Observation): Observation => {
    const status = buildStatus(before, plan(before).verdict, [], '2026-01-01T00:00:00Z');
    return probed(probe, { group: { ...group, status } });
  };

  it.each([
    ['True', 'Passing', aProbeView({ a: STEADY })],
    ['False', 'NoRhythm', aProbeView({ b: STEADY })],
    ['False', 'ProbeBlind', aProbeView({ a: PAST }, { blind: 'the watch is behind' })],
    ['False', 'NoPassingCandidate', aProbeView({ a: PAST })],
    ['False', 'NotJudged', aProbeView({}, { leader: { uid: uidOf('a'), sinceMs: NOW_MS } })],
  ])('is %s for %s', (status, reason, view) => {
    const shown = probed(view, { pods: [observed(aLeader(4, { name: 'a', addresses: ['10.0.0.1'] })), b, c] });
    expect(conditionOf(shown)).toMatchObject({ status, reason });
  });

  const before = probed(aProbeView({ a: STEADY }));
  const early = aProbeView({}, { sinceMs: NOW_MS });

  it('stays as it was while the next owner has nothing to judge by', () => {
    const shown = withStatus(early, before);
    expect(conditionOf(shown)).toMatchObject({ status: 'True', reason: 'Passing' });
    expect(judgedBefore(shown.group)).toBe(uidOf('a'));
  });

  it('says nothing of the next leader that was found of the last one, nor by another spec', () => {
    const pods = [observed(aPod({ name: 'a' })), observed(aLeader(5, { name: 'b' })), c];
    const next = { ...withStatus(early, before), pods, lock: heldBy('b', 5) };
    const { group: shown } = withStatus(early, before);
    const edited = probed(early, { group: { ...shown, generation: shown.generation + 1 } });
    for (const o of [next, edited]) {
      expect(conditionOf(o)).toMatchObject({ status: 'False', reason: 'NotJudged' });
      expect(judgedBefore({ ...o.group, status: buildStatus(o, plan(o).verdict, [], NOW) })).toBeNull();
    }
    expect(judgedBefore(edited.group)).toBeNull();
  });

  it('shows nobody as one that asks in its rhythm who was found not to', () => {
    for (const view of [aProbeView({ b: STEADY }), aProbeView({ a: PAST }, { blind: 'the watch is behind' })]) {
      const o = probed(view);
      expect(judgedBefore({ ...group, status: buildStatus(o, plan(o).verdict, [], NOW) })).toBeNull();
    }
  });

  it('is there for groups with a leader probe alone', () => {
    expect(conditionOf(anObservation())).toBeUndefined();
  });
});
