/** What goes over the wire for a command, from its kubeconfig on, and what becomes of each answer. */
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { stringify } from 'yaml';
import type { ApiServer } from '../../../src/cli/api-server.ts';
import { connect } from '../../../src/cli/connect.ts';
import { LEADER_GROUPS, PODS } from '../../../src/cli/resources.ts';
import { createClock } from '../../../src/clock.ts';
import { aStatus, json, type Respond, startServer } from '../../kit/fakes/kubernetes/server.ts';

let folder = '';
const before = process.env['KUBECONFIG'];
const signal = new AbortController().signal;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'cli-'));
});

afterEach(() => {
  rmSync(folder, { recursive: true });
  if (before === undefined) delete process.env['KUBECONFIG'];
  else process.env['KUBECONFIG'] = before;
});

type Fields = Readonly<Record<string, unknown>>;

/** Two contexts: `here` is the current one, `there` has another user and a namespace. */
function kubeconfig(server: string, user: Fields, cluster: Fields = {}): void {
  const path = join(folder, 'config');
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'here',
    contexts: [
      { name: 'here', context: { cluster: 'c', user: 'u' } },
      { name: 'there', context: { cluster: 'c', user: 'v', namespace: 'mail' } },
    ],
    clusters: [{ name: 'c', cluster: { server, ...cluster } }],
    users: [
      { name: 'u', user },
      { name: 'v', user: { token: 'of-there' } },
    ],
  };
  writeFileSync(path, stringify(config));
  process.env['KUBECONFIG'] = path;
}

async function serve(respond: Respond, user: Fields = { token: 'mine' }) {
  const server = await startServer(respond);
  onTestFinished(() => server[Symbol.asyncDispose]());
  kubeconfig(server.url, user);
  return server;
}

function open(context: string | null = null): ApiServer {
  const { api } = connect(context, createClock(), signal);
  onTestFinished(() => api.close());
  return api;
}

const list = (items: readonly object[] = []) => ({ metadata: { resourceVersion: '5' }, items });
const empty: Respond = (_, response) => json(response, 200, list());
const GROUP = { resource: LEADER_GROUPS, namespace: 'mail', name: 'notifier' };

describe('a request', () => {
  it('says who asks, with the credentials of the context', async () => {
    const server = await serve(empty);
    await open().list(PODS, { namespace: 'mail' });
    expect(server.requests[0]).toMatchObject({
      url: { pathname: '/api/v1/namespaces/mail/pods' },
      headers: { authorization: 'Bearer mine', 'user-agent': 'kubectl-leadergroup' },
    });
  });

  it('goes to the context that is named, in its namespace', async () => {
    const server = await serve(empty);
    expect(connect('there', createClock(), signal).namespace).toBe('mail');
    await open('there').list(PODS);
    expect(server.requests[0]?.headers.authorization).toBe('Bearer of-there');
  });

  it('names the contexts that there are when there is none of that name', async () => {
    await serve(empty);
    expect(() => connect('gone', createClock(), signal)).toThrow(
      'The kubeconfig has no context "gone": it has here, there.',
    );
  });

  it('follows a tokenFile', async () => {
    writeFileSync(join(folder, 'token'), 'from-file\n');
    const server = await serve(empty, { tokenFile: 'token' });
    await open().list(PODS);
    expect(server.requests[0]?.headers.authorization).toBe('Bearer from-file');
  });

  it('asks an exec plugin', async () => {
    const credential = {
      apiVersion: 'client.authentication.k8s.io/v1',
      kind: 'ExecCredential',
      status: { token: 'from-plugin' },
    };
    const plugin = join(folder, 'plugin');
    writeFileSync(plugin, `#!/bin/sh\necho '${JSON.stringify(credential)}'\n`);
    chmodSync(plugin, 0o755);
    const server = await serve(empty, { exec: { apiVersion: credential.apiVersion, command: plugin } });
    await open().list(PODS);
    expect(server.requests[0]?.headers.authorization).toBe('Bearer from-plugin');
  });

  it('says in one sentence what an exec plugin said when it failed', async () => {
    const exec = {
      apiVersion: 'client.authentication.k8s.io/v1',
      command: '/bin/sh',
      args: ['-c', 'echo log in first >&2; exit 1'],
    };
    await serve(empty, { exec });
    await expect(open().list(PODS)).rejects.toThrow(/^Cannot list pods in all namespaces: .*log in first/s);
  });

  it('acts for whom the kubeconfig says, with all groups, the uid and the rest', async () => {
    const server = await serve(empty, {
      token: 'mine',
      as: 'jane',
      'as-groups': ['ops', 'dev'],
      'as-uid': '42',
      'as-user-extra': { 'example.com/Scope': ['mail'] },
    });
    await open().list(PODS);
    const { headers } = server.requests[0] ?? { headers: {} };
    expect(headers).toMatchObject({
      'impersonate-user': 'jane',
      'impersonate-group': 'ops, dev',
      'impersonate-uid': '42',
      'impersonate-extra-example.com%2fscope': 'mail',
    });
  });

  it('goes through the proxy of the kubeconfig', async () => {
    const server = await serve(empty);
    const proxy = await startServer((_, response) => json(response, 502, {}));
    onTestFinished(() => proxy[Symbol.asyncDispose]());
    kubeconfig(server.url, { token: 'mine' }, { 'proxy-url': proxy.url });
    await expect(open().list(PODS)).rejects.toThrow();
    expect([server.requests.length, proxy.connections()]).toEqual([0, 1]);
  });

  it('reads all pages', async () => {
    const pod = (name: string) => ({ metadata: { name } });
    const server = await serve(({ url }, response) => {
      const second = url.searchParams.get('continue') === 'more';
      const metadata = { resourceVersion: '5', ...(second ? {} : { continue: 'more' }) };
      json(response, 200, { metadata, items: [pod(second ? 'b' : 'a')] });
    });
    const { items } = await open().list(PODS);
    expect(items).toEqual([pod('a'), pod('b')]);
    expect(server.requests).toHaveLength(2);
  });

  it('writes under a field manager of its own, and only tries with dryRun', async () => {
    const server = await serve((_, response) => json(response, 200, { metadata: {} }));
    const api = open();
    await api.patch(GROUP, { spec: { paused: true } });
    await api.patch(GROUP, { spec: { paused: true } }, { dryRun: true });
    const [written, tried] = server.requests;
    expect(written).toMatchObject({ method: 'PATCH', text: '{"spec":{"paused":true}}' });
    expect(Object.fromEntries(written?.url.searchParams ?? [])).toEqual({
      fieldManager: 'leadergroup-cli',
      fieldValidation: 'Strict',
    });
    expect(tried?.url.searchParams.get('dryRun')).toBe('All');
  });

  it('deletes the very object that was read, as it was then; one that is gone is no failure, and another one is', async () => {
    const answers = [
      [200, aStatus(200, '')],
      [
        404,
        aStatus(404, 'NotFound', { details: { name: 'notifier', group: 'leadergroup.dev', kind: 'leadergroups' } }),
      ],
      [409, aStatus(409, 'Conflict')],
    ] as const;
    let asked = 0;
    const server = await serve((_, response) => {
      const [code, body] = answers[asked] ?? answers[0];
      asked += 1;
      json(response, code, body);
    });
    const api = open();
    const preconditions = { uid: 'a-uid', resourceVersion: '5' };
    await api.delete(GROUP, preconditions);
    await api.delete(GROUP, preconditions);
    await expect(api.delete(GROUP, preconditions)).rejects.toThrow(
      'Cannot delete leadergroups.leadergroup.dev mail/notifier',
    );
    expect(server.requests[0]).toMatchObject({
      method: 'DELETE',
      url: { pathname: '/apis/leadergroup.dev/v1alpha1/namespaces/mail/leadergroups/notifier' },
    });
    expect(JSON.parse(server.requests[0]?.text ?? '')).toMatchObject({ preconditions });
  });

  it('tells the time of the API server, whatever the clock here shows', async () => {
    await serve((_, response) => {
      response.setHeader('date', 'Wed, 18 Nov 2026 10:00:00 GMT');
      json(response, 200, list());
    });
    const api = open();
    await api.list(PODS);
    expect(Math.abs(api.nowMs() - Date.UTC(2026, 10, 18, 10, 0, 0))).toBeLessThan(10_000);
  });
});

