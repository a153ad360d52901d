import { describe, expect, it } from 'vitest';
import { takesFrom } from '../../../src/election/actions.ts';
import type { Observation, ObservedPod } from '../../../src/election/observation.ts';
import { plan } from '../../../src/election/plan.ts';
import { ANSWER_MS, type FailedAnswer, lifeOf, type PromotionAnswer } from '../../../src/election/promotion-view.ts';
import { buildStatus } from '../../../src/election/status.ts';
import { A_QUESTION, aGroup, aLeader, aPod, type PodOverrides } from '../../kit/fakes/builders.ts';
import {
  aLock,
  anObservation,
  aRecord,
  aSession,
  freeAfter,
  heldBy,
  NOW_MS,
  observed,
  steps,
} from '../../kit/fakes/builders-election.ts';
import { askedFor } from '../../kit/fakes/builders-switchover.ts';
import { uidOf, wallMs } from '../../kit/fakes/ids.ts';

const ADDRESSES: Readonly<Record<string, string>> = { a: '10.0.0.1', b: '10.0.0.2', c: '10.0.0.3', d: '10.0.0.4' };
const at = (name: string): PodOverrides => ({ name, addresses: [ADDRESSES[name] ?? ''] });
const leader = (more: PodOverrides = {}, seen: Partial<ObservedPod> = {}) =>
  observed(aLeader(4, { ...at('a'), ...more }), seen);
const member = (name: string, more: PodOverrides = {}) => observed(aPod({ ...at(name), ...more }));

const asking: PromotionAnswer = { kind: 'asking', failed: null };
const passed = (agoMs = 0): PromotionAnswer => ({ kind: 'passed', askedMs: NOW_MS - agoMs });
const failed = (retryInMs = 5000, agoMs = 1000): FailedAnswer => ({
  kind: 'failed',
  askedMs: NOW_MS - agoMs,
  failure: 'Status5xx',
  retryAtMs: NOW_MS + retryInMs,
});

/** Of a group that asks, what these have answered. */
const answered = (
  answers: Readonly<Record<string, PromotionAnswer>>,
  more: Partial<Observation> = {},
  onFailure: 'NextCandidate' | 'Promote' = 'NextCandidate',
): Observation =>
  anObservation({
    group: aGroup({ spec: { beforePromotion: { ...A_QUESTION, onFailure } } }),
    pods: [leader({ deleting: true }), member('b'), member('c')],
    beforePromotion: {
      blind: null,
      answers: new Map(Object.entries(answers).map(([name, answer]) => [uidOf(name), answer])),
    },
    ...more,
  });

/** To b, by a switchover. */
function askedToMove(answers: Readonly<Record<string, PromotionAnswer>>): Observation {
  const { beforePromotion, pods } = answered(answers, { pods: [leader(), member('b'), member('c')] });
  const { switchover } = askedFor('b').group;
  const group = aGroup({ switchover, spec: { beforePromotion: A_QUESTION } });
  return { ...askedFor('b'), group, pods, beforePromotion };
}

const does = (o: Observation): readonly string[] => steps(plan(o));
const moved = (to: string) => ['fence a', `handOver ${to}`, `promote ${to}`];

