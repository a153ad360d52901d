/**
 * The network between one replica and the servers. Every request meets its fate here: it arrives, it is lost, its answer
 * is lost, or it is held back for as long as a test likes, while the replica waits for it or has given it up.
 */
import type { LeaderGroupStatus } from '../../../src/api/leadergroup.ts';
import type { PodRef } from '../../../src/api/pod.ts';
import { type Consul, ConsulError } from '../../../src/ports/consul.ts';
import {
  type Kubernetes,
  KubernetesError,
  type MetadataPatch,
  type Routing,
  type WriteOutcome,
} from '../../../src/ports/kubernetes.ts';
import type { HttpProbeResult, HttpProber } from '../../../src/ports/prober.ts';
import { managersOf } from './managers.ts';
import type { WorldApiServer } from './world-api-server.ts';
import { blockingKey, blockingPrefix, keyOf, keysBelow, snapshotOf, type WorldConsul } from './world-consul.ts';
import type { WorldPods } from './world-pods.ts';

export type Request = {
  readonly to: 'consul' | 'kubernetes' | 'pods';
  readonly operation: keyof Consul | keyof Kubernetes | keyof Routing | keyof HttpProber;
  /** Pod, key or session it is about, for whoever chooses its fate. */
  readonly about: string;
  /** All that it says, for whoever compares requests. */
  readonly content: unknown;
};

/**
 * `held`: it waits in `held()` until the test delivers it, or lets the replica give it up. `answerHeld`: it has
 * arrived, its answer waits.
 */
export type Fate = 'arrives' | 'lost' | 'answerLost' | 'held' | 'answerHeld';

export type HeldRequest = {
  readonly request: Request;
  /** Arrives now. The replica gets the answer, unless it has given the request up. */
  deliver(): void;
  /** The replica's time-out: it learns nothing. The request may still be delivered. */
  giveUp(): void;
  /** Never arrives, and is not waited for any more. */
  drop(): void;
};

export type Link = {
  readonly consul: Consul;
  readonly kubernetes: Kubernetes;
  readonly routing: Routing;
  /** Asks these pods. One that is not heard from has timed out, and no time has passed. */
  asking(pods: WorldPods): HttpProber;
  /** From now on; the default is that everything arrives. */
  decide(fate: (request: Request) => Fate): void;
  /** Oldest first. */
  held(): readonly HeldRequest[];
  /** Requests that were sent, whatever became of them. */
  readonly sent: readonly Request[];
  /** Called with everything that the replica learns: the answer, or what it makes of silence. */
  onAnswer(listener: (request: Request, answer: unknown) => void): void;
};

/** Does it now; the result, or what it threw, is for later. */
function outcomeOf<T>(apply: () => T): () => T {
  try {
    const result = apply();
    return () => result;
  } catch (error) {
    return () => {
      throw error;
    };
  }
}

/** A patch of a pod as it leaves the replica, whenever it arrives. */
export type PatchRequest = {
  readonly by: string;
  readonly pod: PodRef;
  readonly resourceVersion: string | null;
  readonly patch: MetadataPatch;
};

