/**
 * An API server in memory, as far as the operator can tell it from a real one: uids, resourceVersions, preconditions,
 * patches that change nothing, and a watch that delivers when a test says so. Everything happens at once; what a network
 * does to requests is the link's business.
 */
import { isDeepStrictEqual } from 'node:util';
import type { LeaderGroup, LeaderGroupStatus, ParsedLeaderGroup } from '../../../src/api/leadergroup.ts';
import type { OwnerRef, Pod, PodRef } from '../../../src/api/pod.ts';
import type {
  ContainerTermination,
  MetadataPatch,
  ObjectRef,
  PodSelecting,
  Workload,
  WriteOutcome,
} from '../../../src/ports/kubernetes.ts';
import { createWorldRouting, type WorldRouting } from './world-routing.ts';

/** A change of one object; what a watch of its kind delivers. */
export type Change<T> = {
  readonly before: T | null;
  readonly after: T | null;
  /** Of the event: for a deletion its own. */
  readonly version: number;
};

/** A pod written by an operator replica: its request, and what the request changed. */
export type PodWrite = {
  readonly by: string;
  readonly before: Pod;
  readonly after: Pod;
  readonly patch: MetadataPatch;
  /** The precondition it carried. */
  readonly resourceVersion: string | null;
};

export type WorldApiServer = {
  pods(): readonly Pod[];
  pod(name: string): Pod | null;
  group(name?: string): LeaderGroup | null;
  groups(): readonly LeaderGroup[];
  /** Services and EndpointSlices. */
  readonly routing: WorldRouting;
  /** Everything that ever happened to pods (groups), in resourceVersion order. A watch is a place in it. */
  readonly podLog: readonly Change<Pod>[];
  readonly groupLog: readonly Change<LeaderGroup>[];
  /** What others do: kubelets, users, controllers. */
  readonly foreign: {
    addPod(pod: Pod): Pod;
    /** What a read of the controller with this uid says from now on; by default that it selects by `app`. */
    setWorkload(owner: string, workload: Workload | 'gone' | 'unreadable'): void;
    addSelecting(object: PodSelecting): void;
    /** Changes a pod that is there; nothing when it is not. */
    changePod(name: string, change: (pod: Pod) => Partial<Pod>): void;
    removePod(name: string): void;
    /** Its kubelet reports that the pod's containers have ended, or (null) that they run again. */
    reportTermination(name: string, life: Omit<ContainerTermination, 'podUid'> | null): void;
    addGroup(group: LeaderGroup): LeaderGroup;
    /** An edit of the spec raises the generation. */
    changeGroup(name: string, change: (group: LeaderGroup) => Partial<LeaderGroup>): void;
    /** With finalizers it is marked, which raises the generation as an edit does; without it goes at once. */
    deleteGroup(name: string): void;
    /** Something of another kind is written: the resourceVersion of that. */
    nextVersion(): number;
  };
  readonly requests: {
    patchPod(by: string, pod: PodRef, resourceVersion: string | null, patch: MetadataPatch): WriteOutcome<Pod>;
    getPod(namespace: string, name: string): Pod | null;
    getTermination(namespace: string, pod: string, container: string): ContainerTermination | null;
    listPods(namespace: string): readonly Pod[];
    getGroup(namespace: string, name: string): ParsedLeaderGroup | null;
    setFinalizers(
      by: string,
      group: ObjectRef,
      resourceVersion: string,
      finalizers: readonly string[],
    ): WriteOutcome<ParsedLeaderGroup>;
    replaceStatus(
      by: string,
      group: ObjectRef,
      resourceVersion: string,
      status: LeaderGroupStatus,
    ): WriteOutcome<ParsedLeaderGroup>;
    getWorkload(namespace: string, owner: OwnerRef): Workload | 'gone' | 'unreadable';
    listPodSelecting(namespace: string): readonly PodSelecting[];
    clusterUid(): string;
  };
  /** Called with each change of a pod or a group. */
  onChange(listener: (change: Change<Pod> | Change<LeaderGroup>, kind: 'pods' | 'leadergroups') => void): void;
  /** Called with each pod write of an operator, also with one that changed nothing, before it is answered. */
  onPodWrite(listener: (write: PodWrite) => void): void;
  /** Called with each patch that is refused. */
  onRefusal(listener: (pod: PodRef, patch: MetadataPatch) => void): void;
  /** Refuses such patches for good (403) from now on; null: none. */
  refusePatches(refuses: ((pod: PodRef, patch: MetadataPatch) => boolean) | null): void;
  /** Highest resourceVersion given so far. */
  version(): number;
  /** Objects written by operators so far: pods, groups. */
  writes(): number;
};

