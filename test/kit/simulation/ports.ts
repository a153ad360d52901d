/** The operator's ports over the simulated network: each method is a message to a server that knows nothing of the network. */
import { type Consul, ConsulError } from '../../../src/ports/consul.ts';
import { type Kubernetes, KubernetesError, type Routing, type WriteOutcome } from '../../../src/ports/kubernetes.ts';
import type { PatchRequest } from '../model/link.ts';
import { managersOf } from '../model/managers.ts';
import type { WorldApiServer } from '../model/world-api-server.ts';
import { blockingKey, blockingPrefix, keysBelow, type WorldConsul } from '../model/world-consul.ts';
import type { Wire } from './network.ts';

/** As the adapters have them by default. */
const REQUEST_MS = 2000;
const LIST_MS = 10_000;
/** A blocking read is given this much more than it was asked to wait for. */
const BLOCKING_GRACE_MS = 9000;

export function consulOver(wire: Wire, world: WorldConsul, replica: string): Consul {
  const words = (operation: string) => ({
    noAnswer: (): never => {
      throw new ConsulError('unknown', `${operation}: no answer from Consul`);
    },
    refused: (): never => {
      throw new ConsulError('unreachable', `${operation}: Consul refuses the connection`);
    },
  });
  const send = <T>(
    operation: string,
    apply: () => T | Promise<T>,
    signal: AbortSignal,
    timeoutMs = REQUEST_MS,
  ): Promise<T> => wire.call(apply, words(operation), signal, timeoutMs);
  const { requests } = world;

  /** A blocking read has longer. */
  const timeoutOf = ({ index, waitMs }: { readonly index: number; readonly waitMs: number }): number =>
    REQUEST_MS + (index === 0 ? 0 : waitMs + BLOCKING_GRACE_MS);

  return {
    registerNode: (node, signal) => send('registerNode', () => requests.registerNode(node), signal),
    createSession: (request, signal) => send('createSession', () => requests.createSession(request), signal),
    renewSession: (id, signal) => send('renewSession', () => requests.renewSession(id), signal),
    destroySession: (id, signal) => send('destroySession', () => requests.destroySession(id), signal),
    sessionInfo: (id, signal) => send('sessionInfo', () => requests.sessionInfo(id), signal),
    listSessions: (node, signal) => send('listSessions', () => requests.listSessions(node), signal),
    txn: (ops, signal) => send('txn', () => requests.txn(replica, ops), signal),
    readKeys: (keys, signal) => send('readKeys', () => requests.readKeys(keys), signal),
    readKey: (key, block, signal) =>
      send('readKey', () => blockingKey(world, key, block, signal), signal, timeoutOf(block)),
    readPrefix: (prefix, block, signal) =>
      send('readPrefix', () => blockingPrefix(world, prefix, block, signal), signal, timeoutOf(block)),
    listKeys: (prefix, signal) => send('listKeys', () => keysBelow(world.now(), prefix), signal),
  };
}

export function kubernetesOver(
  wire: Wire,
  world: WorldApiServer,
  replica: string,
  patchSent: (request: PatchRequest) => void,
): Kubernetes {
  const { requests } = world;

  const { read, write } = toApiServer(wire);

  return {
    patchPod: (pod, version, patch, signal) => {
      patchSent({ by: replica, pod, resourceVersion: version, patch });
      return write('patchPod', () => requests.patchPod(replica, pod, version, patch), signal);
    },
    getPod: (namespace, name, signal) => read('getPod', () => requests.getPod(namespace, name), signal),
    getTermination: (namespace, name, container, signal) =>
      read('getTermination', () => requests.getTermination(namespace, name, container), signal),
    getWorkload: (namespace, owner, signal) =>
      read('getWorkload', () => requests.getWorkload(namespace, owner), signal),
    getLabelManagers: (namespace, pod, label, signal) =>
      read('getLabelManagers', () => managersOf(requests.getPod(namespace, pod), label, 'enforcer'), signal),
    listPodSelecting: (namespace, signal) =>
      read('listPodSelecting', () => requests.listPodSelecting(namespace), signal),
    listPods: (namespace, signal) => read('listPods', () => requests.listPods(namespace), signal, LIST_MS),
    getGroup: (namespace, name, signal) => read('getGroup', () => requests.getGroup(namespace, name), signal),
    setFinalizers: (group, version, finalizers, signal) =>
      write('setFinalizers', () => requests.setFinalizers(replica, group, version, finalizers), signal),
    replaceStatus: (group, version, status, signal) =>
      write('replaceStatus', () => requests.replaceStatus(replica, group, version, status), signal),
    clusterUid: (signal) => read('clusterUid', () => requests.clusterUid(), signal),
  };
}

export function routingOver(wire: Wire, world: WorldApiServer, replica: string): Routing {
  const { requests } = world.routing;
  const { read, write } = toApiServer(wire);
  return {
    getService: (namespace, name, signal) => read('getService', () => requests.getService(namespace, name), signal),
    getSlice: (namespace, name, signal) => read('getSlice', () => requests.getSlice(namespace, name), signal),
    foreignSlices: (namespace, signal) =>
      read('foreignSlices', () => requests.foreignSlices(namespace), signal, LIST_MS),
    hasEndpoints: (namespace, service, signal) =>
      read('hasEndpoints', () => requests.hasEndpoints(namespace, service), signal),
    createSlice: (slice, content, signal) =>
      write('createSlice', () => requests.createSlice(replica, slice, content), signal),
    replaceSlice: (slice, content, signal) =>
      write('replaceSlice', () => requests.replaceSlice(replica, slice, content), signal),
    deleteSlice: (slice, signal) => write('deleteSlice', () => requests.deleteSlice(replica, slice), signal),
    evict: (pod, version, signal) => write('evict', () => requests.evict(replica, pod, version), signal),
  };
}

/** Requests to it, and what a replica makes of silence. */
function toApiServer(wire: Wire) {
  const read = <T>(operation: string, apply: () => T, signal: AbortSignal, timeoutMs = REQUEST_MS): Promise<T> => {
    const unreachable = (): never => {
      throw new KubernetesError('unreachable', `${operation}: no answer from the API server`);
    };
    return wire.call(apply, { noAnswer: unreachable, refused: unreachable }, signal, timeoutMs);
  };

  const write = <T>(operation: string, apply: () => WriteOutcome<T>, signal: AbortSignal): Promise<WriteOutcome<T>> => {
    const unknown = (): WriteOutcome<T> => ({
      kind: 'unknown',
      message: `${operation}: no answer from the API server`,
    });
    return wire.call(apply, { noAnswer: unknown, refused: unknown }, signal, REQUEST_MS);
  };

  return { read, write };
}
