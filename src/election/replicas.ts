/** What a replica says of itself in Consul, under its own key, which its own session holds. */
import { type WallMs, wallMs } from '../api/clocks.ts';
import { type PodUid, podUid, type SessionId } from '../api/ids.ts';
import { isObject, isText, parseJson } from './json.ts';

/** The pod a replica runs in. Its container: a pod may have others, and they may end without it. */
export type ReplicaPod = {
  readonly namespace: string;
  readonly name: string;
  readonly uid: PodUid;
  readonly container: string;
};

export type ReplicaRecord = {
  readonly v: 1;
  readonly reachesApiServer: boolean;
  /** Epoch milliseconds, by the clock of the replica's own node, at which it began to open its session. */
  readonly sinceMs: WallMs;
  /** null outside Kubernetes. */
  readonly pod: ReplicaPod | null;
  /** Where the other replicas reach its HTTP port, without a trailing slash; null: they do not. */
  readonly url: string | null;
  /** Ed25519, 32 bytes in base64url: by it the others know what this process passes on to them. null: an older version, which does not sign. */
  readonly publicKey: string | null;
  /** It keeps the EndpointSlices of a group with a route. false: an older version, which would leave a former leader in them. */
  readonly routes: boolean;
  /** Whose groups it acts on. null: those of all namespaces; or an older version, which does not say. */
  readonly namespaces: readonly string[] | null;
  /** By which certificates it knows its API server: see `mayShareApiServer`. Empty: it does not say, or an older version. */
  readonly authorities: readonly string[];
};

/** A replica whose session is alive, as far as Consul has found out. */
export type LiveReplica = {
  readonly id: string;
  readonly session: SessionId;
  readonly reachesApiServer: boolean;
  readonly sinceMs: WallMs;
  readonly pod: ReplicaPod | null;
  readonly url: string | null;
  readonly publicKey: string | null;
  readonly routes: boolean;
  readonly namespaces: readonly string[] | null;
  readonly authorities: readonly string[];
};

export const formatReplica = (record: ReplicaRecord): string => JSON.stringify(record);

/**
 * What a replica can be taken for whose record cannot be read (another version's, or written by hand): it lives, since its
 * session holds the key, and nothing is known that would allow to end it.
 */
const UNREADABLE: ReplicaRecord = {
  v: 1,
  reachesApiServer: true,
  sinceMs: wallMs(Number.MAX_SAFE_INTEGER),
  pod: null,
  url: null,
  publicKey: null,
  routes: false,
  namespaces: null,
  authorities: [],
};

export function liveReplica(id: string, session: SessionId, value: string | null): LiveReplica {
  const { v: _version, ...told } = parse(value) ?? UNREADABLE;
  return { id, session, ...told };
}

function parse(text: string | null): ReplicaRecord | null {
  const raw = parseJson(text);
  if (!isObject(raw) || raw.v !== 1 || typeof raw.reachesApiServer !== 'boolean') return null;
  const { reachesApiServer, sinceMs } = raw;
  if (typeof sinceMs !== 'number' || !Number.isSafeInteger(sinceMs)) return null;
  const [pod, url, publicKey] = [podOf(raw.pod), urlOf(raw.url), keyOf(raw.publicKey)];
  const routes = raw['routes'] === true;
  const namespaces = namesOf(raw['namespaces']);
  const authorities = namesOf(raw['authorities']) ?? [];
  return { v: 1, reachesApiServer, sinceMs: wallMs(sinceMs), pod, url, publicKey, routes, namespaces, authorities };
}

const namesOf = (raw: unknown): readonly string[] | null => (Array.isArray(raw) && raw.every(isText) ? raw : null);

const keyOf = (raw: unknown): string | null => (isText(raw) && /^[\w-]{43}$/.test(raw) ? raw : null);

/** Requests are sent there, so nothing but an origin will do. */
const urlOf = (raw: unknown): string | null =>
  isText(raw) && /^http:\/\/[^/?#@]+$/.test(raw) && URL.canParse(raw) ? raw : null;

function podOf(raw: unknown): ReplicaPod | null {
  if (!isObject(raw)) return null;
  const { namespace, name, uid, container } = raw;
  return isText(namespace) && isText(name) && isText(uid) && isText(container)
    ? { namespace, name, uid: podUid(uid), container }
    : null;
}

/**
 * Whether two replicas may act on the same API server: they believe one authority in common, as they do at each step of a rotation, or one of them
 * does not say which it believes. A cluster that was restored from another's etcd has that one's uid, and mostly authorities of its own.
 */
export const mayShareApiServer = (some: readonly string[], others: readonly string[]): boolean =>
  some.length === 0 || others.length === 0 || some.some((authority) => others.includes(authority));

/** Whether one of them may act on the groups of the namespace. */
export const anyWatches = (replicas: readonly LiveReplica[], namespace: string): boolean =>
  replicas.some(({ namespaces }) => namespaces === null || namespaces.includes(namespace));

/** One life of a container that its kubelet reports as ended. Epoch milliseconds by the node's clock, whole seconds. */
export type Termination = { readonly podUid: PodUid; readonly startedMs: WallMs; readonly finishedMs: WallMs };

/**
 * The process that opened this session is dead: the session was opened within the life of the container that has ended. Both
 * times are by the clock of the same node. Times of a container are cut to seconds, so a session opened in the second in which
 * a life ended could be the next life's, and is let expire.
 */
export const diedIn = ({ pod, sinceMs }: LiveReplica, termination: Termination): boolean =>
  pod !== null &&
  pod.uid === termination.podUid &&
  sinceMs >= termination.startedMs &&
  sinceMs < termination.finishedMs;
