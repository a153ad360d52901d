/** When a switchover that somebody asks for is done, and when it is refused. */
import { describe, expect, it } from 'vitest';
import type { LeaderGroupStatus } from '../../../src/api/leadergroup.ts';
import { switchoverTime } from '../../../src/api/switchover.ts';
import { SWITCHOVER_REFUSALS } from '../../../src/api/switchover-reasons.ts';
import type { Observation, ObservedPod } from '../../../src/election/observation.ts';
import { plan } from '../../../src/election/plan.ts';
import { formatRecord, parseRecord } from '../../../src/election/record.ts';
import { buildStatus } from '../../../src/election/status.ts';
import { judgeSwitchover } from '../../../src/election/switchover.ts';
import { lastSwitchover } from '../../../src/election/switchover-status.ts';
import {
  A_GATE_PROBE,
  AN_HTTP_PROBE,
  aGroup,
  aLeader,
  aPod,
  aReplicaSet,
  type PodOverrides,
} from '../../kit/fakes/builders.ts';
import {
  aLock,
  anObservation,
  aProbeView,
  aRecord,
  aSession,
  eachHalfPeriod,
  freeAfter,
  NOW_MS,
  observed,
  steps,
  theAction,
} from '../../kit/fakes/builders-election.ts';
import {
  anAsk,
  askedFor,
  HANDOVER,
  heldWith,
  leaderA,
  movedAgo,
  NOW_WALL_MS,
  SWITCHED,
} from '../../kit/fakes/builders-switchover.ts';
import { uidOf } from '../../kit/fakes/ids.ts';

const pod = (name: string, overrides: PodOverrides = {}, more: Partial<ObservedPod> = {}) =>
  observed(aPod({ name, ...overrides }), more);
const withB = (overrides: PodOverrides = {}, more: Partial<ObservedPod> = {}): readonly ObservedPod[] => [
  leaderA(),
  pod('b', overrides, more),
  pod('c'),
];
function reasonOf(o: Observation): string {
  const judged = judgeSwitchover(o);
  return judged.kind === 'refused' ? judged.reason : judged.kind;
}
const statusWith = (lastSwitchover: LeaderGroupStatus['lastSwitchover']): LeaderGroupStatus => ({
  ...buildStatus(anObservation(), null, [], '2023-11-14T22:13:20Z'),
  lastSwitchover,
});
const refusedAt = (seconds: number): LeaderGroupStatus =>
  statusWith({
    at: switchoverTime(NOW_WALL_MS + seconds * 1000),
    to: 'b',
    result: 'Refused',
    reason: 'NotACandidate',
    message: 'b cannot take over now: NotReady',
  });

describe('a switchover', () => {
  it('is a handover like any other: the leader is told, fenced, and the next one is promoted', () => {
    expect(steps(plan(askedFor('b')))).toEqual(HANDOVER);
  });

  it('writes its time into the record by the transaction that moves the lock, and pins the leader', () => {
    const { transaction } = theAction(plan(askedFor('b')), 'handOver');
    expect(transaction.record).toMatchObject({
      holder: { pod: 'b' },
      switchover: { atMs: NOW_WALL_MS - 1000, to: 'b' },
      pinned: true,
    });
  });

  it('to any takes the best other candidate', () => {
    const pods = [leaderA(), pod('b', {}, { yields: true }), pod('c')];
    expect(steps(plan(askedFor('any', { pods })))).toContain('promote c');
  });

  it.each([
    ['its time', { at: -600 }],
    ['a clock that is ahead', { at: 60 }],
  ])('is done up to the bounds of %s', (_, { at }) => {
    expect(steps(plan(askedFor('b', { seconds: at })))).toEqual(HANDOVER);
  });

  it('is done from a leader that is not ready, and has time by failoverDelaySeconds', () => {
    const unready = observed(aLeader(4, { name: 'a', ready: false }), { notReadyForMs: 10 });
    const o = askedFor('b', { pods: [unready, pod('b')], group: { spec: { failoverDelayMs: 60_000 } } });
    expect(steps(plan(o))).toEqual(['fence a', 'handOver b', 'promote b']);
  });

  it('is looked up first: a cache may show one that is over, or has been refused, and Consul may have fallen silent', () => {
    const o = askedFor('b', { switchover: { confirmed: false, failure: null, refusal: null } });
    expect(steps(plan(o))).toEqual(['readLock', 'readGroup']);
  });

  it('opens the session that it needs before anything is taken from the leader', () => {
    expect(steps(plan(askedFor('b', { sessions: [aSession('a')] })))).toEqual(['openSessions b']);
  });

  it('goes on where it was interrupted after the fencing patch', () => {
    const fenced = observed(aPod({ name: 'a', annotations: { 'fenced.leadergroup.dev/notifier': 'x' } }));
    const o = askedFor('b', { pods: [fenced, pod('b')], fenced: new Set([uidOf('a')]) });
    expect(steps(plan(o))).toEqual(['handOver b', 'promote b']);
  });

  it('does not wait until a leader whose label is fought over may have it back', () => {
    const contest = { notBeforeMs: NOW_MS + 5000, overAtMs: NOW_MS + 60_000, by: 'kubectl' };
    const pods = [observed(aPod({ name: 'a' }), { contest }), pod('b')];
    const switchover = { confirmed: false, failure: null, refusal: null };
    expect(steps(plan(askedFor('b', { pods, switchover })))).toEqual(['readLock', 'readGroup']);
  });

  it('gives the leader its label back where something must be prepared first', () => {
    const bare = observed(aPod({ name: 'a' }));
    const o = askedFor('b', { pods: [bare, pod('b')], sessions: [aSession('a')] });
    expect(steps(plan(o))).toEqual(['verify a', 'promote a']);
  });

  it('comes after the election of a leader that is gone', () => {
    const o = askedFor('c', {
      pods: [pod('b', { readyTransitionMs: 0 }), pod('c')],
      sessions: ['a', 'b', 'c'].map((name) => aSession(name)),
    });
    expect([plan(o).cause, judgeSwitchover(o).kind]).toEqual(['LeaderGone', 'waits']);
  });
});

