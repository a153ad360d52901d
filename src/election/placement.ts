/**
 * Which replica should own which bucket: rendezvous hashing with a cap. Every replica computes the same answer from the same
 * list, and a replica that comes or goes moves few buckets besides those it gets or gives up.
 */
import { hashOf } from '../api/hash.ts';
import { BUCKETS } from './keys.ts';
import type { LiveReplica } from './replicas.ts';

/** Every bucket once; no replica has more than the n-th part of them, rounded up. Empty without replicas. */
export function placement(replicas: readonly string[]): ReadonlyMap<number, string> {
  const cap = Math.ceil(BUCKETS / replicas.length);
  const load = new Map<string, number>();
  const placed = new Map<number, string>();
  for (const { bucket, replica } of pairs(replicas)) {
    const carried = load.get(replica) ?? 0;
    if (placed.has(bucket) || carried >= cap) continue;
    placed.set(bucket, replica);
    load.set(replica, carried + 1);
  }
  return placed;
}

type Pair = { readonly bucket: number; readonly replica: string; readonly score: number };

/** Every bucket with every replica, the best match first; of equal ones by name and number, so that all agree. */
function pairs(replicas: readonly string[]): readonly Pair[] {
  const all = replicas.flatMap((replica) =>
    Array.from({ length: BUCKETS }, (_, bucket) => ({ bucket, replica, score: hashOf(`${replica}#${bucket}`) })),
  );
  return all.toSorted((a, b) => b.score - a.score || compare(a.replica, b.replica) || a.bucket - b.bucket);
}

const compare = (a: string, b: string): number => (a === b ? 0 : a < b ? -1 : 1);

/**
 * Who shares the buckets: the live replicas that reach the API server; all of them where none does, since sessions must be
 * renewed and leaders stay also through an outage of the API server.
 */
function eligibleReplicas(replicas: readonly LiveReplica[]): readonly LiveReplica[] {
  const reaching = replicas.filter(({ reachesApiServer }) => reachesApiServer);
  return reaching.length > 0 ? reaching : replicas;
}

/** The replica that should own each bucket. */
export function desiredOwners(replicas: readonly LiveReplica[]): ReadonlyMap<number, LiveReplica> {
  const sharing = new Map(eligibleReplicas(replicas).map((replica) => [replica.id, replica]));
  const owners = [...placement([...sharing.keys()])].flatMap(([bucket, id]) => {
    const replica = sharing.get(id);
    return replica === undefined ? [] : [[bucket, replica] as const];
  });
  return new Map(owners);
}
