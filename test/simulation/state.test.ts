import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { EVENT_REASONS } from '../../src/api/event-reasons.ts';
import { TRANSITION_CAUSES } from '../../src/api/transition-causes.ts';
import { coverage, createMeetings, meetActs } from '../kit/simulation/coverage.ts';
import { finish, freshState, loadState, numbersLeft, saveState } from '../kit/simulation/state.ts';

const aFile = (): string => join(mkdtempSync(join(tmpdir(), 'simulation-state-')), 'state.json');

describe('a run that was ended', () => {
  it('goes on with the histories that were not finished, and with each of them once', () => {
    const file = aFile();
    const state = freshState(100, 'code');
    for (const number of [0, 1, 3, 5]) finish(state, number);
    saveState(file, state);
    const again = loadState(file, 100, 'code');
    if (again === null) throw new Error('nothing was loaded');
    expect(again).toEqual(state);
    const next = numbersLeft(again, 8);
    expect([next(), next(), next(), next(), next()]).toEqual([2, 4, 6, 7, null]);
  });

  it('needs no more than what is done side by side, however many are done', () => {
    const state = freshState(0, 'code');
    for (let number = 0; number < 1000; number += 2) {
      finish(state, number + 1);
      finish(state, number);
    }
    expect([state.done, state.ahead.size]).toEqual([1000, 0]);
  });

  it('begins anew without a file', () => {
    expect(loadState(aFile(), 1, 'code')).toBeNull();
  });

  it('is not mixed with one of other seeds or of other code, nor with a file that is something else', () => {
    const file = aFile();
    saveState(file, freshState(100, 'code'));
    expect(() => loadState(file, 101, 'code')).toThrow(/from seed 100 on, not 101/);
    expect(() => loadState(file, null, 'other')).toThrow(/with other code/);
    expect(loadState(file, null, 'code')?.seed).toBe(100);
    writeFileSync(file, 'no json');
    expect(() => loadState(file, null, 'code')).toThrow(/no state of a run/);
  });
});

describe('what histories met', () => {
  const group = { lockKey: null } as never;

  it('are acts, and pairs of them that go on at one time', () => {
    const meetings = createMeetings();
    const freeze = { act: 'freeze', replica: 0, clockStops: false, atMs: 0, forMs: 100 } as const;
    const acts = [
      freeze,
      { act: 'wipe', atMs: 50 } as const,
      { ...freeze, atMs: 100 },
      { act: 'compact', atMs: 300 } as const,
    ];
    meetActs({ acts, groups: [group] }, meetings);
    expect(meetings.all()).toEqual(['act compact', 'act freeze', 'act wipe', 'overlap freeze + wipe']);
  });

  it('is no external that has no lock to take', () => {
    const meetings = createMeetings();
    meetActs({ acts: [{ act: 'external', group: 0, atMs: 0, forMs: 9 }], groups: [group] }, meetings);
    expect(meetings.all()).toEqual([]);
  });

  it('is looked for among all that the registries have', () => {
    const kinds = coverage({}).map((line) => /^(\w+): 0 of (\d+) met/.exec(line)?.slice(1));
    expect(kinds).toEqual(
      expect.arrayContaining([
        ['cause', String(Object.keys(TRANSITION_CAUSES).length)],
        ['event', String(Object.keys(EVENT_REASONS).length)],
      ]),
    );
  });

  it('is told with what they did not meet', () => {
    const lines = coverage({ 'stalled WriteRefused': 3 });
    const line = lines.find((each) => each.startsWith('stalled'));
    expect(line).toMatch(/^stalled: 1 of 7 met, not SelectorOverlap, .*; rarest WriteRefused \(3\)$/);
  });
});
