/** The adapter against a scripted server: what reaches the wire, and what becomes of every way an answer can fail. */

import { getEventListeners, once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type AddressInfo, createServer as createTcpServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate, setTimeout } from 'node:timers/promises';
import { inspect } from 'node:util';
import { afterEach, describe, expect, it } from 'vitest';
import { type ConsulClient, type ConsulOptions, createConsul, type RequestReport } from '../../../src/consul/consul.ts';
import { ConsulError } from '../../../src/ports/consul.ts';
import { sessionId } from '../../kit/fakes/ids.ts';
import { noLog } from '../../kit/model/sinks.ts';

type Seen = { readonly method: string; readonly url: string; readonly token: unknown; readonly body: string };
type Script = (request: Seen, response: ServerResponse) => void;

const releases: (() => unknown)[] = [];

afterEach(async () => {
  for (const release of releases.splice(0).toReversed()) await release();
});

function endWithTest(server: Server, sockets: Set<Socket>): void {
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  releases.push(async () => {
    server.close();
    for (const socket of sockets) socket.destroy();
    if (server.listening) await once(server, 'close');
  });
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}

/** An HTTP server that answers by the script; `seen` is what it was asked, `connections` how often it was connected to. */
async function serve(script: Script, host = '127.0.0.1') {
  const seen: Seen[] = [];
  const sockets = new Set<Socket>();
  let connections = 0;
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { method = '', url = '', headers } = request;
    const asked = { method, url, token: headers['x-consul-token'], body: await bodyOf(request) };
    seen.push(asked);
    script(asked, response);
  };
  const server = createServer((request, response) => void answer(request, response));
  server.on('connection', () => (connections += 1));
  endWithTest(server, sockets);
  server.listen(0, host);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const shown = host.includes(':') ? `[${host}]` : host;
  return { address: `http://${shown}:${port}`, seen, sockets, connections: () => connections };
}

