import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { watchKeys } from '../../kit/rig/observer/consul.ts';
import { toWatchedGroup } from '../../kit/rig/observer/groups.ts';
import { type RawObject, toWatchedPod, writerOf, writersOf } from '../../kit/rig/observer/raw.ts';
import { recorder } from '../../kit/rig/observer/recorder.ts';
import { watchResource } from '../../kit/rig/observer/watch.ts';
import { waiting } from '../../kit/rig/waiting.ts';

const aRaw = (overrides: Partial<RawObject['metadata']> = {}): RawObject => ({
  metadata: { name: 'a', namespace: 'default', uid: 'uid-a', resourceVersion: '5', ...overrides },
  status: { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] },
});

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

/** A server whose answers are written one after the other by the test. */
async function startScript() {
  const wait = waiting();
  const requests: string[] = [];
  const handlers: Handler[] = [];
  const server = createServer((request, response) => {
    requests.push(request.url ?? '');
    wait.note(request.url ?? '');
    const handler = handlers.shift();
    if (handler !== undefined) handler(request, response);
  });
  const listening = Promise.withResolvers<void>();
  server.listen(0, '127.0.0.1', listening.resolve);
  await listening.promise;
  const address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    address,
    requests,
    next: (...more: Handler[]): void => void handlers.push(...more),
    until: wait.until,
    close: (): void => {
      server.closeAllConnections();
      server.close();
    },
  };
}

const json =
  (body: unknown, status = 200, headers: Record<string, string> = {}): Handler =>
  (_request, response) =>
    void response.writeHead(status, headers).end(JSON.stringify(body));
const lines =
  (end: 'close' | 'cut' | 'stay', ...objects: readonly unknown[]): Handler =>
  (_request, response) => {
    response.writeHead(200);
    const text = objects.map((object) => `${JSON.stringify(object)}\n`).join('');
    if (end === 'close') response.end(text);
    else response.write(text, () => end === 'cut' && response.destroy());
  };
const list = (resourceVersion: string, ...items: readonly RawObject[]): Handler =>
  json({ metadata: { resourceVersion }, items });

let script: Awaited<ReturnType<typeof startScript>>;
let abort: AbortController;

beforeEach(async () => {
  script = await startScript();
  abort = new AbortController();
});
afterEach(() => {
  abort.abort();
  script.close();
});

describe('the watch', () => {
  const watching = () => {
    const wait = waiting();
    const record = recorder(wait.note);
    const access = {
      server: new URL(`http://${script.address}`),
      ca: undefined,
      cert: undefined,
      key: undefined,
      token: undefined,
    };
    void watchResource(access, '/api/v1/pods', record.podSink, abort.signal);
    const kinds = (): readonly string[] =>
      record.history().pods.map((event) => `${event.kind} ${event.resourceVersion}`);
    const seen = (count: number): Promise<unknown> =>
      wait.until(() => kinds().length >= count, { timeoutMs: 5_000, what: `${count} events` });
    return { kinds, seen, history: record.history };
  };

  it('resumes a closed or a cut watch from the last resourceVersion and records everything once', async () => {
    script.next(
      list('10', aRaw()),
      lines('close', { type: 'MODIFIED', object: aRaw({ resourceVersion: '11' }) }),
      lines('cut', { type: 'BOOKMARK', object: { metadata: { resourceVersion: '14' } } }),
      lines('stay', { type: 'DELETED', object: aRaw({ resourceVersion: '15' }) }),
    );
    const watch = watching();
    await watch.seen(3);
    expect(watch.kinds()).toEqual(['list 10', 'modified 11', 'deleted 15']);
    expect(script.requests.map((url) => /resourceVersion=(\d+)/.exec(url)?.[1])).toEqual([undefined, '10', '11', '14']);
  });

  it.each([
    ['as an answer', json({}, 410)],
    ['in the stream', lines('stay', { type: 'ERROR', object: { code: 410, metadata: {} } })],
  ])('lists again when its resourceVersion is forgotten, told %s', async (_how, forgotten) => {
    script.next(list('10', aRaw()), forgotten, list('20', aRaw({ resourceVersion: '19' })), lines('stay'));
    const watch = watching();
    await watch.seen(2);
    expect(watch.kinds()).toEqual(['list 10', 'list 20']);
  });

  it('tries again after an error and says of what comes then since when it may have happened', async () => {
    script.next(
      list('10', aRaw()),
      lines('cut', { type: 'MODIFIED', object: aRaw({ resourceVersion: '11' }) }),
      json({}, 500),
      lines('stay', { type: 'MODIFIED', object: aRaw({ resourceVersion: '12' }) }),
    );
    const watch = watching();
    await watch.seen(3);
    const [, before, after] = watch.history().pods;
    expect(after?.earliestMs).toBeLessThanOrEqual(before?.atMs ?? 0);
    expect(after?.earliestMs).toBeLessThan(after?.atMs ?? 0);
    expect(before?.earliestMs).toBe(before?.atMs);
  });

  it('takes a resource that is not installed for an empty list', async () => {
    script.next(json({}, 404));
    const watch = watching();
    await watch.seen(1);
    expect(watch.kinds()).toEqual(['list 0']);
  });
});

