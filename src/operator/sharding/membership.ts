/**
 * Joining: what a replica does in Consul before it may own anything. The synthetic node that all sessions are bound to,
 * the check that this prefix is this cluster's, the replica's own session, its entry among the replicas.
 */
import type { MonotonicMs, WallMs } from '../../api/clocks.ts';
import type { SessionId } from '../../api/ids.ts';
import {
  clusterIdentityKey,
  type KeySpace,
  replicaKey,
  replicaSessionName,
  replicasPrefix,
  syntheticNode,
} from '../../election/keys.ts';
import { formatReplica, type LiveReplica, mayShareApiServer, type ReplicaPod } from '../../election/replicas.ts';
import type { Clock } from '../../ports/clock.ts';
import { type Consul, ConsulError } from '../../ports/consul.ts';
import { liveReplicas } from './registry.ts';

/** The replica's session is this short whatever the groups want: it bounds how long a dead replica keeps its buckets. */
export const REPLICA_TTL_MS = 10_000;

export type ReplicaIdentity = {
  /** Part of a Consul key. */
  readonly id: string;
  /** null outside Kubernetes, where no identity outlives the process. */
  readonly pod: ReplicaPod | null;
  /** Where the others reach its HTTP port; null: they do not. */
  readonly url: string | null;
  /** Of the key by which this process signs what it passes on to the others; null: it signs nothing. */
  readonly publicKey: string | null;
  /** Whose groups it acts on; null, and by default: those of all namespaces. */
  readonly namespaces?: readonly string[] | null;
};

/** Another cluster's identity stands under our prefix: two clusters would share locks that must not be shared. */
export class ForeignClusterError extends Error {
  override readonly name = 'ForeignClusterError';
}

/** Replicas of another API server are below our prefix now: a copy of this cluster, made from its etcd, has the same uid. */
export class OtherApiServerError extends Error {
  override readonly name = 'OtherApiServerError';
}

/** Which replica, and below which prefix. */
export type Place = { readonly space: KeySpace; readonly replica: ReplicaIdentity };

/** What a replica tells the others of itself. */
export type Announcement = Pick<Membership, 'session' | 'sinceMs'> & {
  readonly reachesApiServer: boolean;
  readonly authorities: readonly string[];
};

/** `sinceMs`: wall clock before the session was opened. */
export type Membership = {
  readonly session: SessionId;
  readonly acknowledgedMs: MonotonicMs;
  readonly sinceMs: WallMs;
};

/**
 * Throws ConsulError or OtherApiServerError (try again later), or ForeignClusterError (final). An aborted join may leave a session that expires by
 * itself. The replica is not registered yet: nobody counts on it.
 */
export async function join(
  ports: { readonly consul: Consul; readonly clock: Clock },
  place: Place & { readonly clusterUid: string; readonly authorities?: () => readonly string[] },
  signal: AbortSignal,
): Promise<Membership> {
  const { consul, clock } = ports;
  const { space, replica, clusterUid } = place;
  await consul.registerNode(syntheticNode(space), signal);
  await claimPrefix(consul, space, clusterUid, signal);
  // A copy has pods of the same names and uids, too: what goes by the id of this one may be one there, and is let live.
  const { entries } = await consul.readPrefix(replicasPrefix(space), { index: 0, waitMs: 0 }, signal);
  const known = liveReplicas(space, entries);
  const namesake = ofAnotherApiServer(known, place, ({ id }) => id === replica.id);
  if (namesake !== undefined) throw otherApiServer(place, namesake);
  await endPreviousIncarnations(consul, space, replica, signal);
  const other = ofAnotherApiServer(known, place);
  if (other !== undefined) throw otherApiServer(place, other);
  const acknowledgedMs = clock.nowMs();
  const sinceMs = clock.wallMs();
  const name = replicaSessionName(replica.id);
  const request = { node: syntheticNode(space), name, ttlMs: REPLICA_TTL_MS, lockDelayMs: 0 };
  const session = await consul.createSession(request, signal);
  return { session, acknowledgedMs, sinceMs };
}

