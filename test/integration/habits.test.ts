/** What other people's clusters contain: workloads, policies and habits that the operator was not made for, on the real components. */
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { type Harness, startHarness } from '../kit/rig/harness.ts';

let h: Harness;
let namespace: string;

const ROLE = 'leadergroup.dev/role';
const PATIENCE = { timeout: 30_000, interval: 200 };

beforeAll(async () => {
  h = await startHarness();
  await h.startOperator();
});

beforeEach(async () => {
  namespace = await h.world.namespace('habits');
  await h.kubectl.must(['-n', namespace, 'create', 'quota', 'brake', '--hard=pods=25']);
});

afterAll(() => h[Symbol.asyncDispose]());

const kubectl = (...args: readonly string[]): Promise<string> => h.kubectl.must(['-n', namespace, ...args]);
const apply = (...objects: readonly object[]): Promise<string> =>
  h.kubectl.must(
    ['-n', namespace, 'apply', '-f', '-'],
    JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects }),
  );

const group = (name: string, spec: object = {}): object => ({
  apiVersion: 'leadergroup.dev/v1alpha1',
  kind: 'LeaderGroup',
  metadata: { name },
  spec: { selector: { matchLabels: { app: name } }, ...spec },
});

const templateOf = (labels: object): object => ({
  metadata: { labels },
  spec: { terminationGracePeriodSeconds: 1, containers: [{ name: 'c', image: 'registry.example.com/c:1' }] },
});

const workload = (
  kind: 'Deployment' | 'StatefulSet',
  name: string,
  replicas: number,
  labels: object,
  more: object = {},
) => ({
  apiVersion: 'apps/v1',
  kind,
  metadata: { name },
  spec: {
    replicas,
    selector: { matchLabels: labels },
    template: templateOf({ ...labels, ...more }),
    ...(kind === 'StatefulSet' ? { serviceName: name } : {}),
  },
});

const podNames = async (): Promise<readonly string[]> =>
  (await kubectl('get', 'pods', '-o', 'jsonpath={.items[*].metadata.name}')).split(' ').filter((name) => name !== '');
const leaderOf = async (name: string): Promise<string> =>
  await kubectl('get', 'leadergroup', name, '-o', 'jsonpath={.status.leader}');
const led = (name: string, by: RegExp = /./): Promise<string> =>
  vi.waitFor(async () => {
    const leader = await leaderOf(name);
    expect(leader).toMatch(by);
    return leader;
  }, PATIENCE);
const events = async (reason: string): Promise<string> =>
  await kubectl('get', 'events', `--field-selector=reason=${reason}`, '-o', 'jsonpath={.items[*].message}');

describe('a workload that selects its pods by the label key', () => {
  const selecting = { app: 'web', [ROLE]: 'leader' };
  const standby = { app: 'web', [ROLE]: 'standby' };

  it.each([
    ['by the leader’s value, in selector and template', workload('Deployment', 'web', 3, selecting), {}],
    ['by another value', workload('Deployment', 'web', 3, standby), {}],
    [
      'by the followers’ value',
      workload('Deployment', 'web', 3, standby),
      { label: { key: ROLE, leader: 'leader', follower: 'follower' } },
    ],
    ['as a StatefulSet', workload('StatefulSet', 'web', 3, standby), {}],
  ])('is not written against (%s): the group stops, and names it', async (_how, owner, spec) => {
    await apply(owner, group('web', spec));
    const stalled = await h.condition(namespace, 'web', 'Stalled', 'True', 'LabelInWorkloadSelector');
    expect(stalled.message).toMatch(
      /(Deployment|StatefulSet) web selects its pods by the label key leadergroup\.dev\/role/,
    );
    await delay(3000); // Pods would be made at four a second: absence can only be waited for.
    expect(await podNames()).toHaveLength(3);
    expect(await events('LabelInWorkloadSelector')).toContain('no label is written');
    await kubectl('delete', 'leadergroup', 'web', '--timeout=20s');
    expect(await podNames()).toHaveLength(3);
  });
});

