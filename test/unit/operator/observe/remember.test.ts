/** The memory of a group is one pure function of what came before and of one outcome. */

import { describe, expect, it } from 'vitest';
import {
  freshMemory,
  type GroupMemory,
  type Trial,
  type WriteRefusal,
} from '../../../../src/operator/observe/memory.ts';
import { type Outcome, remember } from '../../../../src/operator/observe/remember.ts';
import type { LabelMemory } from '../../../../src/operator/observe/remember-pods.ts';
import { aGroup, aLeader, aPod } from '../../../kit/fakes/builders.ts';
import { heldBy } from '../../../kit/fakes/builders-election.ts';
import { podUid, sessionId, uidOf, wallMs } from '../../../kit/fakes/ids.ts';
import { frozen } from '../../../kit/rig/frozen.ts';

const a = aPod({ name: 'a', resourceVersion: '10' });
const uid = a.uid;
const refusal: WriteRefusal = {
  message: 'no',
  count: 1,
  retryAtMs: 5000,
  status: 403,
  atMs: 0,
  resourceVersion: '10',
  generation: 1,
};
const change = {
  cause: 'LeaderLost',
  reason: '',
  from: 'a',
  fromUid: uidOf('a'),
  token: 4,
  sinceMs: 1,
  reported: false,
} as const;
const transition = {
  time: '',
  from: 'a',
  to: 'b',
  reason: '',
  token: 5,
  fromUID: '',
  chosenBy: '',
  durationMilliseconds: 1,
};

/** Frozen at each step: whoever changed what is remembered would throw. */
const after = (...outcomes: readonly Outcome[]): GroupMemory =>
  outcomes.reduce((memory, outcome) => frozen(remember(memory, outcome)), frozen(freshMemory()));

const written: Outcome = { kind: 'podWritten', pod: { ...a, resourceVersion: '11' } };
const attempt = (of: string, before: LabelMemory = { under: null, trial: null }) =>
  ({ uid: podUid(of), owner: 'owner', before }) as const;
const sent = (of: string, before?: LabelMemory, atMs = 7): Outcome => ({
  kind: 'labelSent',
  ...attempt(of, before),
  label: 'leader',
  trial: true,
  atMs,
});
const waiting = (atMs: number): Trial => ({ podUid: uid, label: 'leader', atMs, state: 'waiting', unseen: 0 });
const repaired = (atMs: number): Outcome => ({ kind: 'podRepaired', uid, atMs, atWallMs: wallMs(1000 + atMs) });
const fenced = (of: string, version: string): Outcome => ({ kind: 'podFenced', uid: podUid(of), version });

/** The caches show these pods, the lock as it is held by a, and nothing of an outage. */
const shown = (pods: readonly (typeof a)[], overrides: Partial<Extract<Outcome, { kind: 'shown' }>> = {}): Outcome => ({
  kind: 'shown',
  nowMs: 100,
  cached: aGroup(),
  group: aGroup(),
  lock: heldBy('a'),
  pods: pods.map((pod) => ({ pod, metMs: 0, readyChangedMs: 0, conditions: [], runningChangedMs: 0 })),
  outageOver: false,
  ...overrides,
});

