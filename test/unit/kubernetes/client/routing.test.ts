import { describe, expect, test } from 'vitest';
import { createRouting } from '../../../../src/kubernetes/client/routing.ts';
import { rawSlice } from '../../../../src/kubernetes/objects/slice.ts';
import { aSlice } from '../../../kit/fakes/builders.ts';
import { podUid } from '../../../kit/fakes/ids.ts';
import { createClient, forever, plainAccess } from '../../../kit/fakes/kubernetes/client.ts';
import { aStatus, json, type Respond, startServer } from '../../../kit/fakes/kubernetes/server.ts';

const slice = aSlice({ token: 3 });
function served(uid: string) {
  const raw = rawSlice(slice, slice.family, slice);
  return { ...raw, metadata: { ...(raw['metadata'] as object), uid, resourceVersion: '101' } };
}

async function setUp(respond: Respond) {
  const server = await startServer(respond);
  const client = createClient(plainAccess(server.url));
  const stack = new AsyncDisposableStack();
  stack.use(server);
  stack.use(client);
  const sent = () => server.requests.map(({ method, url, text }) => [method, url.pathname, text] as const);
  return {
    routing: createRouting({ transport: client.transport }),
    sent,
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

describe('what is sent for a route', () => {
  test('a slice that is made names no pod, whatever it is given', async () => {
    await using t = await setUp((_, response) => json(response, 201, served('uid-new')));
    const { family, namespace, name } = slice;
    const { kind } = await t.routing.createSlice({ namespace, name, family }, slice, forever);
    expect(kind).toBe('done');
    const [method, path, text] = t.sent()[0] ?? [];
    expect([method, path]).toEqual(['POST', '/apis/discovery.k8s.io/v1/namespaces/default/endpointslices']);
    expect(JSON.parse(text ?? '')).toMatchObject({ endpoints: [], metadata: { name } });
  });

  test('a replacement names uid and resourceVersion', async () => {
    await using t = await setUp((_, response) => json(response, 200, served(slice.uid)));
    expect((await t.routing.replaceSlice(slice, slice, forever)).kind).toBe('done');
    const [method, path, text] = t.sent()[0] ?? [];
    expect([method, path]).toEqual([
      'PUT',
      `/apis/discovery.k8s.io/v1/namespaces/default/endpointslices/${slice.name}`,
    ]);
    expect(JSON.parse(text ?? '')).toMatchObject({ metadata: { uid: slice.uid, resourceVersion: '100' } });
  });

  test('nothing is sent without uid and resourceVersion', async () => {
    await using t = await setUp((_, response) => json(response, 200, {}));
    const pod = { namespace: 'default', name: 'a', uid: podUid('') };
    const outcomes = [
      await t.routing.replaceSlice({ ...slice, resourceVersion: '' }, slice, forever),
      await t.routing.deleteSlice({ ...slice, uid: '' }, forever),
      await t.routing.evict(pod, '5', forever),
    ];
    expect(outcomes.map(({ kind }) => kind)).toEqual(['conflict', 'conflict', 'conflict']);
    expect(t.sent()).toEqual([]);
  });

  test('a deletion and an eviction carry both preconditions', async () => {
    await using t = await setUp((_, response) => json(response, 201, { kind: 'Status', status: 'Success' }));
    const pod = { namespace: 'default', name: 'a', uid: podUid('uid-a') };
    expect((await t.routing.deleteSlice(slice, forever)).kind).toBe('done');
    expect((await t.routing.evict(pod, '5', forever)).kind).toBe('done');
    const [deletion, eviction] = t.sent();
    expect(JSON.parse(deletion?.[2] ?? '')).toMatchObject({
      preconditions: { uid: slice.uid, resourceVersion: '100' },
    });
    expect(eviction?.[1]).toBe('/api/v1/namespaces/default/pods/a/eviction');
    expect(JSON.parse(eviction?.[2] ?? '')).toMatchObject({
      deleteOptions: { preconditions: { uid: 'uid-a', resourceVersion: '5' } },
    });
  });

  test('a budget that forbids an eviction just now is no refusal for good', async () => {
    await using t = await setUp((_, response) => json(response, 429, aStatus(429, 'TooManyRequests')));
    const pod = { namespace: 'default', name: 'a', uid: podUid('uid-a') };
    expect((await t.routing.evict(pod, '5', forever)).kind).toBe('unknown');
  });
});

test('a right that is missing is said to be in the overlay of routes, which the base has not', async () => {
  await using t = await setUp((_, response) => json(response, 403, aStatus(403, 'Forbidden')));
  const reads = [t.routing.getService, t.routing.getSlice, t.routing.hasEndpoints];
  for (const read of reads)
    await expect(read('default', 'web', forever)).rejects.toThrow(/\(deploy\/overlays\/route has/);
});