describe('before it gets the lead a pod is asked', () => {
  it('before anything is taken from the leader', () => {
    expect(does(answered({}))).toEqual(['askBeforePromotion b']);
  });

  it('and no lock is touched, nor anything else done, while it is waited for', () => {
    expect(does(answered({ b: asking }))).toEqual([]);
  });

  it('and leads where it passes', () => {
    expect(does(answered({ b: passed() })).filter((step) => !step.startsWith('revoke'))).toEqual(moved('b'));
  });

  it('in an election too', () => {
    const free = { pods: [member('b'), member('c')], lock: freeAfter('a') };
    expect(does(answered({}, free))).toEqual(['askBeforePromotion b']);
    expect(does(answered({ b: passed() }, free))).toEqual(['fence a', 'take b', 'promote b']);
  });

  it('in an election without a record too', () => {
    const wiped = { pods: [member('b'), member('c')], lock: aLock(), freshList: true, groupConfirmed: true };
    expect(does(answered({}, wiped))).toEqual(['askBeforePromotion b']);
  });

  it('anew where its answer is of more than thirty seconds ago', () => {
    expect(does(answered({ b: passed(ANSWER_MS) }))).toEqual(['askBeforePromotion b']);
  });

  it('and is not revoked from whom it would follow until it has passed', () => {
    const o = answered({});
    expect(takesFrom(plan(o), uidOf('a'))).toBeNull();
  });

  it('not while this replica is blind', () => {
    expect(does(answered({}, { beforePromotion: { blind: 'nothing is heard', answers: new Map() } }))).toEqual([]);
  });

  it('though it was asked in an earlier life, which is told by restarts, starts and address', () => {
    const pod = aPod(at('b'));
    const lives = [pod, { ...pod, restarts: 1 }, { ...pod, runningSinceMs: null }, { ...pod, addresses: ['10.0.0.9'] }];
    expect(new Set(lives.map(lifeOf)).size).toBe(4);
  });
});

describe('where a pod does not pass', () => {
  it('the next one is asked, and the leader goes on meanwhile', () => {
    expect(does(answered({ b: failed() }))).toEqual(['askBeforePromotion c']);
  });

  it('the next one leads that passes', () => {
    expect(does(answered({ b: failed(), c: passed() })).filter((step) => !step.startsWith('revoke'))).toEqual(
      moved('c'),
    );
  });

  it('it is asked again after a while, when those who were not asked have been', () => {
    expect(does(answered({ b: failed(0) }))).toEqual(['askBeforePromotion c']);
    expect(does(answered({ b: failed(0), c: failed() }))).toEqual(['askBeforePromotion b']);
  });

  it('as many are asked together as have failed', () => {
    const pods = [leader({ deleting: true }), ...['b', 'c', 'd', 'e', 'f'].map((name) => member(name))];
    expect(does(answered({ b: failed(), c: failed() }, { pods }))).toEqual(['askBeforePromotion d,e']);
  });

  it('and nobody else does, a leader that is being deleted is kept, and the condition names them', () => {
    const o = answered({ b: failed(), c: failed() });
    const planned = plan(o);
    expect(steps(planned)).toEqual([]);
    expect(planned.verdict).toMatchObject({
      ready: { status: 'False', reason: 'BeforePromotionFailed' },
      detail: expect.stringContaining('spec.beforePromotion: b: Status5xx, c: Status5xx') as string,
    });
    expect(planned.againMs).toBe(5000);
  });

  it('and nobody else does, a group without a leader has none, and the status counts them', () => {
    const o = answered({ b: failed(), c: failed() }, { pods: [member('b'), member('c')], lock: freeAfter('a') });
    const planned = plan(o);
    expect(steps(planned)).toEqual([]);
    expect(planned.verdict?.ready.reason).toBe('BeforePromotionFailed');
    expect(buildStatus(o, planned.verdict, [], '2026-01-02T03:04:05Z').ineligible).toEqual([
      { reason: 'BeforePromotionFailed', count: 2, examples: ['b', 'c'] },
    ]);
  });

  it('for want of an address of its own, it is named, and the next one is asked', () => {
    const pods = [leader({ deleting: true }), member('b', { addresses: [] }), member('c')];
    expect(does(answered({}, { pods }))).toEqual(['askBeforePromotion c']);
    expect(plan(answered({ c: failed() }, { pods })).verdict?.detail).toContain('b: it has no address of its own');
  });

  it('a switchover to it is refused, and says so', () => {
    const o = askedToMove({ b: failed() });
    expect(does(o)).toEqual([]);
    expect(buildStatus(o, plan(o).verdict, [], '2026-01-02T03:04:05Z').lastSwitchover).toMatchObject({
      result: 'Refused',
      reason: 'NotACandidate',
      message: expect.stringContaining('it does not pass spec.beforePromotion (Status5xx)') as string,
    });
  });

  it('a switchover to it asks before the leader is told to stop', () => {
    expect(does(askedToMove({}))).toEqual(['askBeforePromotion b']);
  });

  it('it leads all the same with Promote, once it was asked, and not before', () => {
    const free = { pods: [member('b'), member('c')], lock: freeAfter('a') };
    expect(does(answered({}, free, 'Promote'))).toEqual(['askBeforePromotion b']);
    expect(does(answered({ b: failed() }, free, 'Promote'))).toEqual(['fence a', 'take b', 'promote b']);
    expect(does(answered({ b: failed(5000, ANSWER_MS) }, free, 'Promote'))).toEqual(['askBeforePromotion b']);
  });
});