describe('the watch of keys', () => {
  const entry = (Key: string, ModifyIndex: number, Session?: string) => ({ Key, Value: 'MQ==', ModifyIndex, Session });
  const answer = (index: number, ...entries: readonly unknown[]): Handler =>
    json(entries, entries.length === 0 ? 404 : 200, { 'x-consul-index': String(index) });

  const watching = () => {
    const wait = waiting();
    const record = recorder(wait.note);
    void watchKeys({ address: script.address }, record.consulSink, abort.signal);
    const states = (): readonly string[] =>
      record
        .history()
        .keys.map(
          ({ key, modifyIndex, session, exists, incarnation }) =>
            `${key} ${modifyIndex} ${exists ? session : 'gone'} ${incarnation}`,
        );
    const seen = (count: number): Promise<unknown> =>
      wait.until(() => states().length >= count, { timeoutMs: 5_000, what: `${count} states` });
    return { states, seen };
  };

  it('records each changed key once, in index order, and the keys that vanish', async () => {
    script.next(
      answer(7, entry('b', 7, 's'), entry('a', 6)),
      answer(9, entry('b', 9), entry('a', 6)),
      answer(12, entry('a', 6)),
    );
    const watch = watching();
    await watch.seen(4);
    expect(watch.states()).toEqual(['a 6 null 0', 'b 7 s 0', 'b 9 null 0', 'b 12 gone 0']);
    await script.until(() => script.requests.length >= 4, { timeoutMs: 5_000, what: 'the next question' });
    expect(script.requests.slice(0, 4).map((url) => /&index=(\d+)/.exec(url)?.[1])).toEqual([
      undefined,
      '7',
      '9',
      '12',
    ]);
  });

  it('begins a new incarnation, and asks without an index, when the index goes back', async () => {
    script.next(answer(40, entry('a', 40)), answer(3), answer(4, entry('a', 4)));
    const watch = watching();
    await watch.seen(3);
    expect(watch.states()).toEqual(['a 40 null 0', 'a 3 gone 1', 'a 4 null 1']);
    expect(script.requests[2]).not.toContain('index=');
  });

  it('begins a new incarnation when a key goes back although the index does not', async () => {
    script.next(answer(40, entry('a', 40)), json({}, 500), answer(41, entry('a', 12)));
    const watch = watching();
    await watch.seen(2);
    expect(watch.states()).toEqual(['a 40 null 0', 'a 12 null 1']);
  });
});

