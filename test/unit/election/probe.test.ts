import { describe, expect, it } from 'vitest';
import type { LeaderProbe } from '../../../src/api/leader-probe.ts';
import { type Answers, type Judgement, judge, type ProbeView } from '../../../src/election/probe.ts';
import { probeLevel } from '../../../src/election/probe-level.ts';
import { A_GATE_PROBE, AN_HTTP_PROBE } from '../../kit/fakes/builders.ts';
import { aProbeView, eachHalfPeriod, NOW_MS } from '../../kit/fakes/builders-election.ts';
import { uidOf } from '../../kit/fakes/ids.ts';

const PAST = eachHalfPeriod(6000, 2000);
const STEADY = eachHalfPeriod(6000, 0);

const judged = (view: ProbeView, addressed: boolean, probe: LeaderProbe): Judgement =>
  judge(probe, view, {
    nowMs: NOW_MS,
    leader: { uid: uidOf('a'), addressed },
    others: [uidOf('b'), uidOf('c')],
    nodes: new Map([uidOf('a'), uidOf('b'), uidOf('c')].map((uid, at) => [uid, `n${at + 1}`])),
  });

/** In short: how it is judged, why, and who may follow. */
function found(view: ProbeView, addressed = true, probe = A_GATE_PROBE): string {
  const judgement = judged(view, addressed, probe);
  switch (judgement.kind) {
    case 'passing':
      return 'passing';
    case 'notJudged':
      return judgement.why;
    case 'failing':
      return `${judgement.failure}: ${judgement.successors.join(' ')}`;
  }
}

const SILENT = { a: PAST, b: STEADY } as const;
const BY_B = `Silent: ${uidOf('b')}`;

describe('a leader that is listened to, each second, two of which it may be silent', () => {
  const cases: readonly (readonly [rule: string, view: ProbeView, expected: string])[] = [
    ['passes while it asks', aProbeView({ a: STEADY }), 'passing'],
    ['passes until it has been silent for two periods', aProbeView({ a: eachHalfPeriod(6000, 1999) }), 'passing'],
    ['fails once it has, where another was heard all the while', aProbeView(SILENT), BY_B],
    ['fails for whoever was heard in both periods, and for nobody else', aProbeView({ ...SILENT, c: [500] }), BY_B],
    ['is kept where nobody was heard', aProbeView({ a: PAST }), 'Silent: '],
    [
      'is kept where each of the others was heard in one of the periods',
      aProbeView({ a: PAST, b: [500], c: [1500] }),
      'Silent: ',
    ],
    [
      'is kept where another was heard in both, but not in the period between: all may have been cut off then',
      aProbeView({ a: PAST, b: [...eachHalfPeriod(6000, 2000), 1800, 200] }),
      'Silent: ',
    ],
    ['is not judged where it has never asked', aProbeView({ b: STEADY }), 'NoRhythm'],
    ['is not judged where it asked once', aProbeView({ a: [3000], b: STEADY }), 'NoRhythm'],
    [
      'is not judged where it asked in one of the two periods before its last question',
      aProbeView({ a: [2500, 3200], b: STEADY }),
      'NoRhythm',
    ],
    [
      'is judged where it asked once in each of them, at their far ends',
      aProbeView({ a: [2000, 3000, 4000], b: STEADY }),
      BY_B,
    ],
    [
      'is not judged before it has led for two periods',
      aProbeView(SILENT, { leader: { uid: uidOf('a'), sinceMs: NOW_MS - 1999 } }),
      'NotJudged',
    ],
    [
      'is not judged before this replica has listened for two',
      aProbeView(SILENT, { sinceMs: NOW_MS - 1999 }),
      'NotJudged',
    ],
    ['is not judged where another one was seen to lead', aProbeView(SILENT, { leader: null }), 'NotJudged'],
    [
      'is not judged where this process stood still meanwhile',
      aProbeView(SILENT, { stalledMs: NOW_MS - 1999 }),
      'NotJudged',
    ],
    ['is judged where it stood still before', aProbeView(SILENT, { stalledMs: NOW_MS - 2000 }), BY_B],
    ['is not judged by what a blind replica hears', aProbeView(SILENT, { blind: 'cut off' }), 'ProbeBlind'],
    ['passes by what a blind one hears all the same', aProbeView({ a: STEADY }, { blind: 'cut off' }), 'passing'],
    ['has twice as long after a change of leader for its silence', aProbeView(SILENT, { level: 1 }), 'passing'],
    [
      'fails then as well, in the end, and for one that was heard in each of four periods',
      aProbeView({ a: eachHalfPeriod(8000, 4000), b: STEADY, c: eachHalfPeriod(2500, 0) }, { level: 1 }),
      BY_B,
    ],
  ];

  it.each(cases)('%s', (_, view, expected) => {
    expect(found(view)).toBe(expected);
  });

  describe('and that this replica has not heard once', () => {
    const a = uidOf('a');
    const since = (ms: number) => ({ judgedBefore: a, sinceMs: NOW_MS - ms });
    const B = { b: eachHalfPeriod(40_000, 0) };

    it.each<[rule: string, view: ProbeView, expected: string]>([
      ['fails after half a minute where another replica had judged it', aProbeView(B, since(30_000)), BY_B],
      ['is not judged before', aProbeView(B, since(29_999)), 'NotJudged'],
      ['is not judged where none had', aProbeView(B, { ...since(30_000), judgedBefore: null }), 'NoRhythm'],
      [
        'is not judged where another leader was',
        aProbeView(B, { ...since(30_000), judgedBefore: uidOf('b') }),
        'NoRhythm',
      ],
      [
        'is not judged before this replica has seen it lead for so long',
        aProbeView(B, { ...since(60_000), leader: { uid: a, sinceMs: NOW_MS - 29_999 } }),
        'NotJudged',
      ],
      ['is kept where nobody was heard all the while', aProbeView({ b: STEADY }, since(30_000)), 'Silent: '],
      [
        'is judged as ever once it has been heard: who comes back after a while asks less often',
        aProbeView({ ...B, a: [15_000] }, since(30_000)),
        'NoRhythm',
      ],
      ['is not judged by a blind replica', aProbeView(B, { ...since(30_000), blind: 'cut off' }), 'ProbeBlind'],
      [
        'is not judged where this process stood still meanwhile',
        aProbeView(B, { ...since(30_000), stalledMs: NOW_MS - 29_999 }),
        'NotJudged',
      ],
      [
        'has longer where the threshold has doubled',
        aProbeView({ b: eachHalfPeriod(70_000, 0) }, { ...since(63_999), level: 5 }),
        'NotJudged',
      ],
    ])('%s', (_, view, expected) => {
      expect(found(view)).toBe(expected);
    });
  });

  it('is blind to one without an address of its own, unless it is heard', () => {
    expect(found(aProbeView({ b: STEADY }), false)).toBe('ProbeBlind');
    expect(found(aProbeView({ a: STEADY, b: STEADY }), false)).toBe('passing');
  });
});

