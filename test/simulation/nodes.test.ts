/** What becomes of a leader whose machine is lost, or seems to be (rule D5): only a Node that is gone, or is said to be off and is not Ready, says so. */
import { expect, it } from 'vitest';
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
