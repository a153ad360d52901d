/** The HTTP port as a kubelet, a Prometheus and a hostile client see it. */
import { once } from 'node:events';
import { Agent, get as httpGet } from 'node:http';
import { connect, createServer as createTcpServer, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { HealthCheck } from '../../../src/http/health.ts';
import { createServer, type ServerOptions } from '../../../src/http/server.ts';
import type { Log, LogFields } from '../../../src/ports/log.ts';

const releases: (() => unknown)[] = [];

afterEach(async () => {
  for (const release of releases.splice(0).toReversed()) await release();
});

const aCheck = (name: string, ok: boolean, message = 'said so'): HealthCheck => ({
  name,
  check: () => ({ ok, message }),
});

function aLog(): Log & { readonly lines: [LogFields, string][] } {
  const lines: [LogFields, string][] = [];
  const write = (fields: LogFields, message: string): void => void lines.push([fields, message]);
  return { lines, debug: write, info: write, warn: write, error: write };
}

async function start(overrides: Partial<ServerOptions> = {}) {
  const server = createServer({
    address: { host: '127.0.0.1', port: 0 },
    health: { live: [], ready: [] },
    metrics: { contentType: 'text/plain; version=0.0.4', render: async () => 'up 1\n' },
    log: aLog(),
    ...overrides,
  });
  releases.push(() => server.close());
  const { port } = await server.listen();
  return { server, port, url: `http://127.0.0.1:${port}` };
}

async function ask(url: string, init: RequestInit = {}) {
  const response = await fetch(url, init);
  return { status: response.status, body: await response.text(), headers: response.headers };
}

/** Sends bytes as they are; resolves with all that comes back until the server ends the connection. */
async function talk(port: number, bytes: string): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  releases.push(() => socket.destroy());
  socket.on('error', () => undefined);
  socket.write(bytes);
  return text(socket).catch(() => '');
}

describe('health', () => {
  it('is 200 with a line for each check while all is well', async () => {
    const { url } = await start({
      health: { live: [aCheck('loop', true)], ready: [aCheck('consul', true), aCheck('caches', true, 'synced')] },
    });
    expect(await ask(`${url}/livez`)).toMatchObject({ status: 200, body: '[+] loop: said so\nlive\n' });
    expect(await ask(`${url}/readyz?verbose`)).toMatchObject({
      status: 200,
      body: '[+] consul: said so\n[+] caches: synced\nready\n',
    });
  });

  it('is 503 with what is wrong first', async () => {
    const { url } = await start({
      health: { live: [], ready: [aCheck('caches', true), aCheck('consul', false, 'no answer for 12 s')] },
    });
    expect(await ask(`${url}/readyz`)).toMatchObject({
      status: 503,
      body: '[-] consul: no answer for 12 s\n[+] caches: said so\nnot ready\n',
    });
    expect(await ask(`${url}/livez`)).toMatchObject({ status: 200, body: 'live\n' });
  });

  it('is 503 when a check itself fails', async () => {
    const broken = {
      name: 'loop',
      check: () => {
        throw new Error('oops');
      },
    };
    const { url } = await start({ health: { live: [broken], ready: [] } });
    expect(await ask(`${url}/livez`)).toMatchObject({
      status: 503,
      body: '[-] loop: the check itself failed: oops\nnot live\n',
    });
  });

  it('is asked anew each time, and is never kept by anyone between', async () => {
    let ok = true;
    const { url } = await start({ health: { live: [], ready: [{ name: 'x', check: () => ({ ok, message: '' }) }] } });
    const first = await ask(`${url}/readyz`);
    ok = false;
    expect([first.status, (await ask(`${url}/readyz`)).status]).toEqual([200, 503]);
    expect(first.headers.get('cache-control')).toBe('no-store');
  });
});

