/** The planned work whose moves of the lead are counted (moves.ts): rolling updates by the controllers' own rules, and rolls of nodes. */
import type { MovingPod, MovingWorld, Work } from './moves.ts';

const nodeOf = (at: number): string => `node-${at}`;

/** `nodes` nodes, made one after the other, and `pods` ready pods on them; in a StatefulSet db-0, db-1, ... */
export const running =
  ({
    pods,
    nodes,
    stateful = false,
  }: {
    readonly pods: number;
    readonly nodes: number;
    readonly stateful?: boolean;
  }): Work =>
  (world) => {
    for (let at = 0; at < nodes; at += 1) world.addNode(nodeOf(at));
    for (let at = 0; at < pods; at += 1) start(world, stateful ? `db-${at}` : `old-${at}`, 0, stateful ? at : null);
  };

function start(world: MovingWorld, name: string, revision: number, ordinal: number | null): void {
  world.addPod({ name, revision, ordinal, node: placeFor(world) });
  world.becomeReady(name);
}

/** One of the nodes with the fewest pods, and none that is cordoned. */
function placeFor({ nodes, pods, chance }: MovingWorld): string {
  const load = (name: string): number => [...pods.values()].filter(({ node }) => node === name).length;
  const open = [...nodes.values()].filter(({ cordoned }) => !cordoned).map(({ name }) => ({ name, load: load(name) }));
  const least = Math.min(...open.map((each) => each.load));
  const best = open.filter((each) => each.load === least);
  return best[chance.below(best.length)]?.name ?? '';
}

/**
 * A rolling update of a Deployment with maxSurge 25% and maxUnavailable `unavailable` of its pods. `cost`: the leader has a
 * `controller.kubernetes.io/pod-deletion-cost`, so that it goes last.
 */
export const deploymentUpdate =
  ({ cost, unavailable = 0 }: { readonly cost: boolean; readonly unavailable?: number }): Work =>
  (world) => {
    const count = world.pods.size;
    const surge = Math.ceil(count / 4);
    const spared = Math.floor(count * unavailable);
    let made = 0;
    const old = (): readonly MovingPod[] => [...world.pods.values()].filter(({ revision }) => revision === 0);
    for (let gone = 0; gone < spared; gone += 1) removeOne(world, old(), cost);
    while (old().length > 0 || made < count) {
      const batch = Math.min(surge + spared, count - made);
      const names = Array.from({ length: batch }, (_, at) => `new-${made + at}`);
      for (const name of names) world.addPod({ name, revision: 1, ordinal: null, node: placeFor(world) });
      made += batch;
      for (const name of names) {
        world.becomeReady(name);
        if (old().length > 0) removeOne(world, old(), cost);
      }
      if (batch === 0) removeOne(world, old(), cost);
    }
  };

/** As the ReplicaSet controller chooses: the deletion cost, then the youngest by the logarithm of how long it has been ready, then any. */
function removeOne(world: MovingWorld, pods: readonly MovingPod[], cost: boolean): void {
  const leader = world.leader();
  const latest = Math.max(...[...world.pods.values()].map(({ created }) => created));
  const rank = (pod: MovingPod): number =>
    (cost && pod.name === leader ? 1000 : 0) + Math.floor(Math.log2(Math.max(1, latest - (pod.ready ?? latest))));
  const least = Math.min(...pods.map(rank));
  const choice = pods.filter((pod) => rank(pod) === least);
  const [gone] = [choice[world.chance.below(choice.length)]];
  if (gone !== undefined) world.removePod(gone.name);
}

/** A rolling update of a StatefulSet: from the highest ordinal down, each ready before the next goes. */
export const statefulSetUpdate: Work = (world) => {
  for (let ordinal = world.pods.size - 1; ordinal >= 0; ordinal -= 1) {
    world.removePod(`db-${ordinal}`);
    start(world, `db-${ordinal}`, 1, ordinal);
  }
};

/**
 * Each node cordoned, drained and deleted, in any order. `surge`: the new one comes before the old one goes, else after it. `apart`: no two pods are on one
 * node, so that those of the old one wait for the new one.
 */
export const nodeRoll =
  ({ surge, apart = false }: { readonly surge: boolean; readonly apart?: boolean }): Work =>
  (world) => {
    const left = [...world.nodes.keys()];
    for (let round = 0; left.length > 0; round += 1) {
      const [node = ''] = left.splice(world.chance.below(left.length), 1);
      if (surge) world.addNode(`new-node-${round}`);
      world.cordon(node);
      const waiting = apart ? evicted(world, node) : [];
      if (!apart) drain(world, node, round);
      world.removeNode(node);
      if (!surge) world.addNode(`new-node-${round}`);
      for (const [at, pod] of waiting.entries()) replace(world, pod, `moved-${round}-${at}`);
    }
  };

/** Each node cordoned, drained, restarted and uncordoned, in any order: it stays the node it was. */
export const nodeRestarts: Work = (world) => {
  const left = [...world.nodes.keys()];
  for (let round = 0; left.length > 0; round += 1) {
    const [node = ''] = left.splice(world.chance.below(left.length), 1);
    world.cordon(node);
    drain(world, node, round);
    world.cordon(node, false);
  }
};

/** One pod after the other, as a budget of one that may be unavailable has it. */
function drain(world: MovingWorld, node: string, round: number): void {
  for (const [at, pod] of podsOn(world, node).entries()) {
    world.removePod(pod.name);
    replace(world, pod, `moved-${round}-${at}`);
  }
}

function evicted(world: MovingWorld, node: string): readonly MovingPod[] {
  const pods = podsOn(world, node);
  for (const { name } of pods) world.removePod(name);
  return pods;
}

const podsOn = (world: MovingWorld, name: string): readonly MovingPod[] =>
  [...world.pods.values()].filter(({ node }) => node === name);

const replace = (world: MovingWorld, { name, revision, ordinal }: MovingPod, next: string): void =>
  start(world, ordinal === null ? next : name, revision, ordinal);
