import { createServer } from 'node:net';
import { describe, expect, it } from 'vitest';
import { createClock } from '../../../../src/clock.ts';
import { selfSigned } from '../../../kit/fakes/certificate.ts';
import { aGet, createClient, eventually, forever, plainAccess } from '../../../kit/fakes/kubernetes/client.ts';
import { aStatus, json, type Respond, startServer } from '../../../kit/fakes/kubernetes/server.ts';
import { startTunnelProxy } from '../../../kit/fakes/tunnel.ts';

const ok: Respond = (_, response) => json(response, 200, { fine: true });
const silent = (): void => undefined;

describe('connections', () => {
  it('are no more than 16 for a thousand requests at once, and the same ones for a thousand in a row', async () => {
    await using server = await startServer(ok);
    await using client = createClient(plainAccess(server.url));
    const send = () => client.transport.send(aGet('/x'), forever);
    await Promise.all(Array.from({ length: 1000 }, send));
    expect(server.connections()).toBeLessThanOrEqual(16);
    const before = server.connections();
    for (let sent = 0; sent < 1000; sent += 1) await send();
    expect(server.connections()).toBe(before);
  });

  it('do not pile up when watches are opened again and again', async () => {
    await using server = await startServer((_, response) => void response.writeHead(200).write('{}\n'));
    await using client = createClient(plainAccess(server.url));
    for (let opened = 0; opened < 100; opened += 1) {
      const controller = new AbortController();
      const stream = await client.transport.stream('/watch', controller.signal);
      if (stream.kind !== 'streaming') throw new Error('no stream');
      const reading = (async () => {
        for await (const chunk of stream.body) if (chunk.length > 0) controller.abort(new Error('enough'));
      })();
      await expect(reading).rejects.toThrow('enough');
    }
    await eventually(() => server.open() === 0);
  });

  it('for lists and watches are others than those for brief requests', async () => {
    await using server = await startServer((request, response) => {
      if (request.url.pathname === '/watch') response.writeHead(200).write('\n');
      else ok(request, response);
    });
    await using client = createClient(plainAccess(server.url));
    const controller = new AbortController();
    const streams = Array.from({ length: 30 }, () => client.transport.stream('/watch', controller.signal));
    expect((await Promise.all(streams)).map(({ kind }) => kind)).toEqual(Array.from({ length: 30 }, () => 'streaming'));
    expect(await client.transport.send(aGet('/x'), forever)).toMatchObject({ status: 200 });
    controller.abort();
  });

  it('are new ones after a request without an answer: idle ones may be as dead', async () => {
    await using server = await startServer(ok);
    await using client = createClient(plainAccess(server.url));
    const send = (timeoutMs = 5_000) => client.transport.send(aGet('/x', { timeoutMs }), forever);
    await Promise.all(Array.from({ length: 16 }, () => send()));
    const dead = server.connections();
    server.respond = (request, response) => (request.connection <= dead ? silent() : ok(request, response));
    expect(await send(50)).toMatchObject({ kind: 'failed', timedOut: true });
    expect(await send()).toMatchObject({ status: 200 });
  });

  it('are new ones when the certificate authority changes, and old ones end when they are no longer used', async () => {
    const first = selfSigned();
    const second = selfSigned();
    const tls = (ca: string) => ({ ca, cert: undefined, key: undefined, servername: undefined, insecure: false });
    await using old = await startServer(
      (request, response) =>
        request.url.pathname === '/watch' ? void response.writeHead(200).write('\n') : json(response, 401, {}),
      { tls: first },
    );
    await using client = createClient(plainAccess(old.url, { tls: tls(first.cert) }));
    const controller = new AbortController();
    const stream = await client.transport.stream('/watch', controller.signal);
    expect(stream.kind).toBe('streaming');
    await using renewed = await startServer(ok, { tls: second });
    client.access = plainAccess(renewed.url, { tls: tls(second.cert) });
    expect(await client.transport.send(aGet('/x'), forever)).toMatchObject({ status: 200 });
    expect(old.open()).toBeGreaterThan(0);
    controller.abort();
    await eventually(() => old.open() === 0);
  });
});

describe('TLS', () => {
  const certificate = selfSigned('api.internal');
  const tls = { ca: certificate.cert, cert: undefined, key: undefined, servername: undefined, insecure: false };

  it.each([
    ['trusts the authority that is given', tls, 'answered'],
    ['trusts no other', { ...tls, ca: selfSigned().cert }, 'failed'],
    ['trusts none when none is given', { ...tls, ca: undefined }, 'failed'],
    ['trusts anybody when told to', { ...tls, ca: undefined, insecure: true }, 'answered'],
    ['expects the name that is given', { ...tls, servername: 'api.internal' }, 'answered'],
    ['expects no other name', { ...tls, servername: 'other.internal' }, 'failed'],
  ])('%s', async (_, material, kind) => {
    await using server = await startServer(ok, { tls: certificate });
    await using client = createClient(plainAccess(server.url, { tls: material }));
    expect((await client.transport.send(aGet('/x'), forever)).kind).toBe(kind);
  });
});