/** A server below HTTP: gets each connection as it is. */
async function serveRaw(script: (socket: Socket) => void) {
  const server = createTcpServer((socket) => {
    socket.on('error', () => undefined);
    script(socket);
  });
  endWithTest(server, new Set());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function connect(address: string, overrides: Partial<ConsulOptions> = {}): ConsulClient {
  const consul = createConsul({
    address,
    token: null,
    tokenFile: null,
    tls: null,
    requestTimeoutMs: 5000,
    prefix: 'leadergroup',
    log: noLog,
    ...overrides,
  });
  releases.push(() => consul.close());
  return consul;
}

function say(response: ServerResponse, status: number, body: unknown, headers: Record<string, string> = {}): void {
  response.writeHead(status, { 'content-type': 'application/json', 'x-consul-index': '7', ...headers });
  response.end(typeof body === 'string' ? body : JSON.stringify(body));
}

const always =
  (status: number, body: unknown, headers: Record<string, string> = {}): Script =>
  (_request, response) =>
    say(response, status, body, headers);

const forever = new AbortController().signal;

async function failureOf(promise: Promise<unknown>): Promise<ConsulError> {
  const error = await promise.then(
    (value) => new Error(`no failure but ${JSON.stringify(value)}`),
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(ConsulError);
  return error as ConsulError;
}

const lock = [{ verb: 'lock', key: 'k/a', session: sessionId('s1'), value: 'v' }] as const;
const renewed = [{ ID: 's1', Name: '', Node: 'n', TTL: '10s', LockDelay: 0, CreateIndex: 1 }];

/** Every method with an answer that it takes for success. */
const METHODS: readonly (readonly [
  string,
  unknown,
  (consul: ConsulClient, signal: AbortSignal) => Promise<unknown>,
])[] = [
  ['registerNode', 'true', (consul, signal) => consul.registerNode('n', signal)],
  [
    'createSession',
    { ID: 's1' },
    (consul, signal) => consul.createSession({ node: 'n', name: 's', ttlMs: 10_000, lockDelayMs: 0 }, signal),
  ],
  ['renewSession', renewed, (consul, signal) => consul.renewSession(sessionId('s1'), signal)],
  ['destroySession', 'true', (consul, signal) => consul.destroySession(sessionId('s1'), signal)],
  ['sessionInfo', renewed, (consul, signal) => consul.sessionInfo(sessionId('s1'), signal)],
  ['listSessions', renewed, (consul, signal) => consul.listSessions('n', signal)],
  [
    'txn',
    { Results: [{ KV: { Key: 'k/a', Flags: 0, Value: null, CreateIndex: 1, ModifyIndex: 1 } }] },
    (consul, signal) => consul.txn(lock, signal),
  ],
  [
    'readKeys',
    { Results: [{ KV: { Key: 'k/a', Flags: 0, Value: null, CreateIndex: 1, ModifyIndex: 1 } }] },
    (consul, signal) => consul.readKeys(['k/a'], signal),
  ],
  ['readPrefix', [], (consul, signal) => consul.readPrefix('k/', { index: 0, waitMs: 0 }, signal)],
  ['listKeys', [], (consul, signal) => consul.listKeys('k/', signal)],
];

describe('what reaches Consul', () => {
  it('is one request for each method, reads that others rely on being consistent, none stale', async () => {
    const answers = new Map<string, unknown>();
    const { address, seen } = await serve((request, response) => say(response, 200, answers.get('next') ?? request));
    const consul = connect(address);
    for (const [, answer, call] of METHODS) {
      answers.set('next', answer);
      await call(consul, forever);
    }
    expect(seen.map(({ method, url }) => `${method} ${url}`)).toEqual([
      'PUT /v1/catalog/register',
      'PUT /v1/session/create',
      'PUT /v1/session/renew/s1',
      'PUT /v1/session/destroy/s1',
      'GET /v1/session/info/s1?consistent=',
      'GET /v1/session/node/n?consistent=',
      'PUT /v1/txn',
      'PUT /v1/txn?consistent=',
      'GET /v1/kv/k/?recurse=',
      'GET /v1/kv/k/?keys=',
    ]);
  });

  it('lets others have their turn between decoding a list of sessions, which may be long, and what is done with it', async () => {
    const { address } = await serve(always(200, renewed));
    const order: string[] = [];
    const others = (): void => void setImmediate().then(() => order.push('others'));
    await connect(address, { onRequest: others }).listSessions('n', forever);
    order.push('the caller');
    expect(order).toEqual(['others', 'the caller']);
  });

  it('asks consistently when a transaction only checks, since Consul then treats it as a read', async () => {
    const { address, seen } = await serve(always(200, { Results: [] }));
    await connect(address).txn([{ verb: 'check-not-exists', key: 'k' }], forever);
    expect(seen[0]?.url).toBe('/v1/txn?consistent=');
  });

  it('holds a blocking read by index and wait, and not when the index is 0', async () => {
    const { address, seen } = await serve(always(200, []));
    const consul = connect(address);
    await consul.readPrefix('k/', { index: 7, waitMs: 20_000 }, forever);
    await consul.readPrefix('k/', { index: 0, waitMs: 20_000 }, forever);
    expect(seen.map(({ url }) => url)).toEqual(['/v1/kv/k/?recurse=&index=7&wait=20000ms', '/v1/kv/k/?recurse=']);
  });

  it('keeps its connections for requests that follow each other', async () => {
    const { address, connections } = await serve(always(200, renewed));
    const consul = connect(address);
    for (let count = 0; count < 20; count += 1) await consul.renewSession(sessionId('s1'), forever);
    // A connection is free again a moment after its answer is known.
    expect(connections()).toBeLessThanOrEqual(2);
  });

  it('lets nothing keep a renewal waiting, and has less than half of the connections Consul allows', async () => {
    const held: ServerResponse[] = [];
    const { address, connections } = await serve((request, response) => {
      if (request.url.includes('/session/renew/')) say(response, 200, renewed);
      else held.push(response);
    });
    const consul = connect(address);
    const end = new AbortController();
    const sent = Array.from({ length: 150 }, () => consul.txn(lock, end.signal).catch(() => 'ended'));
    const watches = Array.from({ length: 150 }, () =>
      consul.readPrefix('k/', { index: 7, waitMs: 20_000 }, end.signal).catch(() => 'ended'),
    );
    await expect.poll(() => held.length).toBe(78);
    const renewals = await Promise.all(
      Array.from({ length: 200 }, () => consul.renewSession(sessionId('s1'), forever)),
    );
    expect(new Set(renewals)).toEqual(new Set(['renewed']));
    expect(connections()).toBeLessThan(100);
    end.abort();
    expect(new Set(await Promise.all([...sent, ...watches]))).toEqual(new Set(['ended']));
  });

  it('reaches an IPv6 address', async ({ skip }) => {
    const server = await serve(always(200, renewed), '::1').catch(() => null);
    if (server === null) return skip('this machine has no IPv6');
    await expect(connect(server.address).renewSession(sessionId('s1'), forever)).resolves.toBe('renewed');
  });

  it('keeps the path of an address behind a proxy', async () => {
    const { address, seen } = await serve(always(200, renewed));
    await connect(`${address}/consul`)
      .renewSession(sessionId('s/1'), forever)
      .catch(() => undefined);
    expect(seen[0]?.url).toBe('/consul/v1/session/renew/s%2F1');
  });
});

describe('the token', () => {
  it('is sent with every request, and a file of it is read again when Consul refuses it', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'leadergroup-'));
    releases.push(() => rm(dir, { recursive: true }));
    const tokenFile = join(dir, 'token');
    await writeFile(tokenFile, 'old\n');
    const { address, seen } = await serve((request, response) =>
      request.token === 'new' ? say(response, 200, renewed) : say(response, 403, 'ACL not found'),
    );
    const consul = connect(address, { tokenFile, token: 'unused' });
    expect((await failureOf(consul.renewSession(sessionId('s1'), forever))).kind).toBe('denied');
    await writeFile(tokenFile, 'new\n');
    await expect(consul.renewSession(sessionId('s1'), forever)).resolves.toBe('renewed');
    expect(seen.map(({ token }) => token)).toEqual(['old', 'new']);
  });

  it('is read from its file again after a few seconds, and kept while the file is away', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'leadergroup-'));
    releases.push(() => rm(dir, { recursive: true }));
    const tokenFile = join(dir, 'token');
    await writeFile(tokenFile, 'one');
    const { address, seen } = await serve(always(200, renewed));
    let nowMs = 0;
    const consul = connect(address, { tokenFile, nowMs: () => nowMs });
    const renewAt = async (ms: number): Promise<void> => {
      nowMs = ms;
      await consul.renewSession(sessionId('s1'), forever);
    };
    await renewAt(0);
    await writeFile(tokenFile, 'two');
    await renewAt(1000);
    await renewAt(6000);
    await rm(tokenFile);
    await renewAt(12_000);
    expect(seen.map(({ token }) => token)).toEqual(['one', 'one', 'two', 'two']);
  });

  it('whose file cannot be read leaves Consul unreachable, with the file named', async () => {
    const { address, seen } = await serve(always(200, renewed));
    const error = await failureOf(
      connect(address, { tokenFile: '/nowhere/token' }).renewSession(sessionId('s1'), forever),
    );
    expect(error.kind).toBe('unreachable');
    expect(error.message).toContain('/nowhere/token');
    expect(seen).toEqual([]);
  });

  it('that no header can carry fails the request, and is not told', async () => {
    const { address } = await serve(always(200, renewed));
    const error = await failureOf(connect(address, { token: 'secret\nvalue' }).renewSession(sessionId('s1'), forever));
    expect(error.kind).toBe('unreachable');
    expect(error.message).not.toContain('secret');
  });
});