describe('whoever leads is not asked', () => {
  it('while it goes on', () => {
    expect(does(answered({}, { pods: [leader(), member('b')] }))).toEqual([]);
  });

  it('where its session was lost', () => {
    expect(does(answered({}, { pods: [leader(), member('b')], lock: freeAfter('a') }))).toEqual([
      'take a',
      'promote a',
    ]);
  });

  it('where its label was taken off, and it gets it back', () => {
    const a = leader();
    const pods = [observed({ ...a.pod, labels: { app: 'notifier' } }), member('b')];
    expect(does(answered({}, { pods }))).toEqual(['verify a', 'promote a']);
  });

  it('where Consul was wiped, also one without an address', () => {
    const wiped = { lock: aLock(), freshList: true, groupConfirmed: true };
    expect(does(answered({}, { ...wiped, pods: [leader({ addresses: [] }), member('b')] })).at(-1)).toBe('promote a');
  });
});

describe('a leader that has lost its label', () => {
  const GUARD = { 'fenced.leadergroup.dev/notifier': 'x' };
  const PROMOTED_MS = Date.parse('2023-11-14T22:13:20Z');
  const unlabelled = (more: PodOverrides = {}): ObservedPod => {
    const { pod } = leader(more);
    return observed({ ...pod, labels: { app: 'notifier' }, annotations: { ...pod.annotations, ...more.annotations } });
  };
  const holding = (a: ObservedPod) => does(answered({}, { pods: [a, member('b')] }));
  const startedMs = (ms: number) => ({ runningSinceMs: wallMs(PROMOTED_MS + ms) });

  it('by us, as while Consul was away, is asked anew once it has been started anew since it was promoted', () => {
    expect(holding(unlabelled({ annotations: GUARD, ...startedMs(-1000) }))).toEqual(['verify a', 'promote a']);
    for (const life of [startedMs(1000), startedMs(0), { runningSinceMs: null }])
      expect(holding(unlabelled({ annotations: GUARD, ...life }))).toEqual(['askBeforePromotion a']);
  });

  it('by us is asked anew where nothing tells when it was promoted', () => {
    const since = { 'since.leadergroup.dev/notifier': 'x' };
    expect(holding(unlabelled({ annotations: { ...GUARD, ...since } }))).toEqual(['askBeforePromotion a']);
  });

  it('by somebody else is given it back at once, however often it was started: it leads', () => {
    expect(holding(unlabelled(startedMs(1000)))).toEqual(['verify a', 'promote a']);
  });

  it('or the token beside it, by somebody else, is given it back at once', () => {
    const shown = buildStatus(answered({}, { pods: [leader()] }), null, [], '2026-01-02T03:04:05Z');
    const stripped = [leader().pod.labels, { app: 'notifier' }].map((labels) => member('a', { labels }));
    for (const a of stripped) {
      const o = answered({}, { pods: [a, member('b')] });
      expect(does({ ...o, group: { ...o.group, status: shown } })).toEqual(['verify a', 'promote a']);
      expect(does(o)).toEqual(['askBeforePromotion a']);
    }
  });
});