async function claimPrefix(consul: Consul, space: KeySpace, clusterUid: string, signal: AbortSignal): Promise<void> {
  const key = clusterIdentityKey(space);
  const [entry] = await consul.readKeys([key], signal);
  if (entry?.value === clusterUid) return;
  if (entry !== null && entry !== undefined) throw foreignCluster(space, key, entry.value ?? '', clusterUid);
  const result = await consul.txn(
    [
      { verb: 'check-not-exists', key },
      { verb: 'set', key, value: clusterUid },
    ],
    signal,
  );
  if (result.kind === 'rejected') throw txnError(`writing ${key}`, result.rejections[0]?.text ?? 'no reason given');
}

const foreignCluster = (space: KeySpace, key: string, theirs: string, ours: string): ForeignClusterError =>
  new ForeignClusterError(
    `the Consul key ${key} says that "${space.prefix}/${space.cluster}" belongs to the cluster with kube-system uid ${theirs}, but this one is ${ours}. ` +
      'Set LEADERGROUP_CLUSTER to a name that no other cluster on this Consul uses; or, if this cluster was rebuilt and the old one is gone, delete that key.',
  );

type Side = Place & { readonly authorities?: () => readonly string[] };

/** One that acts on another API server than this replica does; undefined: none that is known to. */
export const ofAnotherApiServer = (
  replicas: readonly LiveReplica[],
  { replica, authorities }: Side,
  among = ({ id }: LiveReplica): boolean => id !== replica.id,
): LiveReplica | undefined =>
  replicas.find((each) => among(each) && !mayShareApiServer(each.authorities, authorities?.() ?? []));

export const otherApiServer = ({ space, replica }: Side, { id }: LiveReplica): OtherApiServerError =>
  new OtherApiServerError(
    `the replica ${id} below "${space.prefix}/${space.cluster}" in Consul acts on an API server with other certificate authorities than that of this replica, ${replica.id}: ` +
      'is this cluster a copy of one that still runs, restored from its etcd? Then set LEADERGROUP_CLUSTER to a name that no other cluster on this Consul uses. ' +
      `If it is one cluster whose authority has been replaced in one step, end ${id}: this replica waits for that`,
  );

/** A restarted container's earlier session would keep its buckets until it expires; its process is dead, so it is ended. */
async function endPreviousIncarnations(
  consul: Consul,
  space: KeySpace,
  replica: ReplicaIdentity,
  signal: AbortSignal,
): Promise<void> {
  if (replica.pod === null) return;
  const sessions = await consul.listSessions(syntheticNode(space), signal);
  const earlier = sessions.filter(({ name }) => name === replicaSessionName(replica.id));
  for (const { id } of earlier) await consul.destroySession(id, signal);
}

/**
 * Tells the other replicas that this one is there and whether it reaches the API server; from then on they may pass buckets
 * to it. Again with every change. Throws ConsulError.
 */
export async function register(
  consul: Consul,
  { space, replica }: Place,
  { session, ...told }: Announcement,
  signal: AbortSignal,
): Promise<void> {
  const key = replicaKey(space, replica.id);
  const { pod, url, publicKey, namespaces = null } = replica;
  const value = formatReplica({ v: 1, ...told, pod, url, publicKey, routes: true, namespaces });
  const result = await consul.txn([{ verb: 'lock', key, session, value }], signal);
  if (result.kind === 'rejected') throw txnError(`registering ${key}`, result.rejections[0]?.text ?? 'no reason given');
}

const txnError = (what: string, text: string): ConsulError =>
  new ConsulError(/permission denied/i.test(text) ? 'denied' : 'unreachable', `${what}: ${text}`);

/**
 * Sessions of our node, from which adoption starts. A token without the right to read sessions gets an empty list, not
 * an error; our own session is the proof that the list is true.
 */
export async function listOwnNode(consul: Consul, space: KeySpace, own: SessionId, signal: AbortSignal) {
  const node = syntheticNode(space);
  const sessions = await consul.listSessions(node, signal);
  if (sessions.some(({ id }) => id === own)) return sessions;
  throw new ConsulError(
    'denied',
    `Consul's list of sessions on node ${node} lacks this replica's own: either it has just expired, or the Consul token lacks ` +
      `the right session "${node}" { policy = "write" }`,
  );
}
