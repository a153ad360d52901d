import { describe, expect, it } from 'vitest';
import type { LeaderGroupStatus } from '../../../../src/api/leadergroup.ts';
import { parseLeaderGroup } from '../../../../src/api/parse.ts';
import { createKubernetes } from '../../../../src/kubernetes/client/kubernetes.ts';
import { podUid } from '../../../kit/fakes/ids.ts';
import { createClient, forever, plainAccess } from '../../../kit/fakes/kubernetes/client.ts';
import { page, rawPod } from '../../../kit/fakes/kubernetes/raw.ts';
import { aStatus, json, type Respond, startServer } from '../../../kit/fakes/kubernetes/server.ts';

const rawGroup = (more: Readonly<Record<string, unknown>> = {}) => ({
  apiVersion: 'leadergroup.dev/v1alpha1',
  kind: 'LeaderGroup',
  metadata: { namespace: 'shop', name: 'g', uid: 'uid-g', resourceVersion: '5', generation: 1 },
  spec: { selector: { matchLabels: { app: 'notifier' } } },
  ...more,
});

const group = { namespace: 'shop', name: 'g', uid: 'uid-g' };
const pod = { namespace: 'shop', name: 'a', uid: podUid('uid-a') };
const patch = { labels: { 'leadergroup.dev/role': 'leader' }, annotations: { 'fenced.leadergroup.dev/g': null } };

const status: LeaderGroupStatus = {
  leader: '',
  leaders: [],
  members: 0,
  candidates: 0,
  ineligible: [],
  leaderTransitions: 0,
  recentTransitions: [],
  lockKey: 'k',
  lockedBy: '',
  onConsulLoss: 'Hold',
  observedGeneration: 1,
  conditions: [],
};

