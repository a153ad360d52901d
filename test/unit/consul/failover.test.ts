/** Several servers behind Consul's name: one that does not answer is left for another, once, and only where it must be. */
import { once } from 'node:events';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { type ConsulClient, type ConsulOptions, createConsul } from '../../../src/consul/consul.ts';
import { sessionId } from '../../kit/fakes/ids.ts';
import { createFakeLog } from '../../kit/fakes/log.ts';

const forever = new AbortController().signal;
const SESSION = sessionId('s1');
const RENEWED = JSON.stringify([{ ID: 's1', Name: 'n', Node: 'n', TTL: '10s', LockDelay: 0, CreateIndex: 1 }]);
const HOSTS = ['127.0.0.1', '127.0.0.2'] as const;

const releases: (() => unknown)[] = [];

afterEach(async () => {
  for (const release of releases.splice(0).toReversed()) await release();
});

const REFUSALS = {
  'has no leader': 'No cluster leader',
  'does not reach the leader':
    'rpc error getting client: failed to get conn: dial tcp 10.0.0.2:0->10.0.0.1:8300: connect: connection refused',
};

type Answer = 'renews' | 'hangs' | keyof typeof REFUSALS;

type Fake = { answer: Answer; asked: number; readonly held: ServerResponse[] };

function say(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { 'x-consul-index': '7' });
  response.end(text);
}

async function listen(host: string, port: number): Promise<{ readonly fake: Fake; readonly server: Server } | null> {
  const fake: Fake = { answer: 'renews', asked: 0, held: [] };
  const server = createServer((request, response) => {
    fake.asked += 1;
    if (request.url?.includes('index=7') === true || fake.answer === 'hangs') return void fake.held.push(response);
    if (fake.answer === 'renews') say(response, 200, RENEWED);
    else say(response, 500, REFUSALS[fake.answer]);
  });
  const listening = once(server, 'listening');
  server.listen(port, host);
  if (!(await listening.then(() => true).catch(() => false))) return null;
  releases.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return { fake, server };
}

/** Two servers at one port, and a client that knows both by one name. Null where loopback has one address only. */
async function setUp(overrides: Partial<ConsulOptions> = {}) {
  const first = await listen(HOSTS[0], 0);
  if (first === null) return null;
  const { port } = first.server.address() as AddressInfo;
  const second = await listen(HOSTS[1], port);
  if (second === null) return null;
  const world = { nowMs: 0, hosts: [...HOSTS] as readonly string[] };
  const log = createFakeLog();
  const resolve = ((_name: string, _options: object, callback: (error: null, found: unknown) => void) =>
    callback(
      null,
      world.hosts.map((address) => ({ address, family: 4 })),
    )) as unknown as NonNullable<ConsulOptions['resolve']>;
  const client: ConsulClient = createConsul({
    address: `http://consul.test:${port}`,
    token: null,
    tokenFile: null,
    tls: null,
    requestTimeoutMs: 500,
    prefix: 'leadergroup',
    nowMs: () => world.nowMs,
    log,
    resolve,
    ...overrides,
  });
  releases.push(() => client.close());
  const renew = (): Promise<string> =>
    client.renewSession(SESSION, forever).then(
      () => 'renewed',
      (error: unknown) => (error as { readonly kind: string }).kind,
    );
  return { a: first, b: second, world, log, client, renew };
}

type World = NonNullable<Awaited<ReturnType<typeof setUp>>>;

const withTwo = (name: string, body: (world: World) => Promise<void>, overrides: Partial<ConsulOptions> = {}): void =>
  it(name, async ({ skip }) => {
    const world = await setUp(overrides);
    if (world === null) return skip('loopback has one address on this machine');
    await body(world);
  });

