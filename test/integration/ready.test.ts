/** Whoever waits for Ready goes on when there is a leader, not before: as kubectl sees it, with pods that a Deployment makes. */
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { type Harness, startHarness } from '../kit/rig/harness.ts';
import { MERGE_PATCH } from '../kit/rig/rest.ts';

let h: Harness;
let namespace: string;

const GROUP = 'web';
/** No node has it, so the pods stay pending. */
const NOWHERE = { nowhere: 'true' };

beforeAll(async () => {
  h = await startHarness();
  await h.startOperator();
});

beforeEach(async () => {
  namespace = await h.world.namespace('ready');
});

afterAll(() => h[Symbol.asyncDispose]());

const deployments = (): string => `/apis/apps/v1/namespaces/${namespace}/deployments`;

const deploy = (nodeSelector: object) =>
  h.world.create(deployments(), {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: GROUP },
    spec: {
      replicas: 2,
      // A pod that waits for a node is not kept beside its successor.
      strategy: { type: 'Recreate' },
      selector: { matchLabels: { app: GROUP } },
      template: {
        metadata: { labels: { app: GROUP } },
        spec: {
          nodeSelector,
          tolerations: [{ operator: 'Exists' }],
          containers: [{ name: 'main', image: 'none' }],
        },
      },
    },
  });

const change = (spec: object) => h.world.rest.must('PATCH', `${deployments()}/${GROUP}`, { spec }, MERGE_PATCH);

const waitFor = (what: string, timeout: string) =>
  h.kubectl.run(['-n', namespace, 'wait', `lg/${GROUP}`, `--for=${what}`, `--timeout=${timeout}`]);

const waitForReady = (timeout: string) => waitFor('condition=Ready', timeout);

/** As docs/conditions.md has it for a leader among this group's pods. */
const waitForLeader = (timeout: string) => waitFor('jsonpath={.status.leaders[0].pod}', timeout);

const ready = (status: 'True' | 'False', reason: string) => h.condition(namespace, GROUP, 'Ready', status, reason);

const printed = async (verb: 'get' | 'describe'): Promise<string> =>
  await h.kubectl.must(['-n', namespace, verb, 'lg', GROUP]);

it('kubectl wait passes when somebody leads: not without pods, and not with pods that wait for a node', async () => {
  await h.world.applyGroup({ namespace, name: GROUP });
  await ready('False', 'NoMembers');
  let passed = false;
  const waiting = waitForReady('60s').finally(() => {
    passed = true;
  });
  await deploy(NOWHERE);
  const { message } = await ready('False', 'NoCandidate');
  for (const wait of [waitForReady, waitForLeader]) expect((await wait('0')).code).not.toBe(0);
  expect([passed, message]).toEqual([
    false,
    expect.stringMatching(/^none of [12] members? can lead: [12] NotReady \(web-/),
  ]);
  await change({ template: { spec: { nodeSelector: null } } });
  expect(await waiting).toMatchObject({ code: 0 });
  expect(await waitForLeader('10s')).toMatchObject({ code: 0 });
  expect(h.status(namespace, GROUP)?.leader ?? '').toMatch(/^web-/);
  expect(await h.world.leaders(namespace)).toHaveLength(1);
});

it('a group that was scaled to zero is Ready until it has members again', async () => {
  await deploy({});
  await h.world.applyGroup({ namespace, name: GROUP });
  await ready('True', 'Led');
  await change({ replicas: 0 });
  await ready('True', 'ScaledToZero');
  expect(await waitForReady('0')).toMatchObject({ code: 0 });
  expect((await waitForLeader('0')).code).not.toBe(0);
  await change({ template: { spec: { nodeSelector: NOWHERE } }, replicas: 2 });
  await ready('False', 'NoCandidate');
  expect((await waitForReady('0')).code).not.toBe(0);
});

it('kubectl says first what is wrong, the same in the status and in the event', async () => {
  await deploy(NOWHERE);
  await h.world.applyGroup({ namespace, name: GROUP });
  await ready('False', 'NoCandidate');
  const { message } = await h.observer.until(
    () => {
      const found = h.status(namespace, GROUP)?.conditions.find(({ type }) => type === 'Ready');
      return found?.message.startsWith('none of 2 members can lead: 2 NotReady (web-') === true && found;
    },
    { timeoutMs: 60_000, what: 'both pods in the message' },
  );
  await h.observer.until(() => h.observer.events(namespace).some((event) => event['reason'] === 'NoCandidate'), {
    timeoutMs: 60_000,
    what: 'the event NoCandidate',
  });
  expect((await printed('get')).split('\n')[1]).toMatch(/^web +(<none> +)?0 +False +NoCandidate +\d+s/);
  const described = await printed('describe');
  expect(described).toContain(`Message:               ${message}`);
  expect(described).toMatch(/Events:\n(?:.*\n)*.*Warning +NoCandidate .*none of [12] members? can lead: [12] NotReady/);
  const said = [...described.matchAll(/Reason: +(\w+)\n +Status: +(\w+)\n +Type: +(\w+)/g)].map((found) =>
    found.slice(1),
  );
  expect(said).toEqual([
    ['NoCandidate', 'False', 'Ready'],
    ['Waiting', 'False', 'Reconciling'],
    ['NotStalled', 'False', 'Stalled'],
    ['NotPaused', 'False', 'Paused'],
  ]);
});
