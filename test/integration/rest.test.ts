/** Nobody changes anything for a minute: nothing is written to Kubernetes, and Consul sees renewals and waiting reads only. */
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { writesBy } from '../kit/checker/checker.ts';
import { memberUrl } from '../kit/rig/asking.ts';
import { type Harness, startHarness } from '../kit/rig/harness.ts';
import type { OperatorProcess } from '../kit/rig/operator-process.ts';
import { metadataOf, podToken } from '../kit/rig/pod-tokens.ts';
import type { Exchange } from '../kit/rig/proxy.ts';

let h: Harness;
let namespace: string;
let members: Members | null = null;

const named = (prefix: string, length: number): readonly string[] =>
  Array.from({ length }, (_, at) => `${prefix}-${at}`);

const PLAIN = named('group', 70);
/** Each has every field switched on that could give the operator something to do. Nobody answers in its pods, so each is asked once and promoted all the same. */
const FULL = named('full', 10);
/** Each leads a Service by a route, and is probed by the questions of its members. */
const PROBED = named('probed', 20);
const GROUPS = [...PLAIN, ...FULL, ...PROBED];
const MEMBERS = 3;
const ASK_EVERY_MS = 500;
/** Twelve times as long as between two questions: a machine that is busy for a moment changes no judgement. */
const PROBE = { gate: {}, periodMilliseconds: 6000 };
const AT_REST_MS = 60_000;
/** Longer than any write of the operator is put off, with room for an event that is counted up. */
const UNDER_WAY_MS = 1000;
const QUIET_MS = 8_000;

beforeAll(async () => {
  h = await startHarness({ proxies: true });
  namespace = await h.world.namespace('rest');
  await Promise.all(PLAIN.map((name) => h.group(namespace, name, { pods: MEMBERS })));
  await Promise.all(FULL.map(full));
  await Promise.all(PROBED.map(probed));
  const operator = await h.startOperator({
    env: { LEADERGROUP_GATE_AUTHENTICATION: 'Token', LEADERGROUP_METRICS_GROUPS: '100', POD_IP: '127.0.0.1' },
  });
  await Promise.all(GROUPS.map((name) => h.led(namespace, name, { timeoutMs: 120_000 })));
  members = await askingMembers(operator);
  for (const name of PROBED) {
    await h.condition(namespace, name, 'LeaderProbe', 'True', 'Passing');
    await h.condition(namespace, name, 'Routed', 'True', 'LeaderShown');
  }
});

afterAll(async () => {
  await members?.[Symbol.asyncDispose]();
  await h[Symbol.asyncDispose]();
});

it('for a minute the operator writes nothing to Kubernetes and nothing but renewals to Consul', async () => {
  const { kube, consul } = proxies();
  await h.atRest(QUIET_MS);
  const before = await versions();
  const [kubeBefore, consulBefore] = [kube.exchanges.length, consul.exchanges.length];
  const { atMs: fromMs } = h.observer.mark('at rest');
  await delay(AT_REST_MS);
  await h.observer.caughtUp();
  const { atMs: toMs } = h.observer.mark('rest is over');

  expect(writesBy(h.observer.history(), { fromMs, toMs })).toEqual([]);
  expect(await versions()).toEqual(before);
  const toKube = kube.exchanges.slice(kubeBefore).map(line);
  const toConsul = consul.exchanges.slice(consulBefore);
  expect(toKube.filter((text) => !text.startsWith('GET '))).toEqual([]);
  expect(members?.leadersHeard().toSorted()).toEqual(PROBED.toSorted());
  expect(toConsul.filter((exchange) => !isRenewal(exchange) && !isWaitingRead(exchange)).map(line)).toEqual([]);
  const renewals = toConsul.filter(isRenewal);
  // Every member's session and the replica's own, each at least once in the 30 s of its TTL.
  expect(new Set(renewals.map(({ path }) => path.split('?')[0])).size).toBe(GROUPS.length * 3 + 1);
  // What was sent at the end of the minute may still be under way.
  const due = renewals.filter(({ receivedMs }) => receivedMs < toMs - UNDER_WAY_MS);
  expect(due.filter(({ status }) => status !== 200)).toEqual([]);
  const seconds = (toMs - fromMs) / 1000;
  console.log(
    `rest: ${renewals.length} renewals and ${toConsul.length - renewals.length} waiting reads of Consul, ${toKube.length} requests to the API server in ${seconds.toFixed(0)} s`,
  );
});

