/** Keys and transactions. */
import { type Consul, ConsulError, type KvEntry, type KvSnapshot, type TxnResult } from '../ports/consul.ts';
import type { Call, Caller } from './caller.ts';
import {
  decodeCommitted,
  decodeEntries,
  decodeIndex,
  decodeKeyNames,
  decodeReadKeys,
  decodeRejections,
  MalformedAnswer,
} from './decode.ts';
import { encodeReadKeys, encodeTxn, kvPath } from './encode.ts';
import { filtered, ruleFor } from './errors.ts';
import { isFiltered } from './sessions.ts';
import type { Answer } from './transport.ts';

type KeyPart = Pick<Consul, 'txn' | 'readKeys' | 'readKey' | 'readPrefix' | 'listKeys'>;
type TxnOps = Parameters<Consul['txn']>[0];
type Block = Parameters<Consul['readPrefix']>[1];

const MAX_READ_KEYS = 64;

/** Consul holds a request this long while there is no leader. */
const LEADER_HOLD_MS = 7000;

/** Consul adds up to a sixteenth to every wait, so that watches do not come back together. */
const WAIT_JITTER = 17 / 16;

/** At the longest, from sending a blocking read until Consul answers it. */
const heldMs = (waitMs: number): number => waitMs * WAIT_JITTER + LEADER_HOLD_MS;

const readRule = (prefix: string): string => `key_prefix "${prefix}" { policy = "read" }`;

const isConflict = ({ status }: Answer): boolean => status === 409;

const changesNothing = (ops: TxnOps): boolean => ops.every(({ verb }) => verb.startsWith('check-'));

/** A hundred keys help nobody who reads of a failure. */
const NAMED = 8;

function describe(ops: TxnOps): string {
  const named = ops.slice(0, NAMED).map(({ verb, key }) => `${verb} ${key}`);
  const more = ops.length > NAMED ? [`and ${ops.length - NAMED} more`] : [];
  return `commit ${[...named, ...more].join(', ')}`;
}

const transaction = (ops: TxnOps): Call<TxnResult> => ({
  operation: 'txn',
  what: describe(ops),
  write: true,
  path: '/txn',
  // Consul treats a transaction of checks alone as a read; without this one a deposed leader might answer it.
  query: changesNothing(ops) ? { consistent: '' } : {},
  body: encodeTxn(ops),
  expected: isConflict,
  read: (answer) =>
    isConflict(answer)
      ? { kind: 'rejected', rejections: decodeRejections(answer.text) }
      : { kind: 'committed', entries: decodeCommitted(answer.text, ops) },
  outcome: ({ kind }) => (kind === 'rejected' ? 'rejected' : 'ok'),
});

/** The answer when there is no key. It has an index like any other; a proxy's 404, which has none, is malformed. */
const isNotFound = ({ status }: Answer): boolean => status === 404;

type Found = { readonly index: number; readonly entries: readonly KvEntry[] };

function blockingRead<T>(
  operation: { readonly at: 'readKey' | 'readPrefix'; readonly blocking: 'watchKey' | 'watchPrefix' },
  {
    what,
    rule,
    key,
    recurse,
  }: { readonly what: string; readonly rule: string; readonly key: string; readonly recurse: boolean },
  { index, waitMs }: Block,
  result: (found: Found) => T,
): Call<T> {
  const blocking = index > 0;
  return {
    operation: blocking ? operation.blocking : operation.at,
    what,
    write: false,
    rule,
    path: kvPath(key),
    query: {
      ...(recurse ? { recurse: '' } : {}),
      ...(blocking ? { index: String(index), wait: `${Math.ceil(waitMs)}ms` } : {}),
    },
    ...(blocking ? { heldMs: heldMs(waitMs) } : {}),
    expected: isNotFound,
    read: (answer, attempt) => {
      if (isFiltered(answer)) throw filtered(attempt);
      const entries = isNotFound(answer) ? [] : decodeEntries(answer.text);
      return result({ index: decodeIndex(answer.headers['x-consul-index']), entries });
    },
  };
}

const prefixRead = (prefix: string, block: Block): Call<KvSnapshot> =>
  blockingRead(
    { at: 'readPrefix', blocking: 'watchPrefix' },
    { what: `read the keys below ${prefix}`, rule: readRule(prefix), key: prefix, recurse: true },
    block,
    (found) => found,
  );

const keyRead = (key: string, block: Block, ownPrefix: string): Call<{ index: number; entry: KvEntry | null }> =>
  blockingRead(
    { at: 'readKey', blocking: 'watchKey' },
    { what: `read the key ${key}`, rule: ruleFor('key', 'write', key, ownPrefix), key, recurse: false },
    block,
    ({ index, entries }) => ({ index, entry: entries.find((entry) => entry.key === key) ?? null }),
  );

const keyList = (prefix: string): Call<readonly string[]> => ({
  operation: 'listKeys',
  what: `list the keys below ${prefix}`,
  write: false,
  rule: readRule(prefix),
  path: kvPath(prefix),
  query: { keys: '' },
  expected: isNotFound,
  read: (answer, attempt) => {
    if (isFiltered(answer)) throw filtered(attempt);
    if (!isNotFound(answer)) return decodeKeyNames(answer.text);
    // A proxy's 404 has no index.
    decodeIndex(answer.headers['x-consul-index']);
    return [];
  },
});

const tooManyKeys = (count: number): ConsulError =>
  new ConsulError('refused', `Cannot read ${count} keys in one request: at most ${MAX_READ_KEYS}`);

/** `ownPrefix`: of the operator's own keys, with its slash. */
export const createKeys = (call: Caller, ownPrefix: string): KeyPart => ({
  txn: (ops, signal) => call(transaction(ops), signal),

  readKeys: async (keys, signal) => {
    signal.throwIfAborted();
    if (keys.length === 0) return [];
    if (keys.length > MAX_READ_KEYS) throw tooManyKeys(keys.length);
    return call(
      {
        operation: 'readKeys',
        what: `read ${keys.join(', ')}`,
        write: false,
        rule: [...new Set(keys.map((key) => ruleFor('key', 'write', key, ownPrefix)))].join(' '),
        method: 'PUT',
        path: '/txn',
        query: { consistent: '' },
        body: encodeReadKeys(keys),
        expected: isConflict,
        read: (answer, attempt) => {
          if (isConflict(answer)) throw new MalformedAnswer(answer.text);
          const entries = decodeReadKeys(answer.text, keys);
          if (entries === null) throw filtered(attempt);
          return entries;
        },
      },
      signal,
    );
  },

  readKey: (key, block, signal) => call(keyRead(key, block, ownPrefix), signal),

  readPrefix: (prefix, block, signal) => call(prefixRead(prefix, block), signal),

  listKeys: (prefix, signal) => call(keyList(prefix), signal),
});