describe('a switchover that was handled', () => {
  it('is not done again while its annotation stays', () => {
    const o = askedFor('b', { seconds: -60, lock: movedAgo(60) });
    expect([judgeSwitchover(o).kind, steps(plan(o))]).toEqual(['none', []]);
  });

  it('is known by the record alone: the status may be lost, or be that of a backup', () => {
    const o = askedFor('b', { seconds: -60, lock: movedAgo(60), group: { status: refusedAt(-500) } });
    expect(judgeSwitchover(o).kind).toBe('none');
  });

  it('bars everything before it', () => {
    expect(reasonOf(askedFor('b', { seconds: -61, lock: movedAgo(60) }))).toBe('Replayed');
  });

  it('bars nothing that comes thirty seconds after it', () => {
    expect(reasonOf(askedFor('b', { seconds: -10, lock: movedAgo(40) }))).toBe('moves');
    expect(reasonOf(askedFor('b', { seconds: -11, lock: movedAgo(40) }))).toBe('TooSoon');
  });

  it('is carried on by every transaction that comes after it', () => {
    const pods = [observed(aPod({ name: 'a' })), pod('b')];
    const { transaction } = theAction(plan(askedFor('b', { seconds: -60, lock: movedAgo(60), pods })), 'verify');
    expect(transaction.record).toMatchObject({ switchover: { atMs: NOW_WALL_MS - 60_000, to: 'a' }, pinned: true });
  });

  it('leaves the leader pinned where its record is of a later generation than there is, as after a restore of etcd, or has a lower token than somebody has written', () => {
    const lock = movedAgo(60);
    const { record } = lock;
    const seen = { freshList: true, groupConfirmed: true, group: { status: refusedAt(-500) } };
    const later = record === null ? null : { ...record, generation: 7 };
    const lower = record === null ? null : { ...record, token: 3 };
    for (const found of [later, lower]) {
      const o = askedFor('b', { seconds: -60, lock: { ...lock, record: found }, ...seen });
      expect(theAction(plan(o), 'verify').transaction.record.pinned).toBe(true);
    }
    const other = record === null ? null : { ...record, groupUid: 'uid-of-another' };
    const o = askedFor('b', { seconds: -60, lock: { ...lock, record: other }, ...seen });
    expect(theAction(plan(o), 'verify').transaction.record.pinned).toBeUndefined();
  });

  it('pins nobody any more once its leader is lost', () => {
    const { transaction } = theAction(
      plan(askedFor('b', { seconds: -60, lock: movedAgo(60), pods: [pod('b')] })),
      'handOver',
    );
    expect(transaction.record.switchover?.atMs).toBe(NOW_WALL_MS - 60_000);
    expect(transaction.record.pinned).toBeUndefined();
  });
});

