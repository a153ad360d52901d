/** `kubectl leadergroup dashboard`: what it serves, and to whom. */
import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Changes, Findings, OneGroup, Timeline } from '../../../../src/cli/dashboard/wire.ts';
import { ApiError } from '../../../../src/cli/errors.ts';
import { CRDS, LEADER_GROUPS, PODS } from '../../../../src/cli/resources.ts';
import { openTerminal, type Terminal } from '../../../kit/fakes/cli/command-line.ts';
import { NAVIGATION, type OpenDashboard, openDashboard } from '../../../kit/fakes/cli/dashboard.ts';
import { groupObject, LEADER, ledBy, MAIL, podObject, putExample, unled } from '../../../kit/fakes/cli/objects.ts';

let t: Terminal;
let open: OpenDashboard[];

beforeEach(() => {
  t = openTerminal();
  putExample(t.api);
  open = [];
});

afterEach(async () => {
  for (const { running } of open) {
    running.interrupt();
    await running.ended;
  }
});

async function dashboard(...argv: readonly string[]): Promise<OpenDashboard> {
  const opened = await openDashboard(t, ...argv);
  open.push(opened);
  return opened;
}

const changes = (d: OpenDashboard, after = 0, group = ''): Promise<Changes> =>
  d.ask<Changes>(`/v1/changes?after=${after}${group === '' ? '' : `&group=${group}`}`);

describe('what it shows', () => {
  it('is the groups of all namespaces, with leader, token and members', async () => {
    t.api.put(LEADER_GROUPS, groupObject({ namespace: 'shop', name: 'cart', status: unled('NoCandidate', 'None.') }));
    const { rows } = await changes(await dashboard());
    expect(rows).toMatchObject([
      { key: 'mail/notifier', leader: 'notifier-0', token: 7, candidates: 3, members: 3, health: 'well' },
      { key: 'shop/cart', leader: '', token: null, reason: 'NoCandidate', message: 'None.', health: 'wrong' },
    ]);
  });

  it('is one namespace with -n', async () => {
    t.api.put(LEADER_GROUPS, groupObject({ namespace: 'shop', name: 'cart' }));
    const d = await dashboard('-n', 'shop');
    expect((await changes(d)).rows.map(({ key }) => key)).toEqual(['shop/cart']);
    expect(await d.ask('/v1/about')).toEqual({ context: 'production', server: 'https://fake', namespace: 'shop' });
  });

  it('is of a group its members with what keeps them from leading, its conditions, and its changes of leader', async () => {
    const { detail } = await (await dashboard()).ask<OneGroup>('/v1/group?key=mail/notifier');
    expect(detail?.members.map(({ pod, leads, whyNot }) => [pod, leads, whyNot.split(':')[0]])).toEqual([
      ['notifier-0', true, ''],
      ['notifier-1', false, ''],
      ['notifier-2', false, 'NotReady'],
    ]);
    expect(detail?.conditions.find(({ type }) => type === 'Ready')).toMatchObject({ reason: 'Led', tone: 'good' });
    expect(detail?.transitions.map(({ to, cause }) => [to, cause])).toEqual([
      ['notifier-0', 'LeaderGone'],
      ['notifier-1', 'FirstElection'],
    ]);
  });

  it('is the changes of leader of all groups, newest first', async () => {
    const { transitions } = await (await dashboard()).ask<Timeline>('/v1/timeline');
    expect(transitions.map(({ key, token }) => [key, token])).toEqual([
      ['mail/notifier', 7],
      ['mail/notifier', 6],
    ]);
  });

  it('is what doctor finds, with what to do, and what it could not look at', async () => {
    t.api.put(LEADER_GROUPS, groupObject({ status: unled('NoCandidate', 'None is ready.') }));
    t.api.put(CRDS, { metadata: { name: 'leadergroups.leadergroup.dev' } });
    t.api.denied.add('list services');
    const { findings, unknown } = await (await dashboard()).ask<Findings>('/v1/findings');
    expect(findings).toContainEqual(
      expect.objectContaining({ id: 'not-led', object: expect.stringContaining('mail/notifier') }),
    );
    expect(unknown.map(({ why }) => why).join()).toContain('list services');
  });

  it('looks once for all pages that ask what doctor finds', async () => {
    const d = await dashboard();
    const first = d.ask<Findings>('/v1/findings');
    t.api.time += 5_000;
    const [one, other] = await Promise.all([first, d.ask<Findings>('/v1/findings')]);
    expect(other.lookedAt).toBe(one.lookedAt);
  });

  it('is whether an operator runs', async () => {
    const d = await dashboard();
    await vi.waitFor(async () => expect((await changes(d)).operator).toContain('2 of 2 replicas ready'));
  });
});

