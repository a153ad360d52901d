/** examples/notifier as pods on real nodes: three replicas, a sink, a leader-only Service with two clients. */
import { vi } from 'vitest';
import type { History } from '../../checker/checker.ts';
import { type Leading, type LedOptions, untilLed } from '../harness.ts';
import { acceptedPerTick, type Delivery } from '../notifiers.ts';
import { claimsText, fatesOf, type Judged, type Series } from './claimed.ts';
import { GROUP, SERVICE, TO_ALL, UNCHECKED, UNCHECKED_SINK } from './names.ts';
import { readJson } from './read.ts';
import { type Programs, withSchedulers } from './schedulers.ts';
import { type Answer, callAllTheTime, type ServiceClient } from './service-client.ts';
import {
  apply,
  type Manifest,
  manifestsOf,
  onRealNodes,
  type Site,
  withEnv,
  withGateToken,
  withImage,
} from './site.ts';
import type { ShownEndpoints } from './slices.ts';

export const TICK_MS = 200;
/** The notifier looks at its grant between the two. */
export const PREPARE_MS = 20;
export const DEPART_MS = 80;
/** The sink lives there, so no fault befalls it. */
export const SAFE_NODE = 'real-1';
export const OTHER_NODE = 'real-2';
/** Of a pod: `false` keeps it from leading. */
export const CANDIDATE = 'leadergroup.dev/candidate';
/** As long as it takes Kubernetes to notice that a node is gone, and some. */
const LED_TIMEOUT_MS = 150_000;
const PATIENCE = { timeout: 60_000, interval: 100 };

export type StoryOptions = {
  readonly namespace: string;
  /** False: as the story begins, without a LeaderGroup, and nobody asks. Default true. */
  readonly elected?: boolean;
  /** Default: none. */
  readonly leaderProbe?: object;
  /** How its Service leads to the leader: it selects the label, or has no selector and is the group's route. Default label. */
  readonly by?: 'label' | 'route';
  /** Has another Service lead to all notifiers. Default false. */
  readonly ordinary?: boolean;
  /**
   * Schedules that the same pods keep beside the one by terms, and send to the sink that checks nothing: the notifier those of its loop, by claims. Default:
   * none.
   */
  readonly schedules?: readonly Series[];
  /** Where the programs of other schedulers are. Default: the pods run the notifier alone. */
  readonly programs?: Programs;
  /** Two of its pods stand beside the sink, where no fault befalls them, and nobody calls its Service. Default false. */
  readonly bystander?: boolean;
};

export type Story = AsyncDisposable & {
  readonly namespace: string;
  /** For tables: how the leader is probed. */
  readonly setting: string;
  /** Of that client, so far. */
  answers(client: ServiceClient['kind']): readonly Answer[];
  /** What the observer has seen of it, once it has seen everything that the servers hold. */
  history(): Promise<History>;
  deliveries(): Promise<readonly Delivery[]>;
  /** What was delivered of its claims. */
  claimed(): Promise<readonly Judged[]>;
  /** Resolves when so many more ticks have been delivered. */
  delivered(more: number): Promise<void>;
  /** Resolves when new connections to the Service reach the leader. */
  routed(): Promise<void>;
  /** See Harness.led. */
  led(options?: LedOptions): Promise<Leading>;
  nodeOf(pod: string): Promise<string>;
  /** Makes the group anew: what the operator has learnt of it is forgotten, such as how often its leader has failed its probe. */
  renew(): Promise<void>;
  /** What its leader probe is when it is made anew. */
  probeBy(leaderProbe: object): void;
  /** Has one of the pods on this node lead, by keeping the others from it for a moment. */
  leadFrom(node: string): Promise<Leading>;
  /** What the EndpointSlices of its Service have shown. */
  shown(): readonly ShownEndpoints[];
  /** By the group's history: the longest hand-over since then, in milliseconds; null: there was none. */
  handOverMs(since: Date): Promise<number | null>;
};

/** One for all stories, in a namespace of its own; it refuses nothing. */
export async function openUncheckedSink({ kubectl, images }: Site): Promise<void> {
  const manifests = await manifestsOf('examples/notifier.yaml');
  const sink = manifests.filter(({ metadata }) => metadata.name === 'notifier-sink');
  await kubectl.must(['create', 'namespace', UNCHECKED]);
  const placed = sink.map((each) =>
    each.kind === 'Deployment' ? onRealNodes(withImage(each, images.notifier.name), SAFE_NODE) : each,
  );
  await apply(kubectl, placed, UNCHECKED);
  await kubectl.must(['-n', UNCHECKED, 'rollout', 'status', 'deployment/notifier-sink', '--timeout=120s']);
}

