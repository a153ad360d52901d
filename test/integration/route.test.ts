/** Groups that lead the traffic of a Service, on the real API server, by an operator with the rights of deploy/ and of its overlay. */
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { assertKept, type SliceChange, type WatchedSlice } from '../kit/checker/checker.ts';
import { type Harness, startHarness } from '../kit/rig/harness.ts';
import type { View } from '../kit/rig/observer.ts';
import type { OperatorProcess } from '../kit/rig/operator-process.ts';
import { type Matcher, type Proxy, startKubeProxy } from '../kit/rig/proxy.ts';
import { MERGE_PATCH } from '../kit/rig/rest.ts';
import { accountKubeconfig, giveRights } from '../kit/rig/workloads.ts';

const OVERLAY = 'deploy/overlays/route';
const SERVICE = 'web-leader';
const SLICE = `${SERVICE}-leadergroup-ipv4`;
/** Without the rights to it the operator looks at Services and slices once a minute. */
const FOUND_MS = 90_000;
/** With them it watches both. */
const TOLD_MS = 20_000;
const SOON = { timeout: 15_000, interval: 20 };

let h: Harness;
let proxy: Proxy;
let operator: OperatorProcess;
let namespace: string;

beforeAll(async () => {
  h = await startHarness();
  await giveRights(h);
  proxy = await startKubeProxy(await accountKubeconfig(h), join(h.dir, 'proxied.kubeconfig'));
  operator = await started();
});

afterAll(async () => {
  await h[Symbol.asyncDispose]();
  await proxy[Symbol.asyncDispose]();
});

beforeEach(async () => {
  namespace = await h.world.namespace('route');
});

const started = async (): Promise<OperatorProcess> =>
  await h.startOperator({ env: { KUBECONFIG: join(h.dir, 'proxied.kubeconfig') } });

describe('without the overlay', () => {
  it('a group with a route says what is missing, and elects and hands over as any other', async () => {
    await service();
    await h.group(namespace, 'web', { spec: route() });
    const first = await h.led(namespace, 'web');
    const { message } = await h.condition(namespace, 'web', 'Routed', 'False', 'PermissionDenied');
    expect(message).toContain(OVERLAY);
    await exclude(first.name);
    await h.led(namespace, 'web', { not: first.name });
    await h.condition(namespace, 'web', 'Ready', 'True', 'Led');
    expect(await h.world.endpointAddresses(namespace, SERVICE)).toEqual([]);
    expect(h.observer.slices(namespace)).toEqual([]);
  });
});

