/**
 * A Consul in memory with the semantics the operator relies on: sessions on catalog nodes that expire by time, locks
 * that outlive them (behaviour release), lock-delay, transactions that are all or nothing, blocking reads. Everything
 * happens at once; what a network does to requests is the link's business.
 */
import type { SessionId } from '../../../src/api/ids.ts';
import type { Clock } from '../../../src/ports/clock.ts';
import {
  ConsulError,
  type ConsulSession,
  type KvEntry,
  type KvSnapshot,
  type TxnOp,
  type TxnResult,
} from '../../../src/ports/consul.ts';
import { sessionId } from '../fakes/ids.ts';
import { runTxn } from './world-txn.ts';

type SessionRequest = {
  readonly node: string;
  readonly name: string;
  readonly ttlMs: number;
  readonly lockDelayMs: number;
};

/** A committed or rejected transaction of one replica. */
export type TxnReport = {
  readonly by: string;
  readonly ops: readonly TxnOp[];
  readonly result: TxnResult;
  /** Entries as they were before. */
  readonly before: ReadonlyMap<string, KvEntry>;
};

/** All keys at one moment. `removedAt`: highest index at which one was removed. */
export type KvState = { readonly entries: ReadonlyMap<string, KvEntry>; readonly removedAt: number };

export type Backup = KvState & { readonly index: number; readonly sessions: readonly ConsulSession[] };

export type WorldConsul = {
  entry(key: string): KvEntry | null;
  sessions(): readonly ConsulSession[];
  /** Also of sessions that have ended. */
  nameOf(session: string): string;
  /** The session's last renewal, or its creation, in monotonic milliseconds; null when it does not exist. */
  renewedMs(id: string): number | null;
  /** Everything the keys ever were, the present last. A watch is a place in it. */
  readonly log: readonly KvState[];
  now(): KvState;
  /** What others do to it. */
  readonly foreign: {
    /** A session of nobody we know, e.g. of `consul lock`. */
    openSession(request: SessionRequest): SessionId;
    /** Ends a session as Consul does at its expiry: locks are released with the session's lock-delay. */
    endSession(id: string): void;
    /** A plain PUT: the session that holds the key stays. `isLock`: with the flag of a lock. */
    put(key: string, value: string | null, isLock?: boolean): void;
    lock(key: string, session: string, value: string | null): boolean;
    unlock(key: string, session: string): void;
    remove(key: string): void;
    /** Another server leads: it sets every session's timer anew, to twice the TTL. */
    changeLeader(): void;
    /** All its data gone, indexes start over. */
    wipe(): void;
    backup(): Backup;
    restore(backup: Backup): void;
  };
  readonly requests: {
    registerNode(node: string): void;
    createSession(request: SessionRequest): SessionId;
    renewSession(id: string): 'renewed' | 'lost';
    destroySession(id: string): void;
    sessionInfo(id: string): ConsulSession | null;
    listSessions(node: string): readonly ConsulSession[];
    txn(by: string, ops: readonly TxnOp[]): TxnResult;
    readKeys(keys: readonly string[]): readonly (KvEntry | null)[];
  };
  /**
   * Consul expires a session between once and twice its TTL after the last renewal; default: once, the worst case. A function is
   * asked each time a session's timer is set.
   */
  expireAfter(timesTtl: number | (() => number)): void;
  onTxn(listener: (report: TxnReport) => void): void;
  /** Called with each new state of the keys. */
  onChange(listener: (state: KvState) => void): void;
  /** Called when a session has ended by itself, its TTL over. */
  onExpiry(listener: (session: ConsulSession) => void): void;
  /** Resolves when what `look` sees of the keys is another, after `waitMs`, or when aborted. */
  untilChanged(look: (state: KvState) => number, waitMs: number, signal: AbortSignal): Promise<void>;
  /** Highest index given so far. */
  index(): number;
  /** Writes so far: transactions that changed something, sessions created or destroyed. Renewals are none. */
  writes(): number;
};

type Kept = ConsulSession & { renewedMs: number; cancel: () => void };