describe('where the record does not say which switchover was handled', () => {
  const since = (seconds: number) =>
    pod('a', {
      labels: { app: 'notifier', 'leadergroup.dev/role': 'leader' },
      annotations: {
        'token.leadergroup.dev/notifier': '4',
        'since.leadergroup.dev/notifier': switchoverTime(NOW_WALL_MS + seconds * 1000),
      },
    });
  const older = (seconds: number, at: number): Observation =>
    askedFor('b', { seconds: at, lock: heldWith('a', {}), pods: [since(seconds), pod('b')] });

  it.each([
    [-300, -241, 'Replayed'],
    [-300, -240, 'Replayed'],
    [-300, -239, 'moves'],
  ])('nothing is done that could have been before the promotion: promoted %i s, asked %i s', (promoted, at, is) => {
    expect(reasonOf(older(promoted, at))).toBe(is);
  });

  it('a time that no status can show is none', () => {
    const switchover = { atMs: Number.MAX_SAFE_INTEGER, to: 'a' };
    const text = formatRecord(aRecord('a', 4, { switchover }));
    expect(parseRecord(text)).toEqual(aRecord('a', 4));
  });

  it('nothing is done that could have been before now, where nobody knows when the leader was promoted', () => {
    const lock = heldWith('a', {});
    const labels = { app: 'notifier', 'leadergroup.dev/role': 'leader' };
    const pods = [pod('a', { labels, annotations: { 'token.leadergroup.dev/notifier': '4' } }), pod('b')];
    expect(reasonOf(askedFor('b', { seconds: 59, lock, pods }))).toBe('Replayed');
  });

  it('the next record says so, for whoever comes then', () => {
    const pods = [since(-300), pod('b')];
    const unlabelled = pods.map((each) => observed({ ...each.pod, labels: { app: 'notifier' } }));
    const { transaction } = theAction(plan(anObservation({ lock: heldWith('a', {}), pods: unlabelled })), 'verify');
    expect(transaction.record.switchover).toEqual({ atMs: NOW_WALL_MS - 240_000, to: null });
  });

  it('a record that is lost bars everything until now', () => {
    const lost = { lock: aLock(), freshList: true, groupConfirmed: true };
    const planned = plan(anObservation(lost));
    expect(theAction(planned, 'take').transaction.record.switchover).toEqual({ atMs: NOW_WALL_MS + 60_000, to: null });
  });

  it('the first election of all bars nothing', () => {
    const o = anObservation({ lock: aLock(), pods: [pod('a', {}, { neverPromoted: true })], untouched: 'read' });
    expect(theAction(plan(o), 'take').transaction.record.switchover).toEqual({ atMs: 0, to: null });
  });

  it('an earlier group of the name has left it in its record, and who led there is not told of this one', () => {
    const left = aRecord('a', 4, {
      groupUid: 'earlier',
      switchover: { atMs: NOW_WALL_MS - 5000, to: 'a' },
      deleted: 1,
    });
    const o = anObservation({ lock: aLock({ record: left }), pods: [pod('b')], freshList: true, groupConfirmed: true });
    expect(theAction(plan(o), 'take').transaction.record.switchover).toEqual({ atMs: NOW_WALL_MS - 5000, to: null });
  });

  it('a Consul that was restored is not believed', () => {
    const before = heldWith('a', { switchover: { atMs: 1000, to: null } });
    const pods = [observed(aLeader(7, { name: 'b' })), pod('a')];
    const o = anObservation({ lock: before, pods, freshList: true, groupConfirmed: true });
    expect(theAction(plan(o), 'handOver').transaction.record.switchover?.atMs).toBe(NOW_WALL_MS + 60_000);
  });
});

