import { describe, expect, it } from 'vitest';
import { isTime } from '../../../src/api/time.ts';

describe('a time', () => {
  it.each(['2026-01-02T03:04:05Z', '2024-02-29T23:59:59.123456Z', '2026-01-02T03:04:05+01:30'])('is %s', (text) => {
    expect(isTime(text)).toBe(true);
  });

  it.each([
    '',
    'yesterday',
    '2026-01-02',
    '2026-01-02 03:04:05Z',
    '2026-01-02T03:04:05',
    '2024-19-39T29:59:59Z',
    '2025-02-29T00:00:00Z',
    '2026-04-31T00:00:00Z',
    '2026-01-02T24:00:00Z',
    '2026-01-02T03:04:60Z',
    '2026-01-02T03:04:05+99:99',
    '2026-01-02T03:04:05Z\n',
    '+002026-01-02T03:04:05Z',
  ])('is not %j', (text) => {
    expect(isTime(text)).toBe(false);
  });
});
