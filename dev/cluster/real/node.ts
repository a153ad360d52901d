/** What tests do to real nodes and their pods. */
import type { KnownProcess } from '../../lock.mjs';
import { ClusterError } from '../errors.ts';
import { signalProcess } from '../processes.ts';
import type { Site } from '../spec.ts';
import { ctr } from './containerd.ts';
import { type NodePlan, nodePlans } from './plan.ts';
import { type ContainerWish, containerProcesses, freezeNode, nodeProcesses, thawNode } from './processes.ts';

/** A node on which pods really run. */
export interface RealNode {
  /** In Kubernetes: real-1 or real-2. */
  readonly name: string;
  /** Where its pods and this machine reach it. */
  readonly address: string;
  /** What runs of it now: kubelet, containerd, and all of its pods. kube-proxy is the whole machine's. */
  readonly processes: () => readonly KnownProcess[];
  /** Halts all of it with SIGSTOP and returns when nothing goes on: as a machine that hangs. Throws ClusterError after 10 s. */
  readonly freeze: () => Promise<void>;
  /** Lets all of it go on with SIGCONT. */
  readonly thaw: () => void;
}

export function realNodes({ layout, state }: Site): readonly RealNode[] {
  return nodePlans(layout, state).map((plan) => ({
    name: plan.name,
    address: plan.address,
    processes: () => nodeProcesses(layout, plan),
    freeze: () => freezeNode(layout, plan),
    thaw: () => thawNode(layout, plan),
  }));
}

/**
 * Puts the images of an OCI archive on every real node, under the names that the archive has for them; pods need
 * imagePullPolicy Never or IfNotPresent. Rejects with containerd's words if it cannot.
 */
export async function importImage({ layout, state }: Site, archive: string): Promise<void> {
  await Promise.all(realOnly(nodePlans(layout, state)).map((node) => ctr(node, ['images', 'import', archive])));
}

/** Gives an image that every real node has another name too, as one from a registry would have it. Rejects with containerd's words. */
export async function nameImage({ layout, state }: Site, name: string, also: string): Promise<void> {
  await Promise.all(realOnly(nodePlans(layout, state)).map((node) => ctr(node, ['images', 'tag', name, also])));
}

/**
 * Sends a signal to every process of a container, or of all containers of a pod: SIGKILL for one that crashes, SIGSTOP and
 * SIGCONT for one that hangs. Throws ClusterError if none runs.
 *
 * @returns whom it was sent to
 */
export function signalContainer(
  { layout, state }: Site,
  wish: ContainerWish,
  signal: NodeJS.Signals,
): readonly KnownProcess[] {
  const running = containerProcesses(realOnly(nodePlans(layout, state)), wish);
  const hit = running.filter((process) => signalProcess(process, signal));
  if (hit.length > 0) return hit;
  const which = wish.container === undefined ? 'no container' : `no container ${wish.container}`;
  throw new ClusterError(`Of the pod ${wish.namespace}/${wish.pod} ${which} runs on a real node.`);
}

function realOnly(nodes: readonly NodePlan[]): readonly NodePlan[] {
  if (nodes.length > 0) return nodes;
  throw new ClusterError('This cluster has no real nodes: make one with `npm run cluster -- up --node real`.');
}
