/** Logins to Consul: when there is a new one, which token is used meanwhile, and what is said where there is none. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import type { Caller } from '../../../src/consul/caller.ts';
import { createLogin } from '../../../src/consul/login.ts';
import type { Answer } from '../../../src/consul/transport.ts';
import { ConsulError } from '../../../src/ports/consul.ts';
import { createFakeClock, createFakeRandom } from '../../kit/fakes/clock.ts';
import { createFakeLog } from '../../kit/fakes/log.ts';

const HOUR_MS = 3_600_000;
const forever = new AbortController().signal;

const answer = (status: number, text: string): Answer => ({ kind: 'answered', status, headers: {}, text });
const NOT_FOUND = answer(403, 'token does not exist: ACL not found');
const NO_API_SERVER = answer(
  500,
  'Post "https://kubernetes.default.svc/apis": dial tcp 10.96.0.1:443: connect: connection refused',
);

/** A Consul that knows a login's token once `lag` reads have asked for it, and forgets it at the logout. */
async function setUp({ livesMs = HOUR_MS }: { readonly livesMs?: number | null } = {}) {
  const dir = await mkdtemp(join(tmpdir(), 'leadergroup-login-'));
  onTestFinished(() => rm(dir, { recursive: true, force: true }));
  const bearerFile = join(dir, 'token');
  await writeFile(bearerFile, 'bearer-1\n');
  const [clock, log] = [createFakeClock(), createFakeLog()];
  const world = {
    refusal: null as Answer | null,
    lag: 0,
    takesMs: 0,
    bearers: [] as string[],
    given: [] as string[],
    back: [] as string[],
  };

  function login(body: string): Answer {
    world.bearers.push((JSON.parse(body) as { BearerToken: string }).BearerToken);
    clock.stall(world.takesMs);
    if (world.refusal !== null) return world.refusal;
    const secret = `token-${world.given.length + 1}`;
    world.given.push(secret);
    const times = {
      CreateTime: '2020-01-01T00:00:00Z',
      ExpirationTime: new Date(1_577_836_800_000 + (livesMs ?? 0)).toISOString(),
    };
    return answer(200, JSON.stringify({ SecretID: secret, ...(livesMs === null ? {} : times) }));
  }

  function answerTo(path: string, token: string, body: string): Answer {
    if (path === '/acl/login') return login(body);
    if (path === '/acl/logout') world.back.push(token);
    if (path !== '/acl/token/self') return answer(200, 'true');
    world.lag -= 1;
    return world.lag < 0 ? answer(200, '{}') : NOT_FOUND;
  }

  const call: Caller = async ({ path, token = null, body = '', expected, read, what, write }) => {
    const attempt = { what, write, address: 'http://consul:8500', rule: null };
    const given = answerTo(path, token ?? '', body);
    if (given.status !== 200 && expected?.(given) !== true) throw new ConsulError('unknown', given.text);
    return read(given, attempt);
  };
  const options = {
    method: 'leadergroup',
    bearerFile,
    meta: { pod: 'a/b' },
    clock,
    random: createFakeRandom('r', 0),
    log,
  };
  const made = createLogin(options, call);
  onTestFinished(() => made.close());
  const said = (level: string): readonly string[] =>
    log.lines
      .filter((line) => line.level === level)
      .map(({ message, fields }) => `${message}: ${String(fields['reason'])}`);
  return { login: made, clock, world, bearerFile, said, log };
}

const failureOf = (promise: Promise<unknown>): Promise<ConsulError> =>
  promise.then(
    (value) => Promise.reject(new Error(`no failure but ${String(value)}`)),
    (error: unknown) => error as ConsulError,
  );

