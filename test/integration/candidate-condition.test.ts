/** `candidateCondition` on the real API server: pods that are never ready, a condition that somebody patches, and Nodes of this test's own. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { assertKept } from '../kit/checker/checker.ts';
import { type Harness, startHarness } from '../kit/rig/harness.ts';
import type { OperatorProcess } from '../kit/rig/operator-process.ts';
import { accountKubeconfig, giveRights } from '../kit/rig/workloads.ts';

const COULD_LEAD = 'mail.example.com/could-lead';
const STRATEGIC = 'application/strategic-merge-patch+json';
const UNREADY = { unready: true };
const SPEC = { candidateCondition: COULD_LEAD };

let h: Harness;
let namespace: string;

beforeAll(async () => {
  h = await startHarness();
  await giveRights(h);
});

afterAll(() => h[Symbol.asyncDispose]());

beforeEach(async () => {
  namespace = await h.world.namespace('condition');
});

describe('an operator with the rights of deploy/', () => {
  let operator: OperatorProcess;

  beforeAll(async () => {
    operator = await h.startOperator({ env: { KUBECONFIG: await accountKubeconfig(h) } });
  });

  afterAll(() => operator.kill());

  it('elects a pod whose condition is True though none is ready, and follows the condition', async () => {
    await members();
    const first = await h.led(namespace, 'web', UNREADY);
    await setCondition(first.name, false);
    const second = await h.led(namespace, 'web', { ...UNREADY, not: first.name });
    expect(await ready(second.name)).toBe('False');
    assertKept(h.observer.history({ namespaces: [namespace] }));
  });

  it('names the condition where nobody can lead by it', async () => {
    await members();
    await h.led(namespace, 'web', UNREADY);
    for (const at of [0, 1]) await setCondition(`web-${at}`, false);
    const { message } = await h.condition(namespace, 'web', 'Ready', 'False', 'NoCandidate');
    expect(message).toContain(`: ${COULD_LEAD} is not True)`);
  });

  it('does not count the condition of a pod of which a container has ended', async () => {
    await members();
    const first = await h.led(namespace, 'web', UNREADY);
    await h.world.reportContainer(namespace, first.name, 'main', {
      startedMs: Date.now() - 5000,
      finishedMs: Date.now(),
    });
    await h.led(namespace, 'web', { ...UNREADY, not: first.name });
  });

  it('does not count the condition of a pod whose Node is not Ready any more', async () => {
    await members();
    const first = await h.led(namespace, 'web', UNREADY);
    await setNode(nodeOf(first.name), 'Unknown');
    await h.led(namespace, 'web', { ...UNREADY, not: first.name });
    const conditions = await conditionsOf(first.name);
    expect(conditions.find(({ type }) => type === COULD_LEAD)?.status).toBe('True');
  });
});

it('a group is stalled with an operator that watches some namespaces only, and its leader stays', async () => {
  const everywhere = await h.startOperator();
  await members();
  const leader = await h.led(namespace, 'web', UNREADY);
  await everywhere.kill();
  await h.startOperator({ env: { LEADERGROUP_WATCH_NAMESPACES: namespace } });
  const { message } = await h.condition(namespace, 'web', 'Stalled', 'True', 'NodesNotReadable');
  expect(message).toMatch(/cannot watch nodes.*remove spec\.candidateCondition/);
  await setCondition(leader.name, false);
  expect(await h.world.leaders(namespace)).toEqual([leader.name]);
  await h.world.applyGroup({ namespace, name: 'web', spec: {} });
  await h.condition(namespace, 'web', 'Stalled', 'False', 'NotStalled');
});

const nodeOf = (pod: string): string => `${namespace}-of-${pod}`;

/** Two pods that are not ready and could lead, each on a Node of its own, and their group. */
async function members(): Promise<void> {
  for (const name of ['web-0', 'web-1']) {
    await h.world.create('/api/v1/nodes', { metadata: { name: nodeOf(name) } });
    await setNode(nodeOf(name), 'True');
    await h.world.pod({ namespace, name, labels: { app: 'web' }, ready: false, node: nodeOf(name) });
    await h.world.reportContainer(namespace, name, 'main', { startedMs: Date.now() - 5000, finishedMs: null });
    await setStatus(name, { conditions: [{ type: 'Ready', status: 'False' }] });
    await setCondition(name, true);
  }
  await h.world.applyGroup({ namespace, name: 'web', spec: SPEC });
}

const setCondition = (pod: string, isTrue: boolean): Promise<void> =>
  setStatus(pod, { conditions: [{ type: COULD_LEAD, status: isTrue ? 'True' : 'False' }] });

const setStatus = async (pod: string, status: object): Promise<void> =>
  void (await h.world.rest.must('PATCH', `/api/v1/namespaces/${namespace}/pods/${pod}/status`, { status }, STRATEGIC));

const setNode = async (name: string, status: 'True' | 'Unknown'): Promise<void> =>
  void (await h.world.rest.must(
    'PATCH',
    `/api/v1/nodes/${name}/status`,
    { status: { conditions: [{ type: 'Ready', status }] } },
    STRATEGIC,
  ));

type Seen = readonly { readonly type: string; readonly status: string }[];

async function conditionsOf(pod: string): Promise<Seen> {
  const found = (await h.world.readPod(namespace, pod)) as unknown as {
    readonly status: { readonly conditions: Seen };
  } | null;
  return found?.status.conditions ?? [];
}

const ready = async (pod: string): Promise<string | undefined> =>
  (await conditionsOf(pod)).find(({ type }) => type === 'Ready')?.status;
