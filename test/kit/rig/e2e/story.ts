/** examples/notifier as pods on real nodes: three replicas, a sink, a leader-only Service with two clients. */
import { vi } from 'vitest';
import type { History } from '../../checker/checker.ts';
import { type Leading, type LedOptions, untilLed } from '../harness.ts';
import { acceptedPerTick, type Delivery } from '../notifiers.ts';
import { readJson } from './read.ts';
import { callAllTheTime, type ServiceClient } from './service-client.ts';
import { apply, type Manifest, manifestsOf, onRealNodes, type Site, withEnv, withImage } from './site.ts';

export const TICK_MS = 200;
/** The notifier looks at its grant between the two. */
export const PREPARE_MS = 20;
export const DEPART_MS = 80;
/** The sink lives there, so no fault befalls it. */
export const SAFE_NODE = 'real-1';
export const GROUP = 'notifier';
/** As long as it takes Kubernetes to notice that a node is gone, and some. */
const LED_TIMEOUT_MS = 150_000;
const PATIENCE = { timeout: 60_000, interval: 100 };

export type Story = AsyncDisposable & {
  readonly namespace: string;
  /** None where nobody leads. */
  readonly clients: readonly ServiceClient[];
  /** What the observer has seen of it, once it has seen everything that the servers hold. */
  history(): Promise<History>;
  deliveries(): Promise<readonly Delivery[]>;
  /** Resolves when so many more ticks have been delivered. */
  delivered(more: number): Promise<void>;
  /** Resolves when new connections to the Service reach the leader. */
  routed(): Promise<void>;
  /** See Harness.led. */
  led(options?: LedOptions): Promise<Leading>;
  nodeOf(pod: string): Promise<string>;
  /** By the group's history: the longest hand-over since then, in milliseconds; null: there was none. */
  handOverMs(since: Date): Promise<number | null>;
};

/** `elected` false: as the story begins, without a LeaderGroup, and nobody asks. */
export async function openStory(site: Site, namespace: string, elected: boolean): Promise<Story> {
  await using made = new AsyncDisposableStack();
  const { kubectl, observer } = site;
  await kubectl.must(['create', 'namespace', namespace]);
  const manifests = await manifestsOf('examples/notifier.yaml');
  const wanted = manifests.filter(({ kind }) => elected || kind !== 'LeaderGroup');
  await apply(
    kubectl,
    wanted.map((manifest) => prepared(manifest, site.images.notifier.name, elected)),
    namespace,
  );
  for (const name of ['notifier-sink', 'notifier'])
    await kubectl.must(['-n', namespace, 'rollout', 'status', `deployment/${name}`, '--timeout=120s']);
  const sink = `http://${await site.clusterIp(namespace, 'notifier-sink')}:8080/deliveries`;
  const leaderUrl = `http://${await site.clusterIp(namespace, 'notifier-leader')}`;
  const led: Story['led'] = (options) =>
    untilLed(observer, namespace, GROUP, { timeoutMs: LED_TIMEOUT_MS, ...options });
  if (elected) await led();
  const clients = elected ? (['fresh', 'kept'] as const).map((kind) => made.use(callAllTheTime(leaderUrl, kind))) : [];
  const deliveries = async (): Promise<readonly Delivery[]> => (await readJson(sink)) as readonly Delivery[];
  const acceptedTicks = async (): Promise<number> =>
    [...acceptedPerTick(await deliveries()).values()].filter((count) => count > 0).length;
  const all = made.move();
  return {
    namespace,
    clients,
    history: async () => {
      await observer.caughtUp();
      return observer.history({ namespaces: [namespace] });
    },
    deliveries,
    delivered: async (more) => {
      const before = await acceptedTicks();
      const until = async () => {
        if ((await acceptedTicks()) < before + more) throw new Error(`fewer than ${more} more ticks were delivered`);
      };
      await vi.waitFor(until, PATIENCE);
    },
    routed: async () => {
      const fresh = clients.find(({ kind }) => kind === 'fresh');
      const begunMs = performance.now();
      const reached = async () => {
        const { name } = await led();
        const last = fresh?.answers.findLast(({ sentMs }) => sentMs > begunMs);
        if (last?.pod !== name) throw new Error(`${name} leads, and a new connection reached ${last?.pod ?? 'nobody'}`);
      };
      await vi.waitFor(reached, PATIENCE);
    },
    led,
    nodeOf: (pod) => kubectl.must(['-n', namespace, 'get', 'pod', pod, '-o', 'jsonpath={.spec.nodeName}']),
    handOverMs: async (since) => {
      const group = ['get', 'leadergroup', GROUP, '-o', 'jsonpath={.status.recentTransitions}'];
      const text = await kubectl.must(['-n', namespace, ...group]);
      // The history has whole seconds.
      const began = Math.floor(since.getTime() / 1000) * 1000;
      const took = (JSON.parse(text || '[]') as readonly Transition[])
        .filter(({ time, to }) => Date.parse(time) >= began && to !== '')
        .map(({ durationMilliseconds }) => durationMilliseconds);
      return took.length === 0 ? null : Math.max(...took);
    },
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}

type Transition = { readonly time: string; readonly to: string; readonly durationMilliseconds: number };

function prepared(manifest: Manifest, image: string, elected: boolean): Manifest {
  if (manifest.kind !== 'Deployment') return manifest;
  const safe = manifest.metadata.name === 'notifier-sink';
  const placed = onRealNodes(withImage(manifest, image), safe ? SAFE_NODE : undefined);
  const env = { TICK_MS: String(TICK_MS), PREPARE_MS: String(PREPARE_MS), DEPART_MS: String(DEPART_MS) };
  return safe ? placed : withEnv(placed, elected ? env : { ...env, ASK: 'no' });
}
