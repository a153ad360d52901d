/**
 * An independent witness: watches the API server and Consul with its own code, records everything into a History for
 * the checker, and lets a test wait for what it expects by event instead of by sleeping.
 */
import { isLabelled, isMember } from '../checker/groups.ts';
import {
  type History,
  type KeyState,
  type Marker,
  sessionMember,
  type WatchedPod,
  type WatchedSlice,
} from '../checker/history.ts';
import { readKubeconfig } from './kubeconfig.ts';
import { type ConsulSink, type HeldBack, watchKeys, watchSessions } from './observer/consul.ts';
import { inNamespaces } from './observer/filter.ts';
import { isOwnKey, toWatchedGroup } from './observer/groups.ts';
import { type RawObject, toWatchedPod, toWatchedSlice } from './observer/raw.ts';
import { type Recorder, recorder } from './observer/recorder.ts';
import { watchResource } from './observer/watch.ts';
import { type ConsulAccess, consulRest, kubeRest } from './rest.ts';
import { type Limit, type Waiting, waiting } from './waiting.ts';

const PODS = '/api/v1/pods';
const SERVICES = '/api/v1/services';
const SLICES = `/apis/discovery.k8s.io/v1/endpointslices?labelSelector=${encodeURIComponent('endpointslice.kubernetes.io/managed-by=leadergroup.dev')}`;
const RESOURCES = {
  leadergroups: '/apis/leadergroup.dev/v1alpha1/leadergroups',
  events: '/apis/events.k8s.io/v1/events',
  leases: '/apis/coordination.k8s.io/v1/leases',
} as const;
const START_TIMEOUT_MS = 30_000;

export type ObserverOptions = {
  readonly kubeconfig: string;
  readonly consul: ConsulAccess;
  /** See HeldBack. Default: never. */
  readonly consulHeldBack?: HeldBack;
  /** Name of the cluster whose keys count, where others have theirs in the same Consul. Default: all keys count. */
  readonly cluster?: string;
};

/** What is known now. */
export type View = {
  pods(namespace?: string): readonly WatchedPod[];
  pod(namespace: string, name: string): WatchedPod | undefined;
  /** Labelled members of a group, whoever labelled them. */
  leaders(namespace: string, group: string): readonly WatchedPod[];
  /** Slices that name the operator as their manager. */
  slices(namespace: string): readonly WatchedSlice[];
  group(namespace: string, name: string): RawObject | undefined;
  /** Events of a namespace. */
  events(namespace: string): readonly RawObject[];
  key(key: string): KeyState | undefined;
  /** The lock of a group without a lockKey. */
  lock(namespace: string, group: string): KeyState | undefined;
};

export type Observer = View & {
  /** Everything so far; with a filter only what concerns these namespaces. */
  history(filter?: { readonly namespaces: readonly string[] }): History;
  /** Notes what the test does and when: bounds for intervals. */
  mark(name: string): Marker;
  /**
   * Resolves with what the predicate returns as soon as it is neither false nor undefined nor null; it is asked at once and
   * after each event. Rejects after `timeoutMs` and says what was seen instead.
   */
  until<T>(predicate: (view: View) => T | false | undefined | null, limit: Limit): Promise<T>;
  /** Resolves when everything that the servers hold now has arrived here. Call it before `history()`. */
  caughtUp(timeoutMs?: number): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
};

/** Resolves when the first lists have arrived. */
export async function startObserver(options: ObserverOptions): Promise<Observer> {
  const access = await readKubeconfig(options.kubeconfig);
  const abort = new AbortController();
  const wait = waiting();
  const record = recorder(wait.note);
  const watches = Object.entries(RESOURCES).map(([name, path]) =>
    watchResource(access, path, record.objectSink(name), abort.signal),
  );
  const running = [
    ...watches,
    watchResource(access, PODS, record.podSink, abort.signal),
    watchResource(access, SLICES, record.sliceSink, abort.signal),
    watchResource(access, SERVICES, record.serviceSink, abort.signal),
    watchKeys(options.consul, keysOf(options.cluster, record.consulSink), abort.signal, options.consulHeldBack),
    watchSessions(options.consul, record.consulSink, abort.signal),
  ];
  const stop = async (): Promise<void> => {
    abort.abort();
    await Promise.all(running);
  };
  const wanted = ['pods', 'slices', 'services', 'keys', ...Object.keys(RESOURCES)];
  try {
    const what = `the first lists of ${wanted.join(', ')}`;
    await wait.until(() => wanted.every((name) => record.started.has(name)), { timeoutMs: START_TIMEOUT_MS, what });
  } catch (error) {
    await stop();
    throw error;
  }
  const view = viewOf(record);
  return {
    ...view,
    mark: record.mark,
    history: (filter) => (filter ? inNamespaces(record.history(), filter.namespaces) : record.history()),
    until: (predicate, limit) => wait.until(() => predicate(view), limit),
    caughtUp: (timeoutMs = 10_000) => caughtUp(options, record, wait, timeoutMs),
    [Symbol.asyncDispose]: stop,
  };
}

