/** When a candidate that is preferred takes the lead from a leader that is well, and what speaks against it. */
import { describe, expect, it } from 'vitest';
import type { Observation, ObservedPod } from '../../../src/election/observation.ts';
import { plan } from '../../../src/election/plan.ts';
import { judgePreemption, preferredSince } from '../../../src/election/preemption.ts';
import { formatRecord, parseRecord } from '../../../src/election/record.ts';
import { buildStatus } from '../../../src/election/status.ts';
import { A_GATE_PROBE, A_QUESTION, AN_HTTP_PROBE, aNode, aPod, type PodOverrides } from '../../kit/fakes/builders.ts';
import {
  aProbeView,
  aRecord,
  aSession,
  eachHalfPeriod,
  freeAfter,
  NOW_MS,
  observed,
  readyFor,
  steps,
  theAction,
} from '../../kit/fakes/builders-election.ts';
import {
  aRival,
  DELAY_MS,
  ofTier,
  PREEMPTING,
  PREFERRED,
  preemptedAgo,
  preferredFor,
  preferring,
} from '../../kit/fakes/builders-preemption.ts';
import { askedFor, HANDOVER, heldWith, leaderA, NOW_WALL_MS } from '../../kit/fakes/builders-switchover.ts';
import { uidOf } from '../../kit/fakes/ids.ts';

const c = (overrides: PodOverrides = {}, more: Partial<ObservedPod> = {}) =>
  observed(aPod({ name: 'c', ...overrides }), more);
const withB = (overrides: PodOverrides = {}, more: Partial<ObservedPod> = {}) => [
  leaderA(),
  aRival('b', overrides, more),
  c(),
];
const failedOnce = { failures: 1, untilMs: NOW_MS + 30_000 };
const beside = (pod: ObservedPod) => [leaderA(), aRival('b'), pod];
function recordAfter(o: Observation) {
  const planned = plan(o);
  return planned.kind === 'transition' ? planned.lock.transaction.record : null;
}

