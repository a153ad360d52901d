import type { WallMs } from './clocks.ts';
import type { PodUid } from './ids.ts';

/**
 * What the operator keeps of a pod: the dozen fields an election needs, projected before anything is stored
 * (10,000 whole pods cost 218 MB, projected ones 5 MB).
 */
export type Pod = {
  readonly namespace: string;
  readonly name: string;
  readonly uid: PodUid;
  readonly resourceVersion: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Only keys of the leadergroup.dev domain and its subdomains, and the deletion cost of Kubernetes. */
  readonly annotations: Readonly<Record<string, string>>;
  /** Pending, Running, Succeeded, Failed or Unknown. */
  readonly phase: string;
  /**
   * The phase is final and every container is reported as ended, so that no process of it is left. The phase alone does not say so: the
   * garbage collector of pods sets it for pods of a node that is gone from the API, and an eviction before the containers end. A report with
   * the reason ContainerStatusUnknown, which is inferred, is none.
   */
  readonly stopped: boolean;
  readonly ready: boolean;
  /** lastTransitionTime of the Ready condition in epoch milliseconds, whatever its status; null when unset. A node's clock wrote it. */
  readonly readyTransitionMs: WallMs | null;
  /** Its conditions that spec.candidateCondition may name, but for Ready. */
  readonly conditions: readonly PodCondition[];
  /** Since when all of its containers run, by their latest start in epoch milliseconds, sidecars included; null: not every one of them runs. */
  readonly runningSinceMs: WallMs | null;
  /** How often its containers were started anew, all together, sidecars included. */
  readonly restarts: number;
  /** The DisruptionTarget condition is True: the pod is about to be evicted or preempted. */
  readonly disrupted: boolean;
  /** metadata.deletionTimestamp is set: the pod can never lead again. */
  readonly deleting: boolean;
  /** A static pod's mirror (annotation kubernetes.io/config.mirror): its kubelet, not the API, decides what it is. */
  readonly mirror: boolean;
  readonly node: string | null;
  /** Its own addresses; empty for a pod in the network of its node, whose address is not its own. */
  readonly addresses: readonly string[];
  /** Ports of its containers that have a name, by which a Service may mean them. */
  readonly namedPorts: readonly NamedPort[];
  /** The controlling owner (ReplicaSet, StatefulSet, Job, ...); null without one. */
  readonly owner: OwnerRef | null;
  /** spec.restartPolicy is not Always: it is made to end, as a backup or a migration is. */
  readonly runsToCompletion: boolean;
  /** metadata.creationTimestamp in epoch milliseconds. */
  readonly createdMs: WallMs;
};

/** `transitionMs`: its lastTransitionTime in epoch milliseconds, no earlier than it can be; null when unset. Somebody's clock wrote it. */
export type PodCondition = { readonly type: string; readonly isTrue: boolean; readonly transitionMs: WallMs | null };

export type NamedPort = { readonly name: string; readonly protocol: string; readonly port: number };

/** The controller of a pod, as ownerReferences name it. */
export type OwnerRef = {
  /** e.g. apps/v1 */
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly uid: string;
};

/** Names one pod for good: a name is used again, a uid never. */
export type PodRef = Pick<Pod, 'namespace' | 'name' | 'uid'>;

/** What an election needs of a node: of some 12 KiB less than one is kept. */
export type ClusterNode = {
  readonly name: string;
  readonly resourceVersion: string;
  /** metadata.creationTimestamp in epoch milliseconds. */
  readonly createdMs: WallMs;
  readonly labels: Readonly<Record<string, string>>;
  /** spec.unschedulable: the node is cordoned. */
  readonly cordoned: boolean;
  /** Its condition Ready is True: its kubelet has been heard of lately, and says that it works. */
  readonly ready: boolean;
  /** lastTransitionTime of that condition in epoch milliseconds; null when unset. */
  readonly readyTransitionMs: WallMs | null;
  /** It has the taint node.kubernetes.io/out-of-service and is not Ready: somebody says that nothing runs on it any more. */
  readonly outOfService: boolean;
};
