/** The leader of a Deployment that the real controllers scale down, and of a group that is deleted, by an operator with the rights of deploy/. */
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { assertKept } from '../kit/checker/checker.ts';
import { type Harness, startHarness } from '../kit/rig/harness.ts';
import { applyAll, deployment, giveRights, startWithRights } from '../kit/rig/workloads.ts';

const KEY = 'leadergroup.dev/role';
const COST = 'controller.kubernetes.io/pod-deletion-cost';
const REPLICAS = 6;

let h: Harness;
let namespace: string;

beforeAll(async () => {
  h = await startHarness();
  await giveRights(h);
  await startWithRights(h);
});

afterAll(() => h[Symbol.asyncDispose]());

beforeEach(async () => {
  namespace = await h.world.namespace('scale');
  await applyAll(h, namespace, [deployment({ name: 'web', selects: { app: 'web' }, replicas: REPLICAS })]);
  await untilReady(REPLICAS);
});

const present = () => h.observer.pods(namespace).filter(({ deleting }) => !deleting);

const untilReady = (count: number): Promise<boolean> =>
  h.observer.until(() => present().filter(({ ready }) => ready).length === count && present().length === count, {
    timeoutMs: 60_000,
    what: `${count} ready pods`,
  });

const scale = (replicas: number): Promise<string> =>
  h.kubectl.must(['-n', namespace, 'scale', 'deployment', 'web', `--replicas=${replicas}`]);

const setCost = (pod: string, cost: string): Promise<unknown> =>
  h.world.patchPod(namespace, pod, { metadata: { annotations: { [COST]: cost } } });

it('is the last one there when a Deployment is scaled down, step by step, and nobody else leads meanwhile', async () => {
  await h.world.applyGroup({ namespace, name: 'web' });
  const { name, uid, token } = await h.led(namespace, 'web');
  for (const replicas of [4, 1]) {
    await scale(replicas);
    await untilReady(replicas);
  }
  expect(present()).toMatchObject([{ name, uid, annotations: { [COST]: '1000' } }]);
  expect(await h.led(namespace, 'web')).toMatchObject({ uid, token });
  assertKept(h.observer.history({ namespaces: [namespace] }));
});

it('goes as any other where pods may go in any order: Kubernetes is told nothing', async () => {
  await h.world.applyGroup({ namespace, name: 'web', spec: { scaleDown: 'AnyOrder' } });
  const { name, annotations } = await h.led(namespace, 'web');
  expect(annotations[COST]).toBeUndefined();
  for (const other of present()) if (other.name !== name) await setCost(other.name, '1');
  await scale(REPLICAS - 1);
  await h.led(namespace, 'web', { not: name, timeoutMs: 60_000 });
});

it('leaves the costs of others as they are, also with the leader', async () => {
  for (const { name } of present()) await setCost(name, '3');
  await h.world.applyGroup({ namespace, name: 'web' });
  const first = await h.led(namespace, 'web');
  await h.world.patchPod(namespace, first.name, {
    metadata: { annotations: { 'leadergroup.dev/candidate': 'false' } },
  });
  await h.led(namespace, 'web', { not: first.name });
  expect(present().map(({ annotations }) => annotations[COST])).toEqual(present().map(() => '3'));
  assertKept(h.observer.history({ namespaces: [namespace] }));
});

it('keeps its label when the group is deleted and retains it, and the next group of the name has one leader', async () => {
  const spec = { deletionPolicy: 'Retain', label: { key: KEY, follower: 'follower' } };
  await h.world.applyGroup({ namespace, name: 'web', spec });
  const first = await h.led(namespace, 'web');
  const followers = (): number => present().filter(({ labels }) => labels[KEY] === 'follower').length;
  await h.observer.until(() => followers() === REPLICAS - 1, { timeoutMs: 20_000, what: 'followers' });
  await h.world.deleteGroup(namespace, 'web');
  await h.observer.until(() => h.observer.group(namespace, 'web') === undefined, {
    timeoutMs: 30_000,
    what: 'no group',
  });
  // The observer knows leaders of groups that are there.
  const kept = present().filter(({ labels }) => labels[KEY] === 'leader');
  const token = String(first.token);
  expect(kept).toMatchObject([{ uid: first.uid, annotations: { 'token.leadergroup.dev/web': token } }]);
  expect(followers()).toBe(REPLICAS - 1);
  await h.world.applyGroup({ namespace, name: 'web', spec });
  const next = await h.led(namespace, 'web', { minToken: first.token + 1 });
  expect(next.token).toBeGreaterThan(first.token);
  assertKept(h.observer.history({ namespaces: [namespace] }));
});
