/**
 * Consul's bodies into the port's types. Everything is checked: whoever answers at that address may be no Consul at all.
 * A body that is not as expected is a MalformedAnswer, which consul.ts turns into a ConsulError.
 */
import { type SessionId, sessionId } from '../api/ids.ts';
import type { ConsulSession, KvEntry, TxnOp, TxnRejection } from '../ports/consul.ts';
import { parseDuration } from './durations.ts';
import { LOCK_FLAG } from './encode.ts';
import { rejectionReason } from './rejections.ts';

/** The body is no JSON, or lacks what Consul's always have. Its message says what is missing. */
export class MalformedAnswer extends Error {
  override readonly name = 'MalformedAnswer';
}

type Fields = Readonly<Record<string, unknown>>;
/**
 * Flags become text: as a number, 3304740253564472300 would pass for api.Lock's flag. In JSON this is never part of a text, where a quote is
 * escaped. (JSON.parse could hand over the source of a number by a reviver, which takes five times as long.)
 */
const FLAGS = /"Flags":\s*(\d+)/g;

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Without its cause, whose message quotes the body: a token of a login may be in it, and logs have causes.
    throw new MalformedAnswer('the body is not JSON');
  }
}

const parseWithFlags = (text: string): unknown => parseJson(text.replace(FLAGS, '"Flags":"number $1"'));

function fieldsOf(value: unknown, what: string): Fields {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Fields;
  throw new MalformedAnswer(`${what} is not an object`);
}

function listOf(value: unknown, what: string): readonly unknown[] {
  if (Array.isArray(value)) return value;
  throw new MalformedAnswer(`${what} is not a list`);
}

function textOf(fields: Fields, key: string): string {
  const value = fields[key];
  if (typeof value === 'string') return value;
  throw new MalformedAnswer(`${key} is not text`);
}

function countOf(fields: Fields, key: string): number {
  const value = fields[key];
  if (Number.isSafeInteger(value) && (value as number) >= 0) return value as number;
  throw new MalformedAnswer(`${key} is not a count`);
}

function valueOf(fields: Fields): string | null {
  const { Value: value } = fields;
  if (value === null || value === undefined) return null;
  if (typeof value !== 'string') throw new MalformedAnswer('Value is not text');
  return Buffer.from(value, 'base64').toString('utf8');
}

function entryOf(raw: unknown): KvEntry {
  const fields = fieldsOf(raw, 'an entry');
  const session = fields['Session'] === undefined ? '' : textOf(fields, 'Session');
  return {
    key: textOf(fields, 'Key'),
    value: valueOf(fields),
    isLock: fields['Flags'] === `number ${LOCK_FLAG}`,
    session: session === '' ? null : sessionId(session),
    createIndex: countOf(fields, 'CreateIndex'),
    modifyIndex: countOf(fields, 'ModifyIndex'),
  };
}

function sessionOf(raw: unknown): ConsulSession {
  const fields = fieldsOf(raw, 'a session');
  const ttlMs = parseDuration(textOf(fields, 'TTL'));
  if (ttlMs === null) throw new MalformedAnswer('TTL is not a duration');
  return {
    id: sessionId(textOf(fields, 'ID')),
    name: textOf(fields, 'Name'),
    node: textOf(fields, 'Node'),
    ttlMs,
    lockDelayMs: countOf(fields, 'LockDelay') / 1e6,
    createIndex: countOf(fields, 'CreateIndex'),
  };
}

const resultsOf = (answer: Fields): readonly KvEntry[] =>
  listOf(answer['Results'], 'Results').map((result) => entryOf(fieldsOf(result, 'a result')['KV']));

/** The answer of /session/node, /session/info and /session/renew. */
export const decodeSessions = (text: string): readonly ConsulSession[] =>
  listOf(parseJson(text), 'the answer').map(sessionOf);

/** The answer of /session/create. */
export function decodeSessionId(text: string): SessionId {
  const id = textOf(fieldsOf(parseJson(text), 'the answer'), 'ID');
  if (id === '') throw new MalformedAnswer('ID is empty');
  return sessionId(id);
}

/** The answer of a recursive /kv read. */
export const decodeEntries = (text: string): readonly KvEntry[] =>
  listOf(parseWithFlags(text), 'the answer').map(entryOf);

/** The answer of a /kv read with `keys`. */
export const decodeKeyNames = (text: string): readonly string[] =>
  listOf(parseJson(text), 'the answer').map((key) => {
    if (typeof key !== 'string') throw new MalformedAnswer('a key is not text');
    return key;
  });

