/** The pods of the rig's groups: each on a node of its own, with a container that runs, and of a ReplicaSet in some groups. */
import { setTimeout as delay } from 'node:timers/promises';
import type { RawObject } from '../observer/raw.ts';
import type { Observer } from '../observer.ts';
import type { World } from '../world.ts';
import { addressOf, type GroupPlan, groupOf, placeOf, podsOf } from './groups.ts';
import { persistently, untilDone } from './persistently.ts';

export type Pods = AsyncDisposable & {
  /** Whole and ready, whatever is there of it. */
  make(name: string): Promise<void>;
  /** Its process ends, whatever it was. */
  endContainer(name: string): Promise<void>;
  /** Another one begins, in the same pod. */
  beginContainer(name: string): Promise<void>;
};

type Parts = {
  readonly world: World;
  readonly observer: Observer;
  readonly namespace: string;
  readonly plans: readonly GroupPlan[];
};

const CONTAINER = 'main';
const LOOK_MS = 400;
const KEPT = 'example.com/kept';

type Status = { readonly containerStatuses?: readonly { readonly restartCount?: number }[] };

/** Makes all of them, and from then on those that were evicted, as a controller would. */
export async function startPods({ world, observer, namespace, plans }: Parts): Promise<Pods> {
  const owned = plans.filter((plan) => plan.owned);
  const owners = new Map(
    await Promise.all(owned.map(async ({ name }) => [name, await ownerOf(world, namespace, name)] as const)),
  );
  /** The last thing that was done to each. */
  const doing = new Map<string, Promise<void>>();
  const over = new AbortController();

  function make(name: string): Promise<void> {
    const made = (doing.get(name) ?? Promise.resolve()).then(() => persistently(() => makeOnce(name)));
    doing.set(
      name,
      made.catch(() => undefined),
    );
    return made;
  }

  /** Created before an answer that was lost, it is there, but perhaps not whole. */
  async function makeOnce(name: string): Promise<void> {
    const there = await world.readPod(namespace, name);
    if (there !== null && there.spec?.['nodeName'] !== undefined) return await world.setReady(namespace, name, true);
    if (there !== null) await world.deletePod(namespace, name);
    const [group, place] = [groupOf(name), placeOf(name)];
    const ownerReferences = owners.has(group) ? [owners.get(group) ?? {}] : [];
    const labels = { app: group, place };
    await world.pod({
      namespace,
      name,
      labels,
      ownerReferences,
      ip: addressOf(name),
      node: `node-${Number(place) + 1}`,
    });
    await world.reportContainer(namespace, name, CONTAINER, { startedMs: Date.now(), finishedMs: null });
  }

  async function tell(name: string, ended: boolean): Promise<void> {
    await persistently(async () => {
      const pod = await world.readPod(namespace, name);
      if (pod === null) return;
      const restarts = (pod.status as Status).containerStatuses?.[0]?.restartCount ?? 0;
      const life = ended
        ? { startedMs: Date.now() - 1000, finishedMs: Date.now(), restarts }
        : { startedMs: Date.now(), finishedMs: null, restarts: restarts + 1 };
      await world.reportContainer(namespace, name, CONTAINER, life);
    });
  }

  await Promise.all(plans.flatMap(({ name }) => podsOf(name)).map((name) => make(name)));
  const evicted = plans.filter(({ evicts }) => evicts).flatMap(({ name }) => podsOf(name));
  const controlling = (async () => {
    while (!over.signal.aborted) {
      const gone = evicted.filter((name) => observer.pod(namespace, name) === undefined);
      await Promise.all(gone.map((name) => make(name)));
      await delay(LOOK_MS, null, { signal: over.signal }).catch(() => undefined);
    }
  })();
  return {
    make,
    endContainer: (name) => tell(name, true),
    beginContainer: (name) => tell(name, false),
    [Symbol.asyncDispose]: async () => {
      over.abort();
      await controlling;
    },
  };
}

/** A ReplicaSet that is being deleted and stays: its controller makes, adopts and releases no pod, and nobody collects its pods. */
async function ownerOf(world: World, namespace: string, name: string): Promise<object> {
  const path = `/apis/apps/v1/namespaces/${namespace}/replicasets`;
  const labels = { app: name };
  const spec = {
    replicas: 0,
    selector: { matchLabels: labels },
    template: { metadata: { labels }, spec: { containers: [{ name: CONTAINER, image: 'none' }] } },
  };
  const made = await world.create(path, { metadata: { name, finalizers: [KEPT] }, spec });
  await untilDone(() => world.rest.must<RawObject>('DELETE', `${path}/${name}`));
  return { apiVersion: 'apps/v1', kind: 'ReplicaSet', name, uid: made.metadata.uid, controller: true };
}