describe('a proxy', () => {
  it('is gone through, with the certificate of the server checked behind it', async () => {
    const certificate = selfSigned();
    using proxy = await startTunnelProxy();
    await using server = await startServer(ok, { tls: certificate });
    for (const [ca, kind] of [
      [certificate.cert, 'answered'],
      [selfSigned().cert, 'failed'],
    ] as const) {
      const tls = { ca, cert: undefined, key: undefined, servername: undefined, insecure: false };
      await using client = createClient(plainAccess(server.url, { tls, proxy: proxy.url }));
      expect((await client.transport.send(aGet('/x'), forever)).kind).toBe(kind);
    }
    expect(proxy.tunnels()).toBe(2);
    expect(server.requests).toHaveLength(1);
  });
});

describe('a request', () => {
  it('goes below the path of the server, with its credentials and its content type', async () => {
    await using server = await startServer(ok);
    await using client = createClient(plainAccess(`${server.url}/k8s/clusters/c-1/`));
    const body = { type: 'application/merge-patch+json', content: { a: 'ü' } };
    await client.transport.send(aGet('/api/v1/pods?x=1', { method: 'PATCH', body }), forever);
    const [request] = server.requests;
    expect(request).toMatchObject({ method: 'PATCH', text: '{"a":"ü"}' });
    expect(request?.url.href).toBe('http://test/k8s/clusters/c-1/api/v1/pods?x=1');
    expect(request?.headers).toMatchObject({
      authorization: 'Bearer one',
      'content-type': 'application/merge-patch+json',
      accept: 'application/json',
    });
  });

  it.each([
    ['no headers come', silent],
    [
      'the body stops',
      (_: unknown, response: Parameters<typeof json>[0]) =>
        void response.writeHead(200, { 'content-length': 10 }).write('{'),
    ],
  ])('is given up when its time is over: %s', async (_, respond) => {
    await using server = await startServer(respond);
    await using client = createClient(plainAccess(server.url));
    const answer = await client.transport.send(aGet('/x', { timeoutMs: 50 }), forever);
    expect(answer).toMatchObject({ kind: 'failed', timedOut: true, reason: 'no answer within 50 ms' });
    await eventually(() => server.open() === 0);
  });

  it('is given up when the server does not even accept connections in time', async () => {
    const listening = Promise.withResolvers<void>();
    const deaf = createServer(() => undefined).listen(0, '127.0.0.1', () => listening.resolve());
    await listening.promise;
    const { port } = deaf.address() as { port: number };
    const certificate = selfSigned();
    const tls = { ca: certificate.cert, cert: undefined, key: undefined, servername: undefined, insecure: false };
    await using client = createClient(plainAccess(`https://127.0.0.1:${port}`, { tls }));
    expect(await client.transport.send(aGet('/x', { timeoutMs: 100 }), forever)).toMatchObject({ timedOut: true });
    deaf.close();
  });

  it('fails when the connection is refused or cut, and says so', async () => {
    await using server = await startServer((_, response) => void response.destroy());
    await using client = createClient(plainAccess(server.url));
    expect(await client.transport.send(aGet('/x'), forever)).toMatchObject({ kind: 'failed', timedOut: false });
    await server[Symbol.asyncDispose]();
    expect(await client.transport.send(aGet('/x'), forever)).toMatchObject({
      kind: 'failed',
      reason: expect.stringContaining('ECONNREFUSED'),
    });
  });

  it("rejects with the signal's reason when aborted, before and after it was sent", async () => {
    await using server = await startServer(silent);
    await using client = createClient(plainAccess(server.url));
    const reason = new Error('the pass is over');
    await expect(client.transport.send(aGet('/x'), AbortSignal.abort(reason))).rejects.toBe(reason);
    const controller = new AbortController();
    const sending = expect(client.transport.send(aGet('/x'), controller.signal)).rejects.toBe(reason);
    await eventually(() => server.requests.length === 1);
    controller.abort(reason);
    await sending;
    expect(server.requests).toHaveLength(1);
  });

  it('keeps an answer that is no JSON as text', async () => {
    await using server = await startServer((_, response) => void response.end('<html>'));
    await using client = createClient(plainAccess(server.url));
    expect(await client.transport.send(aGet('/x'), forever)).toMatchObject({ status: 200, body: '<html>' });
  });

  it('is reported with its status and duration, also without an answer', async () => {
    await using server = await startServer((request, response) =>
      request.url.pathname === '/x' ? json(response, 418, {}) : void response.destroy(),
    );
    await using client = createClient(plainAccess(server.url));
    await client.transport.send(aGet('/x'), forever);
    await client.transport.send(aGet('/y', { verb: 'patch' }), forever);
    expect(client.reports).toEqual([
      { verb: 'get', resource: 'pods', status: 418, milliseconds: expect.any(Number) },
      { verb: 'patch', resource: 'pods', status: null, milliseconds: expect.any(Number) },
    ]);
  });

  it('leaves no timer behind', async () => {
    let timers = 0;
    const real = createClock();
    const counting = {
      ...real,
      after: (delayMs: number, callback: () => void) => {
        timers += 1;
        const cancel = real.after(delayMs, callback);
        let isOver = false;
        return () => {
          if (!isOver) timers -= 1;
          isOver = true;
          cancel();
        };
      },
    };
    await using server = await startServer(ok);
    await using client = createClient(plainAccess(server.url), counting);
    await client.transport.send(aGet('/x'), forever);
    expect(timers).toBe(0);
  });
});

