/** Consul over TLS: certificates that are replaced while the operator runs, and what is said of those that are wrong. */
import { execFile } from 'node:child_process';
import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { createClock, createRandom } from '../../src/clock.ts';
import type { ConsulClient, ConsulTls } from '../../src/consul/consul.ts';
import type { TxnOp } from '../../src/ports/consul.ts';
import { selfSigned } from '../kit/fakes/certificate.ts';
import { sessionId } from '../kit/fakes/ids.ts';
import { createFakeLog } from '../kit/fakes/log.ts';
import { type Agent, consulBinary, failureOf, never, startConsul } from '../kit/rig/consul-agent.ts';

const run = promisify(execFile);
const NO_SUCH_SESSION = sessionId('00000000-0000-4000-8000-000000000000');
/** A file is read again when it is older than this. */
const LATER_MS = 6000;

/** Beside others of a folder, so that a certificate of another authority can be shown. */
const OTHER = 'other';

const tlsIn = (dir: string): ConsulTls => ({
  caFile: join(dir, 'consul-agent-ca.pem'),
  certFile: join(dir, 'dc1-client-consul-0.pem'),
  keyFile: join(dir, 'dc1-client-consul-0-key.pem'),
  serverName: 'server.dc1.consul',
  verify: true,
});

const configured = (verify_incoming: boolean) => ({
  tls: {
    https: {
      ca_file: 'consul-agent-ca.pem',
      cert_file: 'dc1-server-consul-0.pem',
      key_file: 'dc1-server-consul-0-key.pem',
      verify_incoming,
    },
  },
});

async function makeCertificates(dir: string, ...ca: readonly string[]): Promise<void> {
  await mkdir(dir, { recursive: true });
  const tls = async (...args: readonly string[]) => await run(await consulBinary(), ['tls', ...args], { cwd: dir });
  await tls('ca', 'create', ...ca);
  await tls('cert', 'create', '-server');
  await tls('cert', 'create', '-client');
}

async function startSecured(verifyIncoming = true): Promise<Agent> {
  return await startConsul({
    scheme: 'https',
    config: configured(verifyIncoming),
    options: (dir) => ({ tls: tlsIn(dir) }),
    prepare: async (dir) => {
      await makeCertificates(dir);
      await makeCertificates(join(dir, OTHER));
    },
  });
}

const WRITE: TxnOp = { verb: 'set', key: 'leadergroup/tls/no', value: '' };

const asks = (consul: ConsulClient): Promise<'renewed' | 'lost'> => consul.renewSession(NO_SUCH_SESSION, never);

/** The files that a client reads, which a test replaces. */
async function filesFrom(agent: Agent) {
  const dir = await mkdtemp(join(tmpdir(), 'leadergroup-tls-'));
  onTestFinished(() => rm(dir, { recursive: true }));
  const tls = tlsIn(dir);
  const put = async (to: string | null, ...from: readonly string[]): Promise<void> => {
    const parts = await Promise.all(from.map((file) => readFile(join(agent.dir, file), 'utf8')));
    await writeFile(to ?? '', parts.join('\n'));
  };
  await put(tls.caFile, 'consul-agent-ca.pem');
  await put(tls.certFile, 'dc1-client-consul-0.pem');
  await put(tls.keyFile, 'dc1-client-consul-0-key.pem');
  return { tls, put };
}