export function createWorldConsul(clock: Clock): WorldConsul {
  const nodes = new Set<string>();
  const sessions = new Map<string, Kept>();
  const names = new Map<string, string>();
  const delays = new Map<string, number>();
  const reports: ((report: TxnReport) => void)[] = [];
  const waiting = new Set<() => void>();
  const changeListeners: ((state: KvState) => void)[] = [];
  const expiryListeners: ((session: ConsulSession) => void)[] = [];
  let entries: ReadonlyMap<string, KvEntry> = new Map();
  const log: KvState[] = [{ entries, removedAt: 0 }];
  let removedAt = 0;
  let index = 10;
  let timesTtl = (): number => 1;
  let opened = 0;
  let writes = 0;

  const nextIndex = (): number => {
    index += 1;
    return index;
  };

  const changed = (): void => {
    log.push({ entries, removedAt });
    for (const listener of changeListeners) listener({ entries, removedAt });
    for (const look of waiting) look();
  };

  function addSession(request: SessionRequest): SessionId {
    opened += 1;
    const session: Kept = {
      ...request,
      id: sessionId(`session-${opened}`),
      createIndex: nextIndex(),
      renewedMs: clock.nowMs(),
      cancel: () => undefined,
    };
    sessions.set(session.id, session);
    names.set(session.id, session.name);
    awaitExpiry(session);
    return session.id;
  }

  function awaitExpiry(session: Kept, times = timesTtl()): void {
    session.cancel();
    if (session.ttlMs <= 0) return;
    session.cancel = clock.after(session.ttlMs * times, () => {
      for (const listener of expiryListeners) listener(plain(session));
      endSession(session.id);
    });
  }

  function endSession(id: string): void {
    const session = sessions.get(id);
    if (session === undefined) return;
    session.cancel();
    sessions.delete(id);
    const held = [...entries.values()].filter((entry) => entry.session === id);
    const modifyIndex = nextIndex();
    if (held.length === 0) return;
    const released = held.map((entry) => [entry.key, { ...entry, session: null, modifyIndex }] as const);
    entries = new Map([...entries, ...released]);
    if (session.lockDelayMs > 0) for (const { key } of held) delays.set(key, clock.nowMs() + session.lockDelayMs);
    changed();
  }

  const delayed = (key: string): boolean => (delays.get(key) ?? 0) > clock.nowMs();

  function txn(by: string, ops: readonly TxnOp[]): TxnResult {
    const before = entries;
    const outcome = runTxn({ entries, sessions, index: index + 1, delayed }, ops);
    if (outcome.kind === 'committed' && outcome.changed) {
      entries = new Map(outcome.state);
      index += 1;
      writes += 1;
      if (ops.some(({ verb }) => verb === 'delete')) removedAt = index;
    }
    const result: TxnResult = outcome.kind === 'committed' ? { kind: 'committed', entries: outcome.entries } : outcome;
    for (const listener of reports) listener({ by, ops, result, before });
    if (outcome.kind === 'committed' && outcome.changed) changed();
    return result;
  }

  function put(key: string, change: Partial<KvEntry>): void {
    const found = entries.get(key);
    const modifyIndex = nextIndex();
    const fresh = { key, value: null, isLock: false, session: null, createIndex: modifyIndex };
    entries = new Map(entries).set(key, { ...fresh, ...found, ...change, modifyIndex });
    changed();
  }

  function untilChanged(of: (state: KvState) => number, waitMs: number, signal: AbortSignal): Promise<void> {
    const indexNow = (): number => of({ entries, removedAt });
    const seen = indexNow();
    return new Promise((resolve) => {
      const end = (): void => {
        cancel();
        waiting.delete(look);
        signal.removeEventListener('abort', end);
        resolve();
      };
      const look = (): void => (indexNow() === seen ? undefined : end());
      const cancel = clock.after(waitMs, end);
      waiting.add(look);
      signal.addEventListener('abort', end, { once: true });
      if (signal.aborted) end();
    });
  }

  function forgetAll(): void {
    for (const { cancel } of sessions.values()) cancel();
    sessions.clear();
    delays.clear();
    nodes.clear();
  }

  return {
    entry: (key) => entries.get(key) ?? null,
    sessions: () => [...sessions.values()].map(plain),
    nameOf: (session) => names.get(session) ?? '',
    renewedMs: (id) => sessions.get(id)?.renewedMs ?? null,
    log,
    now: () => ({ entries, removedAt }),
    foreign: {
      openSession: addSession,
      endSession,
      put: (key, value, isLock = false) => put(key, { value, isLock }),
      lock: (key, by, value) => {
        const session = sessionId(by);
        const holder = entries.get(key)?.session ?? null;
        if (delayed(key) || (holder !== null && holder !== session) || !sessions.has(session)) return false;
        put(key, { value, session, isLock: true });
        return true;
      },
      unlock: (key, session) => {
        if (entries.get(key)?.session === session) put(key, { session: null });
      },
      remove: (key) => {
        if (!entries.has(key)) return;
        entries = new Map([...entries].filter(([other]) => other !== key));
        removedAt = nextIndex();
        changed();
      },
      changeLeader: () => {
        for (const session of sessions.values()) awaitExpiry(session, 2);
      },
      wipe: () => {
        forgetAll();
        entries = new Map();
        removedAt = 0;
        index = 5;
        changed();
      },
      backup: () => ({ index, entries, removedAt, sessions: [...sessions.values()].map(plain) }),
      restore: (backup) => {
        forgetAll();
        for (const session of backup.sessions) {
          nodes.add(session.node);
          const kept: Kept = { ...session, renewedMs: clock.nowMs(), cancel: () => undefined };
          sessions.set(session.id, kept);
          awaitExpiry(kept);
        }
        ({ entries, removedAt, index } = backup);
        changed();
      },
    },
    requests: {
      registerNode: (node) => void nodes.add(node),
      createSession: (request) => {
        if (!nodes.has(request.node)) throw new ConsulError('noNode', `no node ${request.node}`);
        writes += 1;
        return addSession(request);
      },
      renewSession: (id) => {
        const session = sessions.get(id);
        if (session === undefined) return 'lost';
        session.renewedMs = clock.nowMs();
        awaitExpiry(session);
        return 'renewed';
      },
      destroySession: (id) => {
        writes += 1;
        endSession(id);
      },
      sessionInfo: (id) => {
        const session = sessions.get(id);
        return session === undefined ? null : plain(session);
      },
      listSessions: (node) => [...sessions.values()].filter((session) => session.node === node).map(plain),
      txn,
      readKeys: (keys) => keys.map((key) => entries.get(key) ?? null),
    },
    expireAfter: (times) => {
      timesTtl = typeof times === 'number' ? () => times : times;
    },
    onTxn: (listener) => void reports.push(listener),
    onChange: (listener) => void changeListeners.push(listener),
    onExpiry: (listener) => void expiryListeners.push(listener),
    untilChanged,
    index: () => index,
    writes: () => writes,
  };
}