describe('a login to Consul', () => {
  it('is made when a token is first asked for, and once for all who wait', async () => {
    const { login, world } = await setUp();
    expect(world.bearers).toEqual([]);
    expect(await Promise.all([login.token(forever), login.token(forever)])).toEqual(['token-1', 'token-1']);
    expect(world.bearers).toEqual(['bearer-1']);
  });

  it('shows the file as it is by then, and is made anew at half of the life', async () => {
    const { login, clock, world, bearerFile } = await setUp();
    await login.token(forever);
    await writeFile(bearerFile, 'bearer-2');
    await clock.advance(HOUR_MS / 2 - 1);
    expect(world.bearers).toEqual(['bearer-1']);
    await clock.advance(1);
    await vi.waitFor(async () => expect(await login.token(forever)).toBe('token-2'));
    expect(world.bearers).toEqual(['bearer-1', 'bearer-2']);
  });

  it('counts the life from before it was sent, on its own clock', async () => {
    const { login, world } = await setUp();
    world.takesMs = 10_000;
    await login.token(forever);
    expect(login.life()?.leftMs).toBe(HOUR_MS - 10_000);
  });

  it('is used only once the servers know its token; the one before until then', async () => {
    const { login, clock, world } = await setUp();
    await login.token(forever);
    world.lag = 3;
    await clock.advance(HOUR_MS / 2);
    await vi.waitFor(() => expect(world.given).toEqual(['token-1', 'token-2']));
    expect(await login.token(forever)).toBe('token-1');
    await vi.waitFor(async () => {
      await clock.advance(100);
      expect(await login.token(forever)).toBe('token-2');
    });
    expect(world.lag).toBe(-1);
  });

  it('is given back where the servers do not learn of it', async () => {
    const { login, clock, world } = await setUp();
    world.lag = Number.POSITIVE_INFINITY;
    const failed = failureOf(login.token(forever));
    await vi.waitFor(() => expect(world.given).toEqual(['token-1']));
    await clock.advance(10_000);
    expect(world.back).toEqual(['token-1']);
    expect((await failed).message).toContain('do not know the token of the login after 10 s');
  });

  it('that fails leaves the token before it in use until its end, and is tried again', async () => {
    const { login, clock, world, said } = await setUp();
    await login.token(forever);
    world.refusal = NO_API_SERVER;
    await clock.advance(HOUR_MS / 2);
    await vi.waitFor(() => expect(said('warn')).toHaveLength(1));
    expect(said('warn')[0]).toContain('Consul cannot reach the API server');
    for (let step = 0; step < 179; step += 1) {
      await clock.advance(10_000);
      // The file of each try is really read: until it pauses again.
      await vi.waitFor(() => expect(clock.pending()).toBe(1), { interval: 1 });
    }
    expect(await login.token(forever)).toBe('token-1');
    // Once for the reason; and while the end is near each time.
    expect(said('warn')).toHaveLength(1);
    expect(said('error').length).toBeGreaterThan(1);
    await clock.advance(10_000);
    expect((await failureOf(login.token(forever))).message).toContain('Consul cannot reach the API server');
    world.refusal = null;
    await vi.waitFor(async () => {
      await clock.advance(30_000);
      expect(await login.token(forever)).toBe('token-2');
    });
    expect(world.bearers.length).toBeLessThan(200);
  });

  it('is tried again within five seconds where no token lives any more, however long it has failed', async () => {
    const { login, clock, world } = await setUp({ livesMs: 60_000 });
    await login.token(forever);
    world.refusal = NO_API_SERVER;
    const triesInAMinute = async (): Promise<number> => {
      const before = world.bearers.length;
      for (let second = 0; second < 60; second += 1) {
        await clock.advance(1000);
        await vi.waitFor(() => expect(clock.pending()).toBe(1), { interval: 1 });
      }
      return world.bearers.length - before;
    };
    await triesInAMinute();
    await triesInAMinute();
    expect((await failureOf(login.token(forever))).message).toContain('Consul cannot reach the API server');
    expect(await triesInAMinute()).toBe(12);
    world.refusal = null;
    await clock.advance(5000);
    await vi.waitFor(async () => expect(await login.token(forever)).toBe('token-2'));
  });

  it('is made anew at once where Consul does not know the token any more', async () => {
    const { login, clock, world } = await setUp();
    await login.token(forever);
    await clock.advance(5000);
    login.unknown('another');
    login.unknown('token-1');
    await vi.waitFor(async () => expect(await login.token(forever)).toBe('token-2'));
    // Just made: yet another would not be known sooner.
    login.unknown('token-2');
    await clock.advance(4999);
    expect(world.given).toEqual(['token-1', 'token-2']);
  });

  it('is not made anew for a token that is only just known, however long its login took', async () => {
    const { login, clock, world } = await setUp();
    world.takesMs = 6000;
    await login.token(forever);
    login.unknown('token-1');
    await clock.advance(4999);
    login.unknown('token-1');
    expect(clock.pending()).toBe(1);
    expect(world.given).toEqual(['token-1']);
    await clock.advance(1);
    login.unknown('token-1');
    await vi.waitFor(async () => expect(await login.token(forever)).toBe('token-2'));
  });

  it('without an end is the only one, and Consul is told to be without MaxTokenTTL', async () => {
    const { login, clock, world, said } = await setUp({ livesMs: null });
    await login.token(forever);
    await clock.advance(1000 * HOUR_MS);
    expect(await login.token(forever)).toBe('token-1');
    expect(world.given).toEqual(['token-1']);
    expect(login.life()).toBe(null);
    expect(said('warn')[0]).toContain('sets no MaxTokenTTL');
  });

  it('ends with its token given back, and leaves no timer', async () => {
    const { login, clock, world } = await setUp();
    await login.token(forever);
    await login.logout(forever);
    expect(world.back).toEqual(['token-1']);
    expect(clock.pending()).toBe(0);
    expect((await failureOf(login.token(forever))).kind).toBe('unreachable');
  });

  it('says which file cannot be read, and succeeds once it can be', async () => {
    const { login, clock, bearerFile } = await setUp();
    await rm(bearerFile);
    const { kind, message } = await failureOf(login.token(forever));
    expect({ kind, message }).toEqual({
      kind: 'denied',
      message: expect.stringContaining(`cannot be read from ${bearerFile}`) as string,
    });
    await writeFile(bearerFile, 'bearer');
    await clock.advance(1000);
    await vi.waitFor(async () => expect(await login.token(forever)).toBe('token-1'));
  });

  it('is not waited for by who gives up', async () => {
    const { login } = await setUp();
    const gone = AbortSignal.abort(new Error('gone'));
    await expect(login.token(gone)).rejects.toThrow('gone');
  });

  it.each<[what: string, refusal: Answer, kind: string, sentence: string]>([
    ['ACLs are off', answer(401, 'ACL support disabled'), 'denied', 'leave CONSUL_LOGIN_AUTH_METHOD out'],
    [
      'there is no such method',
      answer(403, 'ACL not found: auth method "leadergroup" not found'),
      'denied',
      'Consul has no such auth method: correct CONSUL_LOGIN_AUTH_METHOD',
    ],
    [
      'no binding rule binds',
      answer(403, 'Permission denied'),
      'denied',
      'consul acl binding-rule create -method leadergroup -bind-type role',
    ],
    [
      'the API server refuses the token',
      answer(500, 'lookup failed: [invalid bearer token, Token has expired.]'),
      'denied',
      'does not accept the ServiceAccount',
    ],
    [
      'the token is none',
      answer(500, 'failed to parse and validate JWT: go-jose/go-jose: compact JWS format must have three parts'),
      'denied',
      'does not accept the ServiceAccount',
    ],
    [
      'the method may not ask',
      answer(500, 'tokenreviews.authentication.k8s.io is forbidden: User "x" cannot create resource "tokenreviews"'),
      'denied',
      'needs the ClusterRole system:auth-delegator',
    ],
    ['the API server does not answer', NO_API_SERVER, 'unreachable', "see the auth method's Host and CACert"],
    ['Consul has no leader', answer(500, 'No cluster leader'), 'unreachable', 'No cluster leader'],
  ])('that is refused is told in a sentence where %s', async (_, refusal, kind, sentence) => {
    const { login, world } = await setUp();
    world.refusal = refusal;
    const error = await failureOf(login.token(forever));
    expect(error.kind).toBe(kind);
    expect(error.message).toMatch(/^Cannot log in to Consul by the auth method "leadergroup": /);
    expect(error.message).toContain(sentence);
  });
});