export type LoginToken = {
  readonly secret: string;
  /** From its making to its end, both by Consul's clock; null: it has no end. */
  readonly livesMs: number | null;
};

/** The answer of /acl/login. */
export function decodeLogin(text: string): LoginToken {
  const fields = fieldsOf(parseJson(text), 'the answer');
  const secret = textOf(fields, 'SecretID');
  if (secret === '') throw new MalformedAnswer('SecretID is empty');
  if (fields['ExpirationTime'] === undefined || fields['ExpirationTime'] === null) return { secret, livesMs: null };
  const livesMs = Date.parse(textOf(fields, 'ExpirationTime')) - Date.parse(textOf(fields, 'CreateTime'));
  if (!(livesMs > 0)) throw new MalformedAnswer('ExpirationTime is not after CreateTime');
  return { secret, livesMs };
}

export type TokenFacts = {
  /** Names the token, and is no secret. */
  readonly accessor: string;
  /** Null: it has no end. */
  readonly end: { readonly livesMs: number; readonly endsWallMs: number } | null;
};

/** The answer of /acl/token/self. */
export function decodeTokenFacts(text: string): TokenFacts {
  const fields = fieldsOf(parseJson(text), 'the answer');
  const accessor = textOf(fields, 'AccessorID');
  if (fields['ExpirationTime'] === undefined || fields['ExpirationTime'] === null) return { accessor, end: null };
  const endsWallMs = Date.parse(textOf(fields, 'ExpirationTime'));
  const livesMs = endsWallMs - Date.parse(textOf(fields, 'CreateTime'));
  if (!(livesMs > 0)) throw new MalformedAnswer('ExpirationTime is not after CreateTime');
  return { accessor, end: { livesMs, endsWallMs } };
}

/** The answer `true` of a request that has nothing to tell. */
export function decodeTrue(text: string): void {
  if (text.trim() !== 'true') throw new MalformedAnswer('the answer is not "true"');
}

/**
 * What a committed transaction wrote. Consul gives an entry for each operation but delete and check-not-exists, in order,
 * all without values: those of the written ones are put back, the others are left out.
 */
export function decodeCommitted(text: string, ops: readonly TxnOp[]): readonly KvEntry[] {
  const answered = ops.filter(({ verb }) => verb !== 'delete' && verb !== 'check-not-exists');
  const results = resultsOf(fieldsOf(parseWithFlags(text), 'the answer'));
  if (results.length !== answered.length) {
    throw new MalformedAnswer(`${results.length} results for ${answered.length} operations`);
  }
  return results.flatMap((entry, position) => {
    const op = answered[position];
    if (op?.key !== entry.key) throw new MalformedAnswer('the results are of other keys');
    return 'value' in op ? [{ ...entry, value: op.value }] : [];
  });
}

/** The answer 409 of a transaction. */
export function decodeRejections(text: string): readonly TxnRejection[] {
  const errors = listOf(fieldsOf(parseJson(text), 'the answer')['Errors'], 'Errors');
  if (errors.length === 0) throw new MalformedAnswer('Errors is empty');
  return errors.map((raw) => {
    const fields = fieldsOf(raw, 'an error');
    const what = textOf(fields, 'What');
    return { op: countOf(fields, 'OpIndex'), reason: rejectionReason(what), text: what };
  });
}

/** The answer of a read of several keys: one for each, in order; null: Consul filtered it (it says so, or does not to a request without a token). */
export function decodeReadKeys(text: string, keys: readonly string[]): readonly (KvEntry | null)[] | null {
  const answer = fieldsOf(parseWithFlags(text), 'the answer');
  const entries = resultsOf(answer);
  if (answer['ResultsFilteredByACLs'] === true || entries.length < keys.length) return null;
  if (entries.length > keys.length || entries.some(({ key }, position) => key !== keys[position])) {
    throw new MalformedAnswer('the results are of other keys');
  }
  // get-or-empty answers a key that does not exist with an entry that was never created.
  return entries.map((entry) => (entry.createIndex === 0 ? null : entry));
}

/** X-Consul-Index, at least 1: Consul's own advice, since 0 would not block and a watch would spin. */
export function decodeIndex(header: string | readonly string[] | undefined): number {
  const index = typeof header === 'string' && /^\d{1,16}$/.test(header) ? Number(header) : Number.NaN;
  if (!Number.isSafeInteger(index)) throw new MalformedAnswer('there is no X-Consul-Index');
  return Math.max(1, index);
}