describe('of a pod', () => {
  it('the newest answer is kept, whatever the order of the answers', () => {
    const older = { ...a, resourceVersion: '9' };
    expect(after({ kind: 'podRead', pod: a }, { kind: 'podRead', pod: older }).newerPods.get(uid)).toBe(a);
    expect(after({ kind: 'podRead', pod: older }, { kind: 'podRead', pod: a }).newerPods.get(uid)).toBe(a);
  });

  it('our own write is no reason to try again what was refused of it', () => {
    const memory = after({ kind: 'fencingRefused', uid, refusal }, written);
    expect(memory.fencingRefusals.get(uid)).toEqual({ ...refusal, resourceVersion: '11' });
  });

  it('the first whose label is sent is the trial of its controller, counted from the end of the attempt', () => {
    const trial = waiting(8);
    const memory = after(sent(uid), sent(uid, undefined, 8), sent('uid-of-b', { under: null, trial }, 9));
    expect(memory.trials.get('owner')).toEqual(trial);
    expect([...memory.writtenUnder]).toEqual([
      [uid, 'owner'],
      ['uid-of-b', 'owner'],
    ]);
  });

  it('a label that was certainly not written leaves what was remembered before', () => {
    const memory = after(sent(uid), { kind: 'labelNotSent', ...attempt(uid) });
    expect([memory.trials.size, memory.writtenUnder.size]).toEqual([0, 0]);
    const before: LabelMemory = { under: 'owner', trial: waiting(7) };
    const again = after(sent(uid), sent(uid, before, 9), { kind: 'labelNotSent', ...attempt(uid, before) });
    expect([again.trials.get('owner'), again.writtenUnder.get(uid)]).toEqual([before.trial, 'owner']);
    const other = after(sent(uid), { kind: 'labelNotSent', ...attempt('uid-of-b') });
    expect(other.trials.get('owner')).toEqual(before.trial);
  });

  it('a fencing patch ends its conflicts and refusals, and counts for one version of the lock', () => {
    const memory = after(
      { kind: 'fencingMetConflict', uid },
      { kind: 'fencingRefused', uid, refusal },
      fenced('b', '1'),
      fenced(uid, '1'),
    );
    expect([memory.fenced.version, ...memory.fenced.uids.keys()]).toEqual(['1', 'b', uid]);
    expect([memory.conflicts.size, memory.fencingRefusals.size]).toEqual([0, 0]);
    expect([...after(fenced('b', '1'), fenced(uid, '2')).fenced.uids.keys()]).toEqual([uid]);
  });

  it('conflicts are counted until the group is settled', () => {
    const conflict = { kind: 'fencingMetConflict', uid } as const;
    expect(after(conflict, conflict).conflicts.get(uid)).toBe(2);
    expect(after(conflict, { kind: 'settled' }).conflicts.size).toBe(0);
  });

  it.each([
    [true, false],
    [false, true],
  ])('a refused promotion, the first one: %s, leaves it perhaps promoted: %s', (first, perhaps) => {
    const memory = after({ kind: 'promotionSent', uid }, { kind: 'promotionRefused', uid, refusal, first });
    expect([memory.perhapsPromoted.has(uid), memory.promotionRefusals.get(uid)]).toEqual([perhaps, refusal]);
  });

  it('a promotion ends the refusals of it', () => {
    const memory = after({ kind: 'promotionRefused', uid, refusal, first: true }, { kind: 'promoted', uid, token: 4 });
    expect([memory.promotionRefusals.size, memory.promoted]).toEqual([0, { uid, token: 4, fenced: false }]);
  });

  it.each(['podFenced', 'perhapsFenced'] as const)('its promotion may be undone by us: %s', (kind) => {
    const promoted = { kind: 'promoted', uid, token: 4 } as const;
    const fenced = { kind, uid, version: '7' };
    expect(after(promoted, fenced).promoted?.fenced).toBe(true);
    expect(after(promoted, { ...fenced, uid: podUid('uid-of-another') }, fenced, promoted).promoted?.fenced).toBe(
      false,
    );
  });

  it('each eviction is owed until it is asked for', () => {
    const [one, other] = [uid, podUid('uid-of-another')].map((each) => ({ uid: each, untilMs: 60_000 }));
    if (one === undefined || other === undefined) throw new Error('two are made');
    const evictions = { formers: [one, other], from: uid, next: podUid('uid-of-the-next') };
    const owed = { kind: 'evictionsOwed', evictions } as const;
    const asked = { kind: 'evictionAsked', uid } as const;
    expect(after(owed).owedEvictions).toEqual(evictions);
    expect(after(owed, asked).owedEvictions).toEqual({ ...evictions, formers: [other] });
    expect(after(owed, asked, { kind: 'evictionAsked', uid: other.uid }).owedEvictions).toBeNull();
  });

  it('repairs within a minute are counted, with who else writes it; later ones are counted anew', () => {
    const by = { kind: 'contesterRead', uid, by: 'somebody' } as const;
    expect(after(by).repairs.size).toBe(0);
    const memory = after(repaired(0), by, repaired(59_999));
    expect(memory.repairs.get(uid)).toEqual({ count: 2, lastMs: 59_999, sinceWallMs: 1000, by: 'somebody' });
    const anew = remember(memory, repaired(119_999));
    expect(anew.repairs.get(uid)).toEqual({ count: 1, lastMs: 119_999, sinceWallMs: 120_999, by: null });
  });

  it('a list is kept for one pass, its pods until the watch has caught up', () => {
    const listed = { kind: 'podsListed', version: '40', pods: [a] } as const;
    expect(after(listed)).toMatchObject({ listed: { version: '40', pods: [a] } });
    const ended = after(listed, { kind: 'passEnded' });
    expect([ended.listed, ended.newerPods.get(uid)]).toEqual([null, a]);
  });

  it('a refusal to label followers is over with the next time that none is refused', () => {
    expect(after({ kind: 'followersLabelled', refusal }).followersRefused).toBe(refusal);
    const both = after({ kind: 'followersLabelled', refusal }, { kind: 'followersLabelled', refusal: null });
    expect(both.followersRefused).toBeNull();
  });
});

