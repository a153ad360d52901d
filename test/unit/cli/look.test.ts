/** list, status, history and watch: what they print, and how they end. */
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { ApiError } from '../../../src/cli/errors.ts';
import { DEPLOYMENTS, LEADER_GROUPS, PODS } from '../../../src/cli/resources.ts';
import { openTerminal, type Running, type Terminal } from '../../kit/fakes/cli/command-line.ts';
import {
  condition,
  groupObject,
  LEADER,
  ledBy,
  MAIL,
  operatorObject,
  podObject,
  putExample,
  unled,
} from '../../kit/fakes/cli/objects.ts';

let t: Terminal;

beforeEach(() => {
  t = openTerminal();
  putExample(t.api);
  t.api.put(PODS, podObject('other-0', { labels: { app: 'other' } }));
});

const shown = (running: Running, words: string): Promise<void> =>
  vi.waitFor(() => expect(running.out()).toContain(words));

const lines = (text: string): readonly string[] => text.trimEnd().split('\n');

describe('list', () => {
  it('shows the groups of the namespace of the context, one line each', async () => {
    t.api.put(LEADER_GROUPS, groupObject({ namespace: 'shop', name: 'cart' }));
    const { code, out, err } = await t.run('list');
    expect(lines(out)).toEqual([
      'NAME       LEADER       FOR   CANDIDATES   READY   REASON',
      'notifier   notifier-0   60m   3/3          True    Led',
    ]);
    expect([code, err]).toEqual([0, '']);
  });

  it.each([[['-A', 'list']], [['list', '-A']], [['list', '--all-namespaces']]])(
    'shows all of them with %j',
    async (argv) => {
      t.api.put(LEADER_GROUPS, groupObject({ namespace: 'shop', name: 'cart' }));
      const { out } = await t.run(...argv);
      expect(lines(out).map((line) => line.split(/ +/).slice(0, 2))).toEqual([
        ['NAMESPACE', 'NAME'],
        ['mail', 'notifier'],
        ['shop', 'cart'],
      ]);
    },
  );

  it('shows token, node and pause with -o wide', async () => {
    t.api.put(
      LEADER_GROUPS,
      groupObject({
        status: { conditions: [condition('Ready', 'True', 'Led'), condition('Paused', 'True', 'PausedBySpec')] },
      }),
    );
    expect(lines((await t.run('list', '-o', 'wide')).out)[1]).toMatch(/ 7 +node-a +yes$/);
  });

  it.each(['json', 'yaml'])('gives %s to programs', async (format) => {
    const { out } = await t.run('list', '-o', format);
    const { parse } = await import('yaml');
    expect(parse(out)).toMatchObject({
      items: [{ namespace: MAIL, name: 'notifier', leader: 'notifier-0', token: 7 }],
    });
  });

  it('marks what the operator has not looked at since it was changed', async () => {
    t.api.put(LEADER_GROUPS, groupObject({ metadata: { generation: 2 } }));
    expect((await t.run('list')).out).toContain('True (old)');
  });

  it('says that there are none, on standard error', async () => {
    const { code, out, err } = await t.run('list', '-n', 'empty');
    expect({ code, out, err }).toEqual({ code: 0, out: '', err: 'There are no LeaderGroups in namespace empty.\n' });
  });

  it('says that no operator runs, and marks a leader whose pod is gone', async () => {
    t.api.put(DEPLOYMENTS, operatorObject(0));
    t.api.put(LEADER_GROUPS, groupObject({ name: 'cart' }));
    const { code, out, err } = await t.run('list');
    expect(lines(out)).toEqual([
      'NAME       LEADER          FOR   CANDIDATES   READY   REASON',
      'notifier   notifier-0      60m   3/3          True    Led',
      'cart       cart-0 (gone)         3/3          True    Led',
    ]);
    expect(err).toContain('The operator is 0 of 2 replicas ready');
    expect(code).toBe(4);
  });

  it('reads no pods while an operator runs', async () => {
    await t.run('list');
    expect([...t.api.used]).not.toContain('list pods');
  });

  it('ends with 3 where nobody can say whether an operator runs, and takes nobody for gone that it cannot see', async () => {
    t.api.denied.add('list deployments.apps').add('get deployments.apps').add('list pods');
    t.api.put(LEADER_GROUPS, groupObject({ name: 'cart' }));
    const { code, out, err } = await t.run('list');
    expect([code, out]).toEqual([3, expect.not.stringContaining('gone')]);
    expect(err).toMatch(/^The operator is unknown: no right to read deployments\.apps/);
  });

  it('has colours in a terminal only', async () => {
    expect((await t.run('list')).out).not.toContain('\u001B');
    t.colours = true;
    const { out } = await t.run('list');
    expect(out).toContain('\u001B[32mTrue\u001B[0m');
    expect(lines(out)[1]?.endsWith('True\u001B[0m    Led')).toBe(true);
  });
});