describe('Consul over TLS', () => {
  let agent: Agent;

  beforeAll(async () => {
    agent = await startSecured();
  });
  afterAll(() => agent[Symbol.asyncDispose]());

  it('serves whoever has a certificate and knows its authority', async () => {
    const consul = agent.client();
    await consul.registerNode('leadergroup-tls', never);
    const asked = { node: 'leadergroup-tls', name: 'a', ttlMs: 60_000, lockDelayMs: 0 };
    const session = await consul.createSession(asked, never);
    const key = 'leadergroup/tls/.lock';
    expect(await consul.txn([{ verb: 'lock', key, session, value: 'v' }], never)).toMatchObject({ kind: 'committed' });
    expect(await consul.renewSession(session, never)).toBe('renewed');
  });

  const other = (file: string): string => join(agent.dir, OTHER, file);

  it.each<[what: string, how: () => Partial<ConsulTls>, sentence: RegExp]>([
    ['without its authority', () => ({ caFile: null }), /set CONSUL_CACERT to the file of the authority/],
    [
      'by another authority',
      () => ({ caFile: other('consul-agent-ca.pem') }),
      /CONSUL_CACERT has not the authority that signed its certificate/,
    ],
    [
      'under another name',
      () => ({ serverName: 'server.dc2.consul' }),
      /server\.dc2\.consul.*DNS:server\.dc1\.consul.*; set CONSUL_TLS_SERVER_NAME to one of the names in its certificate/,
    ],
    [
      'without a certificate of our own',
      () => ({ certFile: null, keyFile: null }),
      /it asks for a client certificate: set CONSUL_CLIENT_CERT and CONSUL_CLIENT_KEY/,
    ],
    [
      'with a certificate of another authority',
      () => ({ certFile: other('dc1-client-consul-0.pem'), keyFile: other('dc1-client-consul-0-key.pem') }),
      /it does not accept the certificate in CONSUL_CLIENT_CERT: .*ca_file/,
    ],
    [
      'with the key of another certificate',
      () => ({ keyFile: other('dc1-client-consul-0-key.pem') }),
      /the key in CONSUL_CLIENT_KEY is not that of the certificate in CONSUL_CLIENT_CERT/,
    ],
  ])('%s is told in a sentence with the setting, and nothing is applied', async (_what, how, sentence) => {
    const consul = agent.client({ tls: { ...tlsIn(agent.dir), ...how() } });
    const error = await failureOf(consul.txn([WRITE], never));
    expect(error.message).toMatch(sentence);
    expect(['unreachable', 'unknown']).toContain(error.kind);
    expect(await agent.client().readKeys([WRITE.key], never)).toEqual([null]);
  });

  it('that is asked by plain HTTP says that TLS is expected', async () => {
    const consul = agent.client({ address: agent.address.replace('https:', 'http:'), tls: null });
    const error = await failureOf(consul.txn([WRITE], never));
    expect(error).toMatchObject({
      kind: 'unreachable',
      message: expect.stringContaining('write https:// in CONSUL_HTTP_ADDR'),
    });
  });

  it('without verification serves whatever its name', async () => {
    const consul = agent.client({ tls: { ...tlsIn(agent.dir), caFile: null, serverName: null, verify: false } });
    expect(await asks(consul)).toBe('lost');
  });

  it('takes a certificate and key that are replaced while the client runs, and stays with the former until both are', async () => {
    const { tls, put } = await filesFrom(agent);
    const log = createFakeLog();
    let nowMs = 0;
    const consul = agent.client({ tls, log, nowMs: () => nowMs });
    const asksLater = async (): Promise<unknown> => {
      nowMs += LATER_MS;
      return await asks(consul);
    };
    expect(await asks(consul)).toBe('lost');
    await put(tls.certFile, 'dc1-server-consul-0.pem');
    expect(await asksLater()).toBe('lost');
    expect(log.lines).toMatchObject([
      { level: 'warn', fields: { reason: expect.stringContaining('CONSUL_CLIENT_KEY is not that of') } },
    ]);
    await put(tls.keyFile, 'dc1-server-consul-0-key.pem');
    expect(await asksLater()).toBe('lost');
    await rm(tls.certFile ?? '');
    expect(await asksLater()).toBe('lost');
    expect(log.lines.slice(1)).toMatchObject([{ level: 'warn', fields: { file: tls.certFile } }]);
    // Only now is it seen which pair was in use: Consul refuses another authority's.
    await put(tls.certFile, `${OTHER}/dc1-client-consul-0.pem`);
    await put(tls.keyFile, `${OTHER}/dc1-client-consul-0-key.pem`);
    nowMs += LATER_MS;
    expect((await failureOf(asks(consul))).message).toContain('CONSUL_CLIENT_CERT');
  });
});