/** What a read of a prefix answers in this state. */
export const snapshotOf = (state: KvState, prefix: string): KvSnapshot => ({
  index: indexBelow(state, prefix),
  entries: [...state.entries.values()].filter(({ key }) => key.startsWith(prefix)),
});

/** What a list of the keys below a prefix answers in this state. */
export const keysBelow = ({ entries }: KvState, prefix: string): readonly string[] =>
  [...entries.keys()].filter((key) => key.startsWith(prefix));

/** Asked at every change by everybody who waits. */
function indexBelow({ entries, removedAt }: KvState, prefix: string): number {
  let index = Math.max(1, removedAt);
  for (const { key, modifyIndex } of entries.values())
    if (modifyIndex > index && key.startsWith(prefix)) index = modifyIndex;
  return index;
}

/** What a read of one key answers in this state: where it does not exist, with the index of the newest change of any. */
export function keyOf({ entries, removedAt }: KvState, key: string): KeyAnswer {
  const entry = entries.get(key) ?? null;
  const newest = (): number => Math.max(1, removedAt, ...[...entries.values()].map(({ modifyIndex }) => modifyIndex));
  return { index: entry?.modifyIndex ?? newest(), entry };
}

type Block = { readonly index: number; readonly waitMs: number };
type KeyAnswer = { readonly index: number; readonly entry: KvEntry | null };

/** Blocks as Consul does. A key that does not exist wakes nobody by the changes of others. */
export async function blockingKey(
  world: WorldConsul,
  key: string,
  block: Block,
  signal: AbortSignal,
): Promise<KeyAnswer> {
  const now = (): KeyAnswer => keyOf(world.now(), key);
  const version = (state: KvState): number => keyOf(state, key).entry?.modifyIndex ?? 0;
  if (block.index !== 0 && now().index === block.index) await world.untilChanged(version, block.waitMs, signal);
  return now();
}

export async function blockingPrefix(
  world: WorldConsul,
  prefix: string,
  block: Block,
  signal: AbortSignal,
): Promise<KvSnapshot> {
  const now = (): KvSnapshot => snapshotOf(world.now(), prefix);
  const version = (state: KvState): number => indexBelow(state, prefix);
  if (block.index !== 0 && version(world.now()) === block.index)
    await world.untilChanged(version, block.waitMs, signal);
  return now();
}

const plain = ({ id, name, node, ttlMs, lockDelayMs, createIndex }: ConsulSession): ConsulSession => ({
  id,
  name,
  node,
  ttlMs,
  lockDelayMs,
  createIndex,
});
