/**
 * Machines, and what becomes of them: one that is cut off, one whose Node is deleted while its kubelet lives, one that is off and marked so, one that is
 * marked so by mistake. Times of controllers are a tenth of the real ones, histories being short.
 */
import type { Pod } from '../../../src/api/pod.ts';
import type { Change, WorldApiServer } from '../model/world-api-server.ts';
import type { Faults } from './faults.ts';
import type { Loop } from './loop.ts';

export type WorldNode = {
  readonly name: string;
  readonly uid: string;
  readonly resourceVersion: string;
  /** Of the condition Ready: Unknown once its kubelet has not been heard of for the grace. */
  readonly ready: 'True' | 'False' | 'Unknown';
  readonly taints: readonly string[];
  /** Default: it is not. */
  readonly cordoned?: boolean;
};

export type Nodes = {
  all(): readonly WorldNode[];
  readonly log: readonly Change<WorldNode>[];
  onChange(listener: () => void): void;
  /** Where a pod that is made now comes to run, whose place is there. */
  placeFor(at: number): string;
  /** Whether what is on the one reaches what is on the other. */
  connected(one: string, other: string): boolean;
  /** Whether the node was deleted, or said to be out of service while it was not Ready, at any time since then. */
  wasLost(name: string, sinceMs: number): boolean;
  /** Whether a node was cut off within so long: a member then reached an owner that another did not. */
  wereCut(withinMs: number): boolean;
  do(act: NodeAct): void;
};

export type NodeAct = {
  /** `tainted`: marked as out of service although it is Ready. */
  readonly act: 'cutNode' | 'deleteNode' | 'stopNode' | 'taintNode' | 'cordonNode';
  readonly node: number;
  readonly forMs: number;
};

export type NodeParts = {
  readonly api: WorldApiServer;
  readonly loop: Loop;
  readonly faults: Faults;
  /** So many nodes, and one that nothing happens to. */
  readonly count: number;
  /** Nobody hears of the pods on it, and they hear of nobody. `dead`: their processes have ended. */
  readonly silence: (pods: readonly Pod[], dead: boolean, forMs: number) => void;
  readonly unready: (pod: Pod, forMs: number) => void;
  /** The controller of pods makes another in its place. */
  readonly replace: (pod: Pod) => void;
  /** The replica that runs there is cut off. */
  readonly cutOff: (node: number, forMs: number) => void;
};

const OUT_OF_SERVICE = 'node.kubernetes.io/out-of-service';
const UNREACHABLE = 'node.kubernetes.io/unreachable';
const SPARE = 'spare';
/** The node lifecycle controller waits for so long, taints, and evicts after the tolerations of the pods. */
const GRACE_MS = 4000;
const EVICTED_MS = 12_000;
/** The garbage collector of pods. */
const COLLECTED_MS = 2500;

export const HOSTNAME = 'kubernetes.io/hostname';
export const ZONE = 'topology.kubernetes.io/zone';
/** Two machines are in one zone, the others in another. */
const zoneOf = (name: string): string => ([nodeName(0), nodeName(1)].includes(name) ? 'a' : 'b');

export const nodeName = (at: number): string => `node-${at}`;