describe('an authority of Consul', () => {
  it('that is replaced by another is followed without a restart, sessions and all', async () => {
    await using agent = await startSecured();
    const { tls, put } = await filesFrom(agent);
    let nowMs = 0;
    const consul = agent.client({ tls, nowMs: () => nowMs });
    await consul.registerNode('leadergroup-tls', never);
    const asked = { node: 'leadergroup-tls', name: 'a', ttlMs: 60_000, lockDelayMs: 0 };
    const session = await consul.createSession(asked, never);
    const files = ['consul-agent-ca.pem', `${OTHER}/consul-agent-ca.pem`];
    // First both are trusted, by both sides; then the server shows a certificate of the new one; then the old one goes.
    await put(join(agent.dir, 'consul-agent-ca.pem'), ...files);
    await put(tls.caFile, 'consul-agent-ca.pem');
    for (const file of ['dc1-server-consul-0.pem', 'dc1-server-consul-0-key.pem'])
      await copyFile(join(agent.dir, OTHER, file), join(agent.dir, file));
    await agent.kill();
    await agent.start();
    nowMs += LATER_MS;
    // A connection of before may only now be found dead.
    await consul.renewSession(session, never).catch(() => 'cut');
    expect(await consul.renewSession(session, never)).toBe('renewed');
    await put(tls.caFile, `${OTHER}/consul-agent-ca.pem`);
    nowMs += LATER_MS;
    expect(await consul.renewSession(session, never)).toBe('renewed');
  });

  it('that has expired is told with the setting, and taken anew without a restart', async () => {
    const issue = async (dir: string, untilMs?: number): Promise<void> => {
      const { cert, key } = selfSigned('server.dc1.consul', untilMs);
      for (const file of ['consul-agent-ca.pem', 'dc1-server-consul-0.pem']) await writeFile(join(dir, file), cert);
      await writeFile(join(dir, 'dc1-server-consul-0-key.pem'), key);
    };
    const own = { certFile: null, keyFile: null };
    await using agent = await startConsul({
      scheme: 'https',
      config: configured(false),
      options: (dir) => ({ tls: { ...tlsIn(dir), ...own, verify: false } }),
      prepare: (dir) => issue(dir, -60_000),
    });
    let nowMs = 0;
    const consul = agent.client({ tls: { ...tlsIn(agent.dir), ...own }, nowMs: () => nowMs });
    const error = await failureOf(asks(consul));
    expect(error.message).toMatch(/the authority in CONSUL_CACERT has expired \(.* 20\d\d GMT\): make Consul's/);
    await issue(agent.dir);
    await agent.kill();
    await agent.start();
    nowMs += LATER_MS;
    expect(await asks(consul)).toBe('lost');
  });
});

describe('a Consul without what is expected of it', () => {
  let agent: Agent;

  beforeAll(async () => {
    agent = await startConsul();
  });
  afterAll(() => agent[Symbol.asyncDispose]());

  it('that has no TLS at its port is told with the setting', async () => {
    const nothing = { caFile: null, certFile: null, keyFile: null, serverName: null, verify: true };
    const consul = agent.client({ address: agent.address.replace('http:', 'https:'), tls: nothing });
    expect(await failureOf(consul.txn([WRITE], never))).toMatchObject({
      kind: 'unreachable',
      message: expect.stringContaining(
        'it does not speak TLS there: correct the scheme or the port in CONSUL_HTTP_ADDR',
      ),
    });
  });

  it('that has no ACLs needs no login, and says so', async () => {
    const bearerFile = join(agent.dir, 'bearer');
    await writeFile(bearerFile, 'x');
    const world = { clock: createClock(), random: createRandom(), log: createFakeLog() };
    const consul = agent.client({ login: { method: 'any', bearerFile, meta: {}, ...world } });
    expect(await failureOf(consul.txn([WRITE], never))).toMatchObject({
      kind: 'denied',
      message: expect.stringContaining('ACLs are off in Consul: leave CONSUL_LOGIN_AUTH_METHOD out'),
    });
  });

  it('that has no ACLs takes any token', async () => {
    expect(await asks(agent.client({ token: '00000000-1111-2222-3333-444444444444' }))).toBe('lost');
  });
});
