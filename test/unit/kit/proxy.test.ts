import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { selfSigned } from '../../kit/fakes/certificate.ts';
import { readKubeconfig, writeKubeconfig } from '../../kit/rig/kubeconfig.ts';
import { type Proxy, startConsulProxy, startKubeProxy } from '../../kit/rig/proxy.ts';
import { kubeRest } from '../../kit/rig/rest.ts';
import { waiting } from '../../kit/rig/waiting.ts';

/** A server that counts: PUT commits a value, GET reads it, GET /stream?index=1 sends a chunk whenever it is told to, GET /hang never answers. */
async function startServer() {
  const wait = waiting();
  const commits: string[] = [];
  const streams: ServerResponse[] = [];
  let hanging = 0;
  const server = createServer((incoming, response) => {
    if (incoming.url?.includes('index=') === true) {
      response.writeHead(200).flushHeaders();
      streams.push(response);
      wait.note('stream');
      return;
    }
    if (incoming.url === '/hang') {
      hanging += 1;
      response.on('close', () => {
        hanging -= 1;
        wait.note('left');
      });
      wait.note('hangs');
      return;
    }
    let body = '';
    incoming.on('data', (chunk) => (body += String(chunk)));
    incoming.on('end', () => {
      if (incoming.method === 'PUT') commits.push(body);
      wait.note(`${incoming.method} ${body}`);
      response.writeHead(incoming.method === 'PUT' ? 201 : 200, { 'x-commits': commits.length }).end(`did ${body}`);
    });
  });
  const port = await listen(server);
  const close = (): void => {
    server.closeAllConnections();
    server.close();
  };
  return { url: `http://127.0.0.1:${port}`, commits, streams, hanging: () => hanging, until: wait.until, close };
}

async function listen(server: Server): Promise<number> {
  const { promise, resolve } = Promise.withResolvers<void>();
  server.listen(0, '127.0.0.1', resolve);
  await promise;
  return (server.address() as AddressInfo).port;
}

const put = (proxy: Proxy, body: string, signal?: AbortSignal): Promise<Response> =>
  fetch(`${proxy.url}/v1/txn`, { method: 'PUT', body, signal: signal ?? AbortSignal.timeout(10_000) });
const isPut = ({ method }: { readonly method: string }): boolean => method === 'PUT';