describe('no answer', () => {
  const cases: readonly (readonly [string, 'unreachable' | 'unknown', (socket: Socket) => void])[] = [
    ['a connection that ends before the answer', 'unknown', (socket) => socket.once('data', () => socket.destroy())],
    [
      'a connection that is reset before the answer',
      'unknown',
      (socket) => socket.once('data', () => socket.resetAndDestroy()),
    ],
    ['what is no HTTP', 'unknown', (socket) => socket.once('data', () => socket.end('SSH-2.0-x\r\n'))],
    [
      'an answer that ends in its middle',
      'unknown',
      (socket) => socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 900\r\n\r\n{"Results":[')),
    ],
    ['silence', 'unknown', () => undefined],
  ];

  it.each(cases)('(%s) is %s for a write, and never for a read', async (_case, kind, script) => {
    const consul = connect(await serveRaw(script), { requestTimeoutMs: 300 });
    expect((await failureOf(consul.txn(lock, forever))).kind).toBe(kind);
    expect((await failureOf(consul.readKeys(['k'], forever))).kind).toBe('unreachable');
  });

  it('is noticed when the connection ends in the middle of a blocking read, not after its wait', async () => {
    const address = await serveRaw((socket) =>
      socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 900\r\n\r\n[')),
    );
    const error = await failureOf(connect(address).readPrefix('k/', { index: 7, waitMs: 600_000 }, forever));
    expect(error.message).toContain('ended in the middle of the answer');
  });

  it('counts no time that a request waits for one of its own connections, and says of one that was never sent so', async () => {
    const waiting: (() => void)[] = [];
    const { address } = await serve((_request, response) => void waiting.push(() => say(response, 200, renewed)));
    const consul = connect(address, { requestTimeoutMs: 1200 });
    const [first, second] = [0, 1].map(() =>
      Array.from({ length: 12 }, () => consul.renewSession(sessionId('s1'), forever)),
    );
    const third = Array.from({ length: 12 }, () => failureOf(consul.renewSession(sessionId('s1'), forever)));
    await expect.poll(() => waiting.length).toBe(12);
    await setTimeout(600);
    for (const answer of waiting.splice(0)) answer();
    await Promise.all(first ?? []);
    await expect.poll(() => waiting.length).toBe(12);
    expect(new Set((await Promise.all(third)).map(({ kind, message }) => [kind, message].join()))).toEqual(
      new Set(['busy,Cannot renew session s1: not sent, all connections were in use (1200ms)']),
    );
    for (const answer of waiting.splice(0)) answer();
    expect(new Set(await Promise.all(second ?? []))).toEqual(new Set(['renewed']));
  });

  it('of requests that were given up while they waited costs no connection, and sends none of them', async () => {
    const waiting: (() => void)[] = [];
    const { address, seen, connections } = await serve(
      (_request, response) => void waiting.push(() => say(response, 200, renewed)),
    );
    const consul = connect(address);
    const first = Array.from({ length: 12 }, () => consul.renewSession(sessionId('s1'), forever));
    await expect.poll(() => waiting.length).toBe(12);
    const giveUp = new AbortController();
    const given = Array.from({ length: 100 }, () =>
      consul.renewSession(sessionId('s2'), giveUp.signal).catch(() => 'given up'),
    );
    giveUp.abort(new Error('given up'));
    await Promise.all(given);
    for (const answer of waiting.splice(0)) answer();
    await Promise.all(first);
    const last = consul.renewSession(sessionId('s1'), forever);
    await expect.poll(() => waiting.length).toBe(1);
    for (const answer of waiting.splice(0)) answer();
    await last;
    expect(seen.filter(({ url }) => url.endsWith('s2'))).toEqual([]);
    expect(connections()).toBe(12);
  });

  it('from a port where nobody listens means nothing was applied', async () => {
    const { address, sockets } = await serve(always(200, 'true'));
    await releases.pop()?.();
    expect(sockets.size).toBe(0);
    const error = await failureOf(connect(address).txn(lock, forever));
    expect(error.kind).toBe('unreachable');
    expect(error.message).toContain('ECONNREFUSED');
  });

  it('from a name that does not exist means nothing was applied', async () => {
    expect((await failureOf(connect('http://consul.invalid:8500').txn(lock, forever))).kind).toBe('unreachable');
  });

  it('while waiting for a connection means nothing was sent, although others are under way', async () => {
    const { address, seen } = await serve(() => undefined);
    const consul = connect(address, { requestTimeoutMs: 400 });
    const commit = async (key: string) => ({
      key,
      kind: (await failureOf(consul.txn([{ verb: 'set', key, value: '' }], forever))).kind,
    });
    const failures = await Promise.all(Array.from({ length: 100 }, (_, position) => commit(`k/${position}/`)));
    const waited = failures.filter(({ kind }) => kind === 'busy');
    expect(waited).not.toEqual([]);
    expect(waited.filter(({ key }) => seen.some(({ body }) => body.includes(key)))).toEqual([]);
    expect(seen.length).toBeGreaterThanOrEqual(20);
  });

  it('because it is no HTTP is quoted nowhere: a token may be in it', async () => {
    const broken = 'HTTP/1.1 200 OK\r\nbroken header\r\n\r\n{"SecretID":"5f3c0e0a"}';
    const consul = connect(await serveRaw((socket) => socket.once('data', () => socket.end(broken))));
    const error = await failureOf(consul.readKeys(['k'], forever));
    expect(error.cause).toMatchObject({ name: 'HTTPParserError' });
    expect(inspect(error, { depth: 10 })).not.toContain('5f3c0e0a');
  });

  it('when the client is closed is a failure, not silence', async () => {
    const { address, seen } = await serve(() => undefined);
    const consul = connect(address);
    const pending = failureOf(consul.txn(lock, forever));
    await expect.poll(() => seen.length).toBe(1);
    consul.close();
    expect((await pending).kind).toBe('unknown');
    expect((await failureOf(consul.txn(lock, forever))).kind).toBe('unreachable');
  });

  it('of a client that was closed before its first request is a failure as well', async () => {
    const consul = connect('http://127.0.0.1:1');
    consul.close();
    expect((await failureOf(consul.txn(lock, forever))).message).toContain('closed');
  });
});

describe('an answer that is not Consul’s', () => {
  const bodies = [
    '',
    '<html>hello</html>',
    'null',
    '[null]',
    '{"ID":null}',
    '[{}]',
    '{"Results":[null]}',
    '"text"',
    '12',
    'false',
  ];
  const cases = METHODS.flatMap(([name, , call]) => bodies.map((body) => [name, body, call] as const));

  it.each(cases)('%s fails with a ConsulError on %j', async (_name, body, call) => {
    const { address } = await serve(always(200, body));
    const error = await failureOf(call(connect(address), forever));
    expect(['unknown', 'unreachable']).toContain(error.kind);
    expect(error.message).toContain(address);
  });

  it('never ends a session: a 404 of a proxy is not Consul’s', async () => {
    const { address } = await serve(always(404, '404 page not found'));
    expect((await failureOf(connect(address).renewSession(sessionId('s1'), forever))).kind).toBe('unreachable');
  });

  it('never renews one: a grant about another session counts for nothing', async () => {
    const { address } = await serve(always(200, [{ ...renewed[0], ID: 's2' }]));
    expect((await failureOf(connect(address).renewSession(sessionId('s1'), forever))).kind).toBe('unknown');
  });

  it('never empties a prefix: a 404 without an index is not Consul’s', async () => {
    const { address } = await serve((_request, response) => response.writeHead(404).end());
    expect((await failureOf(connect(address).readPrefix('k/', { index: 0, waitMs: 0 }, forever))).kind).toBe(
      'unreachable',
    );
  });
});

describe('an answer of Consul’s', () => {
  it('404 to a renewal is a lost session, which is an answer', async () => {
    const { address } = await serve(always(404, "Session id 's1' not found"));
    await expect(connect(address).renewSession(sessionId('s1'), forever)).resolves.toBe('lost');
  });

  it('404 to a read of a prefix is no keys, with the index to wait from', async () => {
    const { address } = await serve(always(404, '', { 'x-consul-index': '0' }));
    await expect(connect(address).readPrefix('k/', { index: 0, waitMs: 0 }, forever)).resolves.toEqual({
      index: 1,
      entries: [],
    });
  });

  it('404 to a list of keys is no keys, and one of a proxy no answer', async () => {
    const { address } = await serve(always(404, '', { 'x-consul-index': '5' }));
    await expect(connect(address).listKeys('k/', forever)).resolves.toEqual([]);
    const proxy = await serve((_request, response) => response.writeHead(404).end());
    expect((await failureOf(connect(proxy.address).listKeys('k/', forever))).kind).toBe('unreachable');
  });

  it('a list of keys that are no names is no answer', async () => {
    const { address } = await serve(always(200, ['k/a', 7]));
    expect((await failureOf(connect(address).listKeys('k/', forever))).kind).toBe('unreachable');
  });

  it.each([
    ['readPrefix', 404, '', 'key_prefix "k/" { policy = "read" }'],
    ['readPrefix', 200, [], 'key_prefix "k/" { policy = "read" }'],
    ['listKeys', 404, '', 'key_prefix "k/" { policy = "read" }'],
    ['listKeys', 200, [], 'key_prefix "k/" { policy = "read" }'],
    ['listSessions', 200, [], 'session "n" { policy = "write" }'],
    ['sessionInfo', 200, [], 'check the rights'],
  ])('to %s (%i) that was filtered is denied, not empty', async (name, status, body, advice) => {
    const { address } = await serve(always(status, body, { 'x-consul-results-filtered-by-acls': 'true' }));
    const [, , call] = METHODS.find(([method]) => method === name) ?? METHODS[0]!;
    const error = await failureOf(call(connect(address), forever));
    expect(error.kind).toBe('denied');
    expect(error.message).toContain(advice);
  });

  it('409 to a transaction is a rejection with its reasons', async () => {
    const { address } = await serve(always(409, { Errors: [{ OpIndex: 0, What: 'invalid session "s1"' }] }));
    await expect(connect(address).txn(lock, forever)).resolves.toEqual({
      kind: 'rejected',
      rejections: [{ op: 0, reason: 'invalid-session', text: 'invalid session "s1"' }],
    });
  });

  it('409 without reasons leaves the outcome unknown', async () => {
    const { address } = await serve(always(409, 'conflict'));
    expect((await failureOf(connect(address).txn(lock, forever))).kind).toBe('unknown');
  });

  it('is not even asked for without keys, nor for more than one request may read', async () => {
    const { address, seen } = await serve(always(200, { Results: [] }));
    const consul = connect(address);
    await expect(consul.readKeys([], forever)).resolves.toEqual([]);
    const many = Array.from({ length: 65 }, (_, position) => `k/${position}`);
    expect((await failureOf(consul.readKeys(many, forever))).kind).toBe('refused');
    expect(seen).toEqual([]);
  });
});

describe('a signal', () => {
  it.each(METHODS)('aborted before %s keeps the request from being sent', async (_name, answer, call) => {
    const { address, seen } = await serve(always(200, answer));
    const reason = new Error('shutting down');
    await expect(call(connect(address), AbortSignal.abort(reason))).rejects.toBe(reason);
    expect(seen).toEqual([]);
  });

  it.each(METHODS)(
    'aborted during %s rejects with its reason and ends the connection',
    async (_name, _answer, call) => {
      const { address, seen, sockets } = await serve(() => undefined);
      const abort = new AbortController();
      const reason = new Error('shutting down');
      const pending = call(connect(address), abort.signal);
      pending.catch(() => undefined);
      await expect.poll(() => seen.length).toBe(1);
      abort.abort(reason);
      await expect(pending).rejects.toBe(reason);
      await expect.poll(() => sockets.size).toBe(0);
    },
  );

  it('that lives long keeps no listener of 10,000 requests', async () => {
    const warnings: Error[] = [];
    const warn = (warning: Error): void => void warnings.push(warning);
    process.on('warning', warn);
    releases.push(() => process.off('warning', warn));
    const { address } = await serve(always(200, renewed));
    const consul = connect(address);
    const { signal } = new AbortController();
    let most = 0;
    for (let round = 0; round < 100; round += 1) {
      const renewals = Array.from({ length: 100 }, () => consul.renewSession(sessionId('s1'), signal));
      await setImmediate();
      most = Math.max(most, getEventListeners(signal, 'abort').length);
      await Promise.all(renewals);
    }
    expect(most).toBeGreaterThan(0);
    expect(getEventListeners(signal, 'abort')).toEqual([]);
    expect(warnings).toEqual([]);
  });
});

describe('the report of a request', () => {
  const reportsOf = async (
    script: Script,
    call: (consul: ConsulClient) => Promise<unknown>,
  ): Promise<RequestReport[]> => {
    const reports: RequestReport[] = [];
    const { address } = await serve(script);
    await call(connect(address, { onRequest: (report) => reports.push(report) })).catch(() => undefined);
    return reports;
  };

  const renew = (consul: ConsulClient): Promise<unknown> => consul.renewSession(sessionId('s1'), forever);

  it.each([
    ['ok', 'renewSession', always(200, renewed), renew],
    ['lost', 'renewSession', always(404, "Session id 's1' not found"), renew],
    ['denied', 'renewSession', always(403, 'ACL not found'), renew],
    ['unknown', 'renewSession', always(500, 'leadership lost'), renew],
    [
      'rejected',
      'txn',
      always(409, { Errors: [{ OpIndex: 0, What: 'x' }] }),
      (consul: ConsulClient) => consul.txn(lock, forever),
    ],
    ['aborted', 'txn', always(200, ''), (consul: ConsulClient) => consul.txn(lock, AbortSignal.abort())],
    [
      'ok',
      'watchPrefix',
      always(200, []),
      (consul: ConsulClient) => consul.readPrefix('k/', { index: 1, waitMs: 1 }, forever),
    ],
    [
      'ok',
      'readPrefix',
      always(200, []),
      (consul: ConsulClient) => consul.readPrefix('k/', { index: 0, waitMs: 1 }, forever),
    ],
  ] as const)('says %s for %s, once, with its duration', async (outcome, operation, script, call) => {
    const reports = await reportsOf(script, call);
    expect(reports).toEqual([{ operation, outcome, milliseconds: expect.any(Number) }]);
    expect(reports[0]?.milliseconds).toBeGreaterThanOrEqual(0);
  });
});