describe('the holder of the lock that was never promoted with it', () => {
  const pods = [member('a'), member('b')];

  it('is asked anew by the next owner', () => {
    expect(does(answered({}, { pods }))).toEqual(['askBeforePromotion a']);
    expect(does(answered({ a: passed() }, { pods })).at(-1)).toBe('promote a');
  });

  it('is asked anew also where it led before, with an earlier token', () => {
    const before = observed({ ...leader().pod, labels: { app: 'notifier' } });
    const lock = { ...heldBy('a'), record: aRecord('a', 5) };
    expect(does(answered({}, { pods: [before, member('b')], lock }))).toEqual(['askBeforePromotion a']);
  });

  it('gives the lock to one that passes, where it fails', () => {
    expect(does(answered({ a: failed() }, { pods }))).toEqual(['askBeforePromotion b']);
    expect(does(answered({ a: failed(), b: passed() }, { pods })).at(-1)).toBe('promote b');
    expect(does(answered({ a: failed(0), b: passed() }, { pods })).at(-1)).toBe('promote b');
  });

  it('is asked again after a while where nobody else passes', () => {
    expect(does(answered({ a: failed(0), b: failed() }, { pods }))).toEqual(['askBeforePromotion a']);
    expect(does(answered({ a: failed(), b: failed() }, { pods }))).toEqual([]);
  });

  it('is not asked again before another that passes gets the lock, also where the lock is free', () => {
    const lock = freeAfter('a');
    expect(does(answered({ a: failed(0) }, { pods, lock }))).toEqual(['askBeforePromotion a']);
    expect(does(answered({ a: failed(0), b: passed() }, { pods, lock })).at(-1)).toBe('promote b');
  });

  it('nor is one that has the label by hand, also where Consul was wiped', () => {
    const byHand = member('a', { labels: { app: 'notifier', 'leadergroup.dev/role': 'leader' } });
    const wiped = { lock: aLock(), freshList: true, groupConfirmed: true };
    for (const free of [{ lock: freeAfter('d') }, wiped]) {
      const seen = { ...free, pods: [byHand, member('b')] };
      expect(does(answered({ a: failed(0) }, seen))).toEqual(['askBeforePromotion a']);
      expect(does(answered({ a: failed(0), b: passed() }, seen)).at(-1)).toBe('promote b');
    }
  });

  it('is not promoted with another session before it is ready, though somebody has given it the label', () => {
    const a = aPod({ ...at('a'), ready: false, labels: { app: 'notifier', 'leadergroup.dev/role': 'leader' } });
    const sessions = [aSession('a'), aSession('a', { id: 'next', ttlMs: 60_000 }), aSession('b', { ttlMs: 60_000 })];
    const o = answered({}, { pods: [observed(a, { notReadyForMs: 1000 }), member('b')], sessions });
    const group = { ...o.group, spec: { ...o.group.spec, failoverDelayMs: 60_000, sessionTtlMs: 60_000 } };
    expect(does({ ...o, group })).toEqual(['handOver a']);
  });
});

describe('a leader that has lost its label while it was to be moved', () => {
  it('is given it back before the next one is asked anew', () => {
    const o = askedToMove({ b: passed(ANSWER_MS) });
    const [a, ...others] = o.pods;
    const pods = a === undefined ? [] : [{ ...a, pod: { ...a.pod, labels: { app: 'notifier' } } }, ...others];
    expect(does({ ...o, pods })).toEqual(['verify a', 'promote a']);
  });
});

describe('while nobody passes, the status is not written again and again', () => {
  const told = (o: Observation): unknown => buildStatus(o, null, [], '2026-01-02T03:04:05Z');
  const again: PromotionAnswer = { kind: 'asking', failed: failed(0) };

  it('neither when they are asked again, nor when they fail again', () => {
    const free = { pods: [member('b'), member('c')], lock: freeAfter('a') };
    const both = told(answered({ b: failed(), c: failed() }, free));
    expect(told(answered({ b: again, c: failed(0) }, free))).toEqual(both);
    expect(both).toMatchObject({ candidates: 0 });
  });
});