it('a label in the pod template is told, and none of its pods is called the leader before', async () => {
  await apply(workload('Deployment', 'web', 3, { app: 'web' }, { [ROLE]: 'leader' }), group('web'));
  await led('web');
  await vi.waitFor(async () => expect(await events('LabelInPodTemplate')).toContain('Deployment web'), PATIENCE);
  const first = await kubectl('get', 'leadergroup', 'web', '-o', 'jsonpath={.status.recentTransitions[-1:].from}');
  expect(first).toBe('');
});

describe('pods that share the labels of the application', () => {
  it('of a Job, of nobody, or of a canary do not come before ordinary replicas', async () => {
    await apply(workload('Deployment', 'web', 2, { app: 'web' }), group('web'));
    await led('web');
    await apply(
      {
        apiVersion: 'batch/v1',
        kind: 'Job',
        metadata: { name: 'backup' },
        spec: {
          template: {
            metadata: { labels: { app: 'web' } },
            spec: { restartPolicy: 'Never', containers: [{ name: 'c', image: 'registry.example.com/c:1' }] },
          },
        },
      },
      workload('Deployment', 'canary', 1, { app: 'web', track: 'canary' }),
      {
        apiVersion: 'v1',
        kind: 'Pod',
        ...templateOf({ app: 'web' }),
        metadata: { name: 'manual', labels: { app: 'web' } },
      },
    );
    await vi.waitFor(async () => expect(await podNames()).toHaveLength(5), PATIENCE);
    await kubectl('wait', 'pod/manual', '--for=condition=Ready', '--timeout=20s');
    for (let times = 0; times < 2; times += 1) {
      const before = await leaderOf('web');
      await kubectl('delete', 'pod', before, '--wait=false');
      await vi.waitFor(async () => expect(await leaderOf('web')).not.toBe(before), PATIENCE);
      expect(await led('web')).toMatch(/^web-/);
    }
    const status = h.status(namespace, 'web');
    expect(status?.ineligible.map(({ reason }) => reason)).toContain('JobPod');
  });

  it('of a StatefulSet move the leader once when they are restarted', async () => {
    await apply(workload('StatefulSet', 'db', 3, { app: 'db' }), group('db'));
    await vi.waitFor(async () => expect(await podNames()).toHaveLength(3), PATIENCE);
    await led('db');
    await kubectl('annotate', 'pod', 'db-0', 'leadergroup.dev/candidate=false');
    await led('db', /^db-[12]$/);
    await kubectl('annotate', 'pod', 'db-0', 'leadergroup.dev/candidate-', '--overwrite');
    const transitions = async () =>
      Number(await kubectl('get', 'leadergroup', 'db', '-o', 'jsonpath={.status.leaderTransitions}'));
    const before = await transitions();
    // Revisions compare by the second in which their newest pod was made.
    const made = await kubectl(
      'get',
      'pods',
      '-o',
      'jsonpath={range .items[*]}{.metadata.creationTimestamp}{"\\n"}{end}',
    );
    const newestMs = Math.max(
      ...made
        .trim()
        .split('\n')
        .map((time) => Date.parse(time)),
    );
    await vi.waitFor(() => expect(Date.now()).toBeGreaterThan(newestMs + 1000), PATIENCE);
    await kubectl('rollout', 'restart', 'statefulset', 'db');
    await kubectl('rollout', 'status', 'statefulset', 'db', '--timeout=60s');
    await led('db');
    expect((await transitions()) - before).toBe(1);
  });
});