function keysOf(cluster: string | undefined, sink: ConsulSink): ConsulSink {
  const prefix = 'leadergroup/';
  const ours = (key: string): boolean =>
    cluster === undefined || !key.startsWith(prefix) || key.startsWith(`${prefix}${cluster}/`);
  return { ...sink, key: (state) => void (ours(state.key) && sink.key(state)) };
}

function viewOf(record: Recorder): View {
  const objects = (resource: keyof typeof RESOURCES): readonly RawObject[] => [
    ...(record.objects.get(resource)?.values() ?? []),
  ];
  const view: View = {
    pods: (namespace) =>
      [...record.pods.values()]
        .filter(({ metadata }) => namespace === undefined || metadata.namespace === namespace)
        .map(toWatchedPod),
    pod: (namespace, name) => view.pods(namespace).find((pod) => pod.name === name),
    leaders: (namespace, name) => {
      const raw = view.group(namespace, name);
      if (raw === undefined) return [];
      const group = toWatchedGroup(raw, record.keys.keys());
      return view.pods(namespace).filter((pod) => isLabelled(group, pod) && isMember(group, pod));
    },
    slices: (namespace) =>
      [...record.slices.values()].filter(({ metadata }) => metadata.namespace === namespace).map(toWatchedSlice),
    group: (namespace, name) =>
      objects('leadergroups').find(({ metadata }) => metadata.namespace === namespace && metadata.name === name),
    events: (namespace) => objects('events').filter(({ metadata }) => metadata.namespace === namespace),
    key: (key) => record.keys.get(key),
    lock: (namespace, group) => [...record.keys.values()].find(({ key }) => isOwnKey(key, namespace, group, '.lock')),
  };
  return view;
}

type ListAnswer = { readonly metadata: { readonly resourceVersion: string }; readonly items: readonly RawObject[] };

/** Whether everything of a list has been seen, and the deletion of what is not in it. */
function seen(
  { items, metadata }: ListAnswer,
  known: ReadonlyMap<string, RawObject>,
  versions: ReadonlyMap<string, string>,
): boolean {
  const listed = new Set(items.map((raw) => raw.metadata.uid));
  const reached = (version: string | undefined, wanted: string): boolean =>
    version !== undefined && BigInt(version) >= BigInt(wanted);
  return (
    items.every((raw) => reached(versions.get(raw.metadata.uid), raw.metadata.resourceVersion)) &&
    [...known.values()].every(
      (raw) => listed.has(raw.metadata.uid) || reached(raw.metadata.resourceVersion, metadata.resourceVersion),
    )
  );
}

/** Reads what the servers hold, then waits until the watches have shown at least that. */
async function caughtUp(options: ObserverOptions, record: Recorder, wait: Waiting, timeoutMs: number): Promise<void> {
  await using kube = kubeRest(await readKubeconfig(options.kubeconfig));
  await using consul = consulRest(options.consul);
  const pods = await kube.must<ListAnswer>('GET', PODS);
  const slices = await kube.must<ListAnswer>('GET', SLICES);
  const { headers } = await consul.send('GET', '/v1/kv/?recurse=true');
  const index = Number(headers['x-consul-index']);
  const sessions = await consul.must<readonly { readonly ID: string; readonly Name: string }[]>(
    'GET',
    '/v1/session/list',
  );
  for (const { ID, Name } of sessions) {
    const member = sessionMember(Name);
    if (member !== null) record.consulSink.session(ID, member);
  }
  const arrived = (): boolean =>
    seen(pods, record.pods, record.podVersions) &&
    seen(slices, record.slices, record.sliceVersions) &&
    record.keysIndex() >= index;
  await wait.until(arrived, { timeoutMs, what: 'everything that the servers hold' });
}