describe('status', () => {
  it('says who leads, why not the others, and that an operator runs', async () => {
    const { code, out } = await t.run('status', 'notifier');
    expect(lines(out)).toEqual([
      'Group      mail/notifier',
      'Leader     notifier-0 on node-a, token 7, for 60m',
      'Ready      True (Led): notifier-0 leads with token 7.',
      'Operator   2 of 2 replicas ready (deployment leadergroup-system/leadergroup)',
      '',
      'MEMBER       LEADS   READY   NODE     CAN LEAD   WHY NOT',
      'notifier-0   yes     True    node-a   yes',
      'notifier-1           True    node-a   yes',
      'notifier-2           False   node-a   no         NotReady',
    ]);
    expect(code).toBe(0);
  });

  it('ends with 4 where several pods carry the label, and names them', async () => {
    for (const name of ['notifier-1', 'notifier-2']) t.api.put(PODS, podObject(name, { labels: LEADER }));
    const { code, out } = await t.run('status', 'notifier');
    expect(out).toContain('the label is on notifier-0, notifier-1, notifier-2');
    expect(code).toBe(4);
  });

  it('says that the leader of the status is gone where its pod is, and ends with 4', async () => {
    t.api.remove({ resource: PODS, namespace: MAIL, name: 'notifier-0' });
    const { code, out } = await t.run('status', 'notifier');
    expect(lines(out)[1]).toBe(
      'Leader     <none>: notifier-0, which the status names, is gone; the label is on no pod',
    );
    expect(code).toBe(4);
  });

  it('says who wrote the status, and what failed last and when', async () => {
    const lastError = { time: '2026-11-18T09:50:00Z', replica: 'operator-b', message: 'Consul did not answer' };
    t.api.put(
      LEADER_GROUPS,
      groupObject({ status: { ...ledBy('notifier-0', 7), writtenBy: 'operator-a', lastError } }),
    );
    const { out } = await t.run('status', 'notifier');
    expect(out).toContain('Status by    replica operator-a, which owned the group then');
    expect(out).toMatch(/Last error {3}\d+m ago, by replica operator-b: Consul did not answer/);
  });

  it('says in words why a member cannot lead with -o wide', async () => {
    expect((await t.run('status', 'notifier', '-o', 'wide')).out).toContain('NotReady: The pod is not ready');
  });

  it.each([
    ['Excluded', podObject('notifier-1', { annotations: { 'leadergroup.dev/candidate': 'false' } })],
    ['Terminating', podObject('notifier-1', { metadata: { deletionTimestamp: '2026-11-18T09:59:00Z' } })],
    [
      'JobPod',
      podObject('notifier-1', {
        metadata: { ownerReferences: [{ apiVersion: 'batch/v1', kind: 'Job', name: 'j', uid: 'u', controller: true }] },
      }),
    ],
  ])('knows %s from the pod', async (reason, pod) => {
    t.api.put(PODS, pod);
    expect((await t.run('status', 'notifier')).out).toMatch(new RegExp(`notifier-1 .* no +${reason}`));
  });

  it('says who is preferred to the leader, and when that one takes the lead', async () => {
    const preferred = condition('Preferred', 'False', 'Waiting', 'notifier-1 takes the lead at 03:00');
    t.api.put(LEADER_GROUPS, groupObject({ status: { conditions: [condition('Ready', 'True', 'Led'), preferred] } }));
    expect((await t.run('status', 'notifier')).out).toMatch(/Preferred +False \(Waiting\): notifier-1 takes the lead/);
  });

  it.each([
    ['waits for the one that is preferred', condition('Preferred', 'False', 'Waiting'), 'False (Waiting)'],
    ['has a fault', condition('Routed', 'False', 'NoAddress'), '\u001B[31mFalse\u001B[0m (NoAddress)'],
  ])('is red where something is at fault, and not where it only waits: %s', async (_, aside, expected) => {
    t.colours = true;
    t.api.put(LEADER_GROUPS, groupObject({ status: { conditions: [condition('Ready', 'True', 'Led'), aside] } }));
    expect((await t.run('status', 'notifier')).out).toContain(` ${expected}`);
  });

  it('knows from the status what only the operator can know', async () => {
    const ineligible = [{ reason: 'PromotionRefused', count: 1, examples: ['notifier-1'] }];
    t.api.put(LEADER_GROUPS, groupObject({ status: { ineligible } }));
    expect((await t.run('status', 'notifier')).out).toMatch(/notifier-1 .* no +PromotionRefused/);
  });

  it('says what to do, and exits with 4, when nobody leads', async () => {
    t.api.put(LEADER_GROUPS, groupObject({ status: unled('ConsulUnreachable', 'Consul does not answer.') }));
    const { code, out } = await t.run('status', 'notifier');
    expect(out).toContain('Ready      False (ConsulUnreachable): Consul does not answer.');
    expect(out).toMatch(/^Do {9}Mend Consul/m);
    expect(code).toBe(4);
  });

  it('exits with 4 when no replica of the operator is ready', async () => {
    t.api.put(DEPLOYMENTS, operatorObject(0));
    const { code, out } = await t.run('status', 'notifier');
    expect(out).toContain('0 of 2 replicas ready');
    expect(code).toBe(4);
  });

  it('says how to start an operator that is scaled to none', async () => {
    t.api.put(DEPLOYMENTS, operatorObject(0, 'leadergroup-system', 0));
    const { code, out } = await t.run('status', 'notifier');
    expect(out).toContain('until `kubectl -n leadergroup-system scale deployment/leadergroup --replicas=2`');
    expect(code).toBe(4);
  });

  it('says that a group is being deleted, and not that its spec has changed', async () => {
    t.api.put(LEADER_GROUPS, groupObject({ metadata: { generation: 2, deletionTimestamp: '2026-11-18T09:59:00Z' } }));
    const { out } = await t.run('status', 'notifier');
    expect(out).toContain('the group is being deleted');
    expect(out).not.toContain('last change of the spec');
  });

  it('exits with 4 when there is no operator at all', async () => {
    t.api.remove({ resource: DEPLOYMENTS, namespace: 'leadergroup-system', name: 'leadergroup' });
    expect(await t.run('status', 'notifier')).toMatchObject({
      code: 4,
      out: expect.stringMatching(/^Operator +none/m),
    });
  });

  it('looks in the namespace of the operator where it may not look everywhere', async () => {
    t.api.denied.add('list deployments.apps');
    expect((await t.run('status', 'notifier')).code).toBe(0);
    const elsewhere = await t.run('status', 'notifier', '--operator-namespace', 'elsewhere');
    expect(elsewhere).toMatchObject({ code: 3, out: expect.stringContaining('unknown: there is no Deployment') });
  });

  it('exits with 3 when it may not know whether an operator runs', async () => {
    t.api.denied.add('list deployments.apps').add('get deployments.apps');
    const { code, out } = await t.run('status', 'notifier');
    expect(out).toMatch(/^Operator +unknown: no right to read deployments.apps in leadergroup-system/m);
    expect(code).toBe(3);
  });

  it('says that no operator has seen the group yet', async () => {
    t.api.put(LEADER_GROUPS, groupObject({ status: null }));
    expect(await t.run('status', 'notifier')).toMatchObject({
      code: 4,
      out: expect.stringContaining('no status yet: no operator has seen the group'),
    });
  });

  it('says when label and status do not agree', async () => {
    t.api.put(PODS, podObject('notifier-0'));
    expect((await t.run('status', 'notifier')).out).toContain('the label is on no pod');
  });

  it('says what is wrong with a spec that passed an older schema', async () => {
    t.api.put(LEADER_GROUPS, groupObject({ spec: { sessionTTLSeconds: 1 } }));
    const { code, out } = await t.run('status', 'notifier');
    expect(out).toMatch(/^Invalid +spec.sessionTTLSeconds is 1/m);
    expect(code).toBe(4);
  });

  it('says that there is no such group, and where to look', async () => {
    const { code, out, err } = await t.run('status', 'gone');
    expect({ code, out }).toEqual({ code: 1, out: '' });
    expect(err).toBe(
      'error: There is no LeaderGroup gone in namespace mail: `kubectl leadergroup list -A` shows where they are.\n',
    );
  });

  it('is about one namespace', async () => {
    expect(await t.run('status', 'notifier', '-A')).toMatchObject({ code: 2, err: expect.stringContaining('use -n') });
  });
});

