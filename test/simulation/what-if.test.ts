/** What the owner foresees is what happens: in worlds that have been through faults, the lead goes to whom it named. */
import { describe, expect, it } from 'vitest';
import type { Foreseen, Supposition } from '../../src/api/diagnostics.ts';
import type { Pod } from '../../src/api/pod.ts';
import { type GroupPlan, hasLeaderLabel, scenarioOf } from '../kit/simulation/acts.ts';
import { openStage, type Stage } from '../kit/simulation/stage.ts';

const SEEDS = Array.from({ length: 24 }, (_, at) => at + 1);
const SETTLED_MS = 60_000;
/** A grant of the gate is waited for, and a candidate is asked, before the lead passes on. */
const REACTION_MS = 8000;

/** After all that its seed has in store, once everything is healed. */
async function worldOf(seed: number): Promise<{ readonly stage: Stage; readonly groups: readonly GroupPlan[] }> {
  const scenario = scenarioOf(seed);
  const stage = openStage(scenario, () => undefined);
  for (const act of scenario.acts) stage.loop.after(act.atMs, () => stage.do(act));
  await stage.loop.runUntil(scenario.lengthMs);
  stage.heal();
  await stage.loop.runUntil(stage.loop.nowMs() + SETTLED_MS);
  return { stage, groups: scenario.groups };
}

const podsOf = ({ api }: Stage, group: string): readonly Pod[] =>
  api.pods().filter(({ labels }) => labels['app'] === group);

const leaderOf = (stage: Stage, group: GroupPlan): Pod | null =>
  podsOf(stage, group.name).find(({ labels }) => hasLeaderLabel([group], labels)) ?? null;

/** By whichever replica owns the group; null: none says that it does. */
function foreseen({ replicas }: Stage, name: string, what: Supposition): Foreseen | null {
  for (const { operator, process } of replicas) {
    const answer = process.alive() ? operator.diagnostics.explain({ namespace: 'default', name }, what) : null;
    if (answer?.kind === 'explained') return answer.explanation.supposed?.foreseen ?? null;
  }
  return null;
}

function happens({ api, nodes }: Stage, what: Supposition): void {
  const end = ({ name }: Pod): void => api.foreign.changePod(name, () => ({ deleting: true }));
  if (what.kind === 'delete')
    api
      .pods()
      .filter(({ name }) => name === what.pod)
      .forEach(end);
  if (what.kind !== 'drain') return;
  const number = Number(/\d+$/.exec(what.node)?.[0] ?? Number.NaN);
  if (!Number.isNaN(number)) nodes.do({ act: 'cordonNode', node: number, forMs: REACTION_MS * 2 });
  api
    .pods()
    .filter(({ node, labels }) => node === what.node && labels['app'] !== 'operator')
    .forEach(end);
}

/** Who carries the label after that, with everybody who has carried it since: the first who got it is the one that was chosen. */
async function become(stage: Stage, group: GroupPlan, what: Supposition): Promise<string | null> {
  const former = leaderOf(stage, group)?.name;
  const since: string[] = [];
  stage.api.onChange((change, kind) => {
    const pod = kind === 'pods' ? (change.after as Pod | null) : null;
    if (pod === null || !hasLeaderLabel([group], pod.labels) || pod.name === former) return;
    since.push(pod.name);
  });
  happens(stage, what);
  await stage.loop.runUntil(stage.loop.nowMs() + REACTION_MS);
  return since[0] ?? leaderOf(stage, group)?.name ?? null;
}

type Question = (leader: Pod, others: readonly Pod[]) => Supposition;

const deleted: Question = ({ name }) => ({ kind: 'delete', pod: name });
const drained: Question = ({ node }) => ({ kind: 'drain', node: node ?? '' });
const another: Question = ({ name }, others) => ({ kind: 'delete', pod: others[0]?.name ?? name });
const QUESTIONS = [deleted, drained, another] as const;

type Compared = { readonly seed: number; readonly said: Foreseen; readonly came: string | null };

async function compared(seed: number, question: Question): Promise<Compared | null> {
  const { stage, groups } = await worldOf(seed);
  const led = groups.find((group) => leaderOf(stage, group) !== null);
  const leader = led === undefined ? null : leaderOf(stage, led);
  if (led === undefined || leader === null) return null;
  const others = podsOf(stage, led.name).filter(({ uid }) => uid !== leader.uid);
  const what = question(leader, others);
  const writes = stage.api.writes() + stage.consul.writes();
  const said = foreseen(stage, led.name, what);
  expect(stage.api.writes() + stage.consul.writes(), 'explaining writes nothing').toBe(writes);
  return said === null ? null : { seed, said, came: await become(stage, led, what) };
}

describe('in worlds that have been through faults', () => {
  it('what the owner foresees is what happens', async () => {
    const all: Compared[] = [];
    for (const seed of SEEDS) {
      const one = await compared(seed, QUESTIONS[seed % QUESTIONS.length] ?? deleted);
      if (one !== null) all.push(one);
    }
    const known = all.filter(({ said }) => said.outcome !== 'unknown');
    expect(known.filter(({ said, came }) => said.next !== came)).toEqual([]);
    expect(known.length).toBeGreaterThan(SEEDS.length * 0.8);
    expect(new Set(known.map(({ said }) => said.outcome))).toEqual(new Set(['moves', 'stays']));
  }, 300_000);
});