export function createNodes({ api, loop, faults, count, silence, unready, replace, cutOff }: NodeParts): Nodes {
  const nodes = new Map<string, WorldNode>();
  const log: Change<WorldNode>[] = [];
  const listeners: (() => void)[] = [];
  const cut = new Set<string>();
  /** By node, how many things have begun to happen to it. */
  const turns = new Map<string, number>();
  let cutUntilMs = Number.NEGATIVE_INFINITY;
  const lost: { readonly name: string; readonly fromMs: number; toMs: number }[] = [];

  function store(name: string, after: Omit<WorldNode, 'resourceVersion' | 'uid'> | null): void {
    const before = nodes.get(name) ?? null;
    if (before === null && after === null) return;
    const version = api.foreign.nextVersion();
    const written =
      after === null
        ? null
        : { ...after, uid: before?.uid ?? `uid-${version}-of-${name}`, resourceVersion: String(version) };
    if (written === null) nodes.delete(name);
    else nodes.set(name, written);
    log.push({ before, after: written, version });
    noteLost(name, written);
    for (const listener of listeners) listener();
  }

  function noteLost(name: string, node: WorldNode | null): void {
    const isLost = node === null || (node.taints.includes(OUT_OF_SERVICE) && node.ready !== 'True');
    const last = lost.findLast((each) => each.name === name && each.toMs === Number.POSITIVE_INFINITY);
    if (isLost && last === undefined) lost.push({ name, fromMs: loop.nowMs(), toMs: Number.POSITIVE_INFINITY });
    if (!isLost && last !== undefined) last.toMs = loop.nowMs();
  }

  const change = (name: string, to: Partial<WorldNode>): void => {
    const found = nodes.get(name);
    if (found !== undefined) store(name, { ...found, ...to });
  };
  const well = (name: string): void => store(name, { name, ready: 'True', taints: [] });
  const podsOn = (name: string): readonly Pod[] => api.pods().filter(({ node }) => node === name);

  /** What happens only if the fault still goes on by then. */
  function unlessOver(name: string, afterMs: number, then: () => void): void {
    const turn = turns.get(name);
    loop.after(afterMs, () => {
      if (turn === turns.get(name) && faults.has(`node ${name}`)) then();
    });
  }

  function cutNode(at: number, name: string, forMs: number): () => void {
    cut.add(name);
    silence(podsOn(name), false, forMs);
    cutOff(at, forMs);
    const endsMs = loop.nowMs() + forMs;
    unlessOver(name, GRACE_MS, () => {
      change(name, { ready: 'Unknown', taints: [UNREACHABLE] });
      for (const pod of podsOn(name)) unready(pod, endsMs - loop.nowMs());
    });
    // Marked only: its kubelet, which would end it, hears nothing of that.
    unlessOver(name, EVICTED_MS, () => {
      for (const pod of podsOn(name)) api.foreign.changePod(pod.name, () => ({ deleting: true }));
    });
    return () => {
      cut.delete(name);
      cutUntilMs = loop.nowMs();
      for (const pod of podsOn(name)) if (pod.deleting) replace(pod);
    };
  }

  /** Its pods go on until they are collected: nobody can tell them to stop. */
  function deleteNode(name: string): void {
    store(name, null);
    unlessOver(name, COLLECTED_MS, () => {
      for (const pod of podsOn(name)) api.foreign.changePod(pod.name, () => ({ phase: 'Failed', ready: false }));
      loop.after(200, () => {
        for (const pod of podsOn(name)) replace(pod);
      });
    });
  }

  function stopNode(name: string, forMs: number): void {
    silence(podsOn(name), true, forMs);
    change(name, { ready: 'Unknown', taints: [UNREACHABLE, OUT_OF_SERVICE] });
    unlessOver(name, COLLECTED_MS, () => {
      for (const pod of podsOn(name)) replace(pod);
    });
  }

  function begin({ act, node, forMs }: NodeAct): () => void {
    const name = nodeName(node);
    turns.set(name, (turns.get(name) ?? 0) + 1);
    switch (act) {
      case 'cutNode':
        return cutNode(node, name, forMs);
      case 'deleteNode':
        deleteNode(name);
        break;
      case 'stopNode':
        stopNode(name, forMs);
        break;
      case 'taintNode':
        change(name, { taints: [OUT_OF_SERVICE] });
        break;
      case 'cordonNode':
        change(name, { cordoned: true });
        break;
    }
    return () => undefined;
  }

  for (let at = 0; at < count; at += 1) well(nodeName(at));
  well(SPARE);

  return {
    all: () => [...nodes.values()],
    log,
    onChange: (listener) => void listeners.push(listener),
    placeFor: (at) => {
      const { ready = null, taints = [] } = nodes.get(nodeName(at)) ?? {};
      return ready === 'True' && taints.length === 0 && !cut.has(nodeName(at)) ? nodeName(at) : SPARE;
    },
    connected: (one, other) => one === other || (!cut.has(one) && !cut.has(other)),
    wasLost: (name, sinceMs) => lost.some((each) => each.name === name && each.toMs >= sinceMs),
    wereCut: (withinMs) => cut.size > 0 || loop.nowMs() - cutUntilMs <= withinMs,
    do: (given) => {
      const name = nodeName(given.node);
      // One thing at a time: a node that is off can hardly be cut off.
      if (faults.has(`node ${name}`)) return;
      let undo: () => void = () => undefined;
      faults.during(
        `node ${name}`,
        given.forMs,
        () => {
          undo = begin(given);
        },
        () => {
          undo();
          well(name);
        },
      );
    },
  };
}

export const rawNode = ({ name, uid, resourceVersion, ready, taints, cordoned = false }: WorldNode): unknown => ({
  kind: 'Node',
  metadata: { name, uid, resourceVersion, labels: { [HOSTNAME]: name, [ZONE]: zoneOf(name) } },
  spec: { unschedulable: cordoned, taints: taints.map((key) => ({ key, effect: 'NoExecute' })) },
  status: { conditions: [{ type: 'Ready', status: ready }] },
});