describe('a path', () => {
  it('/metrics has the exposition with its content type', async () => {
    const { url } = await start();
    const answer = await ask(`${url}/metrics`);
    expect(answer).toMatchObject({ status: 200, body: 'up 1\n' });
    expect(answer.headers.get('content-type')).toBe('text/plain; version=0.0.4');
  });

  it('that does not exist is 404, and says which do', async () => {
    const { url } = await start();
    for (const path of ['/', '/metrics/', '/livez/x', '/v1/x', '/LIVEZ']) {
      expect(await ask(url + path)).toMatchObject({
        status: 404,
        body: 'Unknown path. Known paths: /livez, /readyz, /metrics\n',
      });
    }
  });

  it('asked with another method is 405, and says which it answers to', async () => {
    const { url } = await start();
    for (const method of ['POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS']) {
      const answer = await ask(`${url}/livez`, { method });
      expect(answer).toMatchObject({ status: 405, body: 'This path allows GET only.\n' });
      expect(answer.headers.get('allow')).toBe('GET');
    }
  });

  it('answers HEAD as GET without a body', async () => {
    const { url } = await start();
    const answer = await ask(`${url}/metrics`, { method: 'HEAD' });
    expect(answer).toMatchObject({ status: 200, body: '' });
    expect(answer.headers.get('content-length')).toBe('5');
  });

  it('can be added, below a prefix too, with the query that was asked', async () => {
    const { url } = await start({
      routes: [
        {
          path: '/v1/',
          methods: ['GET'],
          handle: ({ path, search }) => ({
            status: 200,
            contentType: 'text/plain',
            body: `${path} ${search.get('token')}`,
          }),
        },
      ],
    });
    expect(await ask(`${url}/v1/a%20b?token=7`)).toMatchObject({ status: 200, body: '/v1/a%20b 7' });
    expect((await ask(`${url}/v1`)).status).toBe(404);
  });

  it('whose handling fails is 500, tells nothing of why, and the log does', async () => {
    const log = aLog();
    const render = async () => Promise.reject(new Error('secret detail'));
    const { url } = await start({ log, metrics: { contentType: 'text/plain', render } });
    expect(await ask(`${url}/metrics`)).toMatchObject({
      status: 500,
      body: 'The request failed; see the log of the operator.\n',
    });
    expect(log.lines).toMatchObject([
      [{ path: '/metrics', error: { message: 'secret detail' } }, 'answering a request failed'],
    ]);
  });
});

describe('a hostile request', () => {
  it.each([
    ['is no HTTP', 'hello\r\n\r\n', '400'],
    ['has an absolute URL', 'GET http://evil/livez HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n', '400'],
    ['has two slashes', 'GET //evil/livez HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n', '400'],
    ['has a star', 'OPTIONS * HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n', '400'],
    ['has broken escapes', 'GET /%zz%00%ff HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n', '404'],
    ['climbs', 'GET /../../etc/passwd HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n', '404'],
    ['names a prototype', 'GET /__proto__ HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n', '404'],
    ['has no host', 'GET /livez HTTP/1.1\r\n\r\n', '400'],
    ['has a huge header', `GET /livez HTTP/1.1\r\nhost: x\r\nx: ${'x'.repeat(9000)}\r\n\r\n`, '431'],
    ['has a huge URL', `GET /${'x'.repeat(9000)} HTTP/1.1\r\nhost: x\r\n\r\n`, '431'],
    ['has two lengths', 'POST /livez HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n', '400'],
    [
      'would smuggle',
      'POST /livez HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n',
      '400',
    ],
  ])('that %s is refused, and the next is served', async (_case, bytes, status) => {
    const { port, url } = await start();
    expect(await talk(port, bytes)).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    expect((await ask(`${url}/livez`)).status).toBe(200);
  });

  it('for a tunnel ends the connection', async () => {
    const { port } = await start();
    expect(await talk(port, 'CONNECT evil:443 HTTP/1.1\r\nhost: evil\r\n\r\n')).toBe('');
  });

  it('with a large body is answered without reading it into memory, and harms nobody', async () => {
    const { url } = await start();
    expect((await ask(`${url}/livez`, { method: 'POST', body: 'x'.repeat(5_000_000) })).status).toBe(405);
    expect((await ask(`${url}/livez`)).status).toBe(200);
  });

  it('whose client goes away tells the handler', async () => {
    const handled = Promise.withResolvers<AbortSignal>();
    const ended = Promise.withResolvers<void>();
    const { url } = await start({
      routes: [
        {
          path: '/v1/wait',
          methods: ['GET'],
          handle: async (_query, signal) => {
            handled.resolve(signal);
            await once(signal, 'abort');
            ended.resolve();
            throw new Error('nobody listens');
          },
        },
      ],
    });
    const abort = new AbortController();
    const asking = ask(`${url}/v1/wait`, { signal: abort.signal }).catch(() => 'gone');
    await handled.promise;
    abort.abort();
    await ended.promise;
    expect(await asking).toBe('gone');
  });
});