function proxies() {
  if (h.proxies === null) throw new Error('the harness has no proxies');
  return h.proxies;
}

const line = ({ method, path, status }: Exchange): string => `${method} ${path} ${status}`;

const isRenewal = ({ method, path }: Exchange): boolean => method === 'PUT' && path.startsWith('/v1/session/renew/');

const isWaitingRead = ({ method, path }: Exchange): boolean =>
  method === 'GET' && path.startsWith('/v1/kv/') && /[?&]index=[1-9]/.test(path);

/** resourceVersions of all that the operator might write to, events and leases of its namespace included. */
async function versions(): Promise<readonly string[]> {
  const lists = [
    `/api/v1/namespaces/${namespace}/pods`,
    `/apis/leadergroup.dev/v1alpha1/namespaces/${namespace}/leadergroups`,
    `/apis/events.k8s.io/v1/namespaces/${namespace}/events`,
    `/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases`,
    `/apis/discovery.k8s.io/v1/namespaces/${namespace}/endpointslices`,
  ];
  const found = await Promise.all(lists.map((path) => h.world.rest.must<List>('GET', path)));
  return found.flatMap(({ kind, items }) =>
    items.map(({ metadata }) => `${kind} ${metadata.name} ${metadata.resourceVersion}`),
  );
}

type List = {
  readonly kind: string;
  readonly items: readonly { readonly metadata: { readonly name: string; readonly resourceVersion: string } }[];
};

const full = (name: string): Promise<void> =>
  h.group(namespace, name, {
    pods: MEMBERS,
    spec: {
      label: { key: 'leadergroup.dev/role', leader: 'leader', follower: 'follower' },
      preferences: [{ weight: 10, podSelector: { matchLabels: { app: name } } }],
      preemption: { policy: 'WhenPreferred', delaySeconds: 1 },
      spread: { topologyKey: 'kubernetes.io/hostname' },
      beforePromotion: { httpGet: { port: 8080 }, onFailure: 'Promote' },
      deletionPolicy: 'Retain',
    },
  });

async function probed(name: string): Promise<void> {
  const serviceName = `${name}-leader`;
  await h.world.create(`/api/v1/namespaces/${namespace}/services`, {
    metadata: { name: serviceName, annotations: { 'leadergroup.dev/route': name } },
    spec: { ports: [{ name: 'http', port: 80, targetPort: 8080 }] },
  });
  const spec = { route: { serviceName }, leaderProbe: PROBE };
  await h.group(namespace, name, { pods: MEMBERS, spec });
}

type Members = AsyncDisposable & {
  /** Groups of which a member was told since the last call that it leads. */
  leadersHeard(): readonly string[];
};

/** Every member of every probed group asks the gate, as an application does, with its own token. */
async function askingMembers({ url }: OperatorProcess): Promise<Members> {
  const over = new AbortController();
  const heard = new Set<string>();
  const asks = PROBED.flatMap((group) => named(group, MEMBERS).map((pod) => ({ group, pod })));
  async function live({ group, pod }: (typeof asks)[number]): Promise<void> {
    const { uid } = await metadataOf(h, namespace, pod);
    const headers = { authorization: `Bearer ${await podToken(h, namespace, pod)}` };
    while (!over.signal.aborted) {
      const answer = await fetch(`${memberUrl(url, namespace, group, pod)}?uid=${uid}`, { headers });
      await answer.body?.cancel();
      if (answer.status === 200) heard.add(group);
      await delay(ASK_EVERY_MS);
    }
  }
  const running = Promise.all(asks.map(live));
  running.catch(() => {});
  return {
    leadersHeard: () => {
      const found = [...heard];
      heard.clear();
      return found;
    },
    [Symbol.asyncDispose]: async () => {
      over.abort();
      await running;
    },
  };
}
