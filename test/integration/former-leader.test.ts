/** `formerLeader: Evict` on the real API server, by an operator with the rights of deploy/ and of the overlay. */
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { assertKept, type PodChange } from '../kit/checker/checker.ts';
import { type Harness, type Leading, startHarness } from '../kit/rig/harness.ts';
import { type Matcher, type Proxy, startKubeProxy } from '../kit/rig/proxy.ts';
import { accountKubeconfig, giveRights } from '../kit/rig/workloads.ts';

const SOON_MS = 20_000;
const EVICT = { formerLeader: 'Evict' };

let h: Harness;
let proxy: Proxy;
let namespace: string;

beforeAll(async () => {
  h = await startHarness();
  await giveRights(h);
  proxy = await startKubeProxy(await accountKubeconfig(h), join(h.dir, 'proxied.kubeconfig'));
  await h.startOperator({ env: { KUBECONFIG: join(h.dir, 'proxied.kubeconfig') } });
});

afterAll(async () => {
  await h[Symbol.asyncDispose]();
  await proxy[Symbol.asyncDispose]();
});

beforeEach(async () => {
  namespace = await h.world.namespace('former');
});

it('without the right to evict the former leader is kept, an event says why, and the next one leads', async () => {
  const { former } = await handedOver();
  expect(await said('FormerLeaderKept')).toContain('pods/eviction');
  expect(await uidOf(former.name)).toBe(former.uid);
  await h.condition(namespace, 'web', 'Ready', 'True', 'Led');
});

describe('with the overlay', () => {
  beforeAll(async () => {
    await h.kubectl.must(['apply', '-k', 'deploy/overlays/route-enforced']);
    const question = ['auth', 'can-i', 'create', 'pods', '--subresource=eviction', '-n', 'default'];
    const account = '--as=system:serviceaccount:leadergroup-system:leadergroup';
    expect((await h.kubectl.run([...question, account])).stdout.trim()).toBe('yes');
  });

  it('the former leader is evicted once the next one leads, and nobody else is', async () => {
    const { former, next } = await handedOver();
    await gone(former);
    expect(await said('FormerLeaderEvicted')).toContain(former.name);
    const pods = changes();
    const promoted = pods.findIndex(
      ({ pod }) => pod.uid === next.uid && pod.labels['leadergroup.dev/role'] === 'leader',
    );
    const evicted = pods.findIndex(({ kind, pod }) => kind === 'deleted' && pod.uid === former.uid);
    expect(promoted).toBeGreaterThanOrEqual(0);
    expect(evicted).toBeGreaterThan(promoted);
    expect(pods.filter(({ kind }) => kind === 'deleted').map(({ pod }) => pod.uid)).toEqual([former.uid]);
    assertKept(h.observer.history({ namespaces: [namespace] }));
  });

  it('a disruption budget may keep it: the next one leads all the same, and the event has the words of the API server', async () => {
    await h.world.create(`/apis/policy/v1/namespaces/${namespace}/poddisruptionbudgets`, {
      metadata: { name: 'all' },
      spec: { minAvailable: 3, selector: { matchLabels: { app: 'web' } } },
    });
    const { former } = await handedOver();
    expect(await said('FormerLeaderKept')).toContain(former.name);
    expect(await uidOf(former.name)).toBe(former.uid);
    await h.condition(namespace, 'web', 'Ready', 'True', 'Led');
  });

  it('an eviction that is late does not hit a leader that has come back', async () => {
    await h.group(namespace, 'web', { pods: 2, spec: EVICT });
    const first = await h.led(namespace, 'web');
    const late = proxy.hold(isEviction, { mode: 'beforeForwarding', times: 1 });
    await candidate(first.name, 'false');
    const request = await late.held(1);
    const second = await h.led(namespace, 'web', { not: first.name });
    await candidate(first.name, 'true');
    // Nobody answers: it is given up, and the group goes on.
    await said('FormerLeaderKept');
    using again = proxy.hold(isEviction, { mode: 'beforeForwarding', times: 1 });
    await candidate(second.name, 'false');
    await h.led(namespace, 'web', { not: second.name });
    await again.held(1);
    request.drop();
    expect((await h.world.rest.send('POST', request.path, request.body)).status).toBe(409);
    expect(await uidOf(first.name)).toBe(first.uid);
  });
});

const isEviction: Matcher = ({ method, path }) =>
  method === 'POST' && path.split('?')[0]?.endsWith('/eviction') === true;

const candidate = async (pod: string, value: 'true' | 'false'): Promise<void> =>
  void (await h.world.patchPod(namespace, pod, {
    metadata: { annotations: { 'leadergroup.dev/candidate': value } },
  }));

/** A leader that is alive, and another one after it. */
async function handedOver(): Promise<{ readonly former: Leading; readonly next: Leading }> {
  await h.group(namespace, 'web', { spec: EVICT });
  const former = await h.led(namespace, 'web');
  await candidate(former.name, 'false');
  return { former, next: await h.led(namespace, 'web', { not: former.name }) };
}

const uidOf = async (name: string): Promise<string | undefined> =>
  (await h.world.readPod(namespace, name))?.metadata.uid;

/** Every version of the pods of this namespace so far. */
const changes = (): readonly PodChange[] =>
  h.observer.history({ namespaces: [namespace] }).pods.filter((event) => event.kind !== 'list');

const gone = async ({ uid }: Leading): Promise<void> =>
  void (await h.observer.until(() => changes().some(({ kind, pod }) => kind === 'deleted' && pod.uid === uid), {
    timeoutMs: SOON_MS,
    what: 'the end of the former leader',
  }));

/** The note of the first event with this reason. */
const said = async (reason: string): Promise<string> =>
  await h.observer.until(
    () => {
      const found = h.observer.events(namespace).find((event) => event['reason'] === reason);
      return found !== undefined && String(found['note']);
    },
    { timeoutMs: SOON_MS, what: `an event ${reason}` },
  );
