/**
 * Takes over from replicas that are dead for certain, faster than their sessions expire: a replica whose own container the API
 * server reports as ended has its session ended, and its buckets are free. That its pod is merely gone proves nothing: a node
 * that is cut off goes on running what the API server has forgotten.
 */
import type { Pod } from '../../api/pod.ts';
import { diedIn, type LiveReplica } from '../../election/replicas.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Consul } from '../../ports/consul.ts';
import type { Kubernetes } from '../../ports/kubernetes.ts';
import type { Log } from '../../ports/log.ts';

export type Peers = {
  /** To be told of every pod event. Cheap for pods that are no replica's. */
  podChanged(pod: Pod | null): void;
};

/** A kubelet reports within a second or so that a container has ended; a pod that is just not ready is not asked about for ever. */
const ASK_MS = 500;
const ASK_TIMES = 20;

export function createPeers(options: {
  readonly consul: Consul;
  readonly kubernetes: Pick<Kubernetes, 'getTermination'>;
  readonly clock: Clock;
  readonly log: Log;
  /** The replicas that are there, this one included. */
  readonly replicas: () => readonly LiveReplica[];
  readonly self: string;
  readonly signal: AbortSignal;
}): Peers {
  const { consul, kubernetes, clock, log, signal } = options;
  /** Sessions under suspicion. */
  const asking = new Set<string>();

  const suspectOf = (pod: Pod): LiveReplica | undefined =>
    options.replicas().find((replica) => replica.id !== options.self && replica.pod?.uid === pod.uid);

  async function suspect({ session }: LiveReplica): Promise<void> {
    for (let times = 0; times < ASK_TIMES; times += 1) {
      // Read before the question: what it says of its session was said before the container was found ended.
      const replica = options.replicas().find((live) => live.session === session);
      if (replica === undefined) return;
      if (await isDead(replica)) return await end(replica);
      await clock.sleep(ASK_MS, signal);
    }
  }

  async function isDead(replica: LiveReplica): Promise<boolean> {
    if (replica.pod === null) return false;
    const { namespace, name, container } = replica.pod;
    const found = await kubernetes.getTermination(namespace, name, container, signal).catch(() => null);
    return found !== null && diedIn(replica, found);
  }

  async function end({ id, session }: LiveReplica): Promise<void> {
    await consul.destroySession(session, signal);
    log.info(
      { replica: id, session },
      'destroyed the session of a replica whose container has ended; its buckets are free',
    );
  }

  return {
    podChanged: (pod) => {
      if (pod === null || pod.ready) return;
      const replica = suspectOf(pod);
      if (replica === undefined || asking.has(replica.session)) return;
      asking.add(replica.session);
      suspect(replica)
        .catch((error: unknown) => {
          if (!signal.aborted) log.warn({ replica: replica.id, error }, 'taking over from a dead replica failed');
        })
        .finally(() => asking.delete(replica.session));
    },
  };
}
