import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { describe, expect, it } from 'vitest';
import type { Pod } from '../../../../src/api/pod.ts';
import { createClock } from '../../../../src/clock.ts';
import { projectPod } from '../../../../src/kubernetes/objects/pod.ts';
import { LEADER_GROUPS, PODS, type Resource } from '../../../../src/kubernetes/objects/resources.ts';
import type { ListWatch } from '../../../../src/kubernetes/reflector/list-watch.ts';
import { createReflector, type ReflectorOptions } from '../../../../src/kubernetes/reflector/reflector.ts';
import { createListWatch, type Selection } from '../../../../src/kubernetes/reflector/watch-transport.ts';
import { createFakeRandom } from '../../../kit/fakes/clock.ts';
import { createClient, eventually, forever, plainAccess } from '../../../kit/fakes/kubernetes/client.ts';
import { event, page, rawPod } from '../../../kit/fakes/kubernetes/raw.ts';
import { aStatus, json, type Respond, startServer } from '../../../kit/fakes/kubernetes/server.ts';
import { createFakeLog } from '../../../kit/fakes/log.ts';

async function setUp(respond: Respond, resource: Resource = PODS, selection: Selection = {}) {
  const server = await startServer(respond);
  const client = createClient(plainAccess(server.url));
  const source = createListWatch(client.transport, resource, selection);
  return {
    server,
    client,
    source,
    [Symbol.asyncDispose]: async () => {
      await client[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
    },
  };
}

const watchFrom = (source: ListWatch, signal = forever) =>
  source.watch({ resourceVersion: '10', timeoutSeconds: 300 }, signal);

async function collect(batches: AsyncIterable<readonly unknown[]>): Promise<unknown[]> {
  const all: unknown[] = [];
  for await (const batch of batches) all.push(...batch);
  return all;
}

describe('a list', () => {
  it('asks for a page of what is true now, in all namespaces', async () => {
    await using world = await setUp((_, response) => json(response, 200, page([rawPod('a')], '10', 'next')));
    const answer = await world.source.list({ limit: 250, after: null }, forever);
    expect(answer).toEqual({ items: [rawPod('a')], resourceVersion: '10', next: 'next' });
    await world.source.list({ limit: 250, after: 'p/2' }, forever);
    expect(world.server.requests.map(({ url }) => url.pathname + url.search)).toEqual([
      '/api/v1/pods?limit=250',
      '/api/v1/pods?limit=250&continue=p%2F2',
    ]);
    expect(world.client.reports).toMatchObject([{ verb: 'list', resource: 'pods' }, { verb: 'list' }]);
  });

  it('selects, in lists and watches alike', async () => {
    const selection = { namespace: 'shop', labelSelector: 'app=a', fieldSelector: 'x!=y' };
    await using world = await setUp((_, response) => json(response, 200, page([], '10')), LEADER_GROUPS, selection);
    await world.source.list({ limit: 1, after: null }, forever);
    await collect(watchFrom(world.source));
    for (const { url } of world.server.requests) {
      expect(url.pathname).toBe('/apis/leadergroup.dev/v1alpha1/namespaces/shop/leadergroups');
      expect(url.searchParams.get('labelSelector')).toBe('app=a');
      expect(url.searchParams.get('fieldSelector')).toBe('x!=y');
    }
  });

  it.each([
    ['expired', 410, aStatus(410, 'Expired'), null],
    ['expired', 400, aStatus(400, 'Expired'), null],
    ['denied', 401, aStatus(401, 'Unauthorized'), null],
    ['denied', 403, aStatus(403, 'Forbidden'), null],
    ['notInstalled', 404, '404 page not found', null],
    ['unreachable', 429, aStatus(429, 'TooManyRequests', { details: { retryAfterSeconds: 3 } }), 3000],
    ['unreachable', 500, aStatus(500, 'InternalError'), null],
    ['unreachable', 503, 'starting', null],
    ['refused', 400, aStatus(400, 'BadRequest'), null],
    ['malformed', 200, '<html>', null],
    ['malformed', 200, { items: {}, metadata: { resourceVersion: '1' } }, null],
    ['malformed', 200, { items: [] }, null],
  ])('is %s after a %i', async (kind, code, body, retryAfterMs) => {
    await using world = await setUp((_, response) => json(response, code, body), LEADER_GROUPS);
    const list = world.source.list({ limit: 1, after: null }, forever);
    await expect(list).rejects.toMatchObject({ name: 'ListWatchError', kind, retryAfterMs });
  });

  it('hears how long to wait from the header, too', async () => {
    await using world = await setUp((_, response) => json(response, 429, {}, { 'retry-after': '7' }));
    await expect(world.source.list({ limit: 1, after: null }, forever)).rejects.toMatchObject({ retryAfterMs: 7000 });
  });
});

describe('a watch', () => {
  it('asks for bookmarks and for an end', async () => {
    await using world = await setUp((_, response) => void response.end());
    await collect(watchFrom(world.source));
    expect(world.server.requests[0]?.url.search).toBe(
      '?watch=true&allowWatchBookmarks=true&resourceVersion=10&timeoutSeconds=300',
    );
    expect(world.client.reports).toEqual([]);
  });

  it('gives a sign as soon as it stands, then every event, then its end', async () => {
    const opened = Promise.withResolvers<ServerResponse>();
    await using world = await setUp((_, response) => {
      response.writeHead(200).flushHeaders();
      opened.resolve(response);
    });
    const batches = watchFrom(world.source)[Symbol.asyncIterator]();
    expect(await batches.next()).toEqual({ done: false, value: [] });
    const response = await opened.promise;
    response.write('{"type":"ADDED"}\n{"type":"BOOK');
    expect(await batches.next()).toEqual({ done: false, value: [{ type: 'ADDED' }] });
    response.end('MARK"}\n');
    expect(await batches.next()).toEqual({ done: false, value: [{ type: 'BOOKMARK' }] });
    expect(await batches.next()).toEqual({ done: true, value: undefined });
  });

  it('does not give an event that was cut off in the middle', async () => {
    await using world = await setUp((_, response) => void response.end('{"a":1}\n{"a":2}'));
    expect(await collect(watchFrom(world.source))).toEqual([{ a: 1 }]);
  });

  it('reads no faster than its reader', async () => {
    const line = `${JSON.stringify({ filler: 'x'.repeat(100_000) })}\n`;
    let written = 0;
    await using world = await setUp(async (_, response) => {
      const closed = once(response, 'close');
      response.writeHead(200);
      while (!response.destroyed && written < 2_000) {
        written += 1;
        if (!response.write(line)) await Promise.race([once(response, 'drain'), closed]);
      }
      response.end();
    });
    const batches = watchFrom(world.source)[Symbol.asyncIterator]();
    await batches.next();
    await batches.next();
    let before = -1;
    while (before !== written) {
      before = written;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    expect(written).toBeLessThan(500);
    await batches.return?.(undefined);
    await eventually(() => world.server.open() === 0);
  });

  it.each([
    ['expired', 410, aStatus(410, 'Expired')],
    ['denied', 403, aStatus(403, 'Forbidden')],
    ['notInstalled', 404, '404 page not found'],
    ['unreachable', 500, aStatus(500, 'InternalError')],
  ])('that is answered otherwise is %s: %i', async (kind, code, body) => {
    await using world = await setUp((_, response) => json(response, code, body), LEADER_GROUPS);
    await expect(collect(watchFrom(world.source))).rejects.toMatchObject({ kind });
  });

  it('is malformed when a line is too long or no JSON, and its connection is closed', async () => {
    await using world = await setUp((_, response) => void response.writeHead(200).write('{"a":\n'));
    await expect(collect(watchFrom(world.source))).rejects.toMatchObject({ kind: 'malformed' });
    world.server.respond = (_, response) =>
      void response.writeHead(200).write(Buffer.alloc(10 * 1024 * 1024 + 1, 0x20));
    await expect(collect(watchFrom(world.source))).rejects.toMatchObject({ kind: 'malformed' });
    await eventually(() => world.server.open() === 0);
  });

  it('throws when it is cut, and closes its connection when it is aborted or left', async () => {
    await using world = await setUp((_, response) => void response.writeHead(200).write('{"a":1}\n'));
    const cut = collect(watchFrom(world.source));
    await Promise.all([
      expect(cut).rejects.toThrow(),
      eventually(() => world.server.requests.length === 1).then(() => world.server.cut()),
    ]);
    const controller = new AbortController();
    const reason = new Error('over');
    const aborted = expect(collect(watchFrom(world.source, controller.signal))).rejects.toBe(reason);
    await eventually(() => world.server.requests.length === 2);
    controller.abort(reason);
    await aborted;
    for await (const batch of watchFrom(world.source)) if (batch.length > 0) break;
    await eventually(() => world.server.open() === 0);
  });
});

describe('a reflector over HTTP', () => {
  const follow = (source: ListWatch, more: Partial<ReflectorOptions<Pod>> = {}) => {
    const names = new Set<string>();
    const reflector = createReflector({
      kind: 'pods',
      source,
      project: projectPod,
      handler: {
        changed: (before, after) => {
          if (before !== null) names.delete(before.name);
          if (after !== null) names.add(after.name);
        },
        synced: () => undefined,
      },
      clock: createClock(),
      random: createFakeRandom('unique', 0.9),
      log: createFakeLog(),
      ...more,
    });
    reflector.start();
    return { reflector, names, [Symbol.asyncDispose]: () => reflector.stop() };
  };

  const lineOf = (value: unknown): string => `${JSON.stringify(value)}\n`;

  /** Lists one pod; its watches stay open and are given to the test. */
  const standing = async () => {
    const watches: ServerResponse[] = [];
    const respond: Respond = (request, response) => {
      if (!request.url.searchParams.has('watch')) {
        json(response, 200, page([rawPod('a')], '10'));
        return;
      }
      response.writeHead(200).flushHeaders();
      watches.push(response);
    };
    return { world: await setUp(respond), watches, respond };
  };

  it('goes on after every kind of refusal, from the last version', async () => {
    const { world, watches, respond } = await standing();
    await using _ = world;
    await using following = follow(world.source);
    for (const [index, code] of [401, 403, 429, 500, 503].entries()) {
      await eventually(() => watches.length === index + 1);
      const version = String(20 + index);
      watches[index]?.write(lineOf(event('ADDED', rawPod(version, { resourceVersion: version }))));
      await eventually(() => following.names.has(version));
      const before = world.server.requests.length;
      world.server.respond = (_, response) => json(response, code, aStatus(code, 'No'));
      world.server.cut();
      await eventually(() => world.server.requests.length > before);
      expect(world.server.requests[before]?.url.searchParams.get('resourceVersion')).toBe(version);
      world.server.respond = respond;
    }
    await eventually(() => watches.length === 6);
    expect(following.reflector.counts().lists).toBe(1);
  });

  it('comes back when the server does, on a port that was refused meanwhile', async () => {
    const { world, watches, respond } = await standing();
    await using _ = world;
    await using following = follow(world.source);
    await eventually(() => watches.length === 1);
    const { port } = world.server;
    await world.server[Symbol.asyncDispose]();
    await eventually(() => following.reflector.problem()?.kind === 'unreachable');
    await using back = await startServer(respond, { port });
    await eventually(() => following.reflector.problem() === null && watches.length === 2);
    expect(back.requests.map(({ url }) => url.searchParams.get('resourceVersion'))).toEqual(['10']);
  });

  it('leaves a server that is frozen, before its headers and after them', async () => {
    const { world, watches, respond } = await standing();
    await using _ = world;
    const limits = { idleMs: 100, openTimeoutMs: 100, pageTimeoutMs: 100 };
    world.server.respond = () => undefined;
    await using following = follow(world.source, { limits });
    await eventually(() => following.reflector.counts().lists === 2);
    world.server.respond = (request, response) => {
      if (request.url.searchParams.has('watch')) return;
      respond(request, response);
    };
    await eventually(() => following.reflector.counts().watches === 3);
    world.server.respond = respond;
    await eventually(() => following.reflector.counts().stalls >= 1);
    await eventually(() => watches.length >= 2);
  });

  it('leaves no request and no socket when it is stopped in a stream', async () => {
    const { world, watches } = await standing();
    await using _ = world;
    const following = follow(world.source);
    await eventually(() => watches.length === 1);
    const made = world.server.requests.length;
    await following.reflector.stop();
    await eventually(() => watches[0]?.destroyed === true);
    expect(world.server.requests).toHaveLength(made);
  });

  it('follows a thousand events in any chunks', async () => {
    const { world, watches } = await standing();
    await using _ = world;
    await using following = follow(world.source);
    await eventually(() => watches.length === 1);
    const all = Buffer.from(
      Array.from({ length: 1000 }, (_, index) =>
        lineOf(event('ADDED', rawPod(`ü${index}`, { resourceVersion: String(11 + index) }))),
      ).join(''),
    );
    for (let start = 0; start < all.length; start += 4093) watches[0]?.write(all.subarray(start, start + 4093));
    await eventually(() => following.names.size === 1001);
    expect(following.reflector.counts()).toMatchObject({ watches: 1, malformed: 0 });
  });
});