describe('a switchover is refused', () => {
  it.each(Object.entries(SWITCHED))('with its reason, and the leader stays: %s', (reason, o) => {
    expect(reasonOf(o)).toBe(reason);
    expect(plan(o).cause).not.toBe('Switchover');
  });

  it.each(Object.entries(SWITCHED).filter(([reason]) => reason !== 'Malformed'))(
    'in the status, with what to do: %s',
    (reason, o) => {
      const last = buildStatus(o, null, [], '2023-11-14T22:13:20Z').lastSwitchover;
      // An older one that comes back takes the place of none in the status.
      if (reason === 'Replayed') expect(last).toMatchObject({ result: 'Moved', to: 'a' });
      else if (reason === 'TooSoon') expect(last).toMatchObject({ result: 'Refused', reason });
      else expect(last).toMatchObject({ result: 'Refused', reason, message: expect.stringMatching(/.{10}/) });
    },
  );

  it('for each reason of the registry', () => {
    expect(Object.keys(SWITCHED).toSorted()).toEqual(Object.keys(SWITCHOVER_REFUSALS).toSorted());
  });

  it('before the group was made', () => {
    expect(reasonOf(askedFor('b', { group: { createdMs: NOW_WALL_MS - 1000, switchover: anAsk('b', -1) } }))).toBe(
      'Replayed',
    );
  });

  it('for good: also when it could be done a moment later', () => {
    const o = askedFor('b', { group: { status: refusedAt(-1) } });
    expect([judgeSwitchover(o).kind, steps(plan(o))]).toEqual(['none', []]);
  });

  it('for good as soon as people were told, also where the status could not be written', () => {
    const refusal = { reason: 'NotACandidate', message: 'b cannot take over now: NotReady' } as const;
    const o = askedFor('b', { switchover: { confirmed: true, failure: null, refusal } });
    expect(reasonOf(o)).toBe('NotACandidate');
    const message = expect.stringMatching(new RegExp(`^${refusal.message}\\. .*write the annotation anew\\.$`));
    expect(lastSwitchover(o)).toMatchObject({ result: 'Refused', reason: 'NotACandidate', message });
  });

  it.each([
    ['not ready', { ready: false }, {}],
    ['terminating', { deleting: true }, {}],
    ['excluded', { annotations: { 'leadergroup.dev/candidate': 'false' } }, {}],
    ['about to be evicted', { disrupted: true }, {}],
    ['cordoned', {}, { cordoned: true }],
    ['lost with its node', {}, { nodeLost: true }],
    ['contested', {}, { contest: { notBeforeMs: 0, overAtMs: NOW_MS + 1, by: 'kubectl' } }],
    ['another group’s too', {}, { claimedByOther: true }],
    ['refused its promotion', {}, { promotionRefused: { message: 'no', retryAtMs: NOW_MS + 1 } }],
    ['no member', {}, { member: false }],
  ] as const)('to a pod that is %s', (_, overrides, more) => {
    expect(reasonOf(askedFor('b', { pods: withB(overrides, more) }))).toBe('NotACandidate');
    expect(reasonOf(askedFor('any', { pods: [leaderA(), pod('b', overrides, more)] }))).toBe('NotACandidate');
  });

  it('to any where there is no other member', () => {
    expect(reasonOf(askedFor('any', { pods: [leaderA()] }))).toBe('NotACandidate');
  });
});

describe('a switchover waits', () => {
  it.each([
    ['while Consul is unreachable', { consulUnreachable: true }],
    ['past the deadline of the leader', { lockDeadlineMs: NOW_MS, sessions: [aSession('a', { deadlineMs: NOW_MS })] }],
    ['while another replica owns the bucket', { ownership: { kind: 'notOwned' } }],
    ['while the bucket is being taken over', { ownership: { kind: 'lapsed' } }],
    ['while the lock has not been read', { lock: null }],
    ['while it is not known who holds the lock', { lock: { ...heldWith('a'), session: 'theirs' as never } }],
    ['while a leader is elected', { lock: { ...freeAfter('a'), record: heldWith('a').record } }],
  ] as const)('%s, and nothing is said of it', (_, world) => {
    const o = askedFor('b', world);
    expect([judgeSwitchover(o).kind, lastSwitchover(o)]).toEqual(['waits', null]);
  });
});