async function setUp(respond: Respond) {
  const server = await startServer(respond);
  const client = createClient(plainAccess(server.url));
  const kubernetes = createKubernetes({
    transport: client.transport,
    parseGroup: parseLeaderGroup,
    requestTimeoutMs: 500,
  });
  return {
    server,
    client,
    kubernetes,
    [Symbol.asyncDispose]: async () => {
      await client[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
    },
  };
}

function sent({ server }: Awaited<ReturnType<typeof setUp>>, index = -1) {
  const request = server.requests.at(index);
  return {
    line: `${request?.method} ${request?.url.pathname}${request?.url.search}`,
    type: request?.headers['content-type'],
    body: request === undefined || request.text === '' ? null : JSON.parse(request.text),
  };
}

const always =
  (code: number, body: unknown): Respond =>
  (_, response) =>
    json(response, code, body);

describe('writes', () => {
  it('patch a pod under its uid, and under its resourceVersion when one is given', async () => {
    await using world = await setUp(always(200, rawPod('a', { resourceVersion: '11' })));
    const outcome = await world.kubernetes.patchPod(pod, '10', patch, forever);
    expect(outcome).toMatchObject({ kind: 'done', object: { name: 'a', resourceVersion: '11' } });
    expect(sent(world)).toEqual({
      line: 'PATCH /api/v1/namespaces/shop/pods/a?fieldManager=leadergroup',
      type: 'application/merge-patch+json',
      body: { metadata: { uid: 'uid-a', resourceVersion: '10', ...patch } },
    });
    await world.kubernetes.patchPod(pod, null, patch, forever);
    expect(sent(world).body).toEqual({ metadata: { uid: 'uid-a', ...patch } });
  });

  it('replace finalizers under uid and resourceVersion', async () => {
    await using world = await setUp(always(200, rawGroup()));
    const outcome = await world.kubernetes.setFinalizers(group, '4', ['leadergroup.dev/finalizer'], forever);
    expect(outcome).toMatchObject({ kind: 'done', object: { kind: 'valid', group: { name: 'g' } } });
    expect(sent(world)).toEqual({
      line: 'PATCH /apis/leadergroup.dev/v1alpha1/namespaces/shop/leadergroups/g?fieldManager=leadergroup',
      type: 'application/merge-patch+json',
      body: { metadata: { uid: 'uid-g', resourceVersion: '4', finalizers: ['leadergroup.dev/finalizer'] } },
    });
  });

  it('replace the whole status at /status, under uid and resourceVersion', async () => {
    await using world = await setUp(always(200, rawGroup()));
    await world.kubernetes.replaceStatus(group, '4', status, forever);
    expect(sent(world)).toEqual({
      line: 'PATCH /apis/leadergroup.dev/v1alpha1/namespaces/shop/leadergroups/g/status?fieldManager=leadergroup',
      type: 'application/json-patch+json',
      body: [
        { op: 'test', path: '/metadata/uid', value: 'uid-g' },
        { op: 'replace', path: '/metadata/resourceVersion', value: '4' },
        { op: 'add', path: '/status', value: status },
      ],
    });
    expect(world.client.reports.at(-1)).toMatchObject({ verb: 'patch', resource: 'leadergroups/status', status: 200 });
  });

  it('are a conflict when the status belongs to another incarnation of the group', async () => {
    await using world = await setUp(always(422, aStatus(422, 'Invalid', { details: {} })));
    expect((await world.kubernetes.replaceStatus(group, '4', status, forever)).kind).toBe('conflict');
    expect((await world.kubernetes.setFinalizers(group, '4', [], forever)).kind).toBe('refused');
  });

  it.each([
    [
      'a uid',
      (w: Awaited<ReturnType<typeof setUp>>) => w.kubernetes.patchPod({ ...pod, uid: podUid('') }, '1', patch, forever),
    ],
    ['a resourceVersion', (w: Awaited<ReturnType<typeof setUp>>) => w.kubernetes.patchPod(pod, '', patch, forever)],
    [
      'a resourceVersion of the group',
      (w: Awaited<ReturnType<typeof setUp>>) => w.kubernetes.replaceStatus(group, '', status, forever),
    ],
    [
      'a uid of the group',
      (w: Awaited<ReturnType<typeof setUp>>) => w.kubernetes.setFinalizers({ ...group, uid: '' }, '1', [], forever),
    ],
  ])('are never sent without %s, which would be no precondition at all', async (_, write) => {
    await using world = await setUp(always(200, rawPod('a')));
    expect((await write(world)).kind).toBe('conflict');
    expect(world.server.requests).toHaveLength(0);
  });

  it.each([
    ['the connection is cut', (_: unknown, response: Parameters<typeof json>[0]) => void response.destroy()],
    ['no answer comes in time', () => undefined],
    ['the server is too busy', always(429, aStatus(429, 'TooManyRequests'))],
    ['the server fails', always(500, aStatus(500, 'InternalError'))],
  ])('are unknown and never repeated when %s', async (_, respond) => {
    await using world = await setUp(respond);
    expect((await world.kubernetes.patchPod(pod, '10', patch, forever)).kind).toBe('unknown');
    expect(world.server.requests).toHaveLength(1);
  });

  it("throw the signal's reason when aborted, and nothing else ever", async () => {
    await using world = await setUp(always(200, rawPod('a')));
    const reason = new Error('over');
    await expect(world.kubernetes.patchPod(pod, '10', patch, AbortSignal.abort(reason))).rejects.toBe(reason);
  });

  it('name objects in the path, whatever they are called', async () => {
    await using world = await setUp(always(200, rawPod('a')));
    await world.kubernetes.patchPod({ ...pod, name: '../a?b' }, '10', patch, forever);
    expect(sent(world).line).toBe('PATCH /api/v1/namespaces/shop/pods/..%2Fa%3Fb?fieldManager=leadergroup');
  });
});

describe('reads', () => {
  it('get a pod and a group, not from a cache', async () => {
    await using world = await setUp((request, response) =>
      json(response, 200, request.url.pathname.endsWith('/pods/a') ? rawPod('a') : rawGroup()),
    );
    expect(await world.kubernetes.getPod('shop', 'a', forever)).toMatchObject({ name: 'a', ready: true });
    expect(await world.kubernetes.getGroup('shop', 'g', forever)).toMatchObject({ group: { name: 'g' } });
    expect(world.server.requests.map(({ url }) => url.search)).toEqual(['', '']);
  });

  it('are null only when the server says that this very object is not there', async () => {
    await using world = await setUp(always(404, aStatus(404, 'NotFound', { details: { name: 'a', kind: 'pods' } })));
    expect(await world.kubernetes.getPod('shop', 'a', forever)).toBeNull();
    await expect(world.kubernetes.getPod('shop', 'b', forever)).rejects.toMatchObject({ kind: 'unreachable' });
  });

  it.each([
    ['denied', 401, aStatus(401, 'Unauthorized'), /check KUBECONFIG/],
    ['denied', 403, aStatus(403, 'Forbidden'), /the right to get leadergroups\.leadergroup\.dev/],
    ['notInstalled', 404, '404 page not found', /install the CustomResourceDefinition in crds\//],
    [
      'unreachable',
      404,
      aStatus(404, 'NotFound', { details: { name: 'other', kind: 'leadergroups' } }),
      /answered 404/,
    ],
    ['unreachable', 429, aStatus(429, 'TooManyRequests'), /answered 429/],
    ['unreachable', 503, 'no upstream', /answered 503: no upstream/],
    ['unreachable', 200, '<html>', /is that its address/],
    ['unreachable', 200, { kind: 'Pod' }, /is that its address/],
    ['refused', 400, aStatus(400, 'BadRequest'), /answered 400: BadRequest it is/],
  ])('that are %s say so, what was read from where, and what to do: %i', async (kind, code, body, words) => {
    await using world = await setUp(always(code, body));
    const reading = world.kubernetes.getGroup('shop', 'g', forever);
    await expect(reading).rejects.toMatchObject({
      name: 'KubernetesError',
      kind,
      message: expect.stringMatching(words),
    });
    await expect(reading).rejects.toThrow(`Cannot read leadergroups.leadergroup.dev shop/g at ${world.server.url}`);
  });

  it('are tried twice when the connection is cut, and once when no answer comes in time', async () => {
    let cuts = 1;
    await using world = await setUp((_, response) => {
      cuts -= 1;
      if (cuts >= 0) response.destroy();
      else json(response, 200, rawPod('a'));
    });
    expect(await world.kubernetes.getPod('shop', 'a', forever)).toMatchObject({ name: 'a' });
    world.server.respond = () => undefined;
    await expect(world.kubernetes.getPod('shop', 'a', forever)).rejects.toThrow('no answer within 500 ms');
    expect(world.server.requests).toHaveLength(3);
  });

  it('give the uid of kube-system', async () => {
    await using world = await setUp(always(200, { metadata: { name: 'kube-system', uid: 'cluster' } }));
    expect(await world.kubernetes.clusterUid(forever)).toBe('cluster');
    expect(sent(world).line).toBe('GET /api/v1/namespaces/kube-system');
    world.server.respond = always(200, { metadata: {} });
    await expect(world.kubernetes.clusterUid(forever)).rejects.toMatchObject({ kind: 'unreachable' });
  });
});

describe('a list of pods', () => {
  it('has all pages, not from a cache', async () => {
    await using world = await setUp((request, response) => {
      const next = request.url.searchParams.get('continue');
      json(response, 200, next === null ? page([rawPod('a')], '10', 'p/2') : page([rawPod('b')], '10'));
    });
    expect((await world.kubernetes.listPods('shop', forever)).map(({ name }) => name)).toEqual(['a', 'b']);
    expect(world.server.requests.map(({ url }) => url.pathname + url.search)).toEqual([
      '/api/v1/namespaces/shop/pods?limit=250',
      '/api/v1/namespaces/shop/pods?limit=250&continue=p%2F2',
    ]);
  });

  it('begins anew when its pages expire, but not for ever', async () => {
    let expired = 0;
    await using world = await setUp((request, response) => {
      if (request.url.searchParams.has('continue')) {
        expired += 1;
        json(response, 410, aStatus(410, 'Expired'));
      } else json(response, 200, page([rawPod('a')], '10', expired === 1 ? '' : 'p2'));
    });
    expect(await world.kubernetes.listPods('shop', forever)).toHaveLength(1);
    expired = 5;
    await expect(world.kubernetes.listPods('shop', forever)).rejects.toMatchObject({ kind: 'unreachable' });
    expect(expired).toBe(8);
  });

  it.each([
    ['a pod that cannot be read', page([rawPod('a'), {}], '10')],
    ['no list at all', { kind: 'Status' }],
  ])('is not believed with %s: what is left out would look gone', async (_, body) => {
    await using world = await setUp(always(200, body));
    await expect(world.kubernetes.listPods('shop', forever)).rejects.toMatchObject({ kind: 'unreachable' });
  });

  it('may be empty', async () => {
    await using world = await setUp(always(200, { metadata: { resourceVersion: '1' }, items: null }));
    expect(await world.kubernetes.listPods('shop', forever)).toEqual([]);
  });
});