describe('a policy that freezes the labels of pods', () => {
  const policy = 'frozen-pod-labels';

  beforeAll(async () => {
    await h.kubectl.must(
      ['apply', '-f', '-'],
      JSON.stringify({
        apiVersion: 'v1',
        kind: 'List',
        items: [
          {
            apiVersion: 'admissionregistration.k8s.io/v1',
            kind: 'ValidatingAdmissionPolicy',
            metadata: { name: policy },
            spec: {
              failurePolicy: 'Fail',
              matchConstraints: {
                resourceRules: [{ apiGroups: [''], apiVersions: ['v1'], operations: ['UPDATE'], resources: ['pods'] }],
                namespaceSelector: { matchLabels: { frozen: 'yes' } },
              },
              validations: [
                {
                  expression: 'object.metadata.labels == oldObject.metadata.labels',
                  message: 'labels of running pods are frozen; ask the platform team',
                },
              ],
            },
          },
          {
            apiVersion: 'admissionregistration.k8s.io/v1',
            kind: 'ValidatingAdmissionPolicyBinding',
            metadata: { name: policy },
            spec: { policyName: policy, validationActions: ['Deny'] },
          },
        ],
      }),
    );
  });

  const freeze = async (): Promise<void> => {
    await h.kubectl.must(['label', 'namespace', namespace, 'frozen=yes', '--overwrite']);
    // The API server compiles a policy, and hears of a namespace's labels, when it gets to it.
    await vi.waitFor(async () => {
      const probe = ['-n', namespace, 'label', 'pods', '--all', 'probe=x', '--overwrite', '--dry-run=server'];
      expect((await h.kubectl.run(probe)).code).not.toBe(0);
    }, PATIENCE);
  };
  const thaw = (): Promise<string> => h.kubectl.must(['label', 'namespace', namespace, 'frozen-']);

  it('is quoted while nobody can lead, and over soon after it is lifted', async () => {
    await h.world.pods(namespace, 'web', 2);
    await freeze();
    await h.group(namespace, 'web', { pods: 0 });
    const ready = await vi.waitFor(async () => {
      const found = h.status(namespace, 'web')?.conditions.find(({ type }) => type === 'Ready');
      expect(found?.message).toContain('ask the platform team');
      return found;
    }, PATIENCE);
    expect(ready?.status).toBe('False');
    expect(ready?.message).toMatch(/retries at \d{4}-\d\d-\d\dT/);
    expect(await events('WriteRefused')).toContain('ask the platform team');
    await thaw();
    await h.led(namespace, 'web', { timeoutMs: 35_000 });
  });

  it('does not outlive the pod that it protected', async () => {
    await h.group(namespace, 'web');
    const first = await h.led(namespace, 'web');
    await freeze();
    await h.world.setReady(namespace, first.name, false);
    await h.condition(namespace, 'web', 'Stalled', 'True', 'WriteRefused');
    await thaw();
    await freezeOnlyOf(first.name);
    await kubectl('delete', 'pod', first.name, '--grace-period=0', '--force');
    await h.led(namespace, 'web', { not: first.name, timeoutMs: 60_000 });
  });

  /** Nothing else stands in the way by then: what is shown is that the refusal of the pod that is gone is forgotten. */
  async function freezeOnlyOf(_name: string): Promise<void> {
    await vi.waitFor(async () => {
      const probe = ['-n', namespace, 'label', 'pods', '--all', 'probe=x', '--overwrite', '--dry-run=server'];
      expect((await h.kubectl.run(probe)).code).toBe(0);
    }, PATIENCE);
  }

  it('does not keep a deleted group for ever: it says why it waits, goes within a minute, and names who is still labelled', async () => {
    await h.group(namespace, 'web');
    const leader = await h.led(namespace, 'web');
    await freeze();
    await kubectl('delete', 'leadergroup', 'web', '--wait=false');
    await vi.waitFor(() => {
      const found = h.status(namespace, 'web')?.conditions.find(({ type }) => type === 'Ready');
      expect([found?.status, found?.reason]).toEqual(['False', 'Deleting']);
      expect(found?.message).toContain('ask the platform team');
    }, PATIENCE);
    await kubectl('wait', 'leadergroup/web', '--for=delete', '--timeout=75s');
    await vi.waitFor(async () => expect(await events('LabelsLeft')).toContain(leader.name), PATIENCE);
    await thaw();
  });
});