describe('what is new', () => {
  it('is told as it happens, and of the groups that changed alone', async () => {
    t.api.put(LEADER_GROUPS, groupObject({ namespace: 'shop', name: 'cart' }));
    const d = await dashboard();
    const { revision } = await settled(d);
    const next = changes(d, revision);
    t.api.put(LEADER_GROUPS, groupObject({ status: ledBy('notifier-1', 8) }));
    const { rows } = await next;
    expect(rows).toMatchObject([{ key: 'mail/notifier', leader: 'notifier-1', token: 8 }]);
  });

  it('is a group that has gone, and that it is there again', async () => {
    const d = await dashboard();
    const { revision } = await settled(d);
    t.api.remove({ resource: LEADER_GROUPS, namespace: MAIL, name: 'notifier' });
    const after = await changes(d, revision);
    expect(after).toMatchObject({ rows: [], gone: ['mail/notifier'] });
    t.api.put(LEADER_GROUPS, groupObject());
    expect(await changes(d, after.revision)).toMatchObject({ rows: [{ key: 'mail/notifier' }], gone: [] });
  });

  it('is a pod of the group that is looked at, and no other pod', async () => {
    const d = await dashboard();
    const { revision } = await settled(d);
    const next = changes(d, revision, 'mail/notifier');
    t.api.put(PODS, podObject('cart-0', { namespace: 'shop', labels: { app: 'cart' } }));
    t.api.put(PODS, podObject('notifier-1', { ready: false }));
    const { rows, detail } = await next;
    expect(rows).toEqual([]);
    expect(detail?.members.find(({ pod }) => pod === 'notifier-1')?.ready).toBe(false);
  });

  it('costs one list and one watch of each kind, however many pages ask', async () => {
    const list = vi.spyOn(t.api, 'list');
    const watch = vi.spyOn(t.api, 'watch');
    const d = await dashboard();
    await settled(d);
    await Promise.all(Array.from({ length: 10 }, () => changes(d)));
    const kinds = (calls: readonly (readonly unknown[])[]): number =>
      calls.filter(([resource]) => resource === LEADER_GROUPS || resource === PODS).length;
    expect([kinds(list.mock.calls), kinds(watch.mock.calls)]).toEqual([2, 2]);
  });

  it('says that it is old while the API server is away, and goes on when it is back', async () => {
    const gone = new ApiError('unreachable', 'The watch ended.');
    const watch = vi.spyOn(t.api, 'watch').mockImplementation(() => {
      throw gone;
    });
    const d = await dashboard();
    await vi.waitFor(async () => expect((await changes(d)).troubles.join()).toContain('What is shown is from before.'));
    watch.mockRestore();
    await t.clock.advance(5_000);
    await vi.waitFor(async () => expect((await changes(d)).troubles).toEqual([]));
  });
});

/** What is known at the start is told. */
async function settled(d: OpenDashboard): Promise<Changes> {
  return vi.waitFor(async () => {
    const all = await changes(d);
    if (all.operator === '') throw new Error('not yet');
    return all;
  });
}