export async function openStory(site: Site, options: StoryOptions): Promise<Story> {
  await using made = new AsyncDisposableStack();
  const { namespace, elected = true, bystander = false, by = 'label', schedules = [] } = options;
  let spec = specOf(options);
  const { kubectl, observer } = site;
  await kubectl.must(['create', 'namespace', namespace]);
  const manifests = await manifestsOf('examples/notifier.yaml');
  const wanted = manifests.filter(({ kind }) => elected || kind !== 'LeaderGroup');
  const set = (manifest: Manifest): Manifest => {
    if (by === 'route' && manifest.metadata.name === SERVICE) return byRoute(manifest);
    return manifest.kind === 'LeaderGroup'
      ? withSpec(manifest, spec)
      : prepared(manifest, site.images.notifier.name, { ...options, elected, bystander, schedules });
  };
  const all = [...wanted.map(set), ...(options.ordinary === true ? [ordinaryService] : [])];
  await apply(kubectl, all, namespace);
  for (const name of ['notifier-sink', 'notifier'])
    await kubectl.must(['-n', namespace, 'rollout', 'status', `deployment/${name}`, '--timeout=120s']);
  const sink = `http://${await site.clusterIp(namespace, 'notifier-sink')}:8080/deliveries`;
  const leaderUrl = `http://${await site.clusterIp(namespace, SERVICE)}`;
  const led: Story['led'] = (options) =>
    untilLed(observer, namespace, GROUP, { timeoutMs: LED_TIMEOUT_MS, ...options });
  if (elected) await led();
  const kinds = elected && !bystander ? (['fresh', 'kept'] as const) : [];
  const clients = kinds.map((kind) => made.use(callAllTheTime(leaderUrl, kind)));
  const answersOf: Story['answers'] = (client) => clients.find(({ kind }) => kind === client)?.answers ?? [];
  const deliveries = async (): Promise<readonly Delivery[]> => (await readJson(sink)) as readonly Delivery[];
  const acceptedTicks = async (): Promise<number> =>
    [...acceptedPerTick(await deliveries()).values()].filter((count) => count > 0).length;
  const rest = made.move();
  return {
    namespace,
    setting: settingOf(options),
    answers: answersOf,
    history: async () => {
      await observer.caughtUp();
      return observer.history({ namespaces: [namespace] });
    },
    deliveries,
    claimed: () => claimedIn(site, namespace, schedules),
    delivered: async (more) => {
      const before = await acceptedTicks();
      const until = async () => {
        if ((await acceptedTicks()) < before + more) throw new Error(`fewer than ${more} more ticks were delivered`);
      };
      await vi.waitFor(until, PATIENCE);
    },
    routed: async () => {
      const begunMs = performance.now();
      const reached = async () => {
        const { name } = await led();
        const last = answersOf('fresh').findLast(({ sentMs }) => sentMs > begunMs);
        if (last?.pod !== name) throw new Error(`${name} leads, and a new connection reached ${last?.pod ?? 'nobody'}`);
      };
      await vi.waitFor(reached, PATIENCE);
    },
    led,
    nodeOf: (pod) => kubectl.must(['-n', namespace, 'get', 'pod', pod, '-o', 'jsonpath={.spec.nodeName}']),
    probeBy: (leaderProbe) => {
      spec = { ...spec, leaderProbe };
    },
    renew: async () => {
      await kubectl.must(['-n', namespace, 'delete', 'leadergroup', GROUP]);
      const groups = manifests.filter(({ kind }) => kind === 'LeaderGroup');
      await apply(
        kubectl,
        groups.map((group) => withSpec(group, spec)),
        namespace,
      );
      await led();
    },
    leadFrom: (node) => leadFrom(site, namespace, node, led),
    shown: () => site.shown.filter((each) => each.namespace === namespace && each.service === SERVICE),
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
    [Symbol.asyncDispose]: () => rest.disposeAsync(),
  };
}

/** What the sink that checks nothing has of these. */
export async function claimedIn(site: Site, namespace: string, all: readonly Series[]): Promise<readonly Judged[]> {
  if (all.length === 0) return [];
  const sink = `http://${await site.clusterIp(UNCHECKED, 'notifier-sink')}:8080/deliveries`;
  const judged: Judged[] = [];
  for (const series of all) {
    const deliveries = await readJson(`${sink}?series=${encodeURIComponent(series.name)}`);
    judged.push({ namespace, series, fates: fatesOf(series, deliveries as readonly Delivery[]) });
  }
  return judged;
}