describe('of the lock', () => {
  const delayed = { kind: 'lockDelayed', untilMs: 9 } as const;
  const denied = { kind: 'consulDenied', refusal: { message: 'no', count: 1, retryAtMs: 9 } } as const;
  const locked = (newReign: boolean): Outcome => ({ kind: 'locked', uid, newReign, verifiedAt: 'x' });

  it('a transaction that locks ends what was refused, and what counted for the version before', () => {
    const memory = after(delayed, denied, fenced('b', '1'), locked(false));
    expect(memory).toMatchObject({ lockDelayedUntilMs: null, consulDenied: null, verifiedAt: 'x' });
    expect([memory.fenced.uids.size, memory.groupConfirmedAt]).toEqual([0, null]);
  });

  it('a new holder begins without repairs, and is known to be recorded by us', () => {
    const began = after(repaired(0), locked(true));
    expect([began.repairs.size, [...began.recordedByUs]]).toEqual([0, [uid]]);
    const went = after(repaired(0), locked(false));
    expect([went.repairs.size, went.recordedByUs.size]).toEqual([1, 0]);
  });

  it('fencing patches made before an unlock still count after it, those of another version do not', () => {
    const unlocked = { kind: 'unlocked', version: '2', before: '1' } as const;
    expect(after(fenced(uid, '1'), unlocked).fenced).toEqual({ version: '2', uids: new Map([[uid, true]]) });
    expect(after(fenced(uid, '0'), unlocked).fenced.uids.size).toBe(0);
  });

  it('a read shows anew who holds it, where the session was gone', () => {
    const gone = { kind: 'externalHolder', id: sessionId('x'), session: { kind: 'gone' } } as const;
    const other = {
      kind: 'externalHolder',
      id: sessionId('y'),
      session: { kind: 'external', name: 'n', node: 'm' },
    } as const;
    expect([...after(gone, other, { kind: 'lockRead' }).externalHolders.keys()]).toEqual(['y']);
  });
});