describe('history', () => {
  it('shows the changes that the status remembers, the newest first', async () => {
    const { code, out } = await t.run('history', 'notifier');
    expect(lines(out)).toEqual([
      'AGO   FROM         TO           CAUSE           TOKEN   TOOK',
      '60m   notifier-1   notifier-0   LeaderGone      7       24ms',
      '2h    <none>       notifier-1   FirstElection   6       80ms',
    ]);
    expect(code).toBe(0);
  });

  it('says how many there were, and what a cause means with -o wide', async () => {
    t.api.put(LEADER_GROUPS, groupObject({ status: { leaderTransitions: 40 } }));
    const { out } = await t.run('history', 'notifier', '-o', 'wide');
    expect(out).toContain('40 changes in all; the status remembers the last 2.');
    expect(out).toContain("The leader's pod is gone.");
  });

  it('says that there was none', async () => {
    t.api.put(LEADER_GROUPS, groupObject({ status: { recentTransitions: [], leaderTransitions: 0 } }));
    expect((await t.run('history', 'notifier')).out).toBe('The leader has not changed yet.\n');
  });
});

describe('watch', () => {
  it('shows each change of leader and of Ready as it happens, and ends on Ctrl-C', async () => {
    const running = t.start('watch');
    await shown(running, 'notifier-0 leads');
    t.api.put(LEADER_GROUPS, groupObject({ status: ledBy('notifier-1', 8) }));
    t.api.put(LEADER_GROUPS, groupObject({ status: { ...ledBy('notifier-1', 8), members: 2 } }));
    t.api.put(LEADER_GROUPS, groupObject({ status: unled('NoCandidate', 'None is ready.') }));
    t.api.remove({ resource: LEADER_GROUPS, namespace: MAIL, name: 'notifier' });
    await shown(running, 'deleted');
    running.interrupt();
    const { code, out } = await running.ended;
    expect(lines(out)).toEqual([
      '10:00:00  mail/notifier  notifier-0 leads, token 7; Ready=True (Led)',
      '10:00:00  mail/notifier  notifier-1 leads, token 8 (before: notifier-0)',
      '10:00:00  mail/notifier  nobody leads (before: notifier-1); Ready=False (NoCandidate): None is ready.',
      '10:00:00  mail/notifier  deleted',
    ]);
    expect(code).toBe(0);
  });

  it('ends after the time that it was given', async () => {
    const running = t.start('watch', 'notifier', '--for', '10s');
    await shown(running, 'notifier-0 leads');
    await t.clock.advance(10_000);
    expect((await running.ended).code).toBe(0);
    expect(t.clock.pending()).toBe(0);
  });

  it('gives programs one object for each change', async () => {
    const running = t.start('watch', '-o', 'json');
    await shown(running, 'notifier-0');
    running.interrupt();
    const { out } = await running.ended;
    expect(JSON.parse(out)).toMatchObject({ group: 'mail/notifier', now: { leader: 'notifier-0', token: 7 } });
  });

  it('goes on, and says so, when the watch breaks off', async () => {
    const { watch } = t.api;
    t.api.watch = () => {
      t.api.watch = watch;
      throw new ApiError('unreachable', 'The watch ended: ECONNRESET.');
    };
    const running = t.start('watch');
    await vi.waitFor(() => expect(running.err()).toBe('The watch ended: ECONNRESET. Trying again.\n'));
    t.api.put(LEADER_GROUPS, groupObject({ status: ledBy('notifier-1', 8) }));
    await t.clock.advance(1_000);
    await shown(running, 'notifier-1 leads, token 8');
    running.interrupt();
    expect((await running.ended).code).toBe(0);
  });

  it('ends with 1 where it may not watch', async () => {
    t.api.denied.add('watch leadergroups.leadergroup.dev');
    expect(await t.run('watch')).toMatchObject({
      code: 1,
      err: expect.stringContaining('You need the right to watch'),
    });
  });

  it('refuses a time that is none', async () => {
    const { code, err } = await t.run('watch', '--for', 'soon');
    expect([code, err]).toEqual([2, expect.stringContaining('such as 90s or 2h')]);
  });
});