describe('what the observer reads in an object', () => {
  const managed = (manager: string, labels: readonly string[], annotations: readonly string[], time = 't1') => ({
    manager,
    operation: 'Update',
    time,
    fieldsV1: {
      'f:metadata': {
        'f:labels': { '.': {}, ...Object.fromEntries(labels.map((key) => [`f:${key}`, {}])) },
        'f:annotations': Object.fromEntries(annotations.map((key) => [`f:${key}`, {}])),
      },
    },
  });

  it('names as writer who owns the label that changed, even if others changed in the same second', () => {
    const before = aRaw({ labels: { a: '1' }, managedFields: [managed('creator', ['a'], [])] });
    const entries = [managed('creator', ['a'], [], 't2'), managed('leadergroup', ['role'], ['token'])];
    const after = aRaw({ labels: { a: '1', role: 'leader' }, annotations: { token: '1' }, managedFields: entries });
    expect(writerOf(before, after)).toBe('leadergroup');
  });

  it('names nobody when only a key was removed and no entry tells who did it', () => {
    const entries = [managed('creator', ['a'], [])];
    expect(writerOf(aRaw({ labels: { a: '1' }, managedFields: entries }), aRaw({ managedFields: entries }))).toBeNull();
  });

  it("lists the operator's own fields by label, annotation and path", () => {
    const spec = {
      manager: 'leadergroup',
      fieldsV1: { 'f:spec': { 'f:containers': { 'k:{"name":"main"}': { '.': {}, 'f:image': {} } } } },
    };
    const managedFields = [managed('leadergroup', ['leadergroup.dev/role'], []), spec];
    expect(toWatchedPod(aRaw({ managedFields })).operatorOwns).toEqual([
      'metadata.labels[leadergroup.dev/role]',
      'spec.containers[k:{"name":"main"}]',
      'spec.containers[k:{"name":"main"}].image',
    ]);
  });

  it('reads readiness, termination and phase', () => {
    expect(toWatchedPod(aRaw({ deletionTimestamp: 'now' }))).toMatchObject({
      ready: true,
      deleting: true,
      phase: 'Running',
    });
    expect(toWatchedPod({ metadata: aRaw().metadata })).toMatchObject({
      ready: false,
      deleting: false,
      phase: 'Unknown',
    });
  });

  it('counts an event that our controller reports as ours', () => {
    expect(writersOf(undefined, { ...aRaw(), reportingController: 'leadergroup.dev/operator' })).toContain(
      'leadergroup',
    );
  });

  it('finds the lock of a group among the keys seen, and takes defaults for what the spec leaves out', () => {
    const keys = ['leadergroup/c/groups/1f/default/notifier/0/.lock', 'leadergroup/c/groups/02/default/other/0/.lock'];
    const raw = { ...aRaw({ name: 'notifier' }), spec: { selector: { matchLabels: { app: 'x' } } } };
    expect(toWatchedGroup(raw, keys)).toMatchObject({
      lockKey: keys[0],
      recordKey: keys[0],
      labelKey: 'leadergroup.dev/role',
      leaderValue: 'leader',
      followerValue: null,
      selector: { matchLabels: { app: 'x' }, matchExpressions: [] },
    });
  });

  it.each([
    [{}, 'NextCandidate'],
    [{ onFailure: 'Promote' }, 'Promote'],
  ])('reads whether who is to lead is asked first: %j', (beforePromotion, asksFirst) => {
    const raw = { ...aRaw(), spec: { beforePromotion, scaleDown: 'AnyOrder' } };
    expect(toWatchedGroup(raw, [])).toMatchObject({ asksFirst, anyOrder: true });
    expect(toWatchedGroup(aRaw(), [])).not.toHaveProperty('asksFirst');
    expect(toWatchedGroup(aRaw(), [])).not.toHaveProperty('anyOrder');
  });

  it('counts how often the containers of a pod were started anew, where anybody has said so', () => {
    const containerStatuses = [{ restartCount: 1 }, { restartCount: 2 }, {}];
    expect(toWatchedPod({ ...aRaw(), status: { containerStatuses } }).restarts).toBe(3);
    expect(toWatchedPod(aRaw())).not.toHaveProperty('restarts');
  });

  it('finds the record of a group with a lockKey beside our own keys', () => {
    const keys = ['leadergroup/c/groups/1f/default/notifier/0/.record'];
    const raw = { ...aRaw({ name: 'notifier' }), spec: { lockKey: 'jobs/nightly' } };
    expect(toWatchedGroup(raw, keys)).toMatchObject({ lockKey: 'jobs/nightly/.lock', recordKey: keys[0] });
  });
});