const CLUSTER_UID = 'uid-of-kube-system';

const id = ({ namespace, name }: { namespace: string; name: string }): string => `${namespace}/${name}`;

export function createWorldApiServer(): WorldApiServer {
  const pods = new Map<string, Pod>();
  const groups = new Map<string, LeaderGroup>();
  const workloads = new Map<string, Workload | 'gone' | 'unreadable'>();
  const selecting: PodSelecting[] = [];
  const terminations = new Map<string, ContainerTermination>();
  const podLog: Change<Pod>[] = [];
  const groupLog: Change<LeaderGroup>[] = [];
  const listeners: ((write: PodWrite) => void)[] = [];
  const refusalListeners: ((pod: PodRef, patch: MetadataPatch) => void)[] = [];
  const changeListeners: Parameters<WorldApiServer['onChange']>[0][] = [];
  let refuses: ((pod: PodRef, patch: MetadataPatch) => boolean) | null = null;
  let version = 1000;
  let writes = 0;

  const nextVersion = (): string => {
    version += 1;
    return String(version);
  };

  function storePod(before: Pod | null, after: Pod | null): Pod | null {
    const resourceVersion = nextVersion();
    const written = after === null ? null : { ...after, resourceVersion };
    if (before !== null && (written === null || id(before) !== id(written))) pods.delete(id(before));
    if (written !== null) pods.set(id(written), written);
    const change = { before, after: written, version };
    podLog.push(change);
    for (const listener of changeListeners) listener(change, 'pods');
    return written;
  }

  function storeGroup(before: LeaderGroup | null, after: LeaderGroup | null): LeaderGroup | null {
    const gone = after === null || (after.deleting && after.finalizers.length === 0);
    const resourceVersion = nextVersion();
    const written = gone ? null : { ...after, resourceVersion };
    if (written === null && before !== null) groups.delete(id(before));
    if (written !== null) groups.set(id(written), written);
    const change = { before, after: written, version };
    groupLog.push(change);
    for (const listener of changeListeners) listener(change, 'leadergroups');
    return written;
  }

  const routing = createWorldRouting({
    nextVersion,
    pod: (namespace, name) => pods.get(id({ namespace, name })) ?? null,
    evicted: (pod) => void storePod(pod, { ...pod, deleting: true }),
  });
  const inDefault = (name: string): string => `default/${name}`;

  function patchPod(by: string, ref: PodRef, resourceVersion: string | null, patch: MetadataPatch): WriteOutcome<Pod> {
    const found = pods.get(id(ref));
    if (found === undefined) return { kind: 'gone' };
    if (refuses?.(ref, patch) === true) {
      for (const listener of refusalListeners) listener(ref, patch);
      return { kind: 'refused', status: 403, message: 'pods is forbidden' };
    }
    if (found.uid !== ref.uid) return { kind: 'conflict', message: 'the uid in the precondition is another' };
    if (resourceVersion !== null && found.resourceVersion !== resourceVersion) {
      return { kind: 'conflict', message: 'the object has been modified' };
    }
    const patched = {
      ...found,
      labels: merge(found.labels, patch.labels),
      annotations: merge(found.annotations, patch.annotations),
    };
    const after = isDeepStrictEqual(patched, found) ? found : (storePod(found, patched) ?? found);
    writes += 1;
    for (const listener of listeners) listener({ by, before: found, after, patch, resourceVersion });
    return { kind: 'done', object: after };
  }

  function writeGroup(
    ref: ObjectRef,
    resourceVersion: string,
    change: (group: LeaderGroup) => LeaderGroup,
  ): WriteOutcome<ParsedLeaderGroup> {
    const found = groups.get(id(ref));
    if (found === undefined) return { kind: 'gone' };
    if (found.uid !== ref.uid || found.resourceVersion !== resourceVersion) {
      return { kind: 'conflict', message: 'the object has been modified' };
    }
    const changed = change(found);
    writes += 1;
    if (isDeepStrictEqual(changed, found)) return { kind: 'done', object: { kind: 'valid', group: found } };
    const group = storeGroup(found, changed) ?? changed;
    return { kind: 'done', object: { kind: 'valid', group } };
  }

  return {
    pods: () => [...pods.values()],
    pod: (name) => pods.get(inDefault(name)) ?? null,
    group: (name = 'notifier') => groups.get(inDefault(name)) ?? null,
    groups: () => [...groups.values()],
    routing,
    podLog,
    groupLog,
    foreign: {
      nextVersion: () => Number(nextVersion()),
      setWorkload: (owner, workload) => void workloads.set(owner, workload),
      addSelecting: (object) => void selecting.push(object),
      addPod: (pod) => storePod(null, pod) ?? pod,
      changePod: (name, change) => {
        const found = pods.get(inDefault(name));
        if (found !== undefined) storePod(found, { ...found, ...change(found) });
      },
      reportTermination: (name, life) => {
        const found = pods.get(inDefault(name));
        if (found === undefined) return;
        if (life === null) terminations.delete(found.uid);
        else terminations.set(found.uid, { podUid: found.uid, ...life });
        storePod(found, { ...found, ready: life === null });
      },
      removePod: (name) => {
        const found = pods.get(inDefault(name));
        if (found !== undefined) storePod(found, null);
      },
      addGroup: (group) => storeGroup(null, group) ?? group,
      changeGroup: (name, change) => {
        const found = groups.get(inDefault(name));
        if (found === undefined) return;
        const changes = change(found);
        const generation = changes.spec === undefined ? found.generation : found.generation + 1;
        storeGroup(found, { ...found, ...changes, generation });
      },
      deleteGroup: (name) => {
        const found = groups.get(inDefault(name));
        if (found !== undefined && !found.deleting)
          storeGroup(found, { ...found, deleting: true, generation: found.generation + 1 });
      },
    },
    requests: {
      patchPod,
      getPod: (namespace, name) => pods.get(id({ namespace, name })) ?? null,
      getTermination: (namespace, name) => terminations.get(pods.get(id({ namespace, name }))?.uid ?? '') ?? null,
      listPods: (namespace) => [...pods.values()].filter((pod) => pod.namespace === namespace),
      getGroup: (namespace, name) => {
        const group = groups.get(id({ namespace, name }));
        return group === undefined ? null : { kind: 'valid', group };
      },
      setFinalizers: (_by, group, resourceVersion, finalizers) =>
        writeGroup(group, resourceVersion, (found) => ({ ...found, finalizers })),
      replaceStatus: (_by, group, resourceVersion, status) =>
        writeGroup(group, resourceVersion, (found) => ({ ...found, status })),
      getWorkload: (_namespace, owner) =>
        workloads.get(owner.uid) ?? {
          kind: owner.kind,
          name: owner.name,
          selectorKeys: ['app'],
          templateKeys: ['app'],
          placementKeys: [],
        },
      listPodSelecting: () => selecting,
      clusterUid: () => CLUSTER_UID,
    },
    onChange: (listener) => void changeListeners.push(listener),
    onPodWrite: (listener) => void listeners.push(listener),
    onRefusal: (listener) => void refusalListeners.push(listener),
    refusePatches: (which) => {
      refuses = which;
    },
    version: () => version,
    writes: () => writes,
  };
}

/** As a JSON merge patch: null removes. */
function merge(
  values: Readonly<Record<string, string>>,
  patch: Readonly<Record<string, string | null>>,
): Readonly<Record<string, string>> {
  const kept = Object.entries({ ...values, ...patch }).filter((entry): entry is [string, string] => entry[1] !== null);
  return Object.fromEntries(kept);
}