describe('with the overlay', () => {
  beforeAll(async () => {
    await h.kubectl.must(['apply', '-k', `${OVERLAY}-enforced`]);
  });

  it('a group that was refused has its slice once the rights are there', async () => {
    await service();
    await h.group(namespace, 'web', { spec: route() });
    const leader = await routed();
    expect(await h.world.endpointAddresses(namespace, SERVICE)).toEqual([addressOf(leader)]);
  });

  it('the slice is made empty, shows the leader as the endpoint controller would, and nobody else', async () => {
    await service();
    await h.group(namespace, 'web', { spec: route() });
    const leader = await routed();
    const [made, ...others] = changes();
    expect([made?.kind, made?.slice.endpoints]).toEqual(['added', []]);
    expect(others.map(shown)).toEqual([leader.endpoints[0]?.podName]);
    const raw = await h.world.rest.must<Readonly<Record<string, unknown>>>('GET', path());
    const pod = await h.world.readPod(namespace, leader.endpoints[0]?.podName ?? '');
    expect(raw).toMatchObject({
      metadata: {
        labels: {
          'kubernetes.io/service-name': SERVICE,
          'endpointslice.kubernetes.io/managed-by': 'leadergroup.dev',
        },
        ownerReferences: [{ kind: 'LeaderGroup', name: 'web' }],
      },
      addressType: 'IPv4',
      ports: [{ name: 'http', port: 8080, protocol: 'TCP' }],
      endpoints: [
        {
          addresses: [(pod?.status as { readonly podIP?: string } | undefined)?.podIP],
          conditions: { ready: true, serving: true, terminating: false },
          nodeName: 'node-1',
          targetRef: { kind: 'Pod', namespace, name: pod?.metadata.name, uid: pod?.metadata.uid },
        },
      ],
    });
  });

  it('a handover that an annotation asks for is one write of the slice, from the one to the other', async () => {
    await service();
    await h.group(namespace, 'web', { spec: route() });
    const before = await routed();
    const from = changes().length;
    await exclude(shownIn(before));
    const after = await routed({ not: shownIn(before) });
    await h.atRest();
    expect(changes().slice(from).map(shown)).toEqual([shownIn(after)]);
    const [leader] = h.observer.leaders(namespace, 'web');
    expect([shownIn(after), after.token]).toEqual([
      leader?.name,
      Number(leader?.annotations['token.leadergroup.dev/web']),
    ]);
    expect((await kept()).slices.switches).toBe(1);
  });

  it('a leader that is not ready any more, and alone, says so in one write, and again when it is', async () => {
    await service();
    await h.group(namespace, 'web', { pods: 1, spec: route() });
    await routed();
    const from = changes().length;
    await h.world.setReady(namespace, 'web-0', false);
    await until('a leader that is not ready', async () => (await conditions())?.ready === false);
    await h.world.setReady(namespace, 'web-0', true);
    await until('a leader that is ready', async () => (await conditions())?.ready === true);
    await h.atRest();
    expect(changes().slice(from).map(shown)).toEqual(['web-0', 'web-0']);
  });

  it('an operator that is killed in the middle of a handover leaves one that goes on; its late write changes nothing', async () => {
    await service();
    await h.group(namespace, 'web', { spec: route() });
    const before = await routed();
    const late = proxy.hold(isSliceWrite, { mode: 'beforeForwarding', times: 1 });
    await exclude(shownIn(before));
    const write = await late.held(1);
    await operator.kill('SIGKILL');
    operator = await started();
    const after = await routed({ not: shownIn(before) });
    write.drop();
    // It arrives all the same, by whatever way.
    expect((await h.world.rest.send('PUT', write.path, write.body)).status).toBe(409);
    await h.atRest();
    expect(h.observer.slices(namespace).map(shownIn)).toEqual([shownIn(after)]);
    await kept();
  });

  it('an answer that is lost is made up for', async () => {
    await service();
    await h.group(namespace, 'web', { spec: route() });
    const before = await routed();
    using lost = proxy.hold(isSliceWrite, { mode: 'dropReply', times: 1 });
    await exclude(shownIn(before));
    await lost.held(1);
    const after = await routed({ not: shownIn(before) });
    await h.atRest();
    expect(changes().slice(-1).map(shown)).toEqual([shownIn(after)]);
    await kept();
  });

  it('what others make of the slice is put right, and their slices and Endpoints are named', async () => {
    await service();
    await h.group(namespace, 'web', { spec: route() });
    const leader = await routed();
    await h.world.rest.must('PATCH', path(), { endpoints: [], ports: [] }, MERGE_PATCH);
    await h.world.create(`/api/v1/namespaces/${namespace}/endpoints`, {
      metadata: { name: SERVICE },
      subsets: [{ addresses: [{ ip: '10.9.9.9' }], ports: [{ port: 1 }] }],
    });
    await h.observer.until((view) => shows(view, shownIn(leader)), {
      timeoutMs: TOLD_MS,
      what: 'the leader in its slice again',
    });
    const { message } = await conditionWithin(TOLD_MS, 'False', 'ForeignEndpoints');
    expect(message).toContain(`delete endpoints ${SERVICE}`);
    await kept();
  });

  it('a Service that takes its consent back, or goes, has no endpoint soon', async () => {
    await service();
    await h.group(namespace, 'web', { spec: route() });
    await routed();
    await h.kubectl.must(['-n', namespace, 'annotate', 'service', SERVICE, 'leadergroup.dev/route-']);
    await conditionWithin(TOLD_MS, 'False', 'ServiceNotAnnotated');
    expect(h.observer.slices(namespace).map(shownIn)).toEqual(['']);
    await h.condition(namespace, 'web', 'Ready', 'True', 'Led');
    await h.kubectl.must(['-n', namespace, 'annotate', 'service', SERVICE, 'leadergroup.dev/route=web']);
    await conditionWithin(TOLD_MS, 'True', 'LeaderShown');
    await kept();
  });

  it('a deletion empties the slice and deletes it before the lock is given up; a group made again begins above its tokens', async () => {
    await service();
    await h.group(namespace, 'web', { spec: route() });
    const before = await routed();
    await h.world.deleteGroup(namespace, 'web');
    await h.observer.until((view) => view.group(namespace, 'web') === undefined, {
      timeoutMs: 30_000,
      what: 'the end of the group',
    });
    await h.observer.caughtUp();
    const [emptied, gone] = changes().slice(-2);
    expect([emptied?.slice.endpoints, gone?.kind]).toEqual([[], 'deleted']);
    const lock = h.observer.history().keys.find(({ key, session, atMs }) => {
      return key.includes(`/${namespace}/web/`) && session === null && atMs >= (emptied?.atMs ?? 0);
    });
    expect(lock?.atMs ?? Number.POSITIVE_INFINITY).toBeGreaterThanOrEqual(gone?.atMs ?? 0);

    await h.world.applyGroup({ namespace, name: 'web', spec: route() });
    const after = await routed();
    expect(after.uid).not.toBe(before.uid);
    expect(after.token).toBeGreaterThan(before.token);
    await kept();
  });
});

