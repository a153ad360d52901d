/** What the operator needs of the API server. The adapter is src/kubernetes; the simulation brings another. */
import type { WallMs } from '../api/clocks.ts';
import type { EventReason, EventType } from '../api/event-reasons.ts';
import type { PodUid } from '../api/ids.ts';
import type { LeaderGroupStatus, ParsedLeaderGroup } from '../api/leadergroup.ts';
import type { ClusterNode, OwnerRef, Pod, PodRef } from '../api/pod.ts';
import type { AddressFamily, Service, Slice, SliceContent } from '../api/route.ts';

/** A merge patch of metadata: null removes a key. Touches nothing else. */
export type MetadataPatch = {
  readonly labels: Readonly<Record<string, string | null>>;
  readonly annotations: Readonly<Record<string, string | null>>;
};

/** Names one object for good. */
export type ObjectRef = { readonly namespace: string; readonly name: string; readonly uid: string };

/** What became of a write. Expected refusals are values; nothing is thrown but for an aborted signal. */
export type WriteOutcome<T> =
  | { readonly kind: 'done'; readonly object: T }
  /** A Status NotFound that names this very object (any other 404 is `unknown`). */
  | { readonly kind: 'gone' }
  /** 409, or 422 because the uid is another: the object is not the one that was read. Nothing was written. */
  | { readonly kind: 'conflict'; readonly message: string }
  /** 400, 401, 403, 422 or a webhook's no: the same request again will be refused again. Nothing was written. */
  | { readonly kind: 'refused'; readonly status: number; readonly message: string }
  /** No connection, timeout, 429, 5xx: it may have been applied, or may yet be. */
  | { readonly kind: 'unknown'; readonly message: string };

/** Epoch milliseconds, in whole seconds, by the clock of the pod's node. */
export type ContainerTermination = {
  readonly podUid: PodUid;
  readonly startedMs: WallMs;
  readonly finishedMs: WallMs;
};

export type KubernetesEvent = {
  readonly regarding: ObjectRef & { readonly kind: 'LeaderGroup' | 'Pod'; readonly resourceVersion: string };
  readonly type: EventType;
  readonly reason: EventReason;
  readonly message: string;
};

/** What the controller of pods selects and makes them by: label keys only. */
export type Workload = {
  /** Whom people know: the Deployment of a ReplicaSet, else the controller itself. */
  readonly kind: string;
  readonly name: string;
  /** In its own selector. */
  readonly selectorKeys: readonly string[];
  /** Labels of its pod template. */
  readonly templateKeys: readonly string[];
  /** In topology spread constraints and pod (anti-)affinity of its template. */
  readonly placementKeys: readonly string[];
};

/** `time`: of its last write, RFC 3339. */
export type LabelManager = { readonly manager: string; readonly time: string };

/** null: none but the operator. */
export type LabelManagers = { readonly owner: LabelManager | null; readonly last: LabelManager | null };

/** An object, other than a controller, that selects pods by labels. */
export type PodSelecting = { readonly kind: string; readonly name: string; readonly keys: readonly string[] };

