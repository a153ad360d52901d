/**
 * What the operator relies on Consul for, as cases that the simulated and the real one must both pass: so the simulation tells of
 * the Consul that there is.
 */

import { expect, it } from 'vitest';
import type { SessionId } from '../../src/api/ids.ts';
import { type Consul, ConsulError, type KvEntry, type TxnOp, type TxnResult } from '../../src/ports/consul.ts';
import { sessionId } from '../kit/fakes/ids.ts';

export type ContractConsul = {
  readonly consul: Consul;
  /** A registered node that nobody else opens sessions on. */
  readonly node: string;
  /** Lets time pass. */
  pass(ms: number): Promise<void>;
};

const signal = new AbortController().signal;
const TTL_MS = 10_000;
/** A server that is asked over a network, on a busy machine, is seen to have done something a little later. */
const SLACK_MS = 3000;

let used = 0;

/** Every case has keys of its own. */
const freshKey = (): string => `contract/${Date.now().toString(36)}-${process.pid}-${(used += 1)}/.lock`;

const open = (c: ContractConsul, lockDelayMs = 0, ttlMs = TTL_MS): Promise<SessionId> =>
  c.consul.createSession({ node: c.node, name: `contract/${used}`, ttlMs, lockDelayMs }, signal);

const txn = (c: ContractConsul, ...ops: readonly TxnOp[]): Promise<TxnResult> => c.consul.txn(ops, signal);

async function committed(c: ContractConsul, ...ops: readonly TxnOp[]): Promise<readonly KvEntry[]> {
  const result = await txn(c, ...ops);
  if (result.kind === 'committed') return result.entries;
  throw new Error(`refused: ${JSON.stringify(result.rejections)}`);
}

/** Reason and words of every operation that was refused, keys, sessions and numbers left out. */
async function refusals(
  c: ContractConsul,
  ...ops: readonly TxnOp[]
): Promise<readonly (readonly [number, string, string])[]> {
  const result = await txn(c, ...ops);
  if (result.kind === 'committed') throw new Error('it was committed');
  return result.rejections.map(({ op, reason, text }) => [op, reason, plain(text)] as const);
}

const plain = (text: string): string =>
  text
    .replaceAll(/"contract\/[^"]*"/g, 'KEY')
    .replaceAll(/"(?:[0-9a-f-]{36}|session-\d+|no-such-session)"/g, 'SESSION')
    .replaceAll(/\b\d+\b/g, 'N');

const read = async (c: ContractConsul, key: string): Promise<KvEntry | null> =>
  (await c.consul.readKeys([key], signal))[0] ?? null;

const lock = (key: string, session: SessionId, value = 'v'): TxnOp => ({ verb: 'lock', key, session, value });
const unlock = (key: string, session: SessionId, value = 'u'): TxnOp => ({ verb: 'unlock', key, session, value });

const NO_SESSION = sessionId('no-such-session');

