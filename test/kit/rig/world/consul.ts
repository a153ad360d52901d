/** What tests do to Consul: look, and do what externalHolders, accidents and administrators do. */
import { type ConsulAccess, consulRest } from '../rest.ts';

export type ConsulEntry = {
  readonly key: string;
  readonly value: string | null;
  readonly session: string | null;
  /** Exact: api.Lock's flag does not fit a double. */
  readonly flags: bigint;
  readonly createIndex: number;
  readonly modifyIndex: number;
};

export type SeenSession = {
  readonly id: string;
  readonly name: string;
  readonly node: string;
  /** Consul's own notation, e.g. "10s"; empty: none. */
  readonly ttl: string;
  readonly lockDelayMs: number;
  readonly createIndex: number;
};

export type Stranger = {
  readonly session: string;
  /** Frees the lock and ends the session; idempotent. */
  [Symbol.asyncDispose](): Promise<void>;
};

export type ConsulWorld = {
  sessions(): Promise<readonly SeenSession[]>;
  /** null for a key that does not exist. */
  entry(key: string): Promise<ConsulEntry | null>;
  /** Every entry below a prefix. */
  entries(prefix: string): Promise<readonly ConsulEntry[]>;
  destroySession(id: string): Promise<void>;
  deleteKey(key: string): Promise<void>;
  /** A plain PUT, as somebody's hand does it: the value is another, flags and LockIndex become 0, the holder stays. */
  overwrite(key: string, value: string): Promise<void>;
  /** Takes a free lock with a session that is none of ours, as `consul lock` does. Rejects when the lock is held. */
  lockAsExternal(key: string, value?: string): Promise<Stranger>;
  [Symbol.asyncDispose](): Promise<void>;
};

export const LOCK_FLAGS = 3304740253564472344n;

type RawEntry = {
  readonly Key: string;
  readonly Value: string | null;
  readonly Session?: string;
  readonly Flags: bigint;
  readonly CreateIndex: number;
  readonly ModifyIndex: number;
};

type RawSession = {
  readonly ID: string;
  readonly Name: string;
  readonly Node: string;
  readonly TTL?: string;
  readonly LockDelay: number;
  readonly CreateIndex: number;
};

export function openConsul(access: ConsulAccess): ConsulWorld {
  const rest = consulRest(access);
  const read = async (path: string): Promise<readonly ConsulEntry[]> => {
    const { status, text } = await rest.raw('GET', path);
    if (status === 404) return [];
    if (status !== 200) throw new Error(`GET ${path}: ${status} ${text}`);
    return parseEntries(text).map(toEntry);
  };
  return {
    sessions: async () => (await rest.must<readonly RawSession[]>('GET', '/v1/session/list?consistent')).map(toSession),
    entry: async (key) => (await read(`/v1/kv/${key}?consistent`))[0] ?? null,
    entries: (prefix) => read(`/v1/kv/${prefix}?recurse&consistent`),
    destroySession: (id) => rest.must('PUT', `/v1/session/destroy/${id}`),
    deleteKey: (key) => rest.must('DELETE', `/v1/kv/${key}`),
    overwrite: (key, value) => rest.must('PUT', `/v1/kv/${key}`, value, 'application/octet-stream'),
    lockAsExternal: async (key, value = '') => {
      const body = { Name: 'an external holder', TTL: '86400s', LockDelay: '0s', Behavior: 'release' };
      const { ID: session } = await rest.must<{ readonly ID: string }>('PUT', '/v1/session/create', body);
      const path = `/v1/kv/${key}?flags=${LOCK_FLAGS}`;
      const end = async (): Promise<void> => {
        await rest.send('PUT', `${path}&release=${session}`, value, 'application/octet-stream');
        await rest.must('PUT', `/v1/session/destroy/${session}`);
      };
      const got = await rest.must<boolean>('PUT', `${path}&acquire=${session}`, value, 'application/octet-stream');
      if (got) return { session, [Symbol.asyncDispose]: end };
      await end();
      throw new Error(`${key} is held by another session`);
    },
    [Symbol.asyncDispose]: () => rest[Symbol.asyncDispose](),
  };
}

/** Flags are 64 bits wide: their digits are taken from the text before a double can round them. */
function parseEntries(text: string): readonly RawEntry[] {
  const exact = (key: string, value: unknown, context?: { readonly source?: string }): unknown =>
    key === 'Flags' ? BigInt(context?.source ?? String(value)) : value;
  return JSON.parse(text, exact as Parameters<typeof JSON.parse>[1]) as readonly RawEntry[];
}

const toEntry = (raw: RawEntry): ConsulEntry => ({
  key: raw.Key,
  value: raw.Value === null ? null : Buffer.from(raw.Value, 'base64').toString('utf8'),
  session: raw.Session ?? null,
  flags: raw.Flags,
  createIndex: raw.CreateIndex,
  modifyIndex: raw.ModifyIndex,
});

const toSession = (raw: RawSession): SeenSession => ({
  id: raw.ID,
  name: raw.Name,
  node: raw.Node,
  ttl: raw.TTL ?? '',
  lockDelayMs: raw.LockDelay / 1_000_000,
  createIndex: raw.CreateIndex,
});
