/** An operator that may not read the controllers of pods, on the real ones. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { memberUrl } from '../kit/rig/asking.ts';
import { type Harness, startHarness } from '../kit/rig/harness.ts';
import type { OperatorProcess } from '../kit/rig/operator-process.ts';
import {
  applyAll,
  brake,
  deployment,
  giveRights,
  startWithRights,
  takeOptionalRights,
  type WorkloadWish,
} from '../kit/rig/workloads.ts';

let h: Harness;
let namespace: string;

const KEY = 'leadergroup.dev/role';
const STANDBY: WorkloadWish = { name: 'web', selects: { app: 'web', role: 'standby' } };
/** What kustomize's commonLabels make of a Deployment. */
const COMMON: WorkloadWish = { name: 'web', selects: { app: 'web', [KEY]: 'leader' } };
const BRAKE = 15;

beforeAll(async () => {
  h = await startHarness();
  await giveRights(h);
  await takeOptionalRights(h);
});

beforeEach(async () => {
  namespace = await h.world.namespace('workloads');
});

afterAll(() => h[Symbol.asyncDispose]());

const readyPods = (app: string) =>
  h.observer.pods(namespace).filter(({ labels, ready, deleting }) => labels['app'] === app && ready && !deleting);

const untilReady = (app: string, count: number): Promise<boolean> =>
  h.observer.until(() => readyPods(app).length === count, { timeoutMs: 30_000, what: `${count} ready pods of ${app}` });

const stopped = () => h.condition(namespace, 'web', 'Stalled', 'True', 'LabelInWorkloadSelector');

describe('an operator that may not read controllers', () => {
  let operator: OperatorProcess;

  beforeAll(async () => {
    operator = await startWithRights(h);
  });

  afterAll(() => operator.kill());

  it.each([
    [STANDBY, { key: 'role', leader: 'master' }],
    [COMMON, { key: KEY }],
  ] as const)('costs one pod and stops there, a restart included: %j', async (wish, label) => {
    await applyAll(h, namespace, [brake(BRAKE), deployment(wish)]);
    await untilReady('web', 3);
    await h.world.applyGroup({ namespace, name: 'web', spec: { label } });
    await stopped();
    await untilReady('web', 4);
    await operator.kill('SIGKILL');
    operator = await startWithRights(h);
    await h.atRest(12_000);
    expect(readyPods('web')).toHaveLength(4);
  });

  it('elects, hands over and labels followers all the same where nobody selects by the label', async () => {
    await applyAll(h, namespace, [deployment({ name: 'web', selects: { app: 'web' } })]);
    await untilReady('web', 3);
    await h.world.applyGroup({ namespace, name: 'web', spec: { label: { follower: 'follower' } } });
    const first = await h.led(namespace, 'web');
    await h.world.deletePod(namespace, first.name);
    await h.led(namespace, 'web', { not: first.name });
    await untilReady('web', 3);
    const labelled = (value: string): number => readyPods('web').filter((pod) => pod.labels[KEY] === value).length;
    await h.observer.until(() => labelled('leader') === 1 && labelled('follower') === 2, {
      timeoutMs: 20_000,
      what: 'one leader and two followers',
    });
  });
});

describe('an operator that knows pods by their tokens', () => {
  it("reads the cluster's keys with the rights of its manifests, and gives a pod its grant by the token that the API server made for it", async () => {
    await using operator = await startWithRights(h, { LEADERGROUP_GATE_AUTHENTICATION: 'Token' });
    await h.group(namespace, 'web');
    const { name, uid } = await h.led(namespace, 'web');
    const bound = ['--bound-object-kind', 'Pod', '--bound-object-name', name, '--audience', 'leadergroup'];
    const token = (await h.kubectl.must(['-n', namespace, 'create', 'token', 'default', ...bound])).trim();
    const url = `${memberUrl(operator.url, namespace, 'web', name)}?uid=${uid}`;
    const asked = async (headers: Record<string, string>): Promise<number> => (await fetch(url, { headers })).status;
    expect(await asked({ authorization: `Bearer ${token}` })).toBe(200);
    expect(await asked({})).toBe(401);
  });
});