describe('a leader that is asked, each second, and may fail three times in a row', () => {
  const answer = (failures: number, more: Partial<Answers> = {}): Answers => ({
    failures,
    sinceMs: NOW_MS - failures * 1000,
    lastMs: NOW_MS - 100,
    failure: failures === 0 ? null : 'Timeout',
    notAsked: null,
    besideMs: failures === 0 ? (more.lastMs ?? NOW_MS - 100) : null,
    ...more,
  });
  const view = (answers: Readonly<Record<string, Answers>>, more: Partial<ProbeView> = {}): ProbeView =>
    aProbeView({}, { answers: new Map(Object.entries(answers).map(([name, each]) => [uidOf(name), each])), ...more });
  const fails = { a: answer(3), b: answer(0) } as const;

  it.each<[rule: string, view: ProbeView, expected: string]>([
    ['passes while it answers', view({ a: answer(0) }), 'passing'],
    ['passes until it has failed three times', view({ a: answer(2), b: answer(0) }), 'passing'],
    ['fails then, where another passes now', view(fails), `Timeout: ${uidOf('b')}`],
    [
      'is told to have failed as it did last',
      view({ ...fails, a: answer(3, { failure: 'Status5xx' }) }),
      `Status5xx: ${uidOf('b')}`,
    ],
    ['is kept where all fail', view({ a: answer(3), b: answer(1), c: answer(5) }), 'Timeout: '],
    [
      'is kept where another passed some time ago',
      view({ ...fails, b: answer(0, { lastMs: NOW_MS - 1501 }) }),
      'Timeout: ',
    ],
    [
      'is kept where another passed when it was asked alone, since the leader may pass again by then',
      view({ ...fails, b: answer(0, { besideMs: null }) }),
      'Timeout: ',
    ],
    [
      'fails where another passed with it, and once more since',
      view({ ...fails, b: answer(0, { lastMs: NOW_MS, besideMs: NOW_MS - 900 }) }),
      `Timeout: ${uidOf('b')}`,
    ],
    [
      'fails where another passed in the round of its first failure',
      view({ b: answer(0), a: answer(3, { sinceMs: NOW_MS - 100 }) }),
      `Timeout: ${uidOf('b')}`,
    ],
    [
      'is kept where another passed in the round before that, in which it passed too, for all may have been cut off since',
      view({ b: answer(0), a: answer(3, { sinceMs: NOW_MS - 99 }) }),
      'Timeout: ',
    ],
    [
      'is kept where another passed with it some time ago, and alone since',
      view({ ...fails, b: answer(0, { lastMs: NOW_MS, besideMs: NOW_MS - 1501 }) }),
      'Timeout: ',
    ],
    ['is not judged where it has not been asked', view({ b: answer(0) }), 'NotJudged'],
    ['is not judged before it has led for three periods', view(fails, { sinceMs: NOW_MS - 2999 }), 'NotJudged'],
    [
      'is not judged where this process stood still since the first failure',
      view(fails, { stalledMs: NOW_MS - 3000 }),
      'NotJudged',
    ],
    ['is not judged by a replica that is blind', view(fails, { blind: 'cut off' }), 'ProbeBlind'],
    ['may fail twice as often after a change for that', view(fails, { level: 1 }), 'passing'],
  ])('%s', (_, given, expected) => {
    expect(found(given, true, AN_HTTP_PROBE)).toBe(expected);
  });

  it.each<[rule: string, ownNode: string | null, answers: Readonly<Record<string, Answers>>, expected: string]>([
    [
      'where only the pods of the operator’s own node answer, and those of a third do not',
      'n2',
      { ...fails, c: answer(3) },
      'ProbeBlind',
    ],
    [
      'but is replaced where a pod of a third node answers',
      'n2',
      { ...fails, c: answer(0) },
      `Timeout: ${uidOf('b')} ${uidOf('c')}`,
    ],
    ['but is replaced where none on a third node was asked', 'n2', fails, `Timeout: ${uidOf('b')}`],
    [
      'but is replaced where one on a third node failed some time ago',
      'n2',
      { ...fails, c: answer(1, { lastMs: NOW_MS - 3001 }) },
      `Timeout: ${uidOf('b')}`,
    ],
    [
      'but is replaced where it is on the operator’s own node itself',
      'n1',
      { ...fails, c: answer(3) },
      `Timeout: ${uidOf('b')}`,
    ],
    [
      'but is replaced where nobody knows where the operator runs',
      null,
      { ...fails, c: answer(3) },
      `Timeout: ${uidOf('b')}`,
    ],
  ])('is not judged %s', (_, ownNode, answers, expected) => {
    expect(found(view(answers, { ownNode }), true, AN_HTTP_PROBE)).toBe(expected);
  });

  it('is not judged without an address of its own', () => {
    expect(found(view(fails), false, AN_HTTP_PROBE)).toBe('ProbeBlind');
  });
});

