import { describe, expect, it } from 'vitest';
import { formatDuration, parseDuration } from '../../../src/consul/durations.ts';

describe('a duration', () => {
  it.each([
    [0, '0s'],
    [30_000, '30s'],
    [86_400_000, '86400s'],
    [1500, '1500ms'],
    [999, '999ms'],
  ])('of %i ms is written %j and read back the same', (ms, text) => {
    expect(formatDuration(ms)).toBe(text);
    expect(parseDuration(text)).toBe(ms);
  });

  it.each([
    ['', 0],
    ['0', 0],
    ['1m30s', 90_000],
    ['24h0m0s', 86_400_000],
    ['1.5s', 1500],
    ['.5s', 500],
    ['250us', 0.25],
    ['250µs', 0.25],
    ['10', null],
    ['abc', null],
    ['10s ', null],
    ['-10s', null],
    ['10s5', null],
  ])('%j is read as %s ms', (text, ms) => {
    expect(parseDuration(text)).toBe(ms);
  });
});
