import { describe, expect, it } from 'vitest';
import { parseLeaderGroup } from '../../../src/api/parse.ts';
import { parseSwitchover, switchoverTime } from '../../../src/api/switchover.ts';

describe('the annotation that asks for a switchover', () => {
  it('names the pod that is to lead, and when it was asked for', () => {
    expect(parseSwitchover('to=notifier-1 at=2026-11-29T03:00:00Z')).toEqual({
      kind: 'asked',
      text: 'to=notifier-1 at=2026-11-29T03:00:00Z',
      to: 'notifier-1',
      atMs: Date.UTC(2026, 10, 29, 3),
    });
  });

  it('may leave the choice to the operator', () => {
    expect(parseSwitchover('to=any at=2026-11-29T03:00:00Z')).toMatchObject({ kind: 'asked', to: null });
  });

  it.each([
    ['2026-11-29T04:00:00+01:00', '2026-11-29T03:00:00Z'],
    ['2026-11-29T03:00:00.250Z', '2026-11-29T03:00:00.250Z'],
    ['2026-11-29T03:00:00.2509999Z', '2026-11-29T03:00:00.250Z'],
  ])('has a time in any zone, with or without fractions: %s', (at, shown) => {
    const asked = parseSwitchover(`to=b at=${at}`);
    expect(asked?.kind === 'asked' && switchoverTime(asked.atMs)).toBe(shown);
  });

  it.each([undefined, null, ''])('asks for nothing where it is not there: %s', (text) => {
    expect(parseSwitchover(text)).toBeNull();
  });

  it.each([
    ['no time', 'to=b'],
    ['no pod', 'at=2026-11-29T03:00:00Z'],
    ['an empty pod', 'to= at=2026-11-29T03:00:00Z'],
    ['two pods', 'to=b to=c at=2026-11-29T03:00:00Z'],
    ['the time first', 'at=2026-11-29T03:00:00Z to=b'],
    ['something else', 'to=b at=2026-11-29T03:00:00Z now'],
    ['no equals sign', 'tob at=2026-11-29T03:00:00Z'],
    ['a name that no pod can have', 'to=B_1 at=2026-11-29T03:00:00Z'],
    ['a day without a time', 'to=b at=2026-11-29'],
    ['a time without a zone', 'to=b at=2026-11-29T03:00:00'],
    ['a day that does not exist', 'to=b at=2026-02-30T03:00:00Z'],
    ['a time that is after the year 9999 in UTC', 'to=b at=9999-12-31T23:59:59-01:00'],
    ['a time before 1970', 'to=b at=0000-01-01T00:00:00+01:00'],
    ['seconds since 1970', 'to=b at=1795921200'],
    ['more text than any', `to=${'b'.repeat(400)} at=2026-11-29T03:00:00Z`],
    ['no text', 7],
  ])('is malformed with %s, and says how it must be', (_, text) => {
    const asked = parseSwitchover(text);
    expect(asked?.kind).toBe('malformed');
    expect(asked?.kind === 'malformed' && asked.problem).toContain('it must be "to=POD at=TIME"');
  });

  it.each([
    [{ annotations: { 'leadergroup.dev/switchover': 'to=any at=2026-11-29T03:00:00Z' } }, 'asked'],
    [{ annotations: { 'leadergroup.dev/switchover': 7 } }, 'malformed'],
    [{ annotations: null }, undefined],
    [{ annotations: 'text' }, undefined],
    [{}, undefined],
  ])('is read off the object, whatever its annotations are: %j', (metadata, kind) => {
    const named = { namespace: 'mail', name: 'notifier', uid: 'u', ...metadata };
    const parsed = parseLeaderGroup({ metadata: named, spec: { selector: { matchLabels: { app: 'notifier' } } } });
    expect(parsed?.group.switchover?.kind).toBe(kind);
  });
});
