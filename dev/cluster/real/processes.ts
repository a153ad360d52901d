/** All that runs of a real node, found in /proc: whether its own components know of it or not. */
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { inspectProcess, isRunning, type KnownProcess } from '../../lock.mjs';
import { ClusterError } from '../errors.ts';
import type { Layout } from '../layout.ts';
import { isFrozen, signalProcess } from '../processes.ts';
import { type Bundle, bundlesOf, containerIds } from './bundles.ts';
import { kubeletConfigPath, type NodePlan, proxyConfigPath } from './plan.ts';
import { pause } from './programs.ts';

const POLL_MS = 10;
const PATIENCE_MS = 10_000;

/** One process as /proc tells of it. */
export interface Seen {
  readonly pid: number;
  readonly parent: number;
  readonly args: readonly string[];
  /** Of the container it belongs to; undefined for one that is in none. */
  readonly containerId: string | undefined;
}

/** Which container's processes. */
export interface ContainerWish {
  readonly namespace: string;
  readonly pod: string;
  /** All of the pod's by default, without the one that holds its namespaces open. */
  readonly container?: string;
}

/** The node's kubelet and containerd, the shims, what they have started, and every process of the node's containers. */
export function nodeProcesses(layout: Layout, node: NodePlan): readonly KnownProcess[] {
  const ids = new Set(containerIds(node));
  const configs = [node.containerd.config, kubeletConfigPath(layout, node)].map((path) => `--config=${path}`);
  const isOfNode = ({ args, containerId }: Seen) => {
    if (containerId !== undefined) return ids.has(containerId);
    return configs.some((config) => args.includes(config)) || isShim(args, node);
  };
  return known(belonging(seenProcesses(), isOfNode));
}

const isShim = (args: readonly string[], { containerd }: NodePlan) =>
  args.includes('-address') && args[args.indexOf('-address') + 1] === containerd.socket;

/** Those that are meant and all that descend from them. Pure. */
export function belonging(all: readonly Seen[], isMeant: (seen: Seen) => boolean): readonly number[] {
  const found = new Set(all.filter(isMeant).map(({ pid }) => pid));
  for (let before = -1; before < found.size; ) {
    before = found.size;
    for (const { pid, parent } of all) if (found.has(parent)) found.add(pid);
  }
  return [...found];
}

/** The processes of one container, or of all containers of a pod, on whichever node it is. */
export function containerProcesses(nodes: readonly NodePlan[], wish: ContainerWish): readonly KnownProcess[] {
  const ids = new Set(
    nodes.flatMap((node) => bundlesOf(node).filter((bundle) => isWished(bundle, wish))).map(({ id }) => id),
  );
  const seen = seenProcesses().filter(({ containerId }) => containerId !== undefined && ids.has(containerId));
  return known(seen.map(({ pid }) => pid));
}

const isWished = (bundle: Bundle, { namespace, pod, container }: ContainerWish) =>
  bundle.namespace === namespace &&
  bundle.pod === pod &&
  bundle.container !== undefined &&
  (container === undefined || bundle.container === container);

/** Halts everything of the node with SIGSTOP. Returns when nothing of it runs. */
export async function freezeNode(layout: Layout, node: NodePlan): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS;
  for (;;) {
    // Again and again: until its parent is halted, a process may be born that was not seen.
    const awake = nodeProcesses(layout, node).filter((process) => isRunning(process) && !isFrozen(process));
    if (awake.length === 0) return;
    if (performance.now() > deadline)
      throw new ClusterError(`${node.name} does not halt: ${awake.length} processes go on.`);
    for (const process of awake) signalProcess(process, 'SIGSTOP');
    await delay(POLL_MS);
  }
}

/** Lets everything of the node go on with SIGCONT. */
export function thawNode(layout: Layout, node: NodePlan): void {
  for (const process of nodeProcesses(layout, node)) signalProcess(process, 'SIGCONT');
}

/**
 * Ends everything of the nodes and kube-proxy at once, whatever state it is in, and returns when it is gone. Throws ClusterError
 * after 10 s.
 *
 * @returns the containers whose processes it has ended
 */
export function killNodes(layout: Layout, nodes: readonly NodePlan[]): ReadonlySet<string> {
  const containers = new Set<string>();
  const deadline = performance.now() + PATIENCE_MS;
  const isProxy = ({ args }: Seen) => args.includes(`--config=${proxyConfigPath(layout)}`);
  for (;;) {
    const ofNodes = nodes.flatMap((node) => nodeProcesses(layout, node));
    const rest = [...ofNodes, ...known(belonging(seenProcesses(), isProxy))].filter(isRunning);
    if (rest.length === 0) return containers;
    const pids = new Set(rest.map(({ pid }) => pid));
    for (const { pid, containerId } of seenProcesses())
      if (pids.has(pid) && containerId !== undefined) containers.add(containerId);
    if (performance.now() > deadline) {
      throw new ClusterError(`Processes ${rest.map(({ pid }) => pid).join(', ')} do not end, not even killed.`);
    }
    for (const process of rest) signalProcess(process, 'SIGKILL');
    pause(POLL_MS);
  }
}

function known(pids: readonly number[]): readonly KnownProcess[] {
  return pids.flatMap((pid) => {
    const found = inspectProcess(pid);
    return found === undefined ? [] : [{ pid, startTime: found.startTime }];
  });
}

function seenProcesses(): readonly Seen[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => seen(name) ?? []);
}

function seen(pid: string): Seen | undefined {
  try {
    const [stat, args, cgroups] = ['stat', 'cmdline', 'cgroup'].map((file) =>
      readFileSync(`/proc/${pid}/${file}`, 'utf8'),
    );
    return {
      pid: Number(pid),
      // The name in parentheses may hold anything, also parentheses.
      parent: Number(stat?.slice(stat.lastIndexOf(')') + 2).split(' ')[1]),
      args: args?.split('\0') ?? [],
      containerId: /\/k8s\.io\/([0-9a-f]{64})/.exec(cgroups ?? '')?.[1],
    };
  } catch {
    // It has ended meanwhile.
    return undefined;
  }
}