describe('the threshold', () => {
  const NOW_SECONDS = 1_700_000_000;
  const changed = (secondsAgo: number, reason = 'LeaderUnresponsive') => ({
    time: new Date((NOW_SECONDS - secondsAgo) * 1000).toISOString(),
    from: 'a',
    to: 'b',
    reason,
    token: 4,
    fromUID: '',
    chosenBy: '',
    durationMilliseconds: 1,
  });

  it.each<[string, readonly ReturnType<typeof changed>[], number]>([
    ['is single where nothing has happened', [], 0],
    ['is single after other changes of leader', [changed(5, 'LeaderNotReady')], 0],
    ['doubles with a change for silence', [changed(5)], 1],
    ['doubles with each, whatever lies between', [changed(5), changed(60, 'LeaderNotReady'), changed(300)], 2],
    ['is single again after ten quiet minutes', [changed(600), changed(700)], 0],
    ['does not count what lies before ten quiet minutes', [changed(5), changed(606)], 1],
    ['doubles six times at most', Array.from({ length: 9 }, (_, at) => changed(at * 10)), 6],
    ['counts a change that somebody’s clock has put into the future', [changed(-30)], 1],
  ])('%s', (_, history, level) => {
    expect(probeLevel(history, NOW_SECONDS)).toBe(level);
  });
});
