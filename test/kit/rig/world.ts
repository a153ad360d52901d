/**
 * What integration tests do to the real API server and the real Consul, in a test's own words. Each call returns when the
 * server has done it; waiting for what follows is the observer's business.
 */
import { randomBytes } from 'node:crypto';
import { readKubeconfig } from './kubeconfig.ts';
import type { RawObject } from './observer/raw.ts';
import { type ConsulAccess, kubeRest, MERGE_PATCH, type Rest, RestError } from './rest.ts';
import { type ConsulWorld, openConsul } from './world/consul.ts';
import {
  bindingManifest,
  type ContainerLife,
  containerPatch,
  endpointAddresses,
  freshAddress,
  type PodWish,
  podManifest,
  readyPatch,
} from './world/pods.ts';

export type { ConsulEntry, ConsulWorld, SeenSession, Stranger } from './world/consul.ts';
export type { PodWish } from './world/pods.ts';

export type GroupWish = {
  readonly namespace: string;
  readonly name: string;
  /** Over `selector: {matchLabels: {app: <name>}}`. */
  readonly spec?: Readonly<Record<string, unknown>>;
};

export type World = {
  readonly rest: Rest;
  readonly consul: ConsulWorld;
  /** Makes a namespace of its own and returns its name; the service account that pods need is there. */
  namespace(prefix?: string): Promise<string>;
  /** Makes one of this very name, if it is not there. */
  ensureNamespace(name: string): Promise<void>;
  /** Deletes it without waiting: what is in it goes when its finalizers let it. */
  deleteNamespace(name: string): Promise<void>;
  /** Creates a pod and makes it running and ready, or as wished. Its status is ours from then on. */
  pod(wish: PodWish): Promise<RawObject>;
  /** `<app>-0` to `<app>-<count - 1>`, ready, side by side. */
  pods(namespace: string, app: string, count: number): Promise<readonly RawObject[]>;
  readPod(namespace: string, name: string): Promise<RawObject | null>;
  setReady(namespace: string, name: string, ready: boolean): Promise<void>;
  /** What a kubelet tells of a container that has begun or ended. */
  reportContainer(namespace: string, name: string, container: string, life: ContainerLife): Promise<void>;
  /** With grace 0 it is gone when this returns, unless a finalizer keeps it; else it stays terminating until deleted with 0. */
  deletePod(namespace: string, name: string, graceSeconds?: number): Promise<void>;
  /** Deletes it and creates it anew under the same name with another uid. */
  recreatePod(wish: PodWish): Promise<RawObject>;
  /** A merge patch as `kubectl label` or `kubectl annotate` send it, under the field manager of an external holder. */
  patchPod(namespace: string, name: string, patch: object): Promise<RawObject>;
  /** Creates or changes a LeaderGroup by server-side apply. Rejects with the server's words when it refuses. */
  applyGroup(wish: GroupWish): Promise<RawObject>;
  /** As `kubectl annotate leadergroup`; null takes an annotation off. */
  annotateGroup(
    namespace: string,
    name: string,
    annotations: Readonly<Record<string, string | null>>,
  ): Promise<RawObject>;
  readGroup(namespace: string, name: string): Promise<RawObject | null>;
  /** Asks for deletion and returns at once; the finalizer decides when it is gone. */
  deleteGroup(namespace: string, name: string): Promise<void>;
  /** Names of the pods with the leader label, read from the API server. */
  leaders(namespace: string, selector?: string): Promise<readonly string[]>;
  /** Creates any object at a path. */
  create(path: string, manifest: object): Promise<RawObject>;
  /** Addresses of the ready endpoints of a Service, from its EndpointSlices. */
  endpointAddresses(namespace: string, service: string): Promise<readonly string[]>;
  [Symbol.asyncDispose](): Promise<void>;
};

export type WorldOptions = {
  readonly kubeconfig: string;
  readonly consul: ConsulAccess;
  /** Where pods are bound to. Default node-1, a fake node of the development cluster. */
  readonly node?: string;
};

const GROUPS = '/apis/leadergroup.dev/v1alpha1';
/** How often kwok, which sees each of our deletions once, may hit a pod made under the name. */
const KWOK_DELETIONS = 2;
const STRANGER = 'fieldManager=external';

