/** `audit` as a command: from a live watch and from audit logs, what it prints, and how it ends. */
import { beforeEach, describe, expect, it, vi } from 'vitest';
import type { AuditResult } from '../../../../src/cli/audit/audit.ts';
import { ApiError } from '../../../../src/cli/errors.ts';
import { LEADER_GROUPS, PODS } from '../../../../src/cli/resources.ts';
import { auditLine, listLine, podAt, podLine } from '../../../kit/fakes/cli/audit-log.ts';
import { openTerminal, type Running, type Terminal } from '../../../kit/fakes/cli/command-line.ts';
import { groupObject, LEADER, LED, ledBy, podObject, putExample } from '../../../kit/fakes/cli/objects.ts';

let t: Terminal;

beforeEach(() => {
  t = openTerminal();
  putExample(t.api);
});

const MEMBER = { app: 'notifier' };
const led = (token: number) => ({ labels: LEADER, annotations: { 'token.leadergroup.dev/notifier': String(token) } });

describe('a live audit', () => {
  const begun = async (...argv: readonly string[]): Promise<Running> => {
    const running = t.start('audit', ...argv);
    const watched = expect.arrayContaining(['watch pods', 'watch leadergroups.leadergroup.dev']) as unknown;
    // What a command needs is loaded first.
    await vi.waitFor(() => expect([...t.api.used]).toEqual(watched), { timeout: 20_000 });
    return running;
  };

  it('proves a handover, and ends with 0 after its time', async () => {
    const running = await begun('notifier', '--for', '10m');
    t.api.put(PODS, podObject('notifier-0', { labels: MEMBER, annotations: LED }));
    t.api.put(PODS, podObject('notifier-1', led(8)));
    t.api.put(LEADER_GROUPS, groupObject({ status: ledBy('notifier-1', 8) }));
    await t.clock.advance(600_000);
    const { code, out } = await running.ended;
    expect(out).toMatch(/^mail\/notifier +notifier-1\(uid-of-n\) +1 +0$/m);
    expect(out).toContain('Proved: at most one leader at every resourceVersion, and rising tokens.');
    expect(code).toBe(0);
  });

  it('says each breach at once, and ends with 4', async () => {
    const running = await begun('notifier');
    t.api.put(PODS, podObject('notifier-1', led(8)));
    await vi.waitFor(() => expect(running.err()).toContain('TwoLeaders in mail/notifier at resourceVersion'));
    running.interrupt();
    expect((await running.ended).code).toBe(4);
  });

  it('finds that the status names a leader of another uid', async () => {
    const running = await begun('notifier');
    const wrong = { ...ledBy('notifier-0', 8) } as { leaders: readonly object[] };
    t.api.put(LEADER_GROUPS, groupObject({ status: { ...wrong, leaders: [{ ...wrong.leaders[0], uid: 'another' }] } }));
    t.api.put(PODS, podObject('notifier-2', { ready: true }));
    await vi.waitFor(() => expect(running.err()).toContain('StatusNamesAnother in mail/notifier'));
    running.interrupt();
    expect((await running.ended).code).toBe(4);
  });

  it('begins with a new list where the watch has expired, says between which versions nothing is proved, and ends with 3', async () => {
    const { watch } = t.api;
    let broken = 0;
    t.api.watch = (resource, selection, from) => {
      if (resource !== PODS || broken > 0) return watch(resource, selection, from);
      broken += 1;
      return expired();
    };
    const running = t.start('audit', 'notifier', '-o', 'json');
    await vi.waitFor(() => expect(broken).toBe(1));
    await vi.waitFor(async () => {
      await t.clock.advance(1_000);
      expect([...t.api.used]).toContain('watch pods');
    });
    running.interrupt();
    const { code, out } = await running.ended;
    const { verdict, unproved } = JSON.parse(out) as AuditResult;
    expect([code, verdict]).toEqual([3, 'NotProved']);
    expect(unproved).toEqual([
      expect.objectContaining({ group: null, why: expect.stringContaining('were listed again') as string }),
    ]);
  });

  it('goes on from where it was when the watch only broke off', async () => {
    const { watch } = t.api;
    const begins: string[] = [];
    t.api.watch = (resource, selection, from) => {
      if (resource === PODS) begins.push(from.resourceVersion);
      return resource === PODS && begins.length === 1 ? broken() : watch(resource, selection, from);
    };
    const running = t.start('audit', 'notifier');
    await vi.waitFor(() => expect(begins).toHaveLength(1));
    await vi.waitFor(async () => {
      await t.clock.advance(1_000);
      expect(begins).toHaveLength(2);
    });
    running.interrupt();
    expect([(await running.ended).code, new Set(begins).size]).toEqual([0, 1]);
  });

  it('ends with 3 where there are no groups, and with 1 without a right', async () => {
    expect(await t.run('audit', '-n', 'empty')).toMatchObject({ code: 3, out: '' });
    t.api.denied.add('watch pods');
    expect(await t.run('audit', 'notifier')).toMatchObject({
      code: 1,
      err: expect.stringContaining('watch pods') as string,
    });
  });
});

// eslint-disable-next-line require-yield
async function* expired(): AsyncGenerator<never> {
  await Promise.resolve();
  throw new ApiError('expired', 'The watch of pods ended: 410.');
}

// eslint-disable-next-line require-yield
async function* broken(): AsyncGenerator<never> {
  await Promise.resolve();
  throw new ApiError('unreachable', 'The watch of pods ended: reset.');
}