describe('of the group', () => {
  const confirmed = (atMs: number, deleting = true): Outcome => ({
    kind: 'groupConfirmed',
    newer: null,
    deleting,
    atMs,
    at: '40',
    switchover: null,
  });

  it('time in which nobody answered does not count among what a deletion may take', () => {
    expect(after(confirmed(0), confirmed(9000)).deletingSinceMs).toBe(0);
    expect(after(confirmed(0), confirmed(30_000))).toMatchObject({
      deletingSinceMs: 20_000,
      deletionConfirmedMs: 30_000,
    });
    expect(after(confirmed(0), confirmed(1, false))).toMatchObject({
      deletingSinceMs: null,
      deletionConfirmedMs: null,
    });
  });

  it('a deletion that a GET has shown is believed for one pass', () => {
    expect(after(confirmed(0)).deletionShown).toBe(true);
    expect(after(confirmed(0), { kind: 'passEnded' }).deletionShown).toBe(false);
    expect(after(confirmed(0), confirmed(1, false)).deletionShown).toBe(false);
  });

  it('its own finalizer tells whether anybody can have led before', () => {
    const group = aGroup({ resourceVersion: '60' });
    const added = after({ kind: 'finalizerAdded', group, whole: true });
    expect(added).toMatchObject({ newerGroup: group, groupKnown: true, wholeIncarnation: true, finalizerOff: false });
    expect(after({ kind: 'finalizerRemoved', group: null })).toMatchObject({ groupKnown: true, finalizerOff: true });
    expect(after({ kind: 'groupGone' })).toMatchObject({ groupKnown: false, finalizerOff: true });
  });

  it('a rival is there, or counts no more', () => {
    expect(after({ kind: 'rivalRead', uid: 'r', there: true }).rivalConfirmed).toBe('r');
    expect([...after({ kind: 'rivalRead', uid: 'r', there: false }).goneRivals]).toEqual(['r']);
  });

  it('that the gate was asked, and that the API server has shown it, stays', () => {
    expect(after({ kind: 'asked' }, { kind: 'groupShown' })).toMatchObject({ asked: true, groupKnown: true });
  });
});

describe('of what was said', () => {
  it('the first cause of a loss is kept until somebody leads again', () => {
    const other = { ...change, cause: 'LeaderGone' } as const;
    const memory = after({ kind: 'leaderFenced', change }, { kind: 'leaderFenced', change: other });
    expect(memory.change).toEqual(change);
    expect(remember(memory, { kind: 'lossReported' }).change).toEqual({ ...change, reported: true });
    expect(remember(memory, { kind: 'leaderBack' }).change).toBeNull();
    expect(after({ kind: 'lossReported' }).change).toBeNull();
  });

  it('the status takes the transitions with it', () => {
    const memory = after(...Array.from({ length: 11 }, (): Outcome => ({ kind: 'transition', transition })));
    expect(memory.transitions).toHaveLength(10);
    const group = aGroup({ resourceVersion: '60' });
    const told = remember(memory, {
      kind: 'statusWritten',
      group,
      outage: 'silent',
      writesMs: [3],
      droppedSwitchover: null,
    });
    expect(told).toMatchObject({ transitions: [], outageReported: 'silent', statusWritesMs: [3], newerGroup: group });
  });

  it('a turn is confirmed by a GET that comes after it', () => {
    const shown = (atMs: number): Outcome => ({
      kind: 'groupConfirmed',
      newer: null,
      deleting: false,
      atMs,
      at: null,
      switchover: null,
    });
    expect(after({ kind: 'turn', atMs: 5 }, shown(4)).turn).toEqual({ atMs: 5, confirmed: false });
    expect(after({ kind: 'turn', atMs: 5 }, shown(5)).turn).toEqual({ atMs: 5, confirmed: true });
    expect(after(shown(5)).turn).toBeNull();
    expect(after({ kind: 'turn', atMs: 5 }, { kind: 'preemptionFailed' }).turn).toBeNull();
  });

  describe('of a group that is led for months, by thousands of pods', () => {
    const uids = Array.from({ length: 2000 }, (_, at) => podUid(`uid-${at}`));
    const finalizer = { kind: 'finalizerAdded', group: null, whole: true } as const;
    const promotions = uids.flatMap((each): readonly Outcome[] => [
      { kind: 'locked', uid: each, newReign: true, verifiedAt: 'x' },
      { kind: 'promotionSent', uid: each },
    ]);

    it('no more than the last is remembered', () => {
      const memory = after(finalizer, ...promotions);
      const sizes = [memory.perhapsPromoted.size, memory.recordedByUs.size];
      expect(sizes.filter((size) => size > 256)).toEqual([]);
      expect(memory.perhapsPromoted.has(podUid('uid-1999'))).toBe(true);
    });

    it('everybody may have been promoted by then, whoever puts the finalizer on again', () => {
      expect(after(finalizer, ...promotions).wholeIncarnation).toBe(false);
      expect(after(...promotions, finalizer).wholeIncarnation).toBe(false);
    });
  });

  it('a warning is known until its cause is over', () => {
    const warned = after({ kind: 'warned', of: 'x' }, { kind: 'reasonReported', reason: 'Led' });
    expect([[...warned.warned], warned.reportedReason]).toEqual([['x'], 'Led']);
    expect(remember(warned, { kind: 'warningOver', of: 'x' }).warned.size).toBe(0);
  });
});