describe('any command', () => {
  it('says which right is missing, and ends with 1', async () => {
    t.api.denied.add('list leadergroups.leadergroup.dev');
    const { code, out, err } = await t.run('list');
    expect({ code, out }).toEqual({ code: 1, out: '' });
    expect(err).toMatch(/^error: .*You need the right to list leadergroups\.leadergroup\.dev/);
  });

  it('never prints a stack, also for what nobody expected', async () => {
    t.api.list = () => Promise.reject(new TypeError('x is not a function'));
    const { code, err } = await t.run('list');
    expect(code).toBe(1);
    expect(err).toBe('error: x is not a function (kubectl leadergroup; LEADERGROUP_DEBUG=1 shows more)\n');
  });

  it('closes its connections, however it ends', async () => {
    await t.run('status', 'gone');
    expect(t.api.isClosed).toBe(true);
  });

  it.each([[['frobnicate']], [['list', '--no-such']], [['status']], [['list', '-o', 'xml']]])(
    'that cannot be read ends with 2, and says where help is: %j',
    async (argv) => {
      const { code, out, err } = await t.run(...argv);
      expect([code, out]).toEqual([2, '']);
      expect(err).toMatch(/^error: /);
      expect(err).toContain('`kubectl leadergroup --help` lists commands and options.');
    },
  );

  it.each([
    [['--help'], 'Usage: kubectl leadergroup'],
    [['--version'], '1.2.3'],
    [['list', '-h'], 'Usage: kubectl leadergroup list'],
  ])('is explained without a cluster: %j', async (argv, words) => {
    const { code, out } = await t.run(...argv);
    expect([code, out]).toEqual([0, expect.stringContaining(words)]);
    expect(t.api.used.size).toBe(0);
  });
});