describe('whom it answers', () => {
  it('nobody without the file', async () => {
    const d = await dashboard();
    const host = { host: `127.0.0.1:${d.port}` };
    const ours = { ...host, 'sec-fetch-site': 'same-origin' };
    for (const path of ['/', '/main.js', '/v1/changes?after=0', '/v1/about'])
      expect((await d.send('GET', path, ours)).status).toBe(403);
    for (const ticket of ['', 'ticket=', 'ticket=wrong', `ticket=${'x'.repeat(5_000)}`])
      expect((await d.send('POST', '/open', { ...host, ...NAVIGATION }, ticket)).status).toBe(403);
  });

  it('whoever has the file, with a cookie that no script and no other site can use', async () => {
    const d = await dashboard();
    const ticket = /value="([^"]+)"/.exec(d.file)?.[1];
    const { status, headers } = await d.send('POST', '/open', NAVIGATION, `ticket=${ticket}`);
    expect(status).toBe(200);
    expect(String(headers['set-cookie'])).toMatch(/^leadergroup-\d+=[\w-]{43}; HttpOnly; SameSite=Strict; Path=\/$/);
  });

  it('with headers that let the page run its own files, and nothing else', async () => {
    const d = await dashboard();
    for (const answer of [await d.send('GET', '/', {}), await d.send('POST', '/open', NAVIGATION, '')]) {
      expect(answer.headers['content-security-policy']).toMatch(
        /^default-src 'none'; script-src 'self'; style-src 'self';/,
      );
      expect(answer.headers['content-security-policy']).not.toContain('unsafe');
      expect(answer.headers).toMatchObject({
        'x-content-type-options': 'nosniff',
        'referrer-policy': 'no-referrer',
        'cache-control': 'no-store',
        'cross-origin-resource-policy': 'same-origin',
      });
      expect(answer.headers['access-control-allow-origin']).toBeUndefined();
    }
  });

  it('on 127.0.0.1 alone', async () => {
    const d = await dashboard();
    await expect(fetch(`http://[::1]:${d.port}/`)).rejects.toThrow();
  });
});

describe('how it ends', () => {
  it('on Ctrl-C with 0, and takes its file with it', async () => {
    const d = await openDashboard(t);
    expect(existsSync(dirname(d.path))).toBe(true);
    d.running.interrupt();
    expect((await d.running.ended).code).toBe(0);
    expect(existsSync(dirname(d.path))).toBe(false);
    await expect(d.send('GET', '/', {})).rejects.toThrow();
  });

  it('has neither the secret in what it prints, nor in an address', async () => {
    const d = await dashboard();
    const ticket = /value="([^"]+)"/.exec(d.file)?.[1] ?? 'none';
    expect(d.running.out()).not.toContain(ticket);
    expect(d.file.match(/https?:[^"]+/g)).toEqual([`http://127.0.0.1:${d.port}/open`]);
  });

  it('at once where the groups may not be listed', async () => {
    t.api.denied.add('list leadergroups.leadergroup.dev');
    const { code, err } = await t.run('dashboard', '--no-open');
    expect([code, err]).toEqual([1, expect.stringContaining('You need the right to list leadergroups')]);
  });

  it('at once where the port is taken', async () => {
    const d = await dashboard();
    const { code, err } = await t.run('dashboard', '--no-open', '--port', String(d.port));
    expect([code, err]).toEqual([1, expect.stringMatching(/another program has it\. Use another --port/)]);
  });

  it('not where pods may not be seen: their members are unknown', async () => {
    t.api.denied.add('list pods');
    const d = await dashboard();
    await vi.waitFor(async () => expect((await changes(d)).troubles.join()).toContain('list pods'));
    const { detail } = await d.ask<OneGroup>('/v1/group?key=mail/notifier');
    expect(detail).toMatchObject({ members: [], membersUnknown: expect.stringContaining('list pods') });
  });

  it.each(['70000', '-1', 'x', ''])('with 2 where the port is %j', async (port) => {
    expect((await t.run('dashboard', '--port', port)).code).toBe(2);
  });
});

it('shows a label that is nobody else’s text as text', async () => {
  t.api.put(
    PODS,
    podObject('notifier-0', { labels: LEADER, annotations: { 'token.leadergroup.dev/notifier': '<b>' } }),
  );
  const { detail } = await (await dashboard()).ask<OneGroup>('/v1/group?key=mail/notifier');
  expect(detail?.members[0]?.token).toBe('<b>');
});
