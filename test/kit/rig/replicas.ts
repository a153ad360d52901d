/**
 * A stage for attacks: operator replicas on the real servers, each behind proxies of its own that can hold its requests back,
 * under a Consul prefix and in a namespace that no other test uses.
 */
import { join } from 'node:path';
import { vi } from 'vitest';
import { bucketOf } from '../../../src/election/keys.ts';
import { placement } from '../../../src/election/placement.ts';
import {
  assertKept,
  type CheckOptions,
  type Counts,
  checkWire,
  sentence,
  type WatchedGroup,
} from '../checker/checker.ts';
import type { Harness, Leading, LedOptions } from './harness.ts';
import type { RawObject } from './observer/raw.ts';
import type { OperatorProcess } from './operator-process.ts';
import {
  type Exchange,
  type HeldRequest,
  type Hold,
  type Matcher,
  type Proxy,
  startConsulProxy,
  startKubeProxy,
} from './proxy.ts';
import { MERGE_PATCH } from './rest.ts';
import type { SeenSession } from './world/consul.ts';
import type { GroupWish, PodWish } from './world.ts';

export type Replica = {
  readonly name: string;
  readonly operator: OperatorProcess;
  readonly kube: Proxy;
  readonly consul: Proxy;
  /** Its view of pods stays what it is until released: watch and lists are held back from now on. */
  stallPods(): Promise<Hold>;
  /** Resolves when it owns the buckets and has adopted their sessions, for the n-th time. */
  owns(times?: number): Promise<void>;
};

export type Stage = {
  readonly namespace: string;
  /** Name of the one group that most attacks need. */
  readonly group: string;
  /** Resolves when the replica has joined Consul; whether it owns anything then depends on the others. */
  replica(name: string, env?: Readonly<Record<string, string>>): Promise<Replica>;
  /** A member of the group, ready if not wished otherwise. */
  pod(name: string, wish?: Partial<PodWish>): Promise<RawObject>;
  applyGroup(spec?: GroupWish['spec']): Promise<void>;
  led(wish?: LedOptions): Promise<Leading>;
  /** Names of the labelled members, read from the API server. */
  leaders(): Promise<readonly string[]>;
  /** Sessions of this stage's synthetic node. */
  sessions(): Promise<readonly SeenSession[]>;
  /** The sessions of a pod as a member of the group, oldest first. */
  sessionsOf(pod: string): Promise<readonly SeenSession[]>;
  /** Ends the sessions of a pod as a member, as expiry does. */
  expireMember(pod: string): Promise<void>;
  /** Ends the session of a replica, as expiry does: its buckets are free then. */
  expireReplica(replica: Replica): Promise<void>;
  /** The API server refuses the leader label on this pod, to everybody, until the returned function has resolved. */
  refusePromotion(pod: string): Promise<() => Promise<void>>;
  /** The promises, over everything that was observed and everything that went through the replicas' proxies. */
  kept(options?: CheckOptions): Promise<Counts>;
  readonly match: Matchers;
  [Symbol.asyncDispose](): Promise<void>;
};

export type Matchers = {
  promotion(pod: string): Matcher;
  fence(pod: string): Matcher;
  /** A transaction that locks the group's lock. */
  lock: Matcher;
  /** One that passes it from a session to another. */
  handOver: Matcher;
  podReads: Matcher;
};

const SOON = { timeout: 60_000, interval: 20 };