describe('the proxy', () => {
  let server: Awaited<ReturnType<typeof startServer>>;
  let proxy: Proxy;

  beforeEach(async () => {
    server = await startServer();
    proxy = await startConsulProxy(server.url);
  });
  afterEach(async () => {
    await proxy[Symbol.asyncDispose]();
    server.close();
  });

  it('passes requests and answers on unchanged, and keeps them', async () => {
    const answer = await put(proxy, 'äpfel');
    expect([answer.status, answer.headers.get('x-commits'), await answer.text()]).toEqual([201, '1', 'did äpfel']);
    expect(proxy.exchanges).toMatchObject([
      { method: 'PUT', path: '/v1/txn', body: 'äpfel', status: 201, answer: 'did äpfel' },
    ]);
  });

  it('tells clients something else than the server, of what is to be altered and as long as it is', async () => {
    const end = proxy.alter(isPut, ({ headers, body }) => ({
      headers: { ...headers, 'x-commits': 9 },
      body: `${body}!`,
    }));
    const altered = await put(proxy, 'äpfel');
    expect([altered.headers.get('x-commits'), await altered.text()]).toEqual(['9', 'did äpfel!']);
    expect(proxy.exchanges).toMatchObject([{ answer: 'did äpfel' }]);
    end();
    expect(await (await put(proxy, 'äpfel')).text()).toBe('did äpfel');
  });

  it('keeps a held request from the server until it is released', async () => {
    using hold = proxy.hold(isPut, { mode: 'beforeForwarding' });
    const answer = put(proxy, 'late');
    const held = await hold.held(1);
    expect(held.body).toBe('late');
    expect(server.commits).toEqual([]);
    held.release();
    expect((await answer).status).toBe(201);
    expect(server.commits).toEqual(['late']);
  });

  it('delivers a held request on release although its client has given up', async () => {
    using hold = proxy.hold(isPut, { mode: 'beforeForwarding' });
    const client = new AbortController();
    const answer = put(proxy, 'late', client.signal);
    const held = await hold.held(1);
    client.abort();
    await expect(answer).rejects.toThrow(/abort/);
    held.release();
    await server.until(() => server.commits.includes('late'), { timeoutMs: 5_000, what: 'the late request' });
  });

  it('gives a request up at the server when its client has, as a direct connection would', async () => {
    const client = new AbortController();
    const answer = fetch(`${proxy.url}/hang`, { signal: client.signal });
    await server.until(() => server.hanging() === 1, { timeoutMs: 5_000, what: 'the request at the server' });
    client.abort();
    await expect(answer).rejects.toThrow(/abort/);
    await server.until(() => server.hanging() === 0, { timeoutMs: 5_000, what: 'the end of the request' });
  });

  it('never delivers a held request that was dropped', async () => {
    using hold = proxy.hold(isPut, { mode: 'beforeForwarding', times: 1 });
    const answer = put(proxy, 'lost');
    (await hold.held(1)).drop();
    await expect(answer).rejects.toThrow(/fetch failed/);
    await put(proxy, 'next');
    expect(server.commits).toEqual(['next']);
  });

  it('holds back the reply of a request that the server has committed', async () => {
    using hold = proxy.hold(isPut, { mode: 'reply' });
    const answer = put(proxy, 'done');
    const held = await hold.held(1);
    expect(server.commits).toEqual(['done']);
    expect(held.status).toBe(201);
    expect(proxy.exchanges[0]?.answeredMs).toBeNull();
    held.release();
    expect(await (await answer).text()).toBe('did done');
  });

  it('drops the reply of a request that the server has committed', async () => {
    using hold = proxy.hold(isPut, { mode: 'dropReply', times: 1 });
    await expect(put(proxy, 'done')).rejects.toThrow(/fetch failed/);
    expect((await hold.held(1)).status).toBe(201);
    expect(server.commits).toEqual(['done']);
    expect((await put(proxy, 'again')).status).toBe(201);
  });

  it('cuts a request that the server never sees', async () => {
    using hold = proxy.hold(isPut, { mode: 'cut', times: 1 });
    await expect(put(proxy, 'never')).rejects.toThrow(/fetch failed/);
    expect(hold.requests).toHaveLength(1);
    expect(server.commits).toEqual([]);
  });

  it('holds only what matches, and only as often as asked', async () => {
    using hold = proxy.hold(({ body }) => body === 'a', { mode: 'beforeForwarding', times: 1 });
    await put(proxy, 'b');
    const first = put(proxy, 'a');
    await hold.held(1);
    await put(proxy, 'a');
    hold.release();
    await first;
    expect(server.commits).toEqual(['b', 'a', 'a']);
  });

  it('delays a request without losing it', async () => {
    const end = proxy.delay(isPut, 60);
    await put(proxy, 'slow');
    end();
    const [exchange] = proxy.exchanges;
    expect((exchange?.forwardedMs ?? 0) - (exchange?.receivedMs ?? 0)).toBeGreaterThan(50);
  });

  it('passes a stream on chunk by chunk, and ends it for the server when the client leaves', async () => {
    const client = new AbortController();
    const answer = await fetch(`${proxy.url}/stream?index=1`, { signal: client.signal });
    const chunks = answer.body?.pipeThrough(new TextDecoderStream()).getReader();
    const [source] = server.streams;
    const left = Promise.withResolvers<void>();
    source?.on('close', () => left.resolve());
    source?.write('one');
    expect(await chunks?.read()).toMatchObject({ value: 'one' });
    source?.write('two');
    expect(await chunks?.read()).toMatchObject({ value: 'two' });
    client.abort();
    await left.promise;
  });

  it('cuts what is under way and accepts new connections afterwards', async () => {
    const stream = await fetch(`${proxy.url}/stream?index=1`);
    proxy.cutAll();
    await expect(stream.text()).rejects.toThrow(/terminated/);
    expect((await put(proxy, 'after')).status).toBe(201);
  });

  it('lets nothing through while it is isolated', async () => {
    const heal = proxy.isolate();
    await expect(put(proxy, 'lost')).rejects.toThrow(/fetch failed/);
    heal();
    await put(proxy, 'after');
    expect(server.commits).toEqual(['after']);
  });

  it('says what it waited for when no request matches', async () => {
    using hold = proxy.hold(() => false, { mode: 'cut' });
    await expect(hold.held(1, { timeoutMs: 10 })).rejects.toThrow(
      /not seen within 10 ms: request 1 that matches a hold/,
    );
  });

  it('shows the server a broken connection, not an answer, when the server breaks it', async () => {
    server.close();
    await expect(put(proxy, 'x')).rejects.toThrow(/fetch failed/);
  });
});

describe('the proxy in front of an API server', () => {
  it('speaks TLS on both sides and shows the server the token of the original kubeconfig', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'leadergroup-proxy-'));
    const certificate = selfSigned();
    const server = createTlsServer(certificate, (incoming: IncomingMessage, response: ServerResponse) => {
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ authorization: incoming.headers.authorization, path: incoming.url }));
    });
    const [original, copy] = [join(folder, 'kubeconfig'), join(folder, 'copy')];
    const real = { ca: certificate.cert, cert: undefined, key: undefined, token: 'secret' };
    await writeKubeconfig(original, { server: `https://127.0.0.1:${await listen(server)}`, ...real });
    try {
      await using proxy = await startKubeProxy(original, copy);
      const access = await readKubeconfig(copy);
      expect(access.server.origin).toBe(proxy.url);
      await using rest = kubeRest(access);
      expect(await rest.must('GET', '/api/v1/pods?limit=1')).toEqual({
        authorization: 'Bearer secret',
        path: '/api/v1/pods?limit=1',
      });
    } finally {
      server.closeAllConnections();
      server.close();
      await rm(folder, { recursive: true, force: true });
    }
  });
});