const settingOf = ({ leaderProbe = {} }: StoryOptions): string =>
  Object.keys(leaderProbe).find((key) => key === 'gate' || key === 'httpGet') ?? 'none';

const specOf = ({ leaderProbe, by }: StoryOptions): object => ({
  ...(leaderProbe === undefined ? {} : { leaderProbe }),
  ...(by === 'route' ? { route: { serviceName: SERVICE } } : {}),
});

const ordinaryService: Manifest = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: TO_ALL },
  spec: { selector: { app: GROUP }, ports: [{ name: 'http', port: 80, targetPort: 8080 }] },
};

const withSpec = (group: Manifest, spec: object): Manifest => ({
  ...group,
  spec: { ...(group['spec'] as object), ...spec },
});

/** Without a selector, and with its owner's consent to the route. */
function byRoute(service: Manifest): Manifest {
  const { selector: _, ...spec } = service['spec'] as { readonly selector: object };
  return { ...service, metadata: { ...service.metadata, annotations: { 'leadergroup.dev/route': GROUP } }, spec };
}

type Transition = { readonly time: string; readonly to: string; readonly durationMilliseconds: number };

type PodOnNode = {
  readonly metadata: { readonly name: string; readonly deletionTimestamp?: string };
  readonly spec: { readonly nodeName?: string };
};

const PLACING = { timeout: 120_000, interval: 200 };

async function leadFrom(site: Site, namespace: string, node: string, led: Story['led']): Promise<Leading> {
  const ours = (...args: readonly string[]): Promise<string> => site.kubectl.must(['-n', namespace, ...args]);
  const podsNow = async (): Promise<readonly PodOnNode[]> =>
    (JSON.parse(await ours('get', 'pods', '-l', `app=${GROUP}`, '-o', 'json')) as { items: readonly PodOnNode[] })
      .items;
  const isHere = ({ spec }: PodOnNode): boolean => spec.nodeName === node;
  const leaderHere = async (): Promise<Leading> => {
    const [leader, pods] = [await led(), await podsNow()];
    const here = pods.filter(isHere).map(({ metadata }) => metadata.name);
    if (here.includes(leader.name)) return leader;
    const others = pods.filter((pod) => !isHere(pod) && pod.metadata.deletionTimestamp === undefined);
    if (here.length > 0)
      await ours(
        'annotate',
        '--overwrite',
        'pods',
        ...others.map(({ metadata }) => metadata.name),
        `${CANDIDATE}=false`,
      );
    // The scheduler prefers the node that has none of them.
    else {
      const spare = others.find(({ metadata }) => metadata.name !== leader.name);
      if (spare !== undefined) await ours('delete', 'pod', spare.metadata.name);
      await ours('rollout', 'status', `deployment/${GROUP}`, '--timeout=120s');
    }
    throw new Error(`${leader.name} leads in ${namespace}, which is not on ${node}`);
  };
  await vi.waitFor(leaderHere, PLACING);
  await ours('annotate', 'pods', '-l', `app=${GROUP}`, `${CANDIDATE}-`);
  return await led();
}

type Wish = Required<Pick<StoryOptions, 'elected' | 'bystander' | 'schedules'>> & Pick<StoryOptions, 'programs'>;

/** What a claim brings in a second or two is not to be confused with what it brings again. */
const RETRY_AFTER_SECONDS = 5;

const claimsEnv = (schedules: readonly Series[]): Readonly<Record<string, string>> => ({
  CLAIMS: claimsText(schedules),
  CLAIMS_SINK: UNCHECKED_SINK,
  RETRY_AFTER_SECONDS: String(RETRY_AFTER_SECONDS),
  CATCH_UP_MS: '600000',
});

/** Of a message. */
export const TIMES = { PREPARE_MS: String(PREPARE_MS), DEPART_MS: String(DEPART_MS) };

function prepared(manifest: Manifest, image: string, { elected, bystander, schedules, programs }: Wish): Manifest {
  if (manifest.kind !== 'Deployment') return manifest;
  const isSink = manifest.metadata.name === 'notifier-sink';
  const placed = onRealNodes(withImage(manifest, image), isSink || bystander ? SAFE_NODE : undefined);
  if (isSink) return withEnv(placed, { CHECK: 'yes' });
  const env = { ...claimsEnv(schedules), ...TIMES, TICK_MS: String(TICK_MS) };
  const alone = withEnv(withGateToken(placed), elected ? env : { ...env, ASK: 'no' });
  const set = programs === undefined ? alone : withSchedulers(alone, programs, schedules);
  return bystander ? { ...set, spec: { ...(set['spec'] as object), replicas: 2 } } : set;
}