export async function openStage(h: Harness): Promise<Stage> {
  const namespace = await h.world.namespace('attack');
  const group = groupOf(namespace, 'one');
  const replicas: Replica[] = [];
  const made = new AsyncDisposableStack();
  const sessions = async () =>
    (await h.world.consul.sessions()).filter(({ node }) => node === `leadergroup-${namespace}`);
  const stage: Stage = {
    namespace,
    group,
    sessions,
    match: matchersOf(namespace, group),
    replica: async (name, env = {}) => {
      const kubeconfig = join(h.dir, `${namespace}-${name}.kubeconfig`);
      const kube = made.use(await startKubeProxy(h.cluster.kubeconfigPath, kubeconfig));
      const consul = made.use(await startConsulProxy(h.cluster.consulAddress));
      const servers = { KUBECONFIG: kubeconfig, CONSUL_HTTP_ADDR: consul.url };
      const own = { LEADERGROUP_CLUSTER: namespace, LEADERGROUP_LOG_LEVEL: 'debug' };
      const operator = made.use(await h.spawnOperator({ replica: name, env: { ...servers, ...own, ...env } }));
      await operator.untilLog(({ message }) => message === 'registered this replica in Consul', {
        timeoutMs: 30_000,
        what: `${name} joins Consul`,
      });
      const replica = replicaOf(name, operator, kube, consul, stage.match);
      replicas.push(replica);
      return replica;
    },
    pod: (name, wish = {}) => h.world.pod({ namespace, name, labels: { app: group }, ...wish }),
    applyGroup: async (spec = {}) => void (await h.world.applyGroup({ namespace, name: group, spec })),
    led: (wish) => h.led(namespace, group, wish),
    leaders: () => h.world.leaders(namespace),
    sessionsOf: async (pod) => {
      const uid = (await h.world.readPod(namespace, pod))?.metadata.uid ?? '';
      const own = (await sessions()).filter(({ name }) => name === `${namespace}/${group}/${uid}`);
      return own.toSorted((a, b) => a.createIndex - b.createIndex);
    },
    expireMember: async (pod) => {
      for (const { id } of await stage.sessionsOf(pod)) await h.world.consul.destroySession(id);
    },
    expireReplica: async ({ name }) => {
      const own = (await sessions()).filter((session) => session.name.startsWith(`replica/operator-${name}_`));
      if (own.length === 0) throw new Error(`replica ${name} has no session`);
      for (const { id } of own) await h.world.consul.destroySession(id);
    },
    refusePromotion: (pod) => refusePromotion(h, namespace, pod),
    kept: async (options) => {
      await h.observer.caughtUp();
      const history = h.observer.history({ namespaces: [namespace] });
      const counts = assertKept(history, options);
      const breaches = history.groups.flatMap((watched) =>
        replicas.flatMap((replica) => wireBreaches(replica, watched)),
      );
      if (breaches.length > 0) throw new Error(breaches.join('\n'));
      return counts;
    },
    [Symbol.asyncDispose]: async () => {
      await made.disposeAsync();
      await dropGroups(h, namespace);
      await h.world.deleteNamespace(namespace);
    },
  };
  return stage;
}

/** Lets a held request arrive now, and resolves with the server's status. */
export async function arrive(proxy: Proxy, held: HeldRequest): Promise<number> {
  const exchange = proxy.exchanges.find(({ headers }) => headers === held.headers);
  held.release();
  return await vi.waitFor(() => {
    if (exchange?.status == null) throw new Error(`${held.method} ${held.path} has not been answered`);
    return exchange.status;
  }, SOON);
}

const FIRST_NAMES = ['one', 'two'];

/** A name whose bucket this replica keeps when the other joins: who owns the group is then up to the schedule alone. */
function groupOf(namespace: string, owner: string): string {
  const idOf = (replica: string) => `operator-${replica}_uid-of-operator-${replica}`;
  const owners = placement(FIRST_NAMES.map(idOf));
  const names = Array.from({ length: 1000 }, (_, at) => `g${at}`);
  const found = names.find((name) => owners.get(bucketOf(namespace, name)) === idOf(owner));
  if (found === undefined) throw new Error(`no name of a group in ${namespace} is ${owner}'s`);
  return found;
}

function matchersOf(namespace: string, group: string): Matchers {
  const patchOf =
    (pod: string, part: string): Matcher =>
    ({ method, path, body }) =>
      method === 'PATCH' && path.startsWith(`/api/v1/namespaces/${namespace}/pods/${pod}?`) && body.includes(part);
  const lock: Matcher = ({ method, path, body }) =>
    method === 'PUT' &&
    path.startsWith('/v1/txn') &&
    body.includes(`/${namespace}/${group}/0/.`) &&
    /"lock"/.test(body);
  return {
    promotion: (pod) => patchOf(pod, '"leadergroup.dev/role":"leader"'),
    fence: (pod) => patchOf(pod, `"fenced.leadergroup.dev/${group}":"`),
    lock,
    handOver: (request) => lock(request) && /"unlock"/.test(request.body),
    podReads: ({ method, path }) => method === 'GET' && path.startsWith('/api/v1/pods?'),
  };
}

