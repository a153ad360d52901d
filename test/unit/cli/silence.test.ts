/** silence: what it writes, who is told, and how it ends. */
import { beforeEach, describe, expect, it } from 'vitest';
import { EVENTS, LEADER_GROUPS } from '../../../src/cli/resources.ts';
import { openTerminal, type Terminal } from '../../kit/fakes/cli/command-line.ts';
import { groupObject, MAIL, putExample } from '../../kit/fakes/cli/objects.ts';

const ANNOTATION = 'leadergroup.dev/silence';

let t: Terminal;

beforeEach(() => {
  t = openTerminal();
  putExample(t.api);
});

function written(): unknown {
  const group = t.api.read({ resource: LEADER_GROUPS, namespace: MAIL, name: 'notifier' });
  return (group?.['metadata'] as { annotations?: Record<string, string> } | undefined)?.annotations?.[ANNOTATION];
}
const events = async () =>
  (await t.api.list(EVENTS, { namespace: MAIL })).items.map(({ reason, note }) => [reason, note]);

const silenced = (...more: readonly string[]) =>
  t.run('silence', 'notifier', '--for', '2h', '--reason', 'new disks', ...more);

describe('silence', () => {
  it('writes until when, who and why, by the clock of the API server, and an event', async () => {
    const { code, out } = await silenced();
    expect([code, out]).toEqual([0, 'silenced mail/notifier until 2026-11-18T12:00:00Z (2h): new disks.\n']);
    expect(written()).toBe('until=2026-11-18T12:00:00Z by=alice@example.com reason=new disks');
    expect(await events()).toEqual([
      ['Silenced', 'alice@example.com plans work until 2026-11-18T12:00:00Z: new disks'],
    ]);
  });

  it('is shown by status while it lasts, and not afterwards', async () => {
    await silenced();
    expect((await t.run('status', 'notifier')).out).toMatch(
      /^Silenced +until 2026-11-18T12:00:00Z \(for 2h more\) by alice@example\.com: new disks$/m,
    );
    t.api.time += 7_200_000;
    expect((await t.run('status', 'notifier')).out).not.toContain('Silenced');
  });

  it('ends early with --end, which is an event, too', async () => {
    await silenced();
    expect((await t.run('silence', 'notifier', '--end')).out).toBe('ended the silence of mail/notifier.\n');
    expect(written()).toBeUndefined();
    expect((await events()).map(([reason]) => reason)).toEqual(['Silenced', 'SilenceEnded']);
    expect((await t.run('silence', 'notifier', '--end')).out).toBe('mail/notifier is not silenced.\n');
  });

  it('writes nothing with --dry-run', async () => {
    expect((await silenced('--dry-run')).out).toContain('(dry run: nothing was written)');
    expect([written(), await events()]).toEqual([undefined, []]);
  });

  it('stands without the right to write events, and says so', async () => {
    t.api.denied.add('create events.events.k8s.io');
    const { code, err } = await silenced();
    expect([code, err]).toEqual([0, expect.stringContaining('No event tells of it. ')]);
    expect(written()).toContain('reason=new disks');
  });

  it('says that it is unknown who, where the API server does not say', async () => {
    t.api.missing.add('selfsubjectreviews.authentication.k8s.io');
    await silenced();
    expect(written()).toContain('by=unknown ');
  });

  it('says in status what is wrong with one that was written by hand', async () => {
    t.api.put(LEADER_GROUPS, groupObject({ metadata: { annotations: { [ANNOTATION]: 'for a while' } } }));
    expect((await t.run('status', 'notifier')).out).toMatch(
      /^Silenced +no: the annotation leadergroup\.dev\/silence is "for a while"/m,
    );
  });

  it.each([
    [['--for', '2h']],
    [['--reason', 'x']],
    [['--end', '--for', '2h', '--reason', 'x']],
    [['--for', '169h', '--reason', 'x']],
    [['--for', '2h', '--reason', 'two\nlines']],
  ])('cannot be read as %j, and writes nothing', async (flags) => {
    expect((await t.run('silence', 'notifier', ...flags)).code).toBe(2);
    expect(written()).toBeUndefined();
  });

  it('is refused where the manifest of a GitOps tool has one', async () => {
    const annotations = {
      [ANNOTATION]: 'until=2026-11-18T12:00:00Z by=git',
      'kubectl.kubernetes.io/last-applied-configuration': JSON.stringify({
        metadata: { annotations: { [ANNOTATION]: 'x' } },
      }),
      'argocd.argoproj.io/tracking-id': 'app:leadergroup.dev/LeaderGroup:mail/notifier',
    };
    t.api.put(LEADER_GROUPS, groupObject({ metadata: { annotations } }));
    expect(await silenced()).toMatchObject({ code: 1, err: expect.stringContaining('in its manifest') as string });
  });
});