describe('whoever takes every connection', () => {
  const FEW = { all: 8, perClient: 6 };

  /** Sends `bytes` and reads nothing of what comes back. */
  const hold = async (port: number, bytes: string, localAddress = '127.0.0.1'): Promise<void> => {
    const socket = connect({ port, host: '127.0.0.1', localAddress });
    releases.push(() => socket.destroy());
    socket.on('error', () => undefined);
    socket.pause();
    await once(socket, 'connect');
    if (bytes !== '') socket.write(bytes);
  };

  it.each([
    ['and asks nothing', ''],
    ['and sends half a request', 'GET /livez HTTP/1.1\r\nhost: x\r\n'],
    ['and does not read the answer', 'GET /large HTTP/1.1\r\nhost: x\r\n\r\n'],
  ])('%s keeps nobody else out, and is counted and told of', async (_case, bytes) => {
    const refused: string[] = [];
    const log = aLog();
    let handled = 0;
    const large: ServerOptions['routes'] = [
      {
        path: '/large',
        methods: ['GET'],
        handle: () => {
          handled += 1;
          return { status: 200, contentType: 'text/plain', body: 'x'.repeat(20_000_000) };
        },
      },
    ];
    const { port, url } = await start({
      log,
      routes: large,
      connectionLimits: FEW,
      connectionRefused: (what) => refused.push(what),
    });
    for (let at = 0; at < 20; at += 1) {
      // Only Linux has all of 127/8.
      await hold(port, bytes, process.platform === 'linux' ? `127.0.0.${2 + (at % 4)}` : '127.0.0.1');
      if (bytes.includes('/large')) await vi.waitFor(() => expect(handled).toBe(at + 1), { interval: 1 });
    }
    for (let at = 0; at < 3; at += 1)
      expect(await ask(`${url}/livez`, { headers: { connection: 'close' } })).toMatchObject({ status: 200 });
    expect(refused.length).toBeGreaterThanOrEqual(12);
    expect(new Set(refused)).toEqual(new Set(['evicted']));
    expect(log.lines).toMatchObject([
      [{ client: expect.stringMatching(/^127/) }, expect.stringContaining('too many are open')],
    ]);
  });
});

describe('listening', () => {
  it('on a port in use is one sentence that says what to do', async () => {
    const { port } = await start();
    await expect(start({ address: { host: '127.0.0.1', port } })).rejects.toThrow(
      `Cannot listen on 127.0.0.1:${port}: the port is in use by another process; set http.address or LEADERGROUP_HTTP_ADDRESS to another.`,
    );
  });

  it('on an address of another machine is one sentence', async () => {
    await expect(start({ address: { host: '192.0.2.1', port: 0 } })).rejects.toThrow(
      'Cannot listen on 192.0.2.1:0: this machine has no such address; set http.address',
    );
  });

  it('can be given up before it began', async () => {
    const server = createServer({
      address: { host: '127.0.0.1', port: 0 },
      health: { live: [], ready: [] },
      metrics: { contentType: 'x', render: async () => '' },
      log: aLog(),
    });
    await server.close();
    await server.close();
  });
});

describe('whoever sends thousands of requests before it reads an answer', () => {
  it('has a few of them worked on, and loses its connection', async () => {
    let begun = 0;
    const answered = Promise.withResolvers<string>();
    const refused: string[] = [];
    const { port, url } = await start({
      metrics: { contentType: 'text/plain', render: () => ((begun += 1), answered.promise) },
      connectionRefused: (what) => refused.push(what),
    });
    expect(await talk(port, 'GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n'.repeat(5000))).toBe('');
    expect([begun, refused]).toEqual([32, ['refused']]);
    answered.resolve('up 1\n');
    expect((await ask(`${url}/metrics`)).status).toBe(200);
  });
});

describe('closing', () => {
  it('ends connections that are kept alive, and frees the port', async () => {
    const { server, url, port } = await start();
    const agent = new Agent({ keepAlive: true });
    releases.push(() => agent.destroy());
    const [response] = await once(httpGet(`${url}/livez`, { agent }), 'response');
    await text(response);
    await server.close();
    const other = createTcpServer();
    releases.push(() => other.close());
    other.listen(port, '127.0.0.1');
    await once(other, 'listening');
  });

  it('does not wait long for a client that never finishes its request', async () => {
    const { server, port } = await start();
    const socket: Socket = connect(port, '127.0.0.1');
    releases.push(() => socket.destroy());
    socket.write('GET /livez HTTP/1.1\r\nhost: x\r\n');
    await once(socket, 'connect');
    const ended = once(socket, 'close');
    await server.close();
    await ended;
  });

  it('tells handlers that wait', async () => {
    const handled = Promise.withResolvers<AbortSignal>();
    const { server, url } = await start({
      routes: [
        {
          path: '/v1/wait',
          methods: ['GET'],
          handle: async (_query, signal) => {
            handled.resolve(signal);
            await once(signal, 'abort');
            return { status: 503, contentType: 'text/plain', body: 'closing' };
          },
        },
      ],
    });
    const asking = ask(`${url}/v1/wait`);
    await handled.promise;
    await server.close();
    expect(await asking).toMatchObject({ status: 503, body: 'closing' });
  });
});