const route = () => ({ route: { serviceName: SERVICE } });
const path = (): string => `/apis/discovery.k8s.io/v1/namespaces/${namespace}/endpointslices/${SLICE}`;
const isSliceWrite: Matcher = ({ method, path: asked }) => method === 'PUT' && asked.includes('/endpointslices/');

const service = async (): Promise<void> =>
  void (await h.world.create(`/api/v1/namespaces/${namespace}/services`, {
    metadata: { name: SERVICE, annotations: { 'leadergroup.dev/route': 'web' } },
    spec: { ports: [{ name: 'http', port: 80, targetPort: 8080 }] },
  }));

const exclude = async (pod: string): Promise<void> =>
  void (await h.world.patchPod(namespace, pod, {
    metadata: { annotations: { 'leadergroup.dev/candidate': 'false' } },
  }));

const shownIn = ({ endpoints }: WatchedSlice): string => endpoints.map(({ podName }) => podName).join(' ');
const shown = ({ slice }: SliceChange): string => shownIn(slice);
const addressOf = ({ endpoints }: WatchedSlice): string => endpoints[0]?.address ?? '';

const shows = (view: View, pod: string): boolean => view.slices(namespace).map(shownIn).join() === pod;

/** Resolves with the slice once it shows the leader (with `not`, another than that pod), and Routed says so. */
async function routed({ not = '' }: { readonly not?: string } = {}): Promise<WatchedSlice> {
  const found = await h.observer.until(
    (view) => {
      const [leader] = view.leaders(namespace, 'web');
      const [slice] = view.slices(namespace);
      return (
        leader !== undefined && slice !== undefined && leader.name !== not && shownIn(slice) === leader.name && slice
      );
    },
    { timeoutMs: FOUND_MS, what: `a slice that shows the leader${not === '' ? '' : `, not ${not}`}` },
  );
  await conditionWithin(FOUND_MS, 'True', 'LeaderShown');
  return found;
}

const conditionWithin = (timeoutMs: number, status: 'True' | 'False', reason: string) =>
  h.observer.until(
    () =>
      h
        .status(namespace, 'web')
        ?.conditions.find((each) => each.type === 'Routed' && each.status === status && each.reason === reason),
    { timeoutMs, what: `Routed ${status} with reason ${reason}` },
  );

/** Every version of the slices of this namespace so far. */
const changes = (): readonly SliceChange[] =>
  (h.observer.history({ namespaces: [namespace] }).slices ?? []).filter((event) => event.kind !== 'list');

const conditions = async () =>
  (
    await h.world.rest.must<{ readonly endpoints: readonly { readonly conditions: { readonly ready: boolean } }[] }>(
      'GET',
      path(),
    )
  ).endpoints[0]?.conditions;

const until = async (what: string, met: () => Promise<boolean>): Promise<void> =>
  await vi.waitFor(async () => expect(await met(), what).toBe(true), SOON);

/** Every promise was kept in this namespace. */
async function kept() {
  await h.observer.caughtUp();
  return assertKept(h.observer.history({ namespaces: [namespace] }));
}
