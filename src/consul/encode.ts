/** What the operator says, as /v1/txn and /v1/session want to hear it. */
import type { TxnOp } from '../ports/consul.ts';
import { formatDuration } from './durations.ts';

/** api.Lock's flag, as text: the number is above 2^53, so no JavaScript number can carry it to the wire. */
export const LOCK_FLAG = '3304740253564472344';

/** TypeScript's libraries do not know JSON.rawJSON yet; Node has it since version 21. */
const { rawJSON } = JSON as unknown as { readonly rawJSON: (text: string) => object };

const RAW_LOCK_FLAG = rawJSON(LOCK_FLAG);

type KvOp = Readonly<Record<string, unknown>>;

const base64 = (text: string): string => Buffer.from(text, 'utf8').toString('base64');

function encodeOp(op: TxnOp): KvOp {
  switch (op.verb) {
    case 'check-session':
      return { Verb: op.verb, Key: op.key, Session: op.session };
    case 'check-index':
      return { Verb: op.verb, Key: op.key, Index: op.index };
    case 'check-not-exists':
    case 'delete':
      return { Verb: op.verb, Key: op.key };
    case 'set':
      return { Verb: op.verb, Key: op.key, Value: base64(op.value), Flags: RAW_LOCK_FLAG };
    case 'cas':
      return { Verb: op.verb, Key: op.key, Index: op.index, Value: base64(op.value), Flags: RAW_LOCK_FLAG };
    case 'lock':
    case 'unlock':
      return { Verb: op.verb, Key: op.key, Session: op.session, Value: base64(op.value), Flags: RAW_LOCK_FLAG };
  }
}

/** The body of a transaction. */
export const encodeTxn = (ops: readonly TxnOp[]): string => JSON.stringify(ops.map((op) => ({ KV: encodeOp(op) })));

/** The body of a read of several keys: a key that does not exist answers with an empty entry instead of failing them all. */
export const encodeReadKeys = (keys: readonly string[]): string =>
  JSON.stringify(keys.map((key) => ({ KV: { Verb: 'get-or-empty', Key: key } })));

/** Neither NodeChecks nor Checks: without both empty lists Consul binds the session to serfHealth, which our node has not. */
export const encodeSession = (request: {
  readonly node: string;
  readonly name: string;
  readonly ttlMs: number;
  readonly lockDelayMs: number;
}): string =>
  JSON.stringify({
    Node: request.node,
    Name: request.name,
    Behavior: 'release',
    NodeChecks: [],
    Checks: [],
    TTL: formatDuration(request.ttlMs),
    LockDelay: formatDuration(request.lockDelayMs),
  });

/** The path of a key below /kv. Each part is encoded by itself, so that slashes stay slashes. */
export const kvPath = (key: string): string => `/kv/${key.split('/').map(encodeURIComponent).join('/')}`;