describe('a candidate that has been preferred for the whole delay', () => {
  it('takes the lead, by a handover like any other', () => {
    const planned = plan(preferring());
    expect([planned.cause, steps(planned)]).toEqual(['Preempted', HANDOVER]);
  });

  it('does not where nobody has asked for it', () => {
    const spec = { preemption: { policy: 'Never', delayMs: DELAY_MS } } as const;
    expect(steps(plan(preferring({ group: { spec } })))).toEqual([]);
  });

  it('waits for the rest of the delay, and the group wakes for it', () => {
    const planned = plan(preferring({ preemption: { preferred: preferredFor(DELAY_MS - 1, 'b') } }));
    expect([steps(planned), planned.againMs]).toEqual([[], 1]);
  });

  it('is looked up first, in its turn: a cache may show a group that is paused by now, and Consul may have fallen silent', () => {
    const o = preferring({ preemption: { confirmed: false } });
    expect(steps(plan(o))).toEqual(['awaitTurn', 'readLock', 'readGroup']);
  });

  it('rests until it is its turn, so that people hear of what happens meanwhile', () => {
    const planned = plan(preferring({ preemption: { confirmed: false, turnMs: NOW_MS + 3000 } }));
    expect([planned.kind, planned.againMs]).toEqual(['idle', 3000]);
  });

  it('has a session before anything is taken from the leader', () => {
    expect(steps(plan(preferring({ sessions: [aSession('a')] })))).toEqual(['openSessions b,c']);
  });

  it('of several is the best', () => {
    const pods = [leaderA(), aRival('b', { ...ofTier('medium') }), aRival('c')];
    expect(steps(plan(preferring({ pods, preemption: { preferred: preferredFor(DELAY_MS, 'b', 'c') } })))).toContain(
      'promote c',
    );
  });

  it('does not wait for a better one that is to wait longer', () => {
    const preferred = {
      over: uidOf('a'),
      since: new Map([...preferredFor(DELAY_MS, 'b').since, ...preferredFor(1, 'c').since]),
    };
    const pods = [leaderA(), aRival('b', { ...ofTier('medium') }), aRival('c')];
    expect(steps(plan(preferring({ pods, preemption: { preferred } })))).toContain('promote b');
  });

  it.each<[string, readonly ObservedPod[]]>([
    ['its name', [leaderA({ name: 'a' }), aRival('0', { labels: { app: 'notifier' } })]],
    ['its age', [leaderA(), aRival('b', { labels: { app: 'notifier' }, readyTransitionMs: 0 })]],
    ['an equal weight', [leaderA(ofTier('large')), aRival('b')]],
    ['a lower weight', [leaderA(ofTier('large')), aRival('b', ofTier('medium'))]],
  ])('is not preferred for %s', (_, pods) => {
    const preferred = preferredFor(DELAY_MS, 'b', '0');
    expect(judgePreemption(preferring({ pods, preemption: { preferred } })).kind).toBe('preferred');
  });

  it.each<[string, readonly ObservedPod[]]>([
    ['is not ready', withB({ ready: false })],
    ['has failed as a leader lately', withB({}, { deferred: { failures: 1, untilMs: NOW_MS + 30_000 } })],
    ['has resigned lately', withB({}, { yields: true })],
    [
      'has failed lately, as the leader has',
      [leaderA({}, { deferred: failedOnce }), aRival('b', {}, { deferred: failedOnce }), c()],
    ],
    ['was refused', withB({}, { promotionRefused: { message: 'no', retryAtMs: NOW_MS + 1 } })],
    ['is excluded', withB({ annotations: { 'leadergroup.dev/candidate': 'false' } })],
    ['is on a node that is lost', withB({}, { nodeLost: true })],
    ['has a label that somebody contests', withB({}, { contest: { notBeforeMs: 0, overAtMs: NOW_MS + 1, by: 'x' } })],
    ["is another group's too", withB({}, { claimedByOther: true })],
    ['has no controller that keeps it', withB({ owner: null })],
  ])('does not take the lead while it %s', (_, pods) => {
    expect(plan(preferring({ pods })).cause).not.toBe('Preempted');
  });

  it.each<[string, Observation]>([
    ['the group is paused', preferring({ group: { spec: { paused: true } } })],
    ['a switchover has put the leader there', preferring({ lock: heldWith('a', { pinned: true }) })],
    [
      'nodes were seen and cannot be watched any more',
      preferring({ pods: beside(c({}, { host: aNode() })), nodesReadable: false }),
    ],
    ['its node is cordoned', preferring({ pods: withB({}, { cordoned: true }) })],
    ["the leader's node is cordoned", preferring({ pods: [leaderA({}, { cordoned: true }), aRival('b'), c()] })],
    ["another member's node is cordoned", preferring({ pods: beside(c({}, { cordoned: true })) })],
    ['a workload is rolled out', PREFERRED.RollingOut],
    ['a member is about to be evicted', preferring({ pods: beside(c({ disrupted: true })) })],
    ['a member is not ready', preferring({ pods: beside(c({ ready: false })) })],
    ['a member is being deleted', preferring({ pods: beside(c({ deleting: true })) })],
    ['Consul is silent', preferring({ consulUnreachable: true })],
    ['the lock is unknown', preferring({ lock: null })],
    ['the group is being deleted', preferring({ group: { deleting: true } })],
    ['the leader is not ready', preferring({ pods: [leaderA({ ready: false }), aRival('b'), c()] })],
    ['the leader has lost its label', preferring({ pods: [observed(aPod({ name: 'a' })), aRival('b'), c()] })],
  ])('does not take the lead while %s', (_, o) => {
    expect(plan(o).cause).not.toBe('Preempted');
    expect(preferredSince(o.preemption.preferred, o)).toBeNull();
  });

  it('is not held up where nodes were never seen, as with watchNamespaces', () => {
    expect(steps(plan(preferring({ nodesReadable: false })))).toEqual(steps(plan(preferring())));
  });

  it('is not held up by whoever is not meant to lead', () => {
    const excludedOne = c({ ready: false, annotations: { 'leadergroup.dev/candidate': 'false' } });
    expect(steps(plan(preferring({ pods: beside(excludedOne) })))).toEqual(HANDOVER);
  });

  it('goes after a switchover that somebody asks for', () => {
    const { pods, preemption } = preferring();
    const o = askedFor('c', { pods, preemption, group: { spec: PREEMPTING } });
    expect([plan(o).cause, steps(plan(o)).at(-1)]).toEqual(['Switchover', 'promote c']);
  });
});

