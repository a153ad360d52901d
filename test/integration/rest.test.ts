/** Nobody changes anything for a minute: nothing is written to Kubernetes, and Consul sees renewals and waiting reads only. */
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { writesBy } from '../kit/checker/checker.ts';
import { type Harness, startHarness } from '../kit/rig/harness.ts';
import type { Exchange } from '../kit/rig/proxy.ts';

let h: Harness;
let namespace: string;

const GROUPS = Array.from({ length: 100 }, (_, at) => `group-${at}`);
const AT_REST_MS = 60_000;
/** Longer than any write of the operator is put off, with room for an event that is counted up. */
const UNDER_WAY_MS = 1000;
const QUIET_MS = 8_000;

beforeAll(async () => {
  h = await startHarness({ proxies: true });
  namespace = await h.world.namespace('rest');
  await Promise.all(GROUPS.map((name) => h.group(namespace, name)));
  await h.startOperator();
  await Promise.all(GROUPS.map((name) => h.led(namespace, name, { timeoutMs: 120_000 })));
});

afterAll(() => h[Symbol.asyncDispose]());

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