/** What a replica logs when it owns buckets. */
export const TOOK = 'acquired buckets and adopted their sessions';

const replicaOf = (name: string, operator: OperatorProcess, kube: Proxy, consul: Proxy, match: Matchers): Replica => ({
  name,
  operator,
  kube,
  consul,
  stallPods: async () => {
    const hold = kube.hold(match.podReads, { mode: 'beforeForwarding' });
    kube.cutAll();
    await hold.held(1);
    return hold;
  },
  owns: async (times = 1) => {
    const taken = () => operator.log.filter(({ message }) => message === TOOK).length >= times;
    await operator.untilLog(taken, { timeoutMs: 30_000, what: `${name} owns the buckets (${times})` });
  },
});

function wireBreaches({ name, kube, consul }: Replica, group: WatchedGroup): readonly string[] {
  const acted = consul.exchanges.some((exchange) => touches(exchange, group));
  if (!acted) return [];
  return checkWire({ kubernetes: kube.exchanges, consul: consul.exchanges }, group).map(
    (breach) => `${name}: ${sentence(breach)}`,
  );
}

const touches = ({ method, path, body }: Exchange, { lockKey }: WatchedGroup): boolean =>
  method === 'PUT' &&
  path.startsWith('/v1/txn') &&
  body.includes(`"${lockKey}"`) &&
  /"(lock|unlock|set|delete)"/.test(body);

const POLICIES = '/apis/admissionregistration.k8s.io/v1';

async function refusePromotion(h: Harness, namespace: string, pod: string): Promise<() => Promise<void>> {
  const { rest } = h.world;
  const name = `${namespace}-${pod}`;
  const inNamespace = { namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': namespace } } };
  const rules = [{ apiGroups: [''], apiVersions: ['v1'], operations: ['UPDATE'], resources: ['pods'] }];
  const label = "object.metadata.?labels['leadergroup.dev/role'].orValue('')";
  const expression = `object.metadata.name != '${pod}' || ${label} != 'leader'`;
  await rest.must('POST', `${POLICIES}/validatingadmissionpolicies`, {
    metadata: { name },
    spec: {
      failurePolicy: 'Fail',
      matchConstraints: { ...inNamespace, resourceRules: rules },
      validations: [{ expression, reason: 'Forbidden', message: 'the test refuses it' }],
    },
  });
  await rest.must('POST', `${POLICIES}/validatingadmissionpolicybindings`, {
    metadata: { name },
    spec: { policyName: name, validationActions: ['Deny'] },
  });
  const answers = async (wanted: number): Promise<void> => {
    const path = `/api/v1/namespaces/${namespace}/pods/${pod}?dryRun=All`;
    const patch = { metadata: { labels: { 'leadergroup.dev/role': 'leader' } } };
    await vi.waitFor(async () => {
      const { status } = await rest.send('PATCH', path, patch, MERGE_PATCH);
      if (status !== wanted) throw new Error(`labelling ${pod} is answered ${status}, not ${wanted}`);
    }, SOON);
  };
  await answers(403);
  return async () => {
    await rest.must('DELETE', `${POLICIES}/validatingadmissionpolicybindings/${name}`);
    await rest.must('DELETE', `${POLICIES}/validatingadmissionpolicies/${name}`);
    await answers(200);
  };
}

type Items = { readonly items: readonly RawObject[] };

/** No operator runs any more that would take the finalizers off. */
async function dropGroups(h: Harness, namespace: string): Promise<void> {
  const path = `/apis/leadergroup.dev/v1alpha1/namespaces/${namespace}/leadergroups`;
  const { items } = await h.world.rest.must<Items>('GET', path);
  for (const { metadata } of items) {
    await h.world.rest.must('PATCH', `${path}/${metadata.name}`, { metadata: { finalizers: null } }, MERGE_PATCH);
    await h.world.rest.must('DELETE', `${path}/${metadata.name}`);
  }
}