describe('with a leader probe', () => {
  const probed = (leaderProbe: typeof A_GATE_PROBE, probe: Observation['probe']): Observation =>
    preferring({
      group: { spec: { leaderProbe } },
      probe,
      pods: [leaderA(), aRival('b', { addresses: ['10.0.0.2'] }), c()],
    });

  it('one that hangs does not take the lead, and the delay begins anew', () => {
    const o = probed(A_GATE_PROBE, aProbeView({ a: eachHalfPeriod(60_000, 0), b: eachHalfPeriod(60_000, 5000) }));
    expect(steps(plan(o))).toEqual([]);
    expect(preferredSince(o.preemption.preferred, o)?.since.get(uidOf('b'))?.atMs).toBe(NOW_MS);
  });

  it('one that hangs for ever has nothing written again and again: the status says that it does not pass', () => {
    const hears = { a: eachHalfPeriod(60_000, 0), b: eachHalfPeriod(60_000, 5000) };
    const first = probed(A_GATE_PROBE, aProbeView(hears));
    const afterDelays = (delays: number): Observation => {
      const o = { ...first, wallSeconds: first.wallSeconds + (delays * DELAY_MS) / 1000 };
      return { ...o, preemption: { ...o.preemption, preferred: preferredSince(o.preemption.preferred, o) } };
    };
    const said = [1, 2].map((delays) => {
      const o = afterDelays(delays);
      return buildStatus(o, plan(o).verdict, [], '').conditions.find(({ type }) => type === 'Preferred');
    });
    expect(said[0]).toMatchObject({ reason: 'Waiting', message: expect.stringContaining('does not pass') });
    expect(said[1]).toEqual(said[0]);
  });

  it('one that is heard does', () => {
    const heard = eachHalfPeriod(60_000, 0);
    expect(steps(plan(probed(A_GATE_PROBE, aProbeView({ a: heard, b: heard }))))).toEqual(HANDOVER);
  });

  it('one that is to be asked is asked first', () => {
    expect(steps(plan(probed(AN_HTTP_PROBE, aProbeView())))).toEqual(['askCandidates b']);
  });
});

describe('the delay', () => {
  it('begins when a candidate is first seen to be preferred', () => {
    const o = preferring({ preemption: { preferred: null } });
    const found = preferredSince(null, o);
    expect(found).toEqual(preferredFor(0, 'b'));
    expect(preferredSince(found, { ...o, nowMs: NOW_MS + 5 })).toEqual(found);
  });

  it('begins anew with each interruption, also one that no pass has seen', () => {
    const o = preferring({ pods: withB({}, readyFor(1000)) });
    expect(preferredSince(o.preemption.preferred, o)?.since.get(uidOf('b'))?.atMs).toBe(NOW_MS);
  });

  it('begins anew with another leader', () => {
    const o = preferring();
    const before = { ...preferredFor(DELAY_MS, 'b'), over: uidOf('z') };
    expect(preferredSince(before, o)).toEqual(preferredFor(0, 'b'));
  });

  it.each([
    [1, 2 * DELAY_MS],
    [2, 4 * DELAY_MS],
    [4, 3_600_000],
    [12, 3_600_000],
  ])('doubles with each loss, up to an hour: %i', (level, delayMs) => {
    const lock = preemptedAgo(1, { level, leads: false });
    const at = (forMs: number) => preferring({ lock, preemption: { preferred: preferredFor(forMs, 'b') } });
    expect(judgePreemption(at(delayMs - 1)).kind).toBe('waits');
    expect(judgePreemption(at(delayMs)).kind).toBe('due');
  });

  it.each<[string, Partial<Observation>, number]>([
    ['b has resigned lately', { preemption: { ...preferring().preemption, yieldsUntilMs: [NOW_MS + 70] } }, 70],
    ['b has failed lately', { pods: withB({}, { deferred: { failures: 1, untilMs: NOW_MS + 80 } }) }, 80],
  ])('is looked at again when what is remembered is over: %s', (_, more, againMs) => {
    const pods = withB({}, { deferred: { failures: 1, untilMs: NOW_MS + 90 } });
    expect(plan({ ...preferring({ pods }), ...more }).againMs).toBe(againMs);
  });
});