it('a pod whose annotations are full does not keep a new group from its first leader', async () => {
  await h.world.pods(namespace, 'web', 1);
  const limit = 256 * 1024;
  const size = limit - 'filler'.length - 40;
  await h.kubectl.must(
    ['-n', namespace, 'create', '-f', '-'],
    JSON.stringify({
      apiVersion: 'v1',
      kind: 'Pod',
      ...templateOf({}),
      metadata: { name: 'full', labels: { app: 'web' }, annotations: { filler: 'x'.repeat(size) } },
    }),
  );
  await kubectl('wait', 'pod/full', '--for=condition=Ready', '--timeout=20s');
  await h.group(namespace, 'web', { pods: 0 });
  const leader = await h.led(namespace, 'web', { timeoutMs: 30_000 });
  expect(leader.name).not.toBe('full');
});

it('a label that another controller takes off is put back a handful of times, and the group says who does it', async () => {
  await h.group(namespace, 'web');
  const first = await h.led(namespace, 'web');
  const endMs = performance.now() + 8000;
  while (performance.now() < endMs) {
    await h.world.patchPod(namespace, first.name, { metadata: { labels: { [ROLE]: null } } });
    await delay(20);
  }
  await vi.waitFor(async () => expect(await events('LabelContested')).toContain(first.name), PATIENCE);
  const after = await h.led(namespace, 'web', { minToken: first.token, timeoutMs: 20_000 });
  expect(after.token - first.token).toBeLessThan(12);
});

it('a label that another controller puts on a follower is taken off a handful of times, and the group says who does it', async () => {
  await h.group(namespace, 'web');
  const leader = await h.led(namespace, 'web');
  const other = (await podNames()).find((name) => name !== leader.name);
  if (other === undefined) throw new Error('there is no follower');
  const endMs = performance.now() + 8000;
  let rounds = 0;
  while (performance.now() < endMs) {
    if (!(await h.world.leaders(namespace)).includes(other)) {
      rounds += 1;
      await h.world.patchPod(namespace, other, { metadata: { labels: { [ROLE]: 'leader' } } });
    }
    await delay(20);
  }
  await vi.waitFor(
    async () => expect(await events('LabelContested')).toMatch(/pod \S+ \(.*field manager external/),
    PATIENCE,
  );
  expect(rounds).toBeLessThan(12);
  expect(await h.led(namespace, 'web')).toMatchObject({ name: leader.name, token: leader.token });
});

describe('a group that is made anew', () => {
  it.each([
    ['after a deletion', async () => void (await kubectl('delete', 'leadergroup', 'web', '--timeout=20s'))],
    [
      'with its namespace',
      async () => {
        await h.kubectl.must(['delete', 'namespace', namespace, '--timeout=60s']);
        await h.kubectl.must(['create', 'namespace', namespace]);
      },
    ],
  ])('%s goes on with higher tokens', async (_how, remove) => {
    await h.group(namespace, 'web');
    const first = await h.led(namespace, 'web');
    await remove();
    if ((await podNames()).length === 0) await h.world.pods(namespace, 'web', 2);
    await h.group(namespace, 'web', { pods: 0 });
    const next = await h.led(namespace, 'web');
    expect(next.token).toBeGreaterThan(first.token);
  });
});

describe('kubectl wait for the condition Ready', () => {
  const waits = async (): Promise<boolean> =>
    (await h.kubectl.run(['-n', namespace, 'wait', 'leadergroup/web', '--for=condition=Ready', '--timeout=1s']))
      .code === 0;

  it('does not pass before there is a leader, and passes with one', async () => {
    await h.group(namespace, 'web', { pods: 0 });
    await vi.waitFor(() => expect(h.status(namespace, 'web')?.conditions).not.toEqual([]), PATIENCE);
    expect(await waits()).toBe(false);
    await h.world.pods(namespace, 'web', 2);
    await h.led(namespace, 'web');
    await vi.waitFor(async () => expect(await waits()).toBe(true), PATIENCE);
  });

  it('passes for a group that was scaled to zero after it had members', async () => {
    await h.group(namespace, 'web', { pods: 1 });
    const only = await h.led(namespace, 'web');
    await kubectl('delete', 'pod', only.name, '--grace-period=0', '--force');
    await h.condition(namespace, 'web', 'Ready', 'True', 'ScaledToZero');
  });
});