describe('a name with two servers', () => {
  withTwo('is asked at one of them', async ({ a, b, renew }) => {
    expect([await renew(), await renew()]).toEqual(['renewed', 'renewed']);
    expect([a.fake.asked, b.fake.asked]).toEqual([2, 0]);
  });

  withTwo('is asked at the other where one refuses connections, and no request is lost', async ({ a, b, renew }) => {
    a.server.close();
    expect(await renew()).toBe('renewed');
    expect(b.fake.asked).toBe(1);
  });

  withTwo('has its blocking reads ended where new connections go to the other', async ({ a, b, client, renew }) => {
    const watch = client.readPrefix('k/', { index: 7, waitMs: 20_000 }, forever).catch(() => 'ended');
    await vi.waitFor(() => expect(a.fake.held).toHaveLength(1));
    a.server.close();
    expect(await renew()).toBe('renewed');
    expect(b.fake.asked).toBe(1);
    expect(await Promise.race([watch, delay(5000, 'hears nothing')])).toBe('ended');
  });

  withTwo('keeps its blocking reads where the name has only others by now', async ({ a, b, world, client, renew }) => {
    const watch = client.readPrefix('k/', { index: 7, waitMs: 20_000 }, forever).catch(() => 'ended');
    await vi.waitFor(() => expect(a.fake.held).toHaveLength(1));
    world.hosts = [HOSTS[1]];
    expect(await renew()).toBe('renewed');
    expect(b.fake.asked).toBe(1);
    for (const response of a.fake.held) say(response, 200, '[]');
    expect(await watch).toEqual({ index: 7, entries: [] });
  });

  withTwo('is left where it hangs that took the place of one that the name has not any more', async (world) => {
    const { a, b, renew } = world;
    const { port } = a.server.address() as AddressInfo;
    world.world.hosts = [HOSTS[0]];
    expect(await renew()).toBe('renewed');
    a.server.close();
    world.world.hosts = [HOSTS[1]];
    expect(await renew()).toBe('renewed');
    const listening = once(a.server, 'listening');
    a.server.listen(port, HOSTS[0]);
    await listening;
    world.world.hosts = [HOSTS[1], HOSTS[0]];
    b.fake.answer = 'hangs';
    expect(await renew()).toBe('unknown');
    // The name may have been looked up again with that request, or only with this one.
    await renew();
    expect(await renew()).toBe('renewed');
  });

  it.each<Answer>(['hangs', 'has no leader', 'does not reach the leader'])(
    'is asked at the other where one %s',
    async (answer) => {
      const world = await setUp();
      if (world === null) return;
      const { a, b, renew, log } = world;
      expect(await renew()).toBe('renewed');
      world.world.nowMs += 1;
      a.fake.answer = answer;
      expect(await renew()).toBe(answer === 'hangs' ? 'unknown' : 'unreachable');
      expect(await renew()).toBe('renewed');
      expect(b.fake.asked).toBe(1);
      expect(log.lines).toMatchObject([{ level: 'warn', fields: { server: HOSTS[0] } }]);
    },
  );

  withTwo('has its blocking reads ended where the server hangs, so that they begin at another', async (world) => {
    const { a, b, client, renew } = world;
    const watch = () => client.readPrefix('k/', { index: 7, waitMs: 20_000 }, forever).catch(() => 'ended');
    const first = watch();
    await vi.waitFor(() => expect(a.fake.held).toHaveLength(1));
    a.fake.answer = 'hangs';
    await renew();
    expect(await Promise.race([first, delay(5000, 'hears nothing')])).toBe('ended');
    const second = watch();
    await vi.waitFor(() => expect(b.fake.held).toHaveLength(1));
    client.close();
    await second;
  });

  withTwo(
    'is not left where one request hangs and others are answered meanwhile',
    async ({ a, b, world, renew, log }) => {
      a.fake.answer = 'hangs';
      const slow = renew();
      await vi.waitFor(() => expect(a.fake.held).toHaveLength(1));
      a.fake.answer = 'renews';
      world.nowMs += 1;
      expect(await renew()).toBe('renewed');
      expect(await slow).toBe('unknown');
      expect(await renew()).toBe('renewed');
      expect(b.fake.asked).toBe(0);
      expect(log.lines).toEqual([]);
    },
  );

  withTwo('is left for another once in five seconds, though all of them fail', async ({ a, b, world, renew }) => {
    a.fake.answer = 'has no leader';
    b.fake.answer = 'has no leader';
    for (let times = 0; times < 4; times += 1) await renew();
    expect([a.fake.asked, b.fake.asked]).toEqual([1, 3]);
    world.nowMs += 5000;
    for (let times = 0; times < 3; times += 1) await renew();
    expect([a.fake.asked, b.fake.asked]).toEqual([3, 4]);
  });
});
