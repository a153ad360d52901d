/** What the operator needs of Consul. The adapter is src/consul; the simulation brings another. */
import type { SessionId } from '../api/ids.ts';

export type ConsulSession = {
  readonly id: SessionId;
  readonly name: string;
  readonly node: string;
  /** As Consul holds it, not as any spec wants it. 0: no TTL. */
  readonly ttlMs: number;
  readonly lockDelayMs: number;
  /** Raft index of its creation: of two sessions of one pod, the higher is the newer. */
  readonly createIndex: number;
};

/** One key as Consul holds it. */
export type KvEntry = {
  readonly key: string;
  /** UTF-8 text; null for a key without a value. Bytes that are no UTF-8 become replacement characters, never an error. */
  readonly value: string | null;
  /** Whether the flags are api.Lock's magic number (3304740253564472344). */
  readonly isLock: boolean;
  /** Holder of the lock; null when nobody holds it. The only truth about ownership: a value outlives its writer. */
  readonly session: SessionId | null;
  readonly createIndex: number;
  readonly modifyIndex: number;
};

/** A verb of /v1/txn. Every write carries api.Lock's flag, so that `consul lock` interoperates. Values are UTF-8 text. */
export type TxnOp =
  | { readonly verb: 'check-session'; readonly key: string; readonly session: SessionId }
  | { readonly verb: 'check-index'; readonly key: string; readonly index: number }
  | { readonly verb: 'check-not-exists'; readonly key: string }
  | { readonly verb: 'lock'; readonly key: string; readonly session: SessionId; readonly value: string }
  | { readonly verb: 'unlock'; readonly key: string; readonly session: SessionId; readonly value: string }
  | { readonly verb: 'set'; readonly key: string; readonly value: string }
  /** A set that checks the index; 0: that there is no such key. */
  | { readonly verb: 'cas'; readonly key: string; readonly index: number; readonly value: string }
  | { readonly verb: 'delete'; readonly key: string };

/** `entries`: what lock, unlock, set and cas wrote, one each, in the order of the operations; checks and delete give none. */
export type TxnResult =
  | { readonly kind: 'committed'; readonly entries: readonly KvEntry[] }
  | { readonly kind: 'rejected'; readonly rejections: readonly TxnRejection[] };

/** Why Consul refused a transaction. Nothing of it was applied. */
export type TxnRejection = {
  /** Index of the operation in the request. */
  readonly op: number;
  readonly reason:
    | 'held' // lock is already held by another session
    | 'lock-delay' // checked before the guards: says nothing about them
    | 'invalid-session' // the session to lock with does not exist (any more)
    | 'session-check' // check-session failed: somebody else holds that key, or nobody
    | 'index-check' // check-index or cas failed: the entry changed
    | 'exists' // check-not-exists failed
    | 'not-holder' // unlock by a session that does not hold the lock
    | 'denied' // a right is missing; `text` names it
    | 'other';
  /** Consul's own words. */
  readonly text: string;
};

/** One answer of a blocking read. */
export type KvSnapshot = {
  /** X-Consul-Index, at least 1. An index lower than the last one means a rebuilt Consul: forget what you knew. */
  readonly index: number;
  readonly entries: readonly KvEntry[];
};

export type Consul = {
  /** Registers the synthetic catalog node that sessions are bound to; doing so again changes nothing. */
  registerNode(node: string, signal: AbortSignal): Promise<void>;
  /** Behaviour release, no checks. Not idempotent: after an unknown outcome a session may be left, it expires by itself. */
  createSession(
    request: { readonly node: string; readonly name: string; readonly ttlMs: number; readonly lockDelayMs: number },
    signal: AbortSignal,
  ): Promise<SessionId>;
  /** `lost`: Consul says there is no such session, which is final. */
  renewSession(id: SessionId, signal: AbortSignal): Promise<'renewed' | 'lost'>;
  /** Idempotent. Applies the lock-delay to what the session holds: unlock first. */
  destroySession(id: SessionId, signal: AbortSignal): Promise<void>;
  /** Consistent. */
  sessionInfo(id: SessionId, signal: AbortSignal): Promise<ConsulSession | null>;
  /** Consistent. Trap: without the right to read sessions Consul answers an empty list, not an error. */
  listSessions(node: string, signal: AbortSignal): Promise<readonly ConsulSession[]>;
  /** All or nothing. Throws ConsulError `unknown` when the request was sent and no answer tells what became of it. */
  txn(ops: readonly TxnOp[], signal: AbortSignal): Promise<TxnResult>;
  /** Consistent read of up to 64 keys in one request; null for a key that does not exist. Throws `denied` when Consul filtered the answer. */
  readKeys(keys: readonly string[], signal: AbortSignal): Promise<readonly (KvEntry | null)[]>;
  /** One key (default consistency: a hint), null where it does not exist. Blocks as readPrefix does. */
  readKey(
    key: string,
    block: { readonly index: number; readonly waitMs: number },
    signal: AbortSignal,
  ): Promise<{ readonly index: number; readonly entry: KvEntry | null }>;
  /** Everything below a prefix (default consistency: a hint). Blocks up to `waitMs` while the index is still `index`; 0 answers at once. */
  readPrefix(
    prefix: string,
    block: { readonly index: number; readonly waitMs: number },
    signal: AbortSignal,
  ): Promise<KvSnapshot>;
  /** Names of all keys below a prefix (default consistency: a hint). */
  listKeys(prefix: string, signal: AbortSignal): Promise<readonly string[]>;
};

export type ConsulErrorKind =
  | 'unreachable' // nothing was applied: no connection, or an answer that says so (no leader, rate limit)
  | 'busy' // nothing was sent: all of this replica's own connections were in use, which says nothing about Consul
  | 'unknown' // the request was sent; it may have been applied (timeout, cut connection, 500)
  | 'denied' // 403, or a result filtered by ACLs: `message` names the right or the bad token
  | 'refused' // Consul understood and will not (400, an invalid TTL): repeating is useless
  | 'noNode'; // createSession only: the synthetic node is not registered (any more). Register it, then repeat

/** A failed request to Consul. Its message says what was tried, what Consul said, and for `denied` which right is missing. */
export class ConsulError extends Error {
  override readonly name = 'ConsulError';
  readonly kind: ConsulErrorKind;
  /** Consul was not asked, for want of a token: whether it answers is not known by this, whatever the kind. */
  readonly unasked: boolean;
  constructor(kind: ConsulErrorKind, message: string, options?: ErrorOptions & { readonly unasked?: boolean }) {
    super(message, options);
    this.kind = kind;
    this.unasked = options?.unasked ?? false;
  }
}