describe('with a leader probe', () => {
  const group = { spec: { leaderProbe: A_GATE_PROBE } };
  const heard = (b: readonly number[]) => aProbeView({ a: eachHalfPeriod(5000, 0), b, c: eachHalfPeriod(5000, 0) });

  it('a switchover goes to a pod that passes it', () => {
    expect(steps(plan(askedFor('b', { group, probe: heard(eachHalfPeriod(5000, 0)) })))).toEqual(HANDOVER);
  });

  it('is refused to one that does not, though nobody else was asked for', () => {
    expect(reasonOf(askedFor('b', { group, probe: heard([]) }))).toBe('NotACandidate');
  });

  it('to any goes to one that passes it', () => {
    expect(steps(plan(askedFor('any', { group, probe: heard([]) })))).toContain('promote c');
  });

  it('waits for one period where this replica has just begun to listen', () => {
    const probe = aProbeView({}, { sinceMs: NOW_MS - 10 });
    expect(plan(askedFor('b', { group, probe }))).toMatchObject({ kind: 'idle', cause: null, againMs: 50 });
  });

  it('asks the pod first, also where it is the only one', () => {
    const asked = { spec: { leaderProbe: AN_HTTP_PROBE } };
    const pods = [leaderA({ addresses: ['10.0.0.1'] }), pod('b', { addresses: ['10.0.0.2'] })];
    expect(steps(plan(askedFor('b', { group: asked, pods, probe: aProbeView() })))).toEqual(['askCandidates b']);
  });

  it.each([
    ['gets it back before anybody is asked', null, 'promote'],
    [
      'waits where a controller that cannot be read is tried by it',
      { podUid: uidOf('a'), leftMs: 1000, kept: false },
      'askCandidates b',
    ],
    [
      'gets it back where the trial has shown that it was kept',
      { podUid: uidOf('a'), leftMs: 0, kept: true },
      'promote',
    ],
  ])('a leader that was fenced for it %s', (_how, trial, step) => {
    const asked = { spec: { leaderProbe: AN_HTTP_PROBE } };
    const owner = { kind: 'unreadable', workload: 'ReplicaSet web-abc', trial } as const;
    const leader = observed(aPod({ name: 'a', owner: aReplicaSet(), addresses: ['10.0.0.1'] }), { owner });
    const pods = [leader, pod('b', { addresses: ['10.0.0.2'] })];
    const found = steps(plan(askedFor('b', { group: asked, pods, probe: aProbeView() })));
    expect(found.join()).toContain(step);
  });

  it('is refused where this replica cannot tell who passes', () => {
    const probe = aProbeView({}, { blind: 'the API server does not answer' });
    const judged = judgeSwitchover(askedFor('b', { group, probe }));
    expect(judged).toMatchObject({ reason: 'NotACandidate', message: expect.stringContaining('cannot be told') });
  });
});

describe('status.lastSwitchover', () => {
  const shown = (o: Observation) => buildStatus(o, null, [], '2023-11-14T22:13:20Z').lastSwitchover;

  it('is not there where nothing was asked for', () => {
    expect('lastSwitchover' in buildStatus(anObservation(), null, [], '2023-11-14T22:13:20Z')).toBe(false);
  });

  it('says who got the lead, as the record does', () => {
    expect(shown(askedFor('b', { lock: movedAgo(60), seconds: -60 }))).toEqual({
      at: switchoverTime(NOW_WALL_MS - 60_000),
      to: 'a',
      result: 'Moved',
      reason: '',
      message: 'a got the lead',
    });
  });

  it('never goes back to an earlier one: its refusal would be forgotten', () => {
    const o = askedFor('b', { seconds: -20, group: { status: refusedAt(-10) } });
    expect([reasonOf(o), shown(o)?.at]).toEqual(['Replayed', switchoverTime(NOW_WALL_MS - 10_000)]);
  });

  it('says Moved where the owner before wrote late that it was refused', () => {
    const o = askedFor('a', { seconds: -10, lock: movedAgo(10), group: { status: refusedAt(-10) } });
    expect(shown(o)?.result).toBe('Moved');
  });

  it('is not believed where it is further ahead than any operator can have written', () => {
    const o = askedFor('b', { group: { status: refusedAt(3600) } });
    expect(reasonOf(o)).toBe('moves');
  });

  it('that was ahead keeps nobody from asking by a clock that is right, and is not done when its time has come', () => {
    const ahead = refusedAt(300);
    const status = statusWith({ ...(ahead.lastSwitchover ?? ({} as never)), reason: 'Future' });
    expect(reasonOf(askedFor('b', { group: { status } }))).toBe('moves');
    expect(shown(askedFor('b', { seconds: -20, lock: movedAgo(20), group: { status } }))?.result).toBe('Moved');
    const due = { ...askedFor('b', { seconds: 300, group: { status } }), wallSeconds: NOW_WALL_MS / 1000 + 300 };
    expect([judgeSwitchover(due).kind, shown(due)?.reason]).toEqual(['none', 'Future']);
  });

  it('of a malformed annotation stays as it was', () => {
    const o = askedFor('b', { group: { switchover: SWITCHED.Malformed.group.switchover, status: refusedAt(-10) } });
    expect(shown(o)?.at).toBe(switchoverTime(NOW_WALL_MS - 10_000));
  });

  it('is gone with the group that it was of', () => {
    const record = aRecord('a', 4, { groupUid: 'earlier', switchover: { atMs: NOW_WALL_MS - 5000, to: 'a' } });
    expect(lastSwitchover(anObservation({ lock: aLock({ record }), group: aGroup() }))).toBeNull();
  });
});
