/** why: what it says of a pod in each group, and how it ends. */
import { beforeEach, describe, expect, it } from 'vitest';
import { LEADER_GROUPS, PODS } from '../../../src/cli/resources.ts';
import { openTerminal, type Terminal } from '../../kit/fakes/cli/command-line.ts';
import { ago, groupObject, podObject, putExample, unled } from '../../kit/fakes/cli/objects.ts';

let t: Terminal;

beforeEach(() => {
  t = openTerminal();
  putExample(t.api);
});

async function why(pod: string) {
  const { code, out } = await t.run('why', pod, '-o', 'json');
  const { groups, selectors } = JSON.parse(out) as {
    readonly groups: readonly { readonly standing: string; readonly said: readonly string[] }[];
    readonly selectors: readonly string[];
  };
  return {
    code,
    standing: groups.map(({ standing }) => standing),
    said: groups.flatMap(({ said }) => said).join(' '),
    selectors,
  };
}

describe('why a pod', () => {
  it('leads: since when, with which token, and for which cause', async () => {
    const change = {
      time: ago(60),
      from: 'notifier-1',
      to: 'notifier-0',
      toUID: '',
      reason: 'LeaderNotReady',
      token: 8,
      durationMilliseconds: 20,
    };
    t.api.put(LEADER_GROUPS, groupObject({ status: { recentTransitions: [change] } }));
    const { code, standing, said } = await why('notifier-0');
    expect([code, standing]).toEqual([0, ['Leads']]);
    expect(said).toMatch(/^It leads with token 8, for 60s. It got the lead by LeaderNotReady: \S/);
  });

  it('does not lead though it could: who does, and that nobody is moved who is well', async () => {
    const { code, standing, said } = await why('notifier-1');
    expect([code, standing]).toEqual([3, ['Ready']]);
    expect(said).toContain('notifier-0 leads, and a leader that is well is not moved');
    expect(said).toContain('It is the only one that could follow.');
  });

  it('cannot lead: the reason, with what to do', async () => {
    expect(await why('notifier-2')).toMatchObject({
      code: 4,
      standing: ['Unfit'],
      said: expect.stringMatching(/^It cannot lead: NotReady\. .+ .+/),
    });
    t.api.put(PODS, podObject('notifier-1', { annotations: { 'leadergroup.dev/candidate': 'false' } }));
    expect((await why('notifier-1')).said).toContain('Excluded');
  });

  it('is kept in the lead though it is not ready', async () => {
    t.api.put(PODS, podObject('notifier-1', { ready: false }));
    t.api.put(
      PODS,
      podObject('notifier-0', { ready: false, labels: { app: 'notifier', 'leadergroup.dev/role': 'leader' } }),
    );
    expect((await why('notifier-0')).said).toContain(
      'It could not be elected now (NotReady); no other member can lead, so it is kept.',
    );
  });

  it('could lead a group that nobody leads: what Ready says, or that the group is paused', async () => {
    t.api.put(PODS, podObject('notifier-0'));
    t.api.put(LEADER_GROUPS, groupObject({ status: unled('ConsulUnreachable', 'No answer.') }));
    expect(await why('notifier-1')).toMatchObject({ standing: ['Free'], said: expect.stringContaining('No answer.') });
    t.api.put(LEADER_GROUPS, groupObject({ spec: { paused: true }, status: unled('NoCandidate', 'paused') }));
    expect((await why('notifier-1')).said).toContain('the group is paused');
  });

  it('leads nothing, since no group selects it: by which label each does not', async () => {
    t.api.put(PODS, podObject('other', { labels: { app: 'notifer' } }));
    expect(await why('other')).toMatchObject({
      code: 4,
      standing: [],
      selectors: ['notifier selects app=notifier (it has notifer)'],
    });
    expect((await t.run('why', 'other')).out).toContain('No LeaderGroup selects it');
  });

  it('cannot be answered for one that is not there', async () => {
    expect(await t.run('why', 'gone')).toMatchObject({
      code: 1,
      err: expect.stringContaining('There is no pod gone in namespace mail'),
    });
  });
});
