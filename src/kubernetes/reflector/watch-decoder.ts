/** From the bytes of a watch to its events, read without trust. Pure but for the bytes that are held between chunks. */
import { asObject, field, type RawObject, textField } from '../../api/raw.ts';
import { statusOf } from '../client/answer.ts';
import { ListWatchError } from './list-watch.ts';

const NEWLINE = 0x0a;
const MAX_LINE_BYTES = 10 * 1024 * 1024;

/**
 * Returns a function that takes a chunk and gives what its complete lines hold. Chunks may end anywhere, also in the
 * middle of a character. What follows the last newline is kept for the next chunk, and lost with the connection: an
 * incomplete event must never be acted on.
 *
 * **Throws** ListWatchError `malformed` for a line that is no JSON or longer than `maxLineBytes` (no object in etcd is).
 */
export function createLineReader(maxLineBytes: number = MAX_LINE_BYTES): (chunk: Uint8Array) => readonly unknown[] {
  let parts: Uint8Array[] = [];
  let heldBytes = 0;

  const hold = (part: Uint8Array): void => {
    heldBytes += part.length;
    if (heldBytes > maxLineBytes) {
      throw new ListWatchError('malformed', `a line of the watch is longer than ${maxLineBytes} bytes`);
    }
    if (part.length > 0) parts.push(part);
  };

  const take = (): string => {
    const text = Buffer.concat(parts).toString('utf8');
    parts = [];
    heldBytes = 0;
    return text;
  };

  return (chunk) => {
    const values: unknown[] = [];
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
      hold(chunk.subarray(start, end));
      start = end + 1;
      const line = take().trim();
      if (line !== '') values.push(parseLine(line));
    }
    hold(chunk.subarray(start));
    return values;
  };
}

function parseLine(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch (cause) {
    throw new ListWatchError('malformed', 'a line of the watch is not JSON', null, { cause });
  }
}

/** What is kept of an object: enough to tell versions and incarnations apart, and the projection. */
export type Stored<T> = { readonly uid: string; readonly resourceVersion: string; readonly value: T };

export type WatchEvent<T> =
  | { readonly kind: 'put'; readonly key: string; readonly object: Stored<T> }
  | { readonly kind: 'removed'; readonly key: string; readonly uid: string; readonly resourceVersion: string }
  | { readonly kind: 'bookmark'; readonly resourceVersion: string }
  | {
      readonly kind: 'error';
      readonly expired: boolean;
      readonly message: string;
      readonly retryAfterMs: number | null;
    };

type Project<T> = (raw: unknown) => T | null;

/** null for anything that is no watch event, or whose object cannot be told from others. Never throws, if `project` does not. */
export function readWatchEvent<T>(raw: unknown, project: Project<T>): WatchEvent<T> | null {
  const event = asObject(raw);
  if (event === null) return null;
  const object = field(event, 'object');
  switch (field(event, 'type')) {
    case 'ADDED':
    case 'MODIFIED': {
      const read = readObject(object, project);
      return read === null ? null : { kind: 'put', ...read };
    }
    case 'DELETED': {
      const identity = identityOf(object);
      return identity === null ? null : { kind: 'removed', ...identity };
    }
    case 'BOOKMARK': {
      const resourceVersion = textField(metadataOf(object), 'resourceVersion');
      return resourceVersion === '' ? null : { kind: 'bookmark', resourceVersion };
    }
    case 'ERROR':
      return readError(object);
    default:
      return null;
  }
}

/** An object of a list or an event; null when it cannot be told from others, or the projection refuses it. */
export function readObject<T>(raw: unknown, project: Project<T>): { key: string; object: Stored<T> } | null {
  const identity = identityOf(raw);
  const value = identity === null ? null : project(raw);
  if (identity === null || value === null) return null;
  const { key, uid, resourceVersion } = identity;
  return { key, object: { uid, resourceVersion, value } };
}

function identityOf(raw: unknown): { key: string; uid: string; resourceVersion: string } | null {
  const metadata = metadataOf(raw);
  const name = textField(metadata, 'name');
  const uid = textField(metadata, 'uid');
  const resourceVersion = textField(metadata, 'resourceVersion');
  if (name === '' || uid === '' || resourceVersion === '') return null;
  return { key: `${textField(metadata, 'namespace')}/${name}`, uid, resourceVersion };
}

const metadataOf = (raw: unknown): RawObject => asObject(asObject(raw)?.['metadata']) ?? {};

function readError(object: unknown): WatchEvent<never> | null {
  const status = statusOf(object);
  if (status === null) return null;
  const { code, reason, message, details } = status;
  return {
    kind: 'error',
    expired: code === 410 || reason === 'Expired' || reason === 'Gone',
    message: `${code} ${reason}: ${message}`.slice(0, 300),
    retryAfterMs: details.retryAfterMs > 0 ? details.retryAfterMs : null,
  };
}