export function consulContract(given: () => ContractConsul): void {
  const test = (name: string, body: (c: ContractConsul, key: string) => Promise<void>): void =>
    it.concurrent(name, async () => body(given(), freshKey()));

  test('a free lock is taken: the answer shows the entry, with the lock flag, its session and one index', async (c, key) => {
    const session = await open(c);
    const [entry] = await committed(c, lock(key, session));
    expect(entry).toMatchObject({ key, session, isLock: true });
    expect(entry?.createIndex).toBe(entry?.modifyIndex);
    expect(await read(c, key)).toMatchObject({
      key,
      session,
      isLock: true,
      value: 'v',
      modifyIndex: entry?.modifyIndex,
    });
  });

  test('an identical entry keeps its index, any other value raises it', async (c, key) => {
    const session = await open(c);
    const [first] = await committed(c, lock(key, session));
    const [same] = await committed(c, lock(key, session));
    const [other] = await committed(c, lock(key, session, 'w'));
    expect(same?.modifyIndex).toBe(first?.modifyIndex);
    expect(other?.modifyIndex).toBeGreaterThan(first?.modifyIndex ?? 0);
  });

  test('a lock that another holds is refused, as is one with a session that does not exist', async (c, key) => {
    const [one, two] = [await open(c), await open(c)];
    await committed(c, lock(key, one));
    expect(await refusals(c, lock(key, two))).toEqual([[0, 'held', 'failed to lock key KEY, lock is already held']]);
    expect(await refusals(c, lock(freshKey(), NO_SESSION))).toEqual([
      [0, 'invalid-session', 'invalid session SESSION'],
    ]);
    expect((await read(c, key))?.session).toBe(one);
  });

  test('guards fail for another session, another index, a key that is there or is not', async (c, key) => {
    const [one, two] = [await open(c), await open(c)];
    const [entry] = await committed(c, lock(key, one));
    const missing = freshKey();
    expect(await refusals(c, { verb: 'check-session', key, session: two })).toEqual([
      [0, 'session-check', 'failed session check for key KEY, current session SESSION != SESSION'],
    ]);
    expect(await refusals(c, { verb: 'check-index', key, index: (entry?.modifyIndex ?? 0) + 1 })).toEqual([
      [0, 'index-check', 'failed index check for key KEY, current modify index N != N'],
    ]);
    expect(await refusals(c, { verb: 'check-not-exists', key })).toEqual([[0, 'exists', 'key KEY exists']]);
    expect(await refusals(c, { verb: 'check-session', key: missing, session: one })).toEqual([
      [0, 'session-check', "failed to check session, key KEY doesn't exist"],
    ]);
    expect(await refusals(c, { verb: 'check-index', key: missing, index: 1 })).toEqual([
      [0, 'index-check', "failed to check index, key KEY doesn't exist"],
    ]);
    await committed(
      c,
      { verb: 'check-session', key, session: one },
      { verb: 'check-index', key, index: entry?.modifyIndex ?? 0 },
    );
    await committed(c, { verb: 'check-not-exists', key: missing });
  });

  test('nothing of a refused transaction is done, and every operation that failed is told', async (c, key) => {
    const [one, two] = [await open(c), await open(c)];
    await committed(c, lock(key, one));
    const other = freshKey();
    const refused = await refusals(c, { verb: 'set', key: other, value: 'x' }, lock(key, two), unlock(key, two), {
      verb: 'check-not-exists',
      key,
    });
    expect(refused.map(([op, reason]) => [op, reason])).toEqual([
      [1, 'held'],
      [2, 'not-holder'],
      [3, 'exists'],
    ]);
    expect(await read(c, other)).toBeNull();
  });

  test('unlocking needs the holder, leaves the entry with the new value, and closes nothing', async (c, key) => {
    const [one, two] = [await open(c, 15_000), await open(c, 15_000)];
    await committed(c, lock(key, one));
    const words = "failed to unlock key KEY, lock isn't held, or is held by another session";
    expect(await refusals(c, unlock(key, two))).toEqual([[0, 'not-holder', words]]);
    expect(await refusals(c, unlock(freshKey(), two))).toEqual([[0, 'not-holder', words]]);
    await committed(c, unlock(key, one, 'left'));
    expect(await read(c, key)).toMatchObject({ session: null, value: 'left', isLock: true });
    await committed(c, lock(key, two));
  });

  test('a lock passes from one session to another in one transaction', async (c, key) => {
    const [one, two] = [await open(c), await open(c)];
    const [before] = await committed(c, lock(key, one));
    const index = before?.modifyIndex ?? 0;
    const written = await committed(c, { verb: 'check-index', key, index }, unlock(key, one), lock(key, two, 'next'));
    expect(written).toHaveLength(2);
    expect(await read(c, key)).toMatchObject({ session: two, value: 'next' });
    expect((await read(c, key))?.modifyIndex).toBeGreaterThan(index);
  });

  test('set leaves the holder alone, and an identical value the index; delete needs no holder', async (c, key) => {
    const session = await open(c);
    await committed(c, lock(key, session));
    const [set] = await committed(c, { verb: 'set', key, value: 'by hand' });
    const [again] = await committed(c, { verb: 'set', key, value: 'by hand' });
    expect(set?.session).toBe(session);
    expect(again?.modifyIndex).toBe(set?.modifyIndex);
    expect(await committed(c, { verb: 'delete', key })).toEqual([]);
    expect(await read(c, key)).toBeNull();
    await committed(c, { verb: 'delete', key });
  });

  test('cas sets what stands at the very index, and with index 0 what is not there', async (c, key) => {
    const stale = [0, 'index-check', 'failed to set key KEY, index is stale'] as const;
    const [first] = await committed(c, { verb: 'cas', key, index: 0, value: 'first' });
    expect(first).toMatchObject({ key, value: 'first', createIndex: first?.modifyIndex, isLock: true });
    const index = first?.modifyIndex ?? 0;
    expect(await refusals(c, { verb: 'cas', key, index: 0, value: 'again' })).toEqual([stale]);
    expect(await refusals(c, { verb: 'cas', key, index: index + 1, value: 'newer' })).toEqual([stale]);
    expect(await refusals(c, { verb: 'cas', key: freshKey(), index, value: 'gone' })).toEqual([stale]);
    const [next] = await committed(c, { verb: 'cas', key, index, value: 'next' });
    expect(next?.modifyIndex).toBeGreaterThan(index);
    expect(await refusals(c, { verb: 'cas', key, index, value: 'late' })).toEqual([stale]);
    expect(await read(c, key)).toMatchObject({ value: 'next', modifyIndex: next?.modifyIndex });
  });

  test('of two cas of one key in a transaction the second one finds the first', async (c, key) => {
    const cas = (value: string): TxnOp => ({ verb: 'cas', key, index: 0, value });
    expect((await refusals(c, cas('one'), cas('two'))).map(([op, reason]) => [op, reason])).toEqual([
      [1, 'index-check'],
    ]);
    expect(await read(c, key)).toBeNull();
  });

  test('the end of a session frees its locks, keeps their values, and raises their index', async (c, key) => {
    const session = await open(c);
    const [entry] = await committed(c, lock(key, session, 'who led'));
    await c.consul.destroySession(session, signal);
    const after = await read(c, key);
    expect(after).toMatchObject({ session: null, value: 'who led', isLock: true });
    expect(after?.modifyIndex).toBeGreaterThan(entry?.modifyIndex ?? 0);
    await committed(c, lock(key, await open(c)));
  });

  test('a lock-delay closes what an ended session held, and hides every other reason', async (c, key) => {
    const [one, two] = [await open(c, 15_000), await open(c)];
    await committed(c, lock(key, one));
    await c.consul.destroySession(one, signal);
    const closed = [0, 'lock-delay', 'failed to lock key KEY due to lock delay'] as const;
    expect(await refusals(c, lock(key, two))).toEqual([closed]);
    const guarded = await refusals(c, { verb: 'check-index', key, index: 1 }, lock(key, two));
    expect(guarded.map(([, reason]) => reason)).toEqual(['lock-delay']);
    await committed(c, { verb: 'set', key, value: 'set is not locked out' });
  });

  test('a lock-delay is over when its time is', async (c, key) => {
    const [one, two] = [await open(c, 1000), await open(c)];
    await committed(c, lock(key, one));
    await c.consul.destroySession(one, signal);
    expect((await refusals(c, lock(key, two))).map(([, reason]) => reason)).toEqual(['lock-delay']);
    await c.pass(1500);
    await committed(c, lock(key, two));
  });

  test('sessions are listed and told of as they were made; one that is not there is lost', async (c, key) => {
    const name = key;
    const id = await c.consul.createSession({ node: c.node, name, ttlMs: 30_000, lockDelayMs: 2000 }, signal);
    const told = { id, name, node: c.node, ttlMs: 30_000, lockDelayMs: 2000 };
    expect(await c.consul.sessionInfo(id, signal)).toMatchObject(told);
    expect((await c.consul.listSessions(c.node, signal)).find((session) => session.id === id)).toMatchObject(told);
    expect(await c.consul.renewSession(id, signal)).toBe('renewed');
    await c.consul.destroySession(id, signal);
    await c.consul.destroySession(id, signal);
    expect(await c.consul.renewSession(id, signal)).toBe('lost');
    expect(await c.consul.sessionInfo(id, signal)).toBeNull();
  });

  test('later sessions have higher indexes', async (c) => {
    const [one, two] = [await open(c), await open(c)];
    const info = async (id: SessionId): Promise<number> => (await c.consul.sessionInfo(id, signal))?.createIndex ?? 0;
    expect(await info(two)).toBeGreaterThan(await info(one));
  });

  test('a session needs its node', async (c) => {
    const request = { node: 'there-is-no-such-node', name: 'n', ttlMs: TTL_MS, lockDelayMs: 0 };
    const refused = await c.consul.createSession(request, signal).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(ConsulError);
    expect((refused as ConsulError).kind).toBe('noNode');
  });

  test('a session that nobody renews ends after once to twice its TTL, and its lock is free', async (c, key) => {
    const [kept, left] = [await open(c), await open(c)];
    await committed(c, lock(key, left));
    await c.pass(TTL_MS - SLACK_MS);
    await c.consul.renewSession(kept, signal);
    expect((await read(c, key))?.session).toBe(left);
    await c.pass(TTL_MS - SLACK_MS);
    await c.consul.renewSession(kept, signal);
    await c.pass(3 * SLACK_MS);
    expect((await read(c, key))?.session).toBeNull();
    expect(await c.consul.renewSession(kept, signal)).toBe('renewed');
    expect(await c.consul.renewSession(left, signal)).toBe('lost');
  });

  test('a prefix is read with the index of its newest change, a removal too; without keys it is at least 1', async (c, key) => {
    const prefix = key.slice(0, key.lastIndexOf('/') + 1);
    const look = () => c.consul.readPrefix(prefix, { index: 0, waitMs: 1000 }, signal);
    expect((await look()).index).toBeGreaterThanOrEqual(1);
    expect((await look()).entries).toEqual([]);
    const session = await open(c);
    await committed(c, lock(key, session), { verb: 'set', key: `${prefix}second`, value: 'x' });
    const full = await look();
    expect(full.entries.map((entry) => entry.key).toSorted()).toEqual([key, `${prefix}second`].toSorted());
    expect(full.index).toBe(Math.max(...full.entries.map(({ modifyIndex }) => modifyIndex)));
    await committed(c, { verb: 'delete', key: `${prefix}second` });
    const less = await look();
    expect(less.entries.map((entry) => entry.key)).toEqual([key]);
    expect(less.index).toBeGreaterThan(full.index);
  });

  test('the keys below a prefix are listed by their names, and none where there is none', async (c, key) => {
    const prefix = key.slice(0, key.lastIndexOf('/') + 1);
    expect(await c.consul.listKeys(prefix, signal)).toEqual([]);
    await committed(c, { verb: 'set', key, value: 'x' }, { verb: 'set', key: `${key}/below`, value: 'x' });
    expect((await c.consul.listKeys(prefix, signal)).toSorted()).toEqual([key, `${key}/below`]);
    expect(await c.consul.listKeys(`${key}/`, signal)).toEqual([`${key}/below`]);
  });

  test('a read of one key shows it alone, and answers again when it changes, appears or is gone', async (c, key) => {
    const none = await c.consul.readKey(key, { index: 0, waitMs: 1000 }, signal);
    expect([none.entry, none.index >= 1]).toEqual([null, true]);
    const appears = c.consul.readKey(key, { index: none.index, waitMs: 60_000 }, signal);
    await committed(
      c,
      { verb: 'set', key: `${key}-beside`, value: 'x' },
      { verb: 'set', key: `${key}/below`, value: 'x' },
    );
    const [made] = await committed(c, { verb: 'set', key, value: 'one' });
    const until = async (found: typeof none): Promise<typeof none> =>
      found.entry !== null ? found : until(await c.consul.readKey(key, { index: found.index, waitMs: 60_000 }, signal));
    const first = await until(await appears);
    expect(first).toMatchObject({ index: made?.modifyIndex, entry: { key, value: 'one' } });
    const changes = c.consul.readKey(key, { index: first.index, waitMs: 60_000 }, signal);
    await committed(c, { verb: 'set', key, value: 'two' });
    const second = await changes;
    expect([second.entry?.value, second.index > first.index]).toEqual(['two', true]);
    const goes = c.consul.readKey(key, { index: second.index, waitMs: 60_000 }, signal);
    await committed(c, { verb: 'delete', key });
    const gone = await goes;
    expect([gone.entry, gone.index > second.index]).toEqual([null, true]);
    const quiet = c.consul.readKey(key, { index: gone.index, waitMs: 1000 }, signal);
    await c.pass(2500);
    expect((await quiet).entry).toBeNull();
  });

  test('a blocking read answers when something below the prefix changes, and else when its time is over', async (c, key) => {
    const prefix = key.slice(0, key.lastIndexOf('/') + 1);
    const session = await open(c);
    await committed(c, lock(key, session));
    const { index } = await c.consul.readPrefix(prefix, { index: 0, waitMs: 1000 }, signal);
    const woken = c.consul.readPrefix(prefix, { index, waitMs: 60_000 }, signal);
    await committed(c, lock(key, session, 'changed'));
    expect((await woken).entries[0]?.value).toBe('changed');
    const now = (await woken).index;
    const quiet = c.consul.readPrefix(prefix, { index: now, waitMs: 1000 }, signal);
    await c.pass(2500);
    expect((await quiet).index).toBe(now);
  });
}