describe('an answer', () => {
  const refused = async (status: number, body: unknown): Promise<string> => {
    await serve((_, response) => json(response, status, body));
    return await open()
      .get(GROUP)
      .then(
        () => 'it was not refused',
        (error: Error) => error.message,
      );
  };

  it('that the object is not there is no failure', async () => {
    const details = { name: 'notifier', group: 'leadergroup.dev', kind: 'leadergroups' };
    await serve((_, response) => json(response, 404, { ...(aStatus(404, 'NotFound') as object), details }));
    expect(await open().get(GROUP)).toBeNull();
  });

  it.each([
    [403, aStatus(403, 'Forbidden'), /You need the right to get leadergroups\.leadergroup\.dev/],
    [401, aStatus(401, 'Unauthorized'), /You need the right to/],
    [404, '404 page not found', /LeaderGroup is not installed in this cluster \(docs\/install\.md\)/],
    [409, aStatus(409, 'Conflict'), /Somebody else changed it/],
    [422, aStatus(422, 'Invalid'), /Change what it names/],
    [500, 'oops', /Is http:\/\/127.0.0.1:\d+ the right API server/],
  ])('%i is a sentence with what to do', async (status, body, words) => {
    const said = await refused(status, body);
    expect(said).toMatch(/^Cannot read leadergroups\.leadergroup\.dev mail\/notifier: the API server answered \d+/);
    expect(said).toMatch(words);
    expect(said).not.toContain('\n');
  });

  it('that never comes is a sentence too', async () => {
    kubeconfig('http://127.0.0.1:1', { token: 'x' });
    await expect(open().list(PODS)).rejects.toThrow(
      /^Cannot list pods in all namespaces: .*ECONNREFUSED.* does `kubectl version` reach it/,
    );
  });
});

describe('a watch', () => {
  it('gives each change, and ends without an error when it is to end', async () => {
    const pod = { metadata: { name: 'a', uid: 'u', resourceVersion: '6' } };
    await serve((_, response) => {
      response.writeHead(200, { 'content-type': 'application/json' });
      response.write(`${JSON.stringify({ type: 'ADDED', object: pod })}\n`);
    });
    const stop = new AbortController();
    const seen: unknown[] = [];
    for await (const change of open().watch(PODS, {}, { resourceVersion: '5', signal: stop.signal })) {
      seen.push(change);
      stop.abort();
    }
    expect(seen).toEqual([{ type: 'ADDED', object: pod }]);
  });

  it('that is refused says so', async () => {
    await serve((_, response) => json(response, 403, aStatus(403, 'Forbidden')));
    const watching = open().watch(PODS, {}, { resourceVersion: '5', signal })[Symbol.asyncIterator]();
    await expect(watching.next()).rejects.toThrow(/^The watch of pods ended: /);
  });
});
