/** Several servers behind Consul's name, with TLS: a frozen one still accepts connections, and no handshake on them ever ends. */
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { createServer as createHttps } from 'node:https';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { type ConsulClient, type ConsulOptions, createConsul } from '../../../src/consul/consul.ts';
import { selfSigned } from '../../kit/fakes/certificate.ts';
import { sessionId } from '../../kit/fakes/ids.ts';
import { createFakeLog } from '../../kit/fakes/log.ts';

const forever = new AbortController().signal;
const SESSION = sessionId('s1');
const RENEWED = JSON.stringify([{ ID: 's1', Name: 'n', Node: 'n', TTL: '10s', LockDelay: 0, CreateIndex: 1 }]);
const HOSTS = ['127.0.0.1', '127.0.0.2'] as const;
const TIMEOUT_MS = 500;
const certificate = selfSigned('consul.test');

const releases: (() => unknown)[] = [];

afterEach(async () => {
  for (const release of releases.splice(0).toReversed()) await release();
});

type Fake = {
  /** The kernel still accepts connections; nobody reads them. */
  frozen: boolean;
  /** Requests are kept until they are answered by hand. */
  waits: boolean;
  readonly waiting: ServerResponse[];
  asked: number;
  held: number;
  /** How many connections stand. */
  open: number;
  port: number;
};

async function listen(host: string, port: number): Promise<Fake | null> {
  const fake: Fake = { frozen: false, waits: false, waiting: [], asked: 0, held: 0, open: 0, port: 0 };
  const speaking = createHttps(certificate, (request, response) => {
    if (fake.frozen) return;
    if (request.url?.includes('index=7') === true) {
      fake.held += 1;
      return;
    }
    fake.asked += 1;
    if (fake.waits) fake.waiting.push(response);
    else response.end(RENEWED);
  });
  const sockets = new Set<Socket>();
  const front = createServer((socket) => {
    fake.open += 1;
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.once('close', () => {
      fake.open -= 1;
    });
    if (fake.frozen) socket.resume();
    else speaking.emit('connection', socket);
  });
  const listening = once(front, 'listening');
  front.listen(port, host);
  if (!(await listening.then(() => true).catch(() => false))) return null;
  releases.push(() => {
    for (const socket of sockets) socket.destroy();
    front.close();
  });
  fake.port = (front.address() as AddressInfo).port;
  return fake;
}

/** Null where loopback has one address only. */
async function setUp() {
  const a = await listen(HOSTS[0], 0);
  const b = a && (await listen(HOSTS[1], a.port));
  if (a === null || b === null) return null;
  const log = createFakeLog();
  const world = { error: null as Error | null };
  const resolve = ((_name: string, _options: object, callback: (error: Error | null, found: unknown) => void) =>
    callback(
      world.error,
      HOSTS.map((address) => ({ address, family: 4 })),
    )) as unknown as NonNullable<ConsulOptions['resolve']>;
  const client: ConsulClient = createConsul({
    address: `https://consul.test:${a.port}`,
    token: null,
    tokenFile: null,
    tls: { caFile: null, certFile: null, keyFile: null, serverName: null, verify: false },
    requestTimeoutMs: TIMEOUT_MS,
    prefix: 'leadergroup',
    log,
    resolve,
  });
  releases.push(() => client.close());
  const renew = (): Promise<string> =>
    client.renewSession(SESSION, forever).then(
      () => 'renewed',
      (error: unknown) => (error as { readonly kind: string }).kind,
    );
  const watch = (): Promise<unknown> =>
    client.readPrefix('k/', { index: 7, waitMs: 20_000 }, forever).catch(() => 'ended');
  return { a, b, log, client, renew, watch, world };
}

type World = NonNullable<Awaited<ReturnType<typeof setUp>>>;

const withTwo = (name: string, body: (world: World) => Promise<void>): void =>
  it(name, async ({ skip }) => {
    const world = await setUp();
    if (world === null) return skip('loopback has one address on this machine');
    await body(world);
  });

const several = (ask: () => Promise<string>): Promise<readonly string[]> => Promise.all(Array.from({ length: 6 }, ask));

/** A request that the server has, and does not answer. */
async function sentTo(fake: Fake, renew: () => Promise<string>): Promise<{ readonly outcome: Promise<string> }> {
  fake.waits = true;
  const outcome = renew();
  await vi.waitFor(() => expect(fake.waiting).toHaveLength(1));
  return { outcome };
}

describe('a name with two servers that speak TLS', () => {
  withTwo('is asked at the other once handshakes with one do not end', async ({ a, b, renew }) => {
    a.frozen = true;
    expect(await renew()).toBe('unreachable');
    await vi.waitFor(async () => expect(await renew()).toBe('renewed'), { timeout: 5000 });
    expect(b.asked).toBe(1);
  });

  withTwo('stays with the other, though handshakes with the one that was left fail after that', async (world) => {
    const { a, b, renew, log } = world;
    const sent = await sentTo(a, renew);
    a.frozen = true;
    await delay(TIMEOUT_MS / 2);
    const onNewConnections = several(renew);
    expect(await sent.outcome).toBe('unknown');
    expect(await renew()).toBe('renewed');
    expect(await onNewConnections).not.toContain('renewed');
    await vi.waitFor(() => expect(a.open).toBe(0), { timeout: 5000 });
    const asked = b.asked;
    expect(new Set(await several(renew))).toEqual(new Set(['renewed']));
    expect(b.asked).toBe(asked + 6);
    expect(log.lines).toHaveLength(1);
  });

  withTwo('has its blocking reads ended where a handshake fails before a request does', async (world) => {
    const { a, b, renew, watch } = world;
    const first = watch();
    await vi.waitFor(() => expect(a.held).toBe(1));
    const sent = await sentTo(a, renew);
    a.frozen = true;
    const onNewConnections = several(renew);
    await delay(TIMEOUT_MS / 2);
    for (const response of a.waiting) response.end(RENEWED);
    expect(await sent.outcome).toBe('renewed');
    expect(new Set(await onNewConnections)).toEqual(new Set(['unreachable']));
    expect(await Promise.race([first, delay(5000, 'hears nothing')])).toBe('ended');
    expect(await renew()).toBe('renewed');
    const second = watch();
    await vi.waitFor(() => expect(b.held).toBe(1));
    world.client.close();
    await second;
  });

  withTwo('is not left because the name is not known for a while', async ({ a, b, renew, world }) => {
    expect(await renew()).toBe('renewed');
    world.error = Object.assign(new Error('EAI_AGAIN'), { code: 'EAI_AGAIN', syscall: 'getaddrinfo' });
    expect(await several(renew)).toContain('unreachable');
    world.error = null;
    expect(new Set(await several(renew))).toEqual(new Set(['renewed']));
    expect(b.asked).toBe(0);
    expect(a.asked).toBeGreaterThan(6);
  });
});
