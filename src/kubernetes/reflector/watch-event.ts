/** One watch event, read without trust. Pure. */
import { asObject, field, type RawObject, textField } from '../../api/raw.ts';
import { statusOf } from '../client/answer.ts';

/** What is kept of an object: enough to tell versions and lives apart, and the projection. */
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