export function createLink(
  replica: string,
  api: WorldApiServer,
  world: WorldConsul,
  patchSent: (request: PatchRequest) => void,
): Link {
  const sent: Request[] = [];
  const held = new Set<HeldRequest>();
  const listeners: ((request: Request, answer: unknown) => void)[] = [];
  let decide: (request: Request) => Fate = () => 'arrives';

  /** `apply` is what the server does; `unheard` what the replica makes of silence. */
  async function send<T>(request: Request, apply: () => T, unheard: () => T): Promise<T> {
    sent.push(request);
    switch (decide(request)) {
      case 'arrives':
        return told(request, apply);
      case 'lost':
        return told(request, unheard);
      case 'answerLost':
        apply();
        return told(request, unheard);
      case 'held':
        return await hold(request, apply, unheard);
      case 'answerHeld':
        return await hold(request, outcomeOf(apply), unheard);
    }
  }

  function told<T>(request: Request, make: () => T): T {
    try {
      const answer = make();
      for (const listener of listeners) listener(request, answer);
      return answer;
    } catch (error) {
      for (const listener of listeners) listener(request, String(error));
      throw error;
    }
  }

  function hold<T>(request: Request, apply: () => T, unheard: () => T): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    let over = false;
    const answer = (make: () => T): void => {
      try {
        if (over) return void make();
        over = true;
        resolve(told(request, make));
      } catch (error) {
        reject(error);
      }
    };
    const entry: HeldRequest = {
      request,
      deliver: () => void (held.delete(entry) && answer(apply)),
      giveUp: () => answer(unheard),
      drop: () => {
        held.delete(entry);
        answer(unheard);
      },
    };
    held.add(entry);
    return promise;
  }

  const noAnswer = (operation: string) => (): never => {
    throw new ConsulError('unknown', `${operation}: no answer from Consul`);
  };

  const asConsul = <T>(operation: keyof Consul, about: string, apply: () => T, content: unknown = about): Promise<T> =>
    send({ to: 'consul', operation, about, content }, apply, noAnswer(operation));

  const read = <T>(operation: keyof Kubernetes | keyof Routing, about: string, apply: () => T): Promise<T> =>
    send({ to: 'kubernetes', operation, about, content: about }, apply, () => {
      throw new KubernetesError('unreachable', `${operation}: no answer from the API server`);
    });

  const write = <T>(
    operation: keyof Kubernetes | keyof Routing,
    about: string,
    apply: () => WriteOutcome<T>,
    content: unknown = about,
  ): Promise<WriteOutcome<T>> =>
    send({ to: 'kubernetes', operation, about, content }, apply, () => ({
      kind: 'unknown',
      message: `${operation}: no answer from the API server`,
    }));

  const consul: Consul = {
    registerNode: (node) => asConsul('registerNode', node, () => world.requests.registerNode(node)),
    createSession: (request) => asConsul('createSession', request.name, () => world.requests.createSession(request)),
    renewSession: (id) => asConsul('renewSession', id, () => world.requests.renewSession(id)),
    destroySession: (id) => asConsul('destroySession', id, () => world.requests.destroySession(id)),
    sessionInfo: (id) => asConsul('sessionInfo', id, () => world.requests.sessionInfo(id)),
    listSessions: (node) => asConsul('listSessions', node, () => world.requests.listSessions(node)),
    txn: (ops) => asConsul('txn', ops.at(-1)?.verb ?? '', () => world.requests.txn(replica, ops), ops),
    readKeys: (keys) => asConsul('readKeys', keys[0] ?? '', () => world.requests.readKeys(keys)),
    readKey: async (key, block, signal) => {
      await blockingKey(world, key, block, signal);
      signal.throwIfAborted();
      return await asConsul('readKey', key, () => keyOf(world.now(), key));
    },
    readPrefix: async (prefix, block, signal) => {
      await blockingPrefix(world, prefix, block, signal);
      signal.throwIfAborted();
      return await asConsul('readPrefix', prefix, () => snapshotOf(world.now(), prefix));
    },
    listKeys: (prefix) => asConsul('listKeys', prefix, () => keysBelow(world.now(), prefix)),
  };

  const kubernetes: Kubernetes = {
    patchPod: (pod, resourceVersion, patch) => {
      patchSent({ by: replica, pod, resourceVersion, patch });
      return write('patchPod', pod.name, () => api.requests.patchPod(replica, pod, resourceVersion, patch), {
        pod,
        resourceVersion,
        patch,
      });
    },
    getPod: (namespace, name) => read('getPod', name, () => api.requests.getPod(namespace, name)),
    getTermination: (namespace, name, container) =>
      read('getTermination', name, () => api.requests.getTermination(namespace, name, container)),
    getWorkload: (namespace, owner) =>
      read('getWorkload', owner.name, () => api.requests.getWorkload(namespace, owner)),
    getLabelManagers: (namespace, pod, label) =>
      read('getLabelManagers', pod, () => managersOf(api.requests.getPod(namespace, pod), label, 'kubectl-label')),
    listPodSelecting: (namespace) =>
      read('listPodSelecting', namespace, () => api.requests.listPodSelecting(namespace)),
    listPods: (namespace) => read('listPods', namespace, () => api.requests.listPods(namespace)),
    getGroup: (namespace, name) => read('getGroup', name, () => api.requests.getGroup(namespace, name)),
    setFinalizers: (group, version, finalizers) =>
      write('setFinalizers', group.name, () => api.requests.setFinalizers(replica, group, version, finalizers)),
    replaceStatus: (group, version, status: LeaderGroupStatus) =>
      write('replaceStatus', group.name, () => api.requests.replaceStatus(replica, group, version, status)),
    clusterUid: () => read('clusterUid', '', () => api.requests.clusterUid()),
  };

  const { requests: route } = api.routing;
  const routing: Routing = {
    getService: (namespace, name) => read('getService', name, () => route.getService(namespace, name)),
    getSlice: (namespace, name) => read('getSlice', name, () => route.getSlice(namespace, name)),
    foreignSlices: (namespace) => read('foreignSlices', namespace, () => route.foreignSlices(namespace)),
    hasEndpoints: (namespace, service) => read('hasEndpoints', service, () => route.hasEndpoints(namespace, service)),
    createSlice: (slice, content) =>
      write('createSlice', slice.name, () => route.createSlice(replica, slice, content), { slice, content }),
    replaceSlice: (slice, content) =>
      write('replaceSlice', slice.name, () => route.replaceSlice(replica, slice, content), { slice, content }),
    deleteSlice: (slice) => write('deleteSlice', slice.name, () => route.deleteSlice(replica, slice), slice),
    evict: (pod, version) => write('evict', pod.name, () => route.evict(replica, pod, version), { pod, version }),
  };

  const asking = ({ requests }: WorldPods): HttpProber => ({
    get: async ({ address }) => {
      const { question, arrive, learn } = requests.ask(replica, address);
      const request: Request = { to: 'pods', operation: 'get', about: question.pod, content: question };
      const result = await send<HttpProbeResult>(request, arrive, () => 'Timeout');
      learn(result);
      return result;
    },
  });

  return {
    consul,
    kubernetes,
    routing,
    asking,
    decide: (fate) => {
      decide = fate;
    },
    held: () => [...held],
    sent,
    onAnswer: (listener) => void listeners.push(listener),
  };
}
