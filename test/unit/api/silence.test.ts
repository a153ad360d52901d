import { describe, expect, it } from 'vitest';
import { parseLeaderGroup } from '../../../src/api/parse.ts';
import { parseSilence, silencedForMs, silenceText } from '../../../src/api/silence.ts';

describe('the annotation that says that work is planned', () => {
  it('says until when, by whom, and why', () => {
    expect(parseSilence('until=2026-11-29T03:00:00Z by=alice reason=new disks, two hours')).toEqual({
      kind: 'silence',
      untilMs: Date.UTC(2026, 10, 29, 3),
      by: 'alice',
      reason: 'new disks, two hours',
    });
  });

  it('need not say why', () => {
    expect(parseSilence('until=2026-11-29T03:00:00+01:00 by=alice')).toMatchObject({ kind: 'silence', reason: '' });
  });

  it.each([undefined, null, ''])('is none where it is not there: %s', (text) => {
    expect(parseSilence(text)).toBeNull();
  });

  it.each([
    ['no time', 'by=alice reason=x'],
    ['a day without a time', 'until=2026-11-29 by=alice'],
    ['a day that does not exist', 'until=2026-02-30T03:00:00Z by=alice'],
    ['a time before 1970', 'until=1969-02-03T03:00:00Z by=alice'],
    ['nobody', 'until=2026-11-29T03:00:00Z reason=x'],
    ['a name with a space', 'until=2026-11-29T03:00:00Z by=alice smith'],
    ['something else', 'until=2026-11-29T03:00:00Z by=alice for=ever'],
    ['two lines', 'until=2026-11-29T03:00:00Z by=alice reason=a\nb'],
    ['an escape of a terminal', 'until=2026-11-29T03:00:00Z by=alice reason=\u001B[31m'],
    ['more text than any', `until=2026-11-29T03:00:00Z by=alice reason=${'x'.repeat(400)}`],
    ['no text', 7],
  ])('is malformed with %s, and silences nothing', (_, text) => {
    const silence = parseSilence(text);
    expect(silence).toEqual({ kind: 'malformed', problem: expect.stringContaining('but it must be') as string });
    expect(silencedForMs(silence, 0)).toBe(0);
  });

  it('lasts until its time, and not at it', () => {
    const silence = parseSilence('until=1970-01-01T00:01:00Z by=alice');
    expect([0, 59_999, 60_000, 70_000].map((ms) => silencedForMs(silence, ms))).toEqual([60_000, 1, 0, 0]);
  });

  it('is read as it is written, whatever the name of whoever writes it', () => {
    const text = silenceText('2026-11-29T03:00:00Z', 'Alice Smith', ' new disks ');
    expect(parseSilence(text)).toMatchObject({ kind: 'silence', by: 'Alice_Smith', reason: 'new disks' });
  });

  it('is read with the group', () => {
    const metadata = {
      namespace: 'mail',
      name: 'a',
      uid: 'u',
      annotations: { 'leadergroup.dev/silence': 'until=soon by=me' },
    };
    expect(
      parseLeaderGroup({ metadata, spec: { selector: { matchLabels: { app: 'a' } } } })?.group.silence,
    ).toMatchObject({ kind: 'malformed' });
  });
});
