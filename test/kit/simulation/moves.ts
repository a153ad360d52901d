/**
 * How often planned work moves a lead: rolling updates and rolls of nodes, told as changes of pods and nodes one after the other, with the order of the
 * operator, with the one it had before, and with the least that somebody could need who knows what is to come.
 */
import type { LeaderGroupSpec } from '../../../src/api/spec.ts';
import { rankedCandidates } from '../../../src/election/candidates.ts';
import type { ObservedPod } from '../../../src/election/observation.ts';
import { aGroup, aNode, aPod, aReplicaSet } from '../fakes/builders.ts';
import { anObservation, observed } from '../fakes/builders-election.ts';
import { type Stream, stream } from './random.ts';

/** `ordinal`: of a StatefulSet's pod; else null. Times are whole minutes. */
export type MovingPod = {
  readonly name: string;
  readonly revision: number;
  readonly ordinal: number | null;
  readonly node: string;
  readonly created: number;
  ready: number | null;
};

export type MovingNode = { readonly name: string; readonly created: number; cordoned: boolean };

/** Picks who leads next; null: nobody can. */
export type Order = (candidates: readonly MovingPod[], world: MovingWorld) => MovingPod | null;

/** What happens in a world. A controller looks at `leader` only where it knows of it, by the pod's deletion cost. */
export type MovingWorld = {
  readonly pods: ReadonlyMap<string, MovingPod>;
  readonly nodes: ReadonlyMap<string, MovingNode>;
  readonly chance: Stream;
  leader(): string | null;
  addNode(name: string): void;
  removeNode(name: string): void;
  cordon(name: string, cordoned?: boolean): void;
  addPod(pod: Pick<MovingPod, 'name' | 'revision' | 'ordinal' | 'node'>): void;
  becomeReady(name: string): void;
  removePod(name: string): void;
};

export type Work = (world: MovingWorld) => void;

/** `least`: with what is to come known, from the same first leader. */
export type Moves = { readonly moved: number; readonly least: number };

const MINUTE = 60_000;
const START = 1_700_000_000_000;

/** Plays the work from `seed`. The first leader is any of the pods that are there when `begin` is over. */
export function movesOf(begin: Work, work: Work, order: Order, seed: string): Moves {
  const pods = new Map<string, MovingPod>();
  const nodes = new Map<string, MovingNode>();
  const chance = stream(seed);
  /** Who could lead after each change. */
  const choices: ReadonlySet<string>[] = [];
  let now = 0;
  let leader: string | null = null;
  let began = false;
  let moved = 0;

  const fit = (): readonly MovingPod[] => [...pods.values()].filter(({ ready }) => ready !== null);

  function changed(): void {
    now += 1;
    if (!began) return;
    const candidates = fit();
    choices.push(new Set(candidates.map(({ name }) => name)));
    if (leader !== null && candidates.some(({ name }) => name === leader)) return;
    const next = order(candidates, world)?.name ?? null;
    if (next !== null) moved += 1;
    leader = next;
  }

  const world: MovingWorld = {
    pods,
    nodes,
    chance,
    leader: () => leader,
    addNode: (name) => {
      nodes.set(name, { name, created: now, cordoned: false });
      changed();
    },
    removeNode: (name) => {
      nodes.delete(name);
      changed();
    },
    cordon: (name, cordoned = true) => {
      const node = nodes.get(name);
      if (node !== undefined) node.cordoned = cordoned;
      changed();
    },
    addPod: (pod) => {
      pods.set(pod.name, { ...pod, created: now, ready: null });
      changed();
    },
    becomeReady: (name) => {
      const pod = pods.get(name);
      if (pod !== undefined) pod.ready = now;
      changed();
    },
    removePod: (name) => {
      pods.delete(name);
      changed();
    },
  };

  begin(world);
  const first = fit();
  leader = first[chance.below(first.length)]?.name ?? null;
  const led = leader;
  began = true;
  work(world);
  return { moved, least: leastMoves(choices, led) };
}

/** Whoever leads until it goes, and is followed by whoever can lead for longest from then on, moves the lead least often. */
function leastMoves(choices: readonly ReadonlySet<string>[], first: string | null): number {
  let leader = first;
  let moves = 0;
  for (const [at, choice] of choices.entries()) {
    if (leader !== null && choice.has(leader)) continue;
    leader = longestFrom(choices.slice(at));
    if (leader !== null) moves += 1;
  }
  return moves;
}

function longestFrom(choices: readonly ReadonlySet<string>[]): string | null {
  let left = [...(choices[0] ?? [])];
  for (const choice of choices) {
    const still = left.filter((name) => choice.has(name));
    if (still.length === 0) break;
    left = still;
  }
  return left[0] ?? null;
}

/** The operator's own, with this spec. */
export const byRank =
  (spec: Partial<LeaderGroupSpec> = {}): Order =>
  (candidates, { pods, nodes }) => {
    const members = [...pods.values()].map((pod) => seen(pod, nodes));
    const [best] = rankedCandidates(anObservation({ pods: members, lock: null, group: aGroup({ spec }) }));
    return candidates.find(({ name }) => name === best?.pod.name) ?? null;
  };

/** The order before nodes, ordinals and preferences were looked at: no cordoned node, the newest revision, the longest ready. */
export const longestReady: Order = (candidates, { nodes }) =>
  candidates.toSorted(
    (a, b) =>
      Number(nodes.get(a.node)?.cordoned === true) - Number(nodes.get(b.node)?.cordoned === true) ||
      b.revision - a.revision ||
      (a.ready ?? 0) - (b.ready ?? 0) ||
      (a.name < b.name ? -1 : 1),
  )[0] ?? null;

function seen(pod: MovingPod, nodes: MovingWorld['nodes']): ObservedPod {
  const node = nodes.get(pod.node);
  const revision = `web-${pod.revision}`;
  const whose =
    pod.ordinal === null
      ? { owner: aReplicaSet({ name: revision }), labels: { app: 'notifier', 'pod-template-hash': `${pod.revision}` } }
      : {
          owner: { apiVersion: 'apps/v1', kind: 'StatefulSet', name: 'db', uid: 'db' },
          labels: { app: 'notifier', 'controller-revision-hash': `db-${pod.revision}` },
        };
  const shown = aPod({
    name: pod.name,
    node: pod.node,
    ready: pod.ready !== null,
    readyTransitionMs: pod.ready === null ? null : START + pod.ready * MINUTE,
    createdMs: START + pod.created * MINUTE,
    ...whose,
  });
  return observed(shown, {
    cordoned: node?.cordoned === true,
    host: node === undefined ? null : aNode({ name: node.name, createdMs: START + node.created * MINUTE }),
  });
}