export type Kubernetes = {
  /**
   * Merge-patches a pod with its uid as precondition, and its resourceVersion when one is given. The answer's pod is
   * the written one. Never retried by the adapter: whether a repetition is safe is the protocol's business.
   */
  patchPod(
    pod: PodRef,
    resourceVersion: string | null,
    patch: MetadataPatch,
    signal: AbortSignal,
  ): Promise<WriteOutcome<Pod>>;
  /** From etcd, not from a cache. null: a Status NotFound that names this pod. Throws KubernetesError. */
  getPod(namespace: string, name: string, signal: AbortSignal): Promise<Pod | null>;
  /**
   * How a container's present life has ended, from etcd. null: it has not, as far as its kubelet has reported, or there is no such
   * pod or container. Throws KubernetesError.
   */
  getTermination(
    namespace: string,
    pod: string,
    container: string,
    signal: AbortSignal,
  ): Promise<ContainerTermination | null>;
  /** From etcd, all pages. Throws KubernetesError. */
  listPods(namespace: string, signal: AbortSignal): Promise<readonly Pod[]>;
  /**
   * The controller that a pod names. `gone`: there is none of this name and uid. `unreadable`: a right is missing, or a kind that says
   * nothing of its selector. Throws KubernetesError, where asking again may help.
   */
  getWorkload(namespace: string, owner: OwnerRef, signal: AbortSignal): Promise<Workload | 'gone' | 'unreadable'>;
  /**
   * The other field manager that has this label of a pod, and the one that wrote the pod last (its status aside). A label that was taken
   * off leaves no trace of who did it. null: no such pod. Throws KubernetesError.
   */
  getLabelManagers(namespace: string, pod: string, label: string, signal: AbortSignal): Promise<LabelManagers | null>;
  /** PodDisruptionBudgets and NetworkPolicies of a namespace, those of them that may be read. Throws KubernetesError. */
  listPodSelecting(namespace: string, signal: AbortSignal): Promise<readonly PodSelecting[]>;
  /** From etcd. null: a Status NotFound that names this group. Throws KubernetesError. */
  getGroup(namespace: string, name: string, signal: AbortSignal): Promise<ParsedLeaderGroup | null>;
  /** Replaces metadata.finalizers under uid and resourceVersion. */
  setFinalizers(
    group: ObjectRef,
    resourceVersion: string,
    finalizers: readonly string[],
    signal: AbortSignal,
  ): Promise<WriteOutcome<ParsedLeaderGroup>>;
  /** Replaces the status under uid and resourceVersion. */
  replaceStatus(
    group: ObjectRef,
    resourceVersion: string,
    status: LeaderGroupStatus,
    signal: AbortSignal,
  ): Promise<WriteOutcome<ParsedLeaderGroup>>;
  /** Uid of the kube-system namespace: the cluster's identity. Throws KubernetesError. */
  clusterUid(signal: AbortSignal): Promise<string>;
};

/** What a slice is made with: it cannot name a pod, since a creation that arrives late has no version to fail by. */
export type EmptySlice = Omit<SliceContent, 'token' | 'fenced' | 'endpoint'>;

/** An EndpointSlice by name, with the family of its addresses, which never changes. */
export type SliceName = { readonly namespace: string; readonly name: string; readonly family: AddressFamily };

/** Services and EndpointSlices, for groups with a route only: without its rights everything else works. */
export type Routing = {
  /** From etcd. null: a Status NotFound that names it. Throws KubernetesError. */
  getService(namespace: string, name: string, signal: AbortSignal): Promise<Service | null>;
  /** From etcd. null: a Status NotFound that names it. `foreign`: it is not this operator's. Throws KubernetesError. */
  getSlice(namespace: string, name: string, signal: AbortSignal): Promise<Slice | 'foreign' | null>;
  /** By Service, names of the slices of a namespace that are not this operator's: they lead traffic too. From etcd, all pages. Throws KubernetesError. */
  foreignSlices(namespace: string, signal: AbortSignal): Promise<ForeignSlices>;
  /** Whether there is an Endpoints object of this name, of which a controller makes slices. Throws KubernetesError. */
  hasEndpoints(namespace: string, service: string, signal: AbortSignal): Promise<boolean>;
  /** `conflict`: there is one of this name. */
  createSlice(slice: SliceName, content: EmptySlice, signal: AbortSignal): Promise<WriteOutcome<Slice>>;
  /** Replaces all of it, under uid and resourceVersion. Never makes one. */
  replaceSlice(slice: SliceVersion, content: SliceContent, signal: AbortSignal): Promise<WriteOutcome<Slice>>;
  /** Under uid and resourceVersion. */
  deleteSlice(slice: SliceVersion, signal: AbortSignal): Promise<WriteOutcome<'accepted'>>;
  /**
   * Asks for a pod's eviction under uid and resourceVersion, so that a delayed one does not hit what the pod has become since. A disruption
   * budget that does not allow it just now is `unknown`.
   */
  evict(pod: PodRef, resourceVersion: string, signal: AbortSignal): Promise<WriteOutcome<'accepted'>>;
};

