/** What becomes of a leader whose machine is lost, or seems to be (rule D5): only a Node that is gone, or is said to be off and is not Ready, says so. */
import { describe, expect, it } from 'vitest';
import { scenarioOf } from '../kit/simulation/acts.ts';
import type { NodeAct } from '../kit/simulation/nodes.ts';
import { openStage, type Stage } from '../kit/simulation/stage.ts';

const GROUP = {
  name: 'g',
  lockKey: null,
  lockDelayMs: 0,
  onConsulLoss: 'Hold',
  follower: null,
  failoverDelayMs: 0,
  pods: 3,
  ttlMs: 30_000,
} as const;
// Where some namespaces are watched nobody may read nodes.
const { lists: _namespaces, ...DRAWN } = scenarioOf(1);
const SCENARIO = {
  ...DRAWN,
  acts: [],
  replicas: 2,
  steady: false,
  gate: false,
  probed: [],
  groups: [GROUP],
} as const;
const LED_MS = 8000;

const leaderOf = ({ api }: Stage) => api.pods().find(({ labels }) => labels['leadergroup.dev/role'] === 'leader');
const numberOf = (name = ''): number => Number(name.slice(name.lastIndexOf('-') + 1));
const causes = ({ api }: Stage): readonly string[] =>
  api
    .group('g')
    ?.status?.recentTransitions.map(({ reason }) => reason)
    .filter((reason) => reason !== 'FirstElection') ?? [];

/** What happens to the node of the leader; who leads so long after, and for what causes the leader was changed. */
async function afterwards(
  act: NodeAct['act'],
  forMs: number,
  lookMs: number,
  before: (stage: Stage) => void = () => undefined,
) {
  const stage = openStage(SCENARIO, () => undefined);
  await stage.loop.runUntil(LED_MS);
  const leader = leaderOf(stage);
  before(stage);
  stage.do({ act, atMs: 0, node: numberOf(leader?.name), forMs });
  await stage.loop.runUntil(LED_MS + lookMs);
  return { stage, leader, now: leaderOf(stage), causes: causes(stage) };
}

it.each(['deleteNode', 'stopNode'] as const)('a leader whose node is lost is replaced at once: %s', async (act) => {
  const { leader, now, causes: why } = await afterwards(act, 20_000, 1500);
  expect([now?.name === leader?.name, why]).toEqual([false, ['LeaderNodeLost']]);
});

it('a leader whose node is said to be off and is Ready stays', async () => {
  const { leader, now, causes: why } = await afterwards('taintNode', 20_000, 10_000);
  expect([now?.uid, why]).toEqual([leader?.uid, []]);
});

it('a leader on a node that is cut off stays until its readiness is known to be lost, and is no lost node’s', async () => {
  // Of the replicas one is on the node of the third pod at most.
  const { leader, now, causes: early } = await afterwards('cutNode', 20_000, 3000);
  expect([now?.uid, early]).toEqual([leader?.uid, []]);
  const late = await afterwards('cutNode', 25_000, 24_000);
  expect([late.now?.name === late.leader?.name, late.causes]).toEqual([false, ['LeaderNotReady']]);
});

it('a leader stays where no replica may read nodes, whatever becomes of its own', async () => {
  const {
    leader,
    now,
    causes: why,
  } = await afterwards('deleteNode', 20_000, 1500, ({ do: act }) => {
    for (const replica of [0, 1]) act({ act: 'denyNodes', atMs: 0, replica, forMs: 30_000 });
  });
  expect([now?.uid, why]).toEqual([leader?.uid, []]);
});

describe('in a group that goes by another condition than Ready', () => {
  const COULD_LEAD = 'mail.example.com/could-lead';
  const goingBy = { ...SCENARIO, groups: [{ ...GROUP, condition: COULD_LEAD, unready: true }] };

  async function led(before: (stage: Stage) => void = () => undefined) {
    const stage = openStage(goingBy, () => undefined);
    await stage.loop.runUntil(LED_MS);
    const leader = leaderOf(stage);
    before(stage);
    return { stage, leader, node: numberOf(leader?.name) };
  }

  it('somebody is elected, though no pod is ever ready', async () => {
    const { leader } = await led();
    expect(leader?.ready).toBe(false);
  });

  it('a leader on a node that is cut off is replaced once the Node is not Ready: nobody takes its condition back', async () => {
    const { stage, leader, node } = await led();
    stage.do({ act: 'cutNode', atMs: 0, node, forMs: 25_000 });
    await stage.loop.runUntil(LED_MS + 11_000);
    const before = stage.api.pods().find(({ uid }) => uid === leader?.uid);
    expect(before?.conditions).toMatchObject([{ type: COULD_LEAD, isTrue: true }]);
    expect([leaderOf(stage)?.uid === leader?.uid, causes(stage)]).toEqual([false, ['LeaderNotReady']]);
  });

  it('a pod on a node that is not Ready is not elected, whatever its condition says', async () => {
    const stage = openStage(goingBy, () => undefined);
    // No replica is on the node of the third pod, which may not lead first.
    const exclude = (pod: number, forMs: number) => stage.do({ act: 'exclude', atMs: 0, group: 0, pod, forMs });
    exclude(2, LED_MS - 1000);
    await stage.loop.runUntil(LED_MS);
    const leader = leaderOf(stage);
    exclude(1 - numberOf(leader?.name), 30_000);
    stage.do({ act: 'cutNode', atMs: 0, node: 2, forMs: 30_000 });
    await stage.loop.runUntil(LED_MS + 5000);
    stage.do({ act: 'unready', atMs: 0, group: 0, pod: numberOf(leader?.name), forMs: 30_000 });
    await stage.loop.runUntil(LED_MS + 11_500);
    const { ineligible } = stage.api.group('g')?.status ?? { ineligible: [] };
    expect(ineligible.map(({ reason }) => reason)).toEqual(['Excluded', 'NodeNotReady', 'NotReady']);
    expect(leaderOf(stage)?.uid).toBe(leader?.uid);
  });

  it('it is stalled while no replica may read nodes, its leader stays, and it goes on afterwards', async () => {
    const { stage, leader } = await led(({ do: act }) => {
      for (const replica of [0, 1]) act({ act: 'denyNodes', atMs: 0, replica, forMs: 20_000 });
    });
    await stage.loop.runUntil(LED_MS + 12_000);
    stage.do({ act: 'unready', atMs: 0, group: 0, pod: numberOf(leader?.name), forMs: 30_000 });
    await stage.loop.runUntil(LED_MS + 15_000);
    const stalled = stage.api.group('g')?.status?.conditions.find(({ type }) => type === 'Stalled');
    expect([stalled?.reason, leaderOf(stage)?.uid]).toEqual(['NodesNotReadable', leader?.uid]);
    await stage.loop.runUntil(LED_MS + 40_000);
    expect([causes(stage), leaderOf(stage) === undefined]).toEqual([['LeaderNotReady'], false]);
  });
});