describe('an accepted release', () => {
  const accepted: Outcome = {
    kind: 'observed',
    highestObserved: 0,
    acceptedReleases: { generation: 2, uids: new Set([uid]) },
    labelStop: null,
    preferred: null,
  };

  it('ends the trial by that pod: it shows nothing of the controller but that it may release', () => {
    expect(after(sent(uid)).trials.size).toBe(1);
    expect(after(sent(uid), accepted).trials.size).toBe(0);
  });
});

describe('what the caches show', () => {
  it('ends what was remembered of pods that are gone', () => {
    const of: readonly Outcome[] = [
      { kind: 'podRead', pod: { ...a, owner: null } },
      { kind: 'podGone', uid },
      { kind: 'fencingMetConflict', uid },
      { kind: 'fencingRefused', uid, refusal },
      { kind: 'promotionRefused', uid, refusal, first: true },
      repaired(0),
      {
        kind: 'observed',
        highestObserved: 4,
        acceptedReleases: { generation: 2, uids: new Set([uid]) },
        labelStop: null,
        preferred: null,
      },
      sent(uid),
    ];
    const parts = (memory: GroupMemory) =>
      [memory.newerPods, memory.goneUids, memory.conflicts, memory.fencingRefusals, memory.promotionRefusals].concat([
        memory.repairs,
        memory.trials,
        memory.lostOwners,
        memory.acceptedReleases.uids,
      ] as never[]);
    const kept = after(...of, shown([{ ...a, resourceVersion: '8' }]));
    expect(parts(kept).map(({ size }) => size)).toEqual(Array.from({ length: 9 }, () => 1));
    expect(kept.highestObserved).toBe(4);
    const gone = after(...of, shown([]));
    expect(parts(gone).map(({ size }) => size)).toEqual(Array.from({ length: 9 }, () => 0));
  });

  it('ends an answer that it has caught up with, of a pod or of the group', () => {
    const group = aGroup({ resourceVersion: '60' });
    const of: readonly Outcome[] = [
      { kind: 'podRead', pod: aLeader(3, { name: 'a', resourceVersion: '12' }) },
      { kind: 'groupChanged', group },
    ];
    expect(after(...of, shown([a])).newerPods.size).toBe(1);
    expect(after(...of, shown([{ ...a, resourceVersion: '12' }])).newerPods.size).toBe(0);
    expect(after(...of, shown([], { cached: aGroup({ resourceVersion: '59' }) })).newerGroup).toBe(group);
    expect(after(...of, shown([], { cached: group })).newerGroup).toBeNull();
    expect(after(...of, shown([], { cached: aGroup({ uid: 'next', resourceVersion: '1' }) })).newerGroup).toBeNull();
  });

  it('ends repairs after a minute, lists of another version of the lock and what was known of other holders', () => {
    const holder = (id: string): Outcome => ({ kind: 'externalHolder', id: sessionId(id), session: { kind: 'gone' } });
    const of: readonly Outcome[] = [
      repaired(0),
      { kind: 'podsListed', version: '40', pods: [] },
      holder('session-of-a'),
      holder('x'),
    ];
    const soon = after(...of, shown([a], { nowMs: 59_999 }));
    expect([soon.repairs.size, soon.listed?.version, [...soon.externalHolders.keys()]]).toEqual([
      1,
      '40',
      ['session-of-a'],
    ]);
    const late = after(...of, shown([a], { nowMs: 60_000, lock: null }));
    expect([late.repairs.size, late.listed, late.externalHolders.size]).toEqual([0, null, 0]);
  });

  it('dates the deletion, and ends what was done for Consul’s silence', () => {
    const group = aGroup({ deleting: true });
    const silence: readonly Outcome[] = [
      { kind: 'demotedForOutage' },
      { kind: 'statusWritten', group: null, outage: 'silent', writesMs: [], droppedSwitchover: null },
    ];
    const during = after(...silence, shown([], { group, nowMs: 5 }), shown([], { group, nowMs: 6 }));
    expect(during).toMatchObject({ deletionSeenMs: 5, demotedForOutage: true, outageReported: 'silent' });
    const over = remember(during, shown([], { outageOver: true }));
    expect(over).toMatchObject({ deletionSeenMs: 5, demotedForOutage: false, outageReported: null });
  });
});