describe('an audit of logs', () => {
  const START = listLine(10, podAt('notifier-0', 3, led(7)), podAt('notifier-1', 4), podAt('notifier-2', 5));
  const fence = podLine('patch', 'notifier-0', 11, { labels: MEMBER, annotations: LED, read: 3 });
  const promote = podLine('patch', 'notifier-1', 12, { ...led(8), read: 4 });

  async function audited(lines: readonly string[], ...flags: readonly string[]) {
    t.files.set('a.log', lines.join('\n'));
    const { code, out } = await t.run('audit', 'notifier', '--log', 'a.log', '-o', 'json', ...flags);
    const { breaches, unproved, ...result } = JSON.parse(out) as AuditResult;
    return { code, rules: breaches.map(({ rule }) => rule), why: unproved.map(({ why }) => why).join('\n'), result };
  }

  it('proves a handover from a list on, with the word that these are all logs', async () => {
    const { code, result, why } = await audited([START, fence, promote], '--all-servers');
    expect([code, why]).toEqual([0, '']);
    expect(result).toMatchObject({ from: '10', to: '12', groups: [{ changes: 1 }] });
  });

  it('puts the writes of several servers into order', async () => {
    t.files.set('b.log', promote);
    t.files.set('c.log', `${fence}\n${START}\n`);
    expect((await t.run('audit', 'notifier', '--log', 'b.log', 'c.log', '--all-servers')).code).toBe(0);
  });

  it('finds two leaders and a falling token', async () => {
    expect(await audited([START, promote, fence].filter((line) => line !== fence))).toMatchObject({
      code: 4,
      rules: ['TwoLeaders'],
    });
    const low = podLine('patch', 'notifier-1', 12, { ...led(6), read: 4 });
    expect(await audited([START, fence, low])).toMatchObject({ code: 4, rules: ['TokenFell'] });
  });

  it.each([
    [
      'without the word that these are the logs of all servers',
      () => [START, fence, promote],
      'whether these are the logs of all API servers',
    ],
    [
      'of a write at level Metadata',
      () => [START, auditLine({ verb: 'patch', name: 'notifier-0', level: 'Metadata' })],
      'is logged at level Metadata',
    ],
    [
      'of a write without an outcome',
      () => [START, auditLine({ verb: 'patch', name: 'notifier-0', code: 504 })],
      'has no outcome in the log',
    ],
    [
      'of a write that rests on one that is missing',
      () => [START, fence, podLine('patch', 'notifier-1', 12, { ...led(8), read: 9 })],
      'a write of the pod mail/notifier-1 is missing',
    ],
    ['without a list of all pods', () => [fence, promote], 'had been there before the log begins'],
    [
      'of a pod that nobody created',
      () => [START, podLine('patch', 'notifier-9', 12)],
      'the pod mail/notifier-9 appears without having been created',
    ],
    [
      'of a deletion of many',
      () => [START, auditLine({ verb: 'deletecollection', response: { kind: 'PodList' } })],
      'does not say which of them went',
    ],
    ['of a line that is no JSON', () => [START, '{"kind":"Ev'], 'line 2 of a.log is no JSON'],
  ] as const)('proves nothing %s', async (_, lines, words) => {
    const { code, why } = await audited(lines(), ...(words.startsWith('whether') ? [] : ['--all-servers']));
    expect([code, why]).toEqual([3, expect.stringContaining(words)]);
  });

  it('does not look at what was refused, tried, or binds a pod', async () => {
    const lines = [
      START,
      auditLine({ verb: 'patch', name: 'notifier-1', code: 409 }),
      auditLine({ verb: 'patch', name: 'notifier-1', query: '?dryRun=All', response: podAt('notifier-1', 11, led(8)) }),
      auditLine({ verb: 'create', name: 'notifier-3', subresource: 'binding', code: 201 }),
      auditLine({ verb: 'get', name: 'notifier-1' }),
    ];
    expect(await audited(lines, '--all-servers')).toMatchObject({ code: 0, why: '' });
  });

  it('takes a pod that ends for there until it is deleted', async () => {
    const ending = { metadata: { deletionTimestamp: '2026-11-18T10:00:00Z', deletionGracePeriodSeconds: 30 } };
    const lines = [START, podLine('delete', 'notifier-0', 11, { ...led(7), ...ending }), promote];
    expect((await audited(lines)).rules).toEqual(['TwoLeaders']);
    const ended = { metadata: { ...ending.metadata, deletionGracePeriodSeconds: 0 } };
    expect(
      (await audited([START, podLine('delete', 'notifier-0', 11, { ...led(7), ...ended }), promote])).rules,
    ).toEqual([]);
  });

  it('says so where the group had another selector meanwhile', async () => {
    const other = { ...groupObject({ spec: { selector: { matchLabels: { app: 'other' } } } }) };
    const response = { ...other, metadata: { ...other.metadata, uid: 'uid-of-notifier', resourceVersion: '11' } };
    const line = auditLine({
      verb: 'update',
      resource: 'leadergroups',
      apiGroup: 'leadergroup.dev',
      name: 'notifier',
      response,
    });
    expect((await audited([START, line], '--all-servers')).why).toContain('had another selector or label');
  });

  it('cannot read a file that is not there', async () => {
    expect(await t.run('audit', '--log', 'none.log')).toMatchObject({
      code: 1,
      err: expect.stringContaining('ENOENT') as string,
    });
  });
});