describe('the record of the lock', () => {
  it('says of a preemption when it was, by the transaction that moves the lock', () => {
    expect(theAction(plan(preferring()), 'handOver').transaction.record).toMatchObject({
      holder: { pod: 'b' },
      preempted: { atMs: NOW_WALL_MS, level: 0, leads: true },
    });
  });

  it('keeps how often the delay has doubled, over the next preemption', () => {
    const lock = preemptedAgo(1, { level: 1, leads: false });
    const o = preferring({ lock, preemption: { preferred: preferredFor(2 * DELAY_MS, 'b') } });
    expect(recordAfter(o)?.preempted).toEqual({ atMs: NOW_WALL_MS, level: 1, leads: true });
  });

  const lost = (lock: Observation['lock'], more: Partial<Observation> = {}) =>
    recordAfter(preferring({ pods: [leaderA({ ready: false }), c()], lock, ...more }))?.preempted;

  it.each([
    ['is lost within ten delays', 10 * DELAY_MS - 1, 0, 1],
    ['is lost once more', 20 * DELAY_MS - 1, 1, 2],
    ['has kept the lead for ten delays', 10 * DELAY_MS, 0, 0],
    ['has kept the lead for ten of the delays that it was', 20 * DELAY_MS, 1, 0],
    ['is lost by a clock that was set back', -5000, 3, 4],
  ])('doubles the delay where the leader %s', (_, agoMs, level, next) => {
    expect(lost(preemptedAgo(agoMs, { level }))).toMatchObject({ level: next, leads: false });
  });

  it('doubles it also where nobody can follow', () => {
    const o = preferring({
      pods: [leaderA({ deleting: true, phase: 'Failed' }, { member: false })],
      lock: preemptedAgo(1),
    });
    expect([steps(plan(o)).at(-1), recordAfter(o)?.preempted]).toMatchObject(['unlock', { level: 1, leads: false }]);
  });

  it('doubles it once for each loss', () => {
    const lock = {
      ...freeAfter('a'),
      record: aRecord('a', 4, { preempted: { atMs: NOW_WALL_MS, level: 1, leads: false } }),
    };
    expect(recordAfter(preferring({ pods: [c()], lock }))?.preempted).toMatchObject({ level: 1, leads: false });
  });

  it('does not double it for a switchover', () => {
    const o = askedFor('c', { lock: preemptedAgo(1), group: { spec: PREEMPTING } });
    expect(recordAfter(o)?.preempted).toMatchObject({ level: 0, leads: false });
  });

  it('goes on while the leader stays', () => {
    const pods = [observed(aPod({ name: 'a' })), aRival('b'), c()];
    const record = theAction(plan(preferring({ pods, lock: preemptedAgo(1) })), 'verify').transaction.record;
    expect(record.preempted).toMatchObject({ level: 0, leads: true });
  });

  it('of an earlier group of the name says nothing', () => {
    const lock = { ...preemptedAgo(1), record: { ...aRecord('a', 4), ...preemptedAgo(1).record, groupUid: 'earlier' } };
    const o = preferring({ lock, freshList: true, groupConfirmed: true });
    expect(recordAfter(o)?.preempted).toBeUndefined();
  });

  it.each([
    ['as it is', { atMs: 5, level: 2, leads: false }, { atMs: 5, level: 2, leads: false }],
    ['of a level that nobody wrote', { atMs: 5, level: 1e9, leads: true }, { atMs: 5, level: 12, leads: true }],
    ['that is damaged', { atMs: 'x', level: 1, leads: true }, undefined],
    ['without a level', { atMs: 5, leads: true }, undefined],
    ['that is no object', 7, undefined],
  ])('is read %s', (_, preempted, read) => {
    const text = formatRecord({ ...aRecord('a', 4), preempted: preempted as never });
    expect(parseRecord(text)?.preempted).toEqual(read);
  });
});