describe('what the observer records of groups', () => {
  const when = { atMs: 1, earliestMs: 1 };
  const aRawGroup = (uid: string, resourceVersion: string): RawObject =>
    aRaw({ name: 'notifier', uid, resourceVersion });

  it('is of one made again while the watch was cut that it came after the last that was seen', () => {
    const record = recorder(() => undefined);
    const groups = record.objectSink('leadergroups');
    groups.list([aRawGroup('always', '9')], '10', when);
    groups.event('ADDED', aRawGroup('first', '11'), when);
    groups.event('DELETED', aRawGroup('first', '14'), when);
    groups.list([aRawGroup('always', '9'), aRawGroup('second', '16')], '20', when);
    groups.list([aRawGroup('always', '9'), aRawGroup('second', '22')], '30', when);
    expect(record.history().groups.map(({ uid, bornAt, goneAt }) => [uid, bornAt, goneAt])).toEqual([
      ['always', undefined, undefined],
      ['first', '11', '14'],
      ['second', '14', undefined],
    ]);
  });
});

describe('what the observer records of routes', () => {
  const when = { atMs: 1, earliestMs: 1 };
  const aRawSlice = (resourceVersion: string, manager: string, pods: readonly string[]): RawObject => ({
    metadata: {
      ...aRaw().metadata,
      name: 'web-leadergroup-ipv4',
      uid: 'uid-of-slice',
      resourceVersion,
      labels: { 'kubernetes.io/service-name': 'web' },
      annotations: {
        'leadergroup.dev/group-uid': 'uid-of-g',
        'leadergroup.dev/token': '7',
        'leadergroup.dev/fenced': 'f',
      },
      managedFields: [{ manager, operation: 'Update', time: resourceVersion }],
    },
    addressType: 'IPv4',
    // As the API server gives none.
    endpoints:
      pods.length === 0
        ? null
        : pods.map((name) => ({ addresses: [`address-of-${name}`], targetRef: { name, uid: `uid-${name}` } })),
  });

  it('is every version of a slice, with whether the operator wrote it', () => {
    const record = recorder(() => undefined);
    record.sliceSink.list([], '10', when);
    record.sliceSink.event('ADDED', aRawSlice('11', 'leadergroup', []), when);
    record.sliceSink.event('MODIFIED', aRawSlice('12', 'leadergroup', ['a']), when);
    record.sliceSink.event('MODIFIED', aRawSlice('13', 'kubectl-edit', ['a', 'b']), when);
    record.sliceSink.event('DELETED', aRawSlice('14', 'kubectl-edit', ['a', 'b']), when);
    const { slices = [] } = record.history();
    expect(slices.map((event) => (event.kind === 'list' ? 'list' : `${event.kind} ${event.foreign}`))).toEqual([
      'list',
      'added false',
      'modified false',
      'modified true',
      'deleted true',
    ]);
    expect(slices[2]).toMatchObject({
      resourceVersion: '12',
      slice: {
        namespace: 'default',
        family: 'IPv4',
        service: 'web',
        groupUid: 'uid-of-g',
        token: 7,
        fenced: 'f',
        endpoints: [{ address: 'address-of-a', podUid: 'uid-a', podName: 'a' }],
      },
    });
  });

  it('is each change of a Service, and of what a group routes to', () => {
    const record = recorder(() => undefined);
    const groups = record.objectSink('leadergroups');
    const group = (resourceVersion: string, serviceName: string | null): RawObject => ({
      ...aRaw({ name: 'g', resourceVersion }),
      spec: serviceName === null ? {} : { route: { serviceName } },
    });
    record.serviceSink.event('MODIFIED', aRaw({ name: 'web' }), when);
    groups.event('ADDED', group('6', 'web'), when);
    groups.event('MODIFIED', group('7', 'web'), when);
    groups.event('MODIFIED', group('8', 'api'), when);
    groups.event('MODIFIED', group('9', null), when);
    const routes = record.history().routes ?? [];
    expect(routes.map(({ service, resourceVersion }) => `${service} ${resourceVersion}`)).toEqual([
      'web 5',
      'web 6',
      'web 8',
      'api 8',
      'api 9',
    ]);
  });
});