/** Names by Service. */
export type ForeignSlices = ReadonlyMap<string, readonly string[]>;

/** One version of one slice. */
export type SliceVersion = SliceName & { readonly uid: string; readonly resourceVersion: string };

/** Where events go. Never blocks, never throws: events are for people and are dropped rather than waited for. */
export type EventSink = { emit(event: KubernetesEvent): void };

/** What a reflector tells about one kind of object. Called in order, never concurrently; must not throw. */
export type ReflectorHandler<T> = {
  /** An object appeared, changed or went (null). A name used again arrives as a removal, then an addition. */
  changed(before: T | null, after: T | null): void;
  /** The first full list has been delivered. Called once. */
  synced(): void;
};

/** A watch of one kind. */
export type WatchHandler<T> = ReflectorHandler<T> & {
  /** Where some namespaces are watched: the first full list of this one has been delivered, before or after `synced`. */
  readonly listed?: (namespace: string) => void;
};

export type Watch<T> = {
  /** Delivers until `signal` aborts, then resolves. `onProblem`: what keeps it from its work, null when it works again. */
  run(handler: WatchHandler<T>, onProblem: (problem: string | null) => void, signal: AbortSignal): Promise<void>;
  /** Monotonic milliseconds of the server's last sign of life; null before the first. */
  lastContactMs(): number | null;
  /** The right to it is missing, or it is not watched at all: what it has shown may have changed long ago. */
  denied(): boolean;
};

/** Over all namespaces. */
export type Watches = {
  readonly pods: Watch<Pod>;
  readonly groups: Watch<ParsedLeaderGroup>;
  readonly nodes: Watch<ClusterNode>;
};

/**
 * What a group that is not shown means, once all watches are synced. `listed`: a group that is not shown is not there. `unread`: it may be there, since the namespace is watched and has not been listed yet (the operator may not
 * read it, say). `unwatched`: it is not this replica's to know.
 */
export type GroupsShown = 'listed' | 'unread' | 'unwatched';

/** One version of a Service (`name` is `service`), or of an EndpointSlice for it: that there is one, and not what it says. */
export type Sighting = {
  readonly namespace: string;
  readonly service: string;
  readonly name: string;
  readonly uid: string;
  readonly resourceVersion: string;
};

export type RoutingKind = 'services' | 'endpointslices';

/**
 * Tells that a Service or one of its slices is another one now; whoever hears it reads what it says. Over all namespaces, but for slices that Kubernetes makes by the
 * selector of a Service: those of Services that a route names are told all the same by their Service, which has a selector then.
 */
export type RouteWatch = {
  /** Until `signal` aborts; then it resolves. May be run again. */
  run(listener: RouteListener, signal: AbortSignal): Promise<void>;
};

export type RouteListener = {
  /** Whether a group names this Service: only then anything is kept of it, but for Services whose owner lets a group lead them. */
  concerns(namespace: string, service: string): boolean;
  /** As ReflectorHandler has them. */
  changed(kind: RoutingKind, before: Sighting | null, after: Sighting | null): void;
  synced(kind: RoutingKind): void;
  /** What keeps one of them from its work, null when it works again. `denied`: for want of a right. */
  problem(kind: RoutingKind, problem: { readonly denied: boolean; readonly message: string } | null): void;
};

export type KubernetesErrorKind = 'unreachable' | 'denied' | 'refused' | 'notInstalled';

/** A failed read. Its message says what was read, from where, what the server said, and what to do. */
export class KubernetesError extends Error {
  override readonly name = 'KubernetesError';
  readonly kind: KubernetesErrorKind;
  constructor(kind: KubernetesErrorKind, message: string, options?: ErrorOptions) {
    super(message, options);
    this.kind = kind;
  }
}