describe('the condition Preferred', () => {
  const said = (o: Observation) =>
    buildStatus(o, plan(o).verdict, [], '2026-01-01T00:00:00Z').conditions.find(({ type }) => type === 'Preferred');
  const waiting = (agoMs: number) => preferring({ preemption: { preferred: preferredFor(agoMs, 'b') } });

  it('is there only where it is asked for', () => {
    expect(said(preferring({ group: { spec: { preemption: { policy: 'Never', delayMs: 1 } } } }))).toBeUndefined();
  });

  it('says at what time, so that it need not be written while it is waited for', () => {
    const first = said(waiting(0));
    expect(first?.message).toContain('takes the lead at 2023-11-14T22:18:20Z');
    const later = { ...waiting(0), nowMs: NOW_MS + 1500, wallSeconds: waiting(0).wallSeconds + 1 };
    expect(said(later)?.message).toBe(first?.message);
  });

  it('says how often the delay has doubled', () => {
    const lock = preemptedAgo(1, { level: 2, leads: false });
    expect(said(preferring({ lock, preemption: { preferred: preferredFor(0, 'b') } }))?.message).toContain('2 times');
  });
});

describe('with spec.beforePromotion', () => {
  const failed = (retryInMs: number) =>
    ({ kind: 'failed', askedMs: NOW_MS - 1000, failure: 'Status5xx', retryAtMs: NOW_MS + retryInMs }) as const;
  const asks = (answer: ReturnType<typeof failed>, preferred = preferredFor(DELAY_MS, 'b')): Observation =>
    preferring({
      group: { spec: { beforePromotion: A_QUESTION } },
      pods: [leaderA(), aRival('b', { addresses: ['10.0.0.2'] }), c({ addresses: ['10.0.0.3'] })],
      preemption: { preferred },
      beforePromotion: { blind: null, answers: new Map([[uidOf('b'), answer]]) },
    });
  const seen = (o: Observation): Observation => ({
    ...o,
    preemption: { ...o.preemption, preferred: preferredSince(o.preemption.preferred, o) },
  });
  const told = (o: Observation) => buildStatus(o, plan(o).verdict, [], '2026-01-02T03:04:05Z');

  it('one that fails does not take the lead, and is asked again after the delay', () => {
    const o = seen(asks(failed(5000)));
    expect(steps(plan(o))).toEqual([]);
    expect(o.preemption.preferred?.since.get(uidOf('b'))).toMatchObject({ atMs: NOW_MS, failed: true });
    const later = preferredFor(DELAY_MS, 'b');
    expect(steps(plan(seen(asks(failed(0), later))))).toEqual(['askBeforePromotion b']);
  });

  it('one that fails for ever has nothing written again and again', () => {
    const failing = seen(asks(failed(5000)));
    const waiting = seen(asks(failed(0), failing.preemption.preferred ?? undefined));
    const said = [failing, waiting].map(told);
    expect(said[0]?.conditions.find(({ type }) => type === 'Preferred')).toMatchObject({
      reason: 'Waiting',
      message: expect.stringContaining('does not pass') as string,
    });
    expect(said[0]?.ineligible).toMatchObject([{ reason: 'BeforePromotionFailed', count: 1 }]);
    expect(said[1]).toEqual(said[0]);
  });
});