describe('what the API server warns of', () => {
  const warned = async (header: string | readonly string[]) => {
    await using server = await startServer((_, response) =>
      json(response, 200, {}, { ['warning' as string]: [header].flat() }),
    );
    await using client = createClient(plainAccess(server.url));
    await client.transport.send(aGet('/x', { verb: 'update', resource: 'endpointslices' }), forever);
    return client.warnings;
  };
  const of = (...texts: readonly string[]) =>
    texts.map((warning) => ({ verb: 'update', resource: 'endpointslices', warning }));

  it('is told, each text with the request that it is about', async () => {
    expect(await warned('299 - "not the operator\'s"')).toEqual(of("not the operator's"));
    expect(await warned(['299 - "one"', '299 kube "two, \\"quoted\\""'])).toEqual(of('one', 'two, "quoted"'));
    expect(await warned('299 - "one", 299 - "two"')).toEqual(of('one', 'two'));
  });

  it('is nothing where the header is none', async () => {
    expect(await warned('nonsense')).toEqual([]);
  });
});

describe('a 401', () => {
  const onlyTwo: Respond = (request, response) =>
    request.headers.authorization === 'Bearer two'
      ? json(response, 200, {})
      : json(response, 401, aStatus(401, 'Unauthorized'));

  it('is over when the token has rotated', async () => {
    await using server = await startServer((request, response) => json(response, 200, request.headers.authorization));
    await using client = createClient(plainAccess(server.url));
    await client.transport.send(aGet('/x'), forever);
    client.access = plainAccess(server.url, { headers: { authorization: 'Bearer two' } });
    server.respond = onlyTwo;
    const body = { type: 'application/merge-patch+json', content: { a: 1 } };
    const answers = await Promise.all(
      Array.from({ length: 10 }, () => client.transport.send(aGet('/x', { method: 'PATCH', body }), forever)),
    );
    expect(answers.map((answer) => answer.kind === 'answered' && answer.status)).toEqual(
      Array.from({ length: 10 }, () => 200),
    );
    expect(server.requests.slice(1).every(({ text }) => text === '{"a":1}')).toBe(true);
    expect(client.opened()).toBe(2);
  });

  it('is over for watches, too', async () => {
    await using server = await startServer((_, response) => json(response, 200, {}));
    await using client = createClient(plainAccess(server.url));
    await client.transport.send(aGet('/x'), forever);
    client.access = plainAccess(server.url, { headers: { authorization: 'Bearer two' } });
    server.respond = onlyTwo;
    const stream = await client.transport.stream('/watch', forever);
    expect(stream.kind).toBe('streaming');
    if (stream.kind === 'streaming') for await (const chunk of stream.body) expect(String(chunk)).toBe('{}');
  });

  it('is the answer when there are no others', async () => {
    await using server = await startServer(onlyTwo);
    await using client = createClient(plainAccess(server.url));
    expect(await client.transport.send(aGet('/x'), forever)).toMatchObject({ status: 401 });
    expect(server.requests).toHaveLength(1);
  });
});

describe('close', () => {
  it('cuts every connection, in use or not', async () => {
    await using server = await startServer(silent);
    const client = createClient(plainAccess(server.url));
    const pending = client.transport.send(aGet('/x'), forever);
    await eventually(() => server.requests.length === 1);
    await client.transport.close();
    expect(await pending).toMatchObject({ kind: 'failed' });
    await eventually(() => server.open() === 0);
    expect(await client.transport.send(aGet('/x'), forever)).toMatchObject({
      reason: expect.stringContaining('closed'),
    });
    expect(server.requests).toHaveLength(1);
  });
});
