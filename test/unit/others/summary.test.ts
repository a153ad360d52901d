import { describe, expect, test } from 'vitest';
import { parseLine } from '../../../dev/others/line.ts';
import { median, summaryTable, time } from '../../../dev/others/summary.ts';

describe('a line of a candidate', () => {
  test('is a word, a time and a pid', () => {
    expect(parseLine('leads 1700000000123456 42')).toEqual({ word: 'leads', atMs: 1_700_000_000_123.456, pid: 42 });
  });

  test.each([
    '',
    'leads',
    'leads 1',
    'leads 1 x',
    'leads x 1',
    'leads 1 2 3',
    'sleeps 1 2',
    'Lock lost, killing child',
  ])('is not %j', (line) => {
    expect(parseLine(line)).toBeUndefined();
  });
});

describe('the median', () => {
  test.each([
    [[3, 1, 2], 2],
    [[10, 9, 100, 1], 9.5],
    [[7], 7],
  ])('of %j is %d', (values, expected) => {
    expect(median(values)).toBe(expected);
  });
});

describe('a time', () => {
  test.each([
    [0, 'none'],
    [0.4, '0 ms'],
    [12.6, '13 ms'],
    [999.4, '999 ms'],
    [999.6, '1.0 s'],
    [43_210, '43.2 s'],
  ])('of %d ms reads %s', (milliseconds, words) => {
    expect(time(milliseconds)).toBe(words);
  });
});

describe('the summary', () => {
  test('has a row for each alternative and fault, in the order of their first trials', () => {
    const trial = (alternative: string, fault: string, gapMs: number, overlapMs = 0) => ({
      alternative,
      fault,
      gapMs,
      overlapMs,
    });
    const trials = [trial('a', 'hangs', 3000, 10), trial('b', 'dies', 5), trial('a', 'hangs', 1000, 30)];
    expect(summaryTable(trials)).toBe(
      [
        '| alternative | fault | times | no leader: median | min | max | two leaders: median | max |',
        '| --- | --- | --- | --- | --- | --- | --- | --- |',
        '| a | hangs | 2 | 2.0 s | 1.0 s | 3.0 s | 20 ms | 30 ms |',
        '| b | dies | 1 | 5 ms | 5 ms | 5 ms | none | none |',
      ].join('\n'),
    );
  });
});
