/** The Consul adapter against the real Consul: what the operator relies on is what Consul does. */

import { execFile, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { consulKnowsSettingsOf } from '../../dev/tools/consul-versions.ts';
import type { SessionId } from '../../src/api/ids.ts';
import type { ConsulClient } from '../../src/consul/consul.ts';
import { bucketKey, claimsPrefix } from '../../src/election/keys.ts';
import type { TxnOp, TxnRejection } from '../../src/ports/consul.ts';
import { sessionId } from '../kit/fakes/ids.ts';
import { type Agent, consulBinary, failureOf, never, startConsul } from '../kit/rig/consul-agent.ts';

const run = promisify(execFile);

const FLAG = '3304740253564472344';
const NODE = 'leadergroup-test';
const MANAGEMENT_TOKEN = '5f3c0e0a-0000-4000-8000-00000000aaaa';
const NO_SUCH_SESSION = sessionId('00000000-0000-4000-8000-000000000000');

/** One test's own corner of Consul. */
const aKey = (name = '.lock'): string => `leadergroup/test/${randomUUID()}/${name}`;

const aSession = (
  consul: ConsulClient,
  { ttlMs = 60_000, lockDelayMs = 0, name = 'ns/group/uid' } = {},
): Promise<SessionId> => consul.createSession({ node: NODE, name, ttlMs, lockDelayMs }, never);

const lock = (key: string, session: SessionId, value = 'v'): TxnOp => ({ verb: 'lock', key, session, value });
const unlock = (key: string, session: SessionId, value = 'v'): TxnOp => ({ verb: 'unlock', key, session, value });

async function commit(consul: ConsulClient, ...ops: readonly TxnOp[]) {
  const result = await consul.txn(ops, never);
  if (result.kind === 'rejected') throw new Error(result.rejections.map(({ text }) => text).join('; '));
  return result.entries;
}

async function rejectionsOf(consul: ConsulClient, ...ops: readonly TxnOp[]): Promise<readonly TxnRejection[]> {
  const result = await consul.txn(ops, never);
  return result.kind === 'rejected' ? result.rejections : [];
}

const read = async (consul: ConsulClient, key: string) => (await consul.readKeys([key], never))[0] ?? null;

describe('Consul', () => {
  let agent: Agent;
  let consul: ConsulClient;

  beforeAll(async () => {
    agent = await startConsul();
    consul = agent.client();
    await consul.registerNode(NODE, never);
  });
  afterAll(() => agent[Symbol.asyncDispose]());

  describe('a session', () => {
    it('needs its node registered, and says so in a way of its own', async () => {
      const error = await failureOf(
        consul.createSession({ node: 'nobody', name: 'x', ttlMs: 10_000, lockDelayMs: 0 }, never),
      );
      expect(error.kind).toBe('noNode');
      expect(error.message).toContain('Missing node registration');
    });

    it('is on a node whose second registration changes nothing', async () => {
      const index = async () => JSON.parse(await agent.raw(`/catalog/node/${NODE}`)).Node.ModifyIndex;
      const before = await index();
      await consul.registerNode(NODE, never);
      expect(await index()).toBe(before);
    });

    it('is bound to that node alone, without checks, with behaviour release', async () => {
      const id = await aSession(consul, { ttlMs: 12_000, lockDelayMs: 1500, name: 'shop/notifier/u1' });
      expect(JSON.parse(await agent.raw(`/session/info/${id}`))).toMatchObject([
        {
          Name: 'shop/notifier/u1',
          Node: NODE,
          Behavior: 'release',
          TTL: '12s',
          LockDelay: 1.5e9,
          NodeChecks: [],
          ServiceChecks: null,
        },
      ]);
      const info = await consul.sessionInfo(id, never);
      expect(info).toMatchObject({ id, name: 'shop/notifier/u1', node: NODE, ttlMs: 12_000, lockDelayMs: 1500 });
      expect(await consul.listSessions(NODE, never)).toContainEqual(info);
    });

    it('created later has a higher createIndex', async () => {
      const [first, second] = [await aSession(consul), await aSession(consul)];
      const [one, two] = [await consul.sessionInfo(first, never), await consul.sessionInfo(second, never)];
      expect(two?.createIndex).toBeGreaterThan(one?.createIndex ?? Number.NaN);
    });

    it('is renewed while it lives and lost when it does not, which is an answer', async () => {
      const id = await aSession(consul);
      expect(await consul.renewSession(id, never)).toBe('renewed');
      await consul.destroySession(id, never);
      await consul.destroySession(id, never);
      expect(await consul.renewSession(id, never)).toBe('lost');
      expect(await consul.sessionInfo(id, never)).toBeNull();
      expect(await consul.renewSession(sessionId('no/such session'), never)).toBe('lost');
    });

    it('not renewed for twice its TTL frees its lock and leaves the value, which names the last holder', async () => {
      const key = aKey();
      const id = await aSession(consul, { ttlMs: 1000 });
      await commit(consul, lock(key, id, 'held by A'));
      const held = await consul.readPrefix(key, { index: 0, waitMs: 0 }, never);
      const freed = await consul.readPrefix(key, { index: held.index, waitMs: 20_000 }, never);
      expect(held.entries).toMatchObject([{ session: id }]);
      expect(freed.entries).toMatchObject([{ session: null, value: 'held by A', isLock: true }]);
      expect(await consul.renewSession(id, never)).toBe('lost');
    });

    it.each([500, 86_401_000])('with a TTL of %i ms is refused for good', async (ttlMs) => {
      const error = await failureOf(aSession(consul, { ttlMs }));
      expect(error).toMatchObject({ kind: 'refused', message: expect.stringContaining('Invalid Session TTL') });
    });
  });

  describe('a lock', () => {
    it('that twenty sessions want at once goes to one, and the others learn who was faster', async () => {
      const key = aKey();
      const sessions = await Promise.all(Array.from({ length: 20 }, () => aSession(consul)));
      const results = await Promise.all(sessions.map((session) => consul.txn([lock(key, session, session)], never)));
      const winners = sessions.filter((_, position) => results[position]?.kind === 'committed');
      expect(winners).toHaveLength(1);
      const reasons = results.flatMap((result) => (result.kind === 'rejected' ? result.rejections : []));
      expect(reasons.map(({ reason }) => reason)).toEqual(Array.from({ length: 19 }, () => 'held'));
      expect(await read(consul, key)).toMatchObject({ session: winners[0], value: winners[0] });
    });

    it('carries api.Lock’s flag exactly, through lock, unlock and set', async () => {
      const key = aKey();
      const session = await aSession(consul);
      for (const op of [lock(key, session), unlock(key, session), { verb: 'set', key, value: 'x' } as const]) {
        await commit(consul, op);
        expect(await agent.raw(`/kv/${key}`)).toContain(`"Flags":${FLAG},`);
      }
      expect(await read(consul, key)).toMatchObject({ isLock: true });
    });

    it.each(['3304740253564472300', '3304740253564472320', '0'])(
      'is not seen where the flags are %s',
      async (flags) => {
        const key = aKey();
        await agent.raw(`/kv/${key}?flags=${flags}`, { method: 'PUT', body: 'x' });
        expect(await read(consul, key)).toMatchObject({ isLock: false, value: 'x' });
      },
    );

    it('keeps every text as it was written', async () => {
      const key = aKey();
      for (const value of ['', '{"v":1}', 'grüß 🙂 \u0000\n"', 'x'.repeat(100_000)]) {
        const [entry] = await commit(consul, { verb: 'set', key, value });
        expect(entry?.value).toBe(value);
        expect((await read(consul, key))?.value ?? '').toBe(value);
      }
    });

    it('passes from one session to another in one change, without a gap, at a higher index', async () => {
      const key = aKey();
      const [a, b] = [await aSession(consul, { lockDelayMs: 60_000 }), await aSession(consul)];
      const [taken] = await commit(consul, lock(key, a, 'A'));
      const index = taken?.modifyIndex ?? 0;
      const watch = consul.readPrefix(key, { index, waitMs: 20_000 }, never);
      const moved = await commit(consul, { verb: 'check-index', key, index }, unlock(key, a, ''), lock(key, b, 'B'));
      expect(moved).toMatchObject([
        { session: null, value: '' },
        { session: b, value: 'B' },
      ]);
      expect(moved.at(-1)?.modifyIndex).toBeGreaterThan(index);
      expect((await watch).entries).toMatchObject([{ session: b, value: 'B', modifyIndex: moved.at(-1)?.modifyIndex }]);
    });

    it('locked again by its own session moves its index only when the value differs', async () => {
      const key = aKey();
      const session = await aSession(consul);
      const indexes = [];
      for (const value of ['1', '1', '2'])
        indexes.push((await commit(consul, lock(key, session, value)))[0]?.modifyIndex ?? 0);
      expect(indexes[1]).toBe(indexes[0]);
      expect(indexes[2]).toBeGreaterThan(indexes[1] ?? 0);
    });

    it('keeps consul lock out, and is kept out by it', async () => {
      const prefix = aKey('shared');
      const session = await aSession(consul);
      const env = { ...process.env, CONSUL_HTTP_ADDR: agent.address };
      await commit(consul, lock(`${prefix}/.lock`, session));
      await expect(run(await consulBinary(), ['lock', '-try=200ms', prefix, 'true'], { env })).rejects.toThrow();
      await commit(consul, unlock(`${prefix}/.lock`, session));
      const child = spawn(await consulBinary(), ['lock', '-pass-stdin', prefix, 'echo held; read line'], {
        env,
        stdio: ['pipe', 'pipe', 'inherit'],
      });
      await once(child.stdout, 'data');
      expect(await rejectionsOf(consul, lock(`${prefix}/.lock`, session))).toMatchObject([{ reason: 'held' }]);
      const ended = once(child, 'exit');
      child.stdin.end('\n');
      await ended;
      expect(await read(consul, `${prefix}/.lock`)).toBeNull();
    });
  });

  describe('lock-delay', () => {
    it('keeps everyone out after a destroy, says so, and ends by itself', async () => {
      const key = aKey();
      const [a, b] = [await aSession(consul, { lockDelayMs: 1000 }), await aSession(consul)];
      await commit(consul, lock(key, a));
      await consul.destroySession(a, never);
      expect(await rejectionsOf(consul, lock(key, b))).toMatchObject([{ op: 0, reason: 'lock-delay' }]);
      await expect.poll(() => rejectionsOf(consul, lock(key, b)), { timeout: 5000 }).toEqual([]);
    });

    it('hides a failed guard: it is told alone', async () => {
      const key = aKey();
      const [a, b] = [await aSession(consul, { lockDelayMs: 5000 }), await aSession(consul)];
      await commit(consul, lock(key, a));
      await consul.destroySession(a, never);
      expect(await rejectionsOf(consul, { verb: 'check-index', key, index: 1 }, lock(key, b))).toMatchObject([
        { op: 1, reason: 'lock-delay' },
      ]);
    });

    it('of 0 is none, and an unlock never has one', async () => {
      const key = aKey();
      const [a, b, c] = [
        await aSession(consul, { lockDelayMs: 0 }),
        await aSession(consul, { lockDelayMs: 60_000 }),
        await aSession(consul),
      ];
      await commit(consul, lock(key, a));
      await consul.destroySession(a, never);
      await commit(consul, lock(key, b));
      await commit(consul, unlock(key, b));
      await commit(consul, lock(key, c));
    });
  });

  describe('a rejected transaction', () => {
    type Scene = {
      readonly key: string;
      readonly holder: SessionId;
      readonly other: SessionId;
      readonly index: number;
    };
    const cases: readonly (readonly [TxnRejection['reason'], string, (scene: Scene) => TxnOp])[] = [
      ['held', 'lock is already held', ({ key, other }) => lock(key, other)],
      ['invalid-session', `invalid session "${NO_SUCH_SESSION}"`, ({ key }) => lock(`${key}x`, NO_SUCH_SESSION)],
      [
        'session-check',
        'failed session check for key',
        ({ key, other }) => ({ verb: 'check-session', key, session: sessionId(other) }),
      ],
      [
        'session-check',
        "doesn't exist",
        ({ key, other }) => ({ verb: 'check-session', key: `${key}x`, session: sessionId(other) }),
      ],
      [
        'index-check',
        'failed index check for key',
        ({ key, index }) => ({ verb: 'check-index', key, index: index + 1 }),
      ],
      ['index-check', "doesn't exist", ({ key, index }) => ({ verb: 'check-index', key: `${key}x`, index })],
      ['index-check', 'index is stale', ({ key, index }) => ({ verb: 'cas', key, index: index + 1, value: '' })],
      ['index-check', 'index is stale', ({ key }) => ({ verb: 'cas', key, index: 0, value: '' })],
      ['exists', 'exists', ({ key }) => ({ verb: 'check-not-exists', key })],
      ['not-holder', "lock isn't held, or is held by another session", ({ key, other }) => unlock(key, other)],
      ['not-holder', "lock isn't held, or is held by another session", ({ key, other }) => unlock(`${key}x`, other)],
      ['other', 'missing session', ({ key }) => lock(`${key}x`, sessionId(''))],
      ['other', 'Must provide key', () => ({ verb: 'set', key: '', value: '' })],
    ];

    it.each(cases)('says %s (%s), names the operation, and applies nothing', async (reason, text, op) => {
      const key = aKey();
      const [holder, other] = [await aSession(consul), await aSession(consul)];
      const index = (await commit(consul, lock(key, holder)))[0]?.modifyIndex ?? 0;
      const ops: readonly TxnOp[] = [
        { verb: 'set', key: `${key}-before`, value: '' },
        op({ key, holder, other, index }),
      ];
      expect(await rejectionsOf(consul, ...ops)).toEqual([{ op: 1, reason, text: expect.stringContaining(text) }]);
      expect(await read(consul, `${key}-before`)).toBeNull();
      expect(await read(consul, key)).toMatchObject({ session: holder, modifyIndex: index });
    });

    it('tells all its reasons', async () => {
      const key = aKey();
      const [holder, other] = [await aSession(consul), await aSession(consul)];
      await commit(consul, lock(key, holder));
      const rejections = await rejectionsOf(
        consul,
        { verb: 'check-session', key, session: other },
        { verb: 'check-index', key, index: 1 },
        lock(key, other),
      );
      expect(rejections.map(({ op, reason }) => [op, reason])).toEqual([
        [0, 'session-check'],
        [1, 'index-check'],
        [2, 'held'],
      ]);
    });

    it('of checks alone is rejected just so', async () => {
      const key = aKey();
      expect(await rejectionsOf(consul, { verb: 'check-index', key, index: 5 })).toMatchObject([
        { reason: 'index-check' },
      ]);
      expect(await commit(consul, { verb: 'check-not-exists', key })).toEqual([]);
    });

    it('that is too large is refused, not unknown', async () => {
      const many = Array.from({ length: 129 }, (_, position): TxnOp => ({ verb: 'delete', key: aKey(`${position}`) }));
      expect(await failureOf(consul.txn(many, never))).toMatchObject({ kind: 'refused' });
      const large: TxnOp = { verb: 'set', key: aKey(), value: 'x'.repeat(600_000) };
      expect(await failureOf(consul.txn([large], never))).toMatchObject({ kind: 'refused' });
    });
  });

  describe('a read', () => {
    it('of 64 keys answers each in its place, null where there is none', async () => {
      const keys = Array.from({ length: 64 }, (_, position) => aKey(`${position}`));
      await commit(
        consul,
        ...keys.filter((_, position) => position % 2 === 0).map((key): TxnOp => ({ verb: 'set', key, value: key })),
      );
      const entries = await consul.readKeys(keys, never);
      expect(entries.map((entry) => entry?.value ?? null)).toEqual(
        keys.map((key, position) => (position % 2 === 0 ? key : null)),
      );
    });

    it('of a prefix finds what is below it and nothing beside it', async () => {
      const prefix = aKey('a/');
      await commit(
        consul,
        { verb: 'set', key: `${prefix}1`, value: '1' },
        { verb: 'set', key: `${prefix}b/2`, value: '2' },
        { verb: 'set', key: `${prefix.slice(0, -1)}x`, value: '3' },
      );
      const { entries, index } = await consul.readPrefix(prefix, { index: 0, waitMs: 0 }, never);
      expect(entries.map(({ value }) => value)).toEqual(['1', '2']);
      expect(index).toBe(Math.max(...entries.map(({ modifyIndex }) => modifyIndex)));
    });

    it('of a prefix without keys is empty, with an index that waits for the first key', async () => {
      const prefix = aKey('');
      const empty = await consul.readPrefix(prefix, { index: 0, waitMs: 0 }, never);
      expect(empty.entries).toEqual([]);
      expect(empty.index).toBeGreaterThanOrEqual(1);
      const watch = consul.readPrefix(prefix, { index: empty.index, waitMs: 20_000 }, never);
      await commit(consul, { verb: 'set', key: `${prefix}first`, value: '1' });
      expect((await watch).entries).toMatchObject([{ value: '1' }]);
    });

    it('that blocks wakes within milliseconds of a change, and not for another prefix', async () => {
      const [mine, others] = [aKey('mine/'), aKey('others/')];
      await commit(consul, { verb: 'set', key: `${mine}k`, value: '1' });
      const { index } = await consul.readPrefix(mine, { index: 0, waitMs: 0 }, never);
      const watch = consul
        .readPrefix(mine, { index, waitMs: 20_000 }, never)
        .then((snapshot) => ({ snapshot, ms: performance.now() }));
      for (let count = 0; count < 20; count += 1)
        await commit(consul, { verb: 'set', key: `${others}k`, value: `${count}` });
      const changedMs = performance.now();
      await commit(consul, { verb: 'set', key: `${mine}k`, value: '2' });
      const { snapshot, ms } = await watch;
      expect(snapshot.entries).toMatchObject([{ value: '2' }]);
      expect(ms).toBeGreaterThan(changedMs);
      expect(ms - changedMs).toBeLessThan(1000);
    });

    it('that blocks while nothing happens answers after its wait, on a connection that was idle for all of it', async () => {
      const prefix = aKey('quiet/');
      await commit(consul, { verb: 'set', key: `${prefix}k`, value: '1' });
      const first = await consul.readPrefix(prefix, { index: 0, waitMs: 0 }, never);
      const startedMs = performance.now();
      const again = await consul.readPrefix(prefix, { index: first.index, waitMs: 16_000 }, never);
      expect(again).toEqual(first);
      expect(performance.now() - startedMs).toBeGreaterThan(15_900);
      expect(performance.now() - startedMs).toBeLessThan(16_000 * (17 / 16) + 1000);
    });

    it('that blocks ends at once when aborted', async () => {
      const abort = new AbortController();
      const prefix = aKey('');
      const { index } = await consul.readPrefix(prefix, { index: 0, waitMs: 0 }, never);
      const watch = consul.readPrefix(prefix, { index, waitMs: 20_000 }, abort.signal);
      abort.abort('enough');
      await expect(watch).rejects.toBe('enough');
    });
  });
});

describe('a Consul in trouble', () => {
  it('that is frozen leaves the outcome of a write unknown, and may apply it later', async () => {
    await using agent = await startConsul();
    const consul = agent.client({ requestTimeoutMs: 500 });
    const key = aKey();
    // The connection stands before the freeze, as it does in an operator.
    await consul.registerNode(NODE, never);
    agent.signal('SIGSTOP');
    await expect.poll(() => agent.isStopped()).toBe(true);
    const error = await failureOf(consul.txn([{ verb: 'set', key, value: 'late' }], never));
    expect(error).toMatchObject({ kind: 'unknown', message: expect.stringContaining('timed out') });
    expect(await failureOf(consul.readKeys([key], never))).toMatchObject({ kind: 'unreachable' });
    agent.signal('SIGCONT');
    await expect.poll(async () => (await read(consul, key).catch(() => null))?.value, { timeout: 20_000 }).toBe('late');
  });

  it('that was killed applied nothing, and the same client goes on when it is back', async () => {
    await using agent = await startConsul();
    const consul = agent.client();
    const key = aKey();
    await commit(consul, { verb: 'set', key, value: 'before' });
    await agent.kill();
    // A kept-alive connection may only now be found dead, which leaves the first outcome open.
    await failureOf(consul.txn([{ verb: 'set', key, value: 'after' }], never));
    expect(await failureOf(consul.txn([{ verb: 'set', key, value: 'after' }], never))).toMatchObject({
      kind: 'unreachable',
      message: expect.stringContaining('ECONNREFUSED'),
    });
    await agent.start();
    expect(await read(consul, key)).toMatchObject({ value: 'before' });
  });

  it('that lost its data shows an index that goes backwards, and no session of before', async () => {
    await using agent = await startConsul();
    const consul = agent.client();
    await consul.registerNode(NODE, never);
    const session = await aSession(consul);
    for (let count = 0; count < 60; count += 1)
      await commit(consul, { verb: 'set', key: 'leadergroup/k', value: `${count}` });
    const before = await consul.readPrefix('leadergroup/', { index: 0, waitMs: 0 }, never);
    await agent.wipe();
    const after = await consul.readPrefix('leadergroup/', { index: before.index, waitMs: 1000 }, never);
    expect(after.entries).toEqual([]);
    expect(after.index).toBeLessThan(before.index);
    expect(await consul.renewSession(session, never)).toBe('lost');
    expect(await failureOf(aSession(consul))).toMatchObject({ kind: 'noNode' });
  });

  it('without a leader says that it did nothing', async () => {
    await using agent = await startConsul({
      config: { bootstrap: false, bootstrap_expect: 3 },
      isReady: async (agent) => (await agent.raw('/status/leader').catch(() => '')) === '""',
    });
    // Consul holds a request in the hope of a leader: for 7 s it says, for up to 16 s it does.
    const consul = agent.client({ requestTimeoutMs: 60_000 });
    const attempts = [
      consul.txn([{ verb: 'set', key: 'k', value: '' }], never),
      consul.renewSession(NO_SUCH_SESSION, never),
      consul.registerNode(NODE, never),
      consul.listSessions(NODE, never),
      consul.readKeys(['k'], never),
    ];
    for (const error of await Promise.all(attempts.map(failureOf))) {
      expect(error).toMatchObject({ kind: 'unreachable', message: expect.stringContaining('No cluster leader') });
    }
  });

  // Before 1.15 it has no such limits.
  it.runIf(consulKnowsSettingsOf(15))('whose rate limit is reached says that it did nothing', async () => {
    const limits = { request_limits: { mode: 'enforcing', read_rate: 1, write_rate: 1 } };
    await using agent = await startConsul({
      config: { limits },
      isReady: async (agent) => (await agent.raw('/status/leader').catch(() => '')).includes(':'),
    });
    const consul = agent.client();
    const failures: unknown[] = [];
    const flood = async (): Promise<number> => {
      const write = () =>
        consul.txn([{ verb: 'set', key: 'k', value: '' }], never).catch((error: unknown) => failures.push(error));
      await Promise.all(Array.from({ length: 50 }, write));
      return failures.length;
    };
    // Consul begins to count a moment after the first request.
    await expect.poll(flood, { timeout: 20_000 }).toBeGreaterThan(10);
    for (const failure of failures) {
      expect(failure).toMatchObject({ kind: 'unreachable', message: expect.stringContaining('rate limit exceeded') });
    }
  });
});

describe('Consul with access control', () => {
  let agent: Agent;

  beforeAll(async () => {
    const acl = {
      enabled: true,
      default_policy: 'deny',
      tokens: { initial_management: MANAGEMENT_TOKEN, agent: MANAGEMENT_TOKEN },
    };
    agent = await startConsul({ config: { acl }, options: () => ({ token: MANAGEMENT_TOKEN }) });
    const admin = agent.client();
    await admin.registerNode(NODE, never);
    await admin.txn([{ verb: 'set', key: 'leadergroup/x/k', value: '' }], never);
  });
  afterAll(() => agent[Symbol.asyncDispose]());

  const tokenWith = async (rules: string): Promise<string> => {
    const put = async (path: string, body: object) =>
      JSON.parse(await agent.raw(path, { method: 'PUT', body: JSON.stringify(body) }));
    const name = `p-${randomUUID()}`;
    await put('/acl/policy', { Name: name, Rules: rules });
    return (await put('/acl/token', { Policies: [{ Name: name }] })).SecretID;
  };

  const clientWith = async (rules: string): Promise<ConsulClient> => agent.client({ token: await tokenWith(rules) });

  const NODE_RULE = `node "${NODE}" { policy = "write" }`;
  const SESSION_RULE = `session "${NODE}" { policy = "write" }`;
  const KEY_RULE = 'key_prefix "leadergroup/" { policy = "write" }';

  it('needs three rules for everything', async () => {
    const consul = await clientWith(`${NODE_RULE} ${SESSION_RULE} ${KEY_RULE}`);
    await consul.registerNode(NODE, never);
    const session = await aSession(consul);
    await commit(consul, lock(aKey(), session));
    expect(await consul.renewSession(session, never)).toBe('renewed');
    expect((await consul.listSessions(NODE, never)).map(({ id }) => id)).toContain(session);
    await consul.destroySession(session, never);
  });

  it('lets the rights of deploy/consul-policy.hcl claim below their own cluster, and nowhere else', async () => {
    const cluster = NODE.replace('leadergroup-', '');
    const consul = await clientWith(
      (await readFile('deploy/consul-policy.hcl', 'utf8')).replaceAll('CLUSTER', cluster),
    );
    const session = await aSession(consul);
    const claims = (of: string) => claimsPrefix({ prefix: 'leadergroup', cluster: of }, { namespace: 'a', name: 'b' });
    const bucket = bucketKey({ prefix: 'leadergroup', cluster }, 0);
    await commit(consul, lock(bucket, session));
    const claim = (key: string): readonly TxnOp[] => [
      { verb: 'check-session', key: bucket, session },
      { verb: 'check-not-exists', key },
      { verb: 'set', key, value: 'x' },
    ];
    await commit(consul, ...claim(`${claims(cluster)}hash`));
    expect(await consul.listKeys(claims(cluster), never)).toEqual([`${claims(cluster)}hash`]);
    expect(await rejectionsOf(consul, ...claim(`${claims('another')}hash`))).toMatchObject([
      { op: 1, reason: 'denied' },
      { op: 2, reason: 'denied' },
    ]);
    await agent.client().txn([{ verb: 'set', key: `${claims('another')}hash`, value: '' }], never);
    expect(await failureOf(consul.listKeys(claims('another'), never))).toMatchObject({ kind: 'denied' });
  });

  it('needs no rule for nodes to register the node as it is', async () => {
    await (await clientWith(SESSION_RULE)).registerNode(NODE, never);
  });

  it('names the missing right for a node', async () => {
    const consul = await clientWith(SESSION_RULE);
    expect(await failureOf(consul.registerNode('leadergroup-new', never))).toMatchObject({
      kind: 'denied',
      message: expect.stringContaining('give the token the rule: node "leadergroup-new" { policy = "write" }'),
    });
  });

  it('names the missing right for sessions, also where Consul answers an empty list', async () => {
    const session = await aSession(agent.client());
    const consul = await clientWith(KEY_RULE);
    const named = { kind: 'denied', message: expect.stringContaining(SESSION_RULE) };
    expect(await failureOf(aSession(consul))).toMatchObject(named);
    expect(await failureOf(consul.renewSession(session, never))).toMatchObject(named);
    expect(await failureOf(consul.destroySession(session, never))).toMatchObject(named);
    expect(await failureOf(consul.listSessions(NODE, never))).toMatchObject(named);
    expect(await failureOf(consul.sessionInfo(session, never))).toMatchObject({ kind: 'denied' });
  });

  it('names the missing right for keys: in a transaction, a read of keys, a read of a prefix', async () => {
    const consul = await clientWith(SESSION_RULE);
    expect(await rejectionsOf(consul, { verb: 'set', key: 'leadergroup/x/k', value: '' })).toMatchObject([
      { op: 0, reason: 'denied', text: expect.stringContaining('lacks permission \'key:write\' on "leadergroup/x/k"') },
    ]);
    expect(await failureOf(consul.readKeys(['leadergroup/x/k'], never))).toMatchObject({
      kind: 'denied',
      message: expect.stringContaining('key_prefix "leadergroup/" { policy = "write" }'),
    });
    expect(await failureOf(consul.readPrefix('leadergroup/', { index: 0, waitMs: 0 }, never))).toMatchObject({
      kind: 'denied',
      message: expect.stringContaining('key_prefix "leadergroup/" { policy = "read" }'),
    });
  });

  it('tells a right that only reads from one that writes', async () => {
    const consul = await clientWith('key_prefix "leadergroup/" { policy = "read" }');
    expect(await read(consul, 'leadergroup/x/k')).toMatchObject({ key: 'leadergroup/x/k' });
    const ops: readonly TxnOp[] = [
      { verb: 'check-index', key: 'leadergroup/x/k', index: 1 },
      { verb: 'set', key: 'leadergroup/x/k', value: '' },
    ];
    expect(await rejectionsOf(consul, ...ops)).toMatchObject([{ op: 1, reason: 'denied' }]);
  });

  it('says of an unknown token that it is unknown, whatever is asked', async () => {
    const consul = agent.client({ token: NO_SUCH_SESSION });
    const unknown = {
      kind: 'denied',
      message: expect.stringContaining('ACL not found; the token is unknown to Consul'),
    };
    const attempts = [
      consul.registerNode(NODE, never),
      aSession(consul),
      consul.renewSession(NO_SUCH_SESSION, never),
      consul.listSessions(NODE, never),
      consul.txn([{ verb: 'set', key: 'leadergroup/x/k', value: '' }], never),
      consul.readKeys(['leadergroup/x/k'], never),
      consul.readPrefix('leadergroup/', { index: 0, waitMs: 0 }, never),
    ];
    for (const error of await Promise.all(attempts.map(failureOf))) expect(error).toMatchObject(unknown);
  });

  it('hides from requests without a token that it filtered: only transactions and reads of keys notice', async () => {
    const consul = agent.client({ token: null });
    expect(await failureOf(consul.readKeys(['leadergroup/x/k'], never))).toMatchObject({ kind: 'denied' });
    expect(await rejectionsOf(consul, { verb: 'delete', key: 'leadergroup/x/k' })).toMatchObject([
      { reason: 'denied' },
    ]);
    expect(await consul.listSessions(NODE, never)).toEqual([]);
    expect((await consul.readPrefix('leadergroup/', { index: 0, waitMs: 0 }, never)).entries).toEqual([]);
  });
});