export async function openWorld(options: WorldOptions): Promise<World> {
  const rest = kubeRest(await readKubeconfig(options.kubeconfig));
  const consul = openConsul(options.consul);
  const node = options.node ?? 'node-1';
  const podPath = (namespace: string, name = ''): string => `/api/v1/namespaces/${namespace}/pods${name && `/${name}`}`;
  const groupPath = (namespace: string, name: string): string =>
    `${GROUPS}/namespaces/${namespace}/leadergroups/${name}`;

  const world: World = {
    rest,
    consul,
    namespace: async (prefix = 'test') => {
      const name = `${prefix}-${randomBytes(4).toString('hex')}`;
      await world.ensureNamespace(name);
      return name;
    },
    ensureNamespace: async (name) => {
      const made = await rest.send('POST', '/api/v1/namespaces', { metadata: { name } });
      if (made.status !== 201 && made.status !== 409) throw new Error(`namespace ${name}: ${made.status}`);
      // The controller manager makes it later; without it the API server refuses pods.
      const account = `/api/v1/namespaces/${name}/serviceaccounts`;
      const { status } = await rest.send('POST', account, { metadata: { name: 'default' } });
      if (status !== 201 && status !== 409) throw new Error(`POST ${account}: ${status}`);
    },
    deleteNamespace: (name) => rest.must('DELETE', `/api/v1/namespaces/${name}`),
    pod: async (wish) => {
      const path = podPath(wish.namespace, wish.name);
      await rest.must('POST', podPath(wish.namespace), podManifest(wish));
      const status = readyPatch(wish.ready ?? true, wish.ip ?? freshAddress());
      const created = await patchStatus(rest, path, status);
      if (wish.node === null) return created;
      await rest.must('POST', `${path}/binding`, bindingManifest(wish.name, wish.node ?? node));
      return await rest.must<RawObject>('GET', path);
    },
    pods: (namespace, app, count) =>
      Promise.all(
        Array.from({ length: count }, (_, at) => world.pod({ namespace, name: `${app}-${at}`, labels: { app } })),
      ),
    readPod: (namespace, name) => orNull(rest, podPath(namespace, name)),
    setReady: async (namespace, name, ready) => {
      await patchStatus(rest, podPath(namespace, name), readyPatch(ready));
    },
    reportContainer: async (namespace, name, container, life) => {
      const path = `${podPath(namespace, name)}/status`;
      const status = containerPatch(container, life);
      await rest.must('PATCH', path, { status }, 'application/strategic-merge-patch+json');
    },
    deletePod: (namespace, name, graceSeconds = 0) =>
      rest.must('DELETE', podPath(namespace, name), { gracePeriodSeconds: graceSeconds }),
    recreatePod: async (wish) => {
      await world.deletePod(wish.namespace, wish.name);
      // kwok sees the deletion too and deletes by name, which may hit the pod that has just been made.
      for (let left = KWOK_DELETIONS; ; left -= 1) {
        try {
          return await world.pod(wish);
        } catch (error) {
          if (left === 0 || !(error instanceof RestError && error.status === 404)) throw error;
        }
      }
    },
    patchPod: (namespace, name, patch) =>
      rest.must('PATCH', `${podPath(namespace, name)}?${STRANGER}`, patch, MERGE_PATCH),
    applyGroup: ({ namespace, name, spec }) => {
      const selector = { matchLabels: { app: name } };
      const kind = { apiVersion: 'leadergroup.dev/v1alpha1', kind: 'LeaderGroup' };
      const manifest = { ...kind, metadata: { name, namespace }, spec: { selector, ...spec } };
      const query = `${STRANGER}&force=true&fieldValidation=Strict`;
      return rest.must('PATCH', `${groupPath(namespace, name)}?${query}`, manifest, 'application/apply-patch+yaml');
    },
    annotateGroup: (namespace, name, annotations) =>
      rest.must('PATCH', `${groupPath(namespace, name)}?${STRANGER}`, { metadata: { annotations } }, MERGE_PATCH),
    readGroup: (namespace, name) => orNull(rest, groupPath(namespace, name)),
    deleteGroup: (namespace, name) => rest.must('DELETE', groupPath(namespace, name)),
    leaders: async (namespace, selector = 'leadergroup.dev/role=leader') => {
      const path = `${podPath(namespace)}?labelSelector=${encodeURIComponent(selector)}`;
      const { items } = await rest.must<{ readonly items: readonly RawObject[] }>('GET', path);
      return items.map(({ metadata }) => metadata.name);
    },
    create: (path, manifest) => rest.must('POST', path, manifest),
    endpointAddresses: (namespace, service) => endpointAddresses(rest, namespace, service),
    [Symbol.asyncDispose]: async () => {
      await rest[Symbol.asyncDispose]();
      await consul[Symbol.asyncDispose]();
    },
  };
  return world;
}

const patchStatus = (rest: Rest, path: string, status: object): Promise<RawObject> =>
  rest.must('PATCH', `${path}/status?fieldManager=test-kubelet`, { status }, 'application/strategic-merge-patch+json');

async function orNull(rest: Rest, path: string): Promise<RawObject | null> {
  const { status, body } = await rest.send<RawObject>('GET', path);
  if (status === 404) return null;
  if (status !== 200) throw new Error(`GET ${path}: ${status} ${JSON.stringify(body)}`);
  return body;
}
