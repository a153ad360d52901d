import type { Rest } from '../rest.ts';

export type PodWish = {
  readonly namespace: string;
  readonly name: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly finalizers?: readonly string[];
  readonly ownerReferences?: readonly object[];
  /** Default true. */
  readonly ready?: boolean;
  readonly ip?: string;
  /** Default: the world's node; null: never bound to one. */
  readonly node?: string | null;
};

/**
 * A fake node's kubelet removes a terminating pod by its name alone, which would now and then hit the next pod of that
 * name. So a pod deleted with grace stays terminating until the test deletes it with grace 0.
 */
const KUBELET_KEEPS_OFF = { 'pod-delete.stage.kwok.x-k8s.io/delay': '24h' };

/**
 * Not bound to a node yet, and left alone by the scheduler: the kubelet of a fake node makes every pod ready that has no
 * address, so a pod gets its status first and its node after that.
 */
export function podManifest(wish: PodWish): object {
  const { namespace, name, labels = {}, annotations = {}, finalizers = [], ownerReferences = [] } = wish;
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      namespace,
      name,
      labels,
      annotations: { ...KUBELET_KEEPS_OFF, ...annotations },
      finalizers,
      ownerReferences,
    },
    spec: {
      schedulerName: 'the-test',
      terminationGracePeriodSeconds: 0,
      containers: [{ name: 'main', image: 'none' }],
      // For pods that outlive their node's readiness: nobody else than the test decides when they go.
      tolerations: [{ operator: 'Exists' }],
    },
  };
}

export const bindingManifest = (name: string, node: string): object => ({
  apiVersion: 'v1',
  kind: 'Binding',
  metadata: { name },
  target: { apiVersion: 'v1', kind: 'Node', name: node },
});

let addresses = 0;

/** Not routable, not used by anybody; different for each pod of a test process. */
export function freshAddress(): string {
  addresses += 1;
  return `10.99.${Math.floor(addresses / 250) % 250}.${(addresses % 250) + 1}`;
}

/** The status that makes a pod ready or not, as a kubelet writes it. */
export function readyPatch(ready: boolean, ip?: string): object {
  const now = new Date().toISOString().replace(/\.\d+Z$/, 'Z');
  const status = ready ? 'True' : 'False';
  return {
    phase: 'Running',
    conditions: ['Ready', 'ContainersReady'].map((type) => ({ type, status, lastTransitionTime: now })),
    ...(ip === undefined ? {} : { podIP: ip, podIPs: [{ ip }] }),
  };
}

/** A container's life by its node's clock; `finishedMs` null: it runs. Epoch milliseconds. `restarts`: how often it was started anew. `ready`: by default while it runs. */
export type ContainerLife = {
  readonly startedMs: number;
  readonly finishedMs: number | null;
  readonly restarts?: number;
  readonly ready?: boolean;
};

const wholeSeconds = (ms: number): string => new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z');

/** The status in which a kubelet tells of a container. */
export function containerPatch(name: string, life: ContainerLife): object {
  const { startedMs, finishedMs, restarts = 0, ready = finishedMs === null } = life;
  const startedAt = wholeSeconds(startedMs);
  const state =
    finishedMs === null
      ? { running: { startedAt }, terminated: null }
      : { terminated: { exitCode: 137, reason: 'Error', startedAt, finishedAt: wholeSeconds(finishedMs) } };
  return {
    containerStatuses: [{ name, image: name, imageID: '', ready, restartCount: restarts, state }],
    conditions: [{ type: 'Ready', status: ready ? 'True' : 'False' }],
  };
}

type Slice = {
  readonly endpoints?: readonly {
    readonly addresses: readonly string[];
    readonly conditions?: { readonly ready?: boolean };
  }[];
};

export async function endpointAddresses(rest: Rest, namespace: string, service: string): Promise<readonly string[]> {
  const selector = encodeURIComponent(`kubernetes.io/service-name=${service}`);
  const path = `/apis/discovery.k8s.io/v1/namespaces/${namespace}/endpointslices?labelSelector=${selector}`;
  const { items } = await rest.must<{ readonly items: readonly Slice[] }>('GET', path);
  return items
    .flatMap((slice) => slice.endpoints ?? [])
    .filter((endpoint) => endpoint.conditions?.ready !== false)
    .flatMap((endpoint) => endpoint.addresses);
}