describe('what is remembered of a revocation', () => {
  const revoked = { kind: 'revoked', uid } as const;
  const planned = (from: typeof uid | null, rests = false) => ({ kind: 'planned', from, rests }) as const;
  const locked = { kind: 'locked', uid, newReign: false, verifiedAt: 'now' } as const;

  it.each<[string, readonly Outcome[]]>([
    ['while the plan stands', [planned(uid)]],
    ['while its transaction is on its way', [planned(uid), { kind: 'moveSent' }]],
    [
      'while nobody knows what became of its transaction, whatever is planned',
      [{ kind: 'moveSent' }, { kind: 'moveFailed' }, planned(null)],
    ],
    ['when it is begun again after that', [{ kind: 'moveSent' }, planned(null), revoked, planned(null)]],
  ])('it stands %s', (_, outcomes) => {
    expect(after(revoked, ...outcomes).revoked?.uid).toBe(uid);
  });

  it.each<[string, readonly Outcome[]]>([
    ['the plan is dropped', [planned(null)]],
    ['a write before its transaction fails', [planned(uid), { kind: 'moveFailed' }]],
    [
      'Consul has refused the transaction, and the plan is dropped',
      [{ kind: 'moveSent' }, { kind: 'moveRefused' }, planned(null)],
    ],
    ['a later transaction of ours has made it void', [{ kind: 'moveSent' }, planned(null), locked]],
  ])('it is over when %s', (_, outcomes) => {
    expect(after(revoked, ...outcomes).revoked).toBeNull();
  });

  it('a lock that a transaction on its way may move is not verified any more', () => {
    expect(after(locked, { kind: 'moveSent' }).verifiedAt).toBeNull();
  });
});

describe('what is remembered of a resignation', () => {
  const resigned = (atMs: number) => ({ kind: 'resigned', uid, token: 4, atMs }) as const;
  const planned = (rests: boolean) => ({ kind: 'planned', from: null, rests }) as const;

  it('it stands until a plan finds nothing to do, or another leads', () => {
    expect(after(resigned(0), planned(false)).resignation).toEqual({ uid, token: 4 });
    expect(after(resigned(0), planned(true)).resignation).toBeNull();
    const locked = { kind: 'locked', uid: podUid('b'), newReign: true, verifiedAt: null } as const;
    expect(after(resigned(0), locked).resignation).toBeNull();
  });

  it('the pod leads only if nobody else can for a time that grows, and is as any other after a quiet while', () => {
    const untilMs = (...atMs: readonly number[]) => after(...atMs.map(resigned)).resigned.get(uid)?.untilMs ?? 0;
    expect([untilMs(0), untilMs(0, 1000), untilMs(0, 1000, 2000)]).toEqual([10_000, 21_000, 42_000]);
    const often = Array.from({ length: 20 }, () => 1000);
    expect(untilMs(...often)).toBe(641_000);
    expect(untilMs(0, 610_000)).toBe(620_000);
  });
});
