/** Real nodes: the machine made ready for them and put back, and their components. */
import { existsSync } from 'node:fs';
import { areRealNodesAskedFor, HOW_TO_ASK } from '../../tools/consent.ts';
import { debianPrograms, ensureDebianPrograms, whyNoDebianPrograms } from '../../tools/debian.ts';
import { ClusterError } from '../errors.ts';
import { type Layout, layoutOf } from '../layout.ts';
import type { ComponentSpec, Site } from '../spec.ts';
import type { ClusterState } from '../state.ts';
import { containerd } from './containerd.ts';
import { coredns } from './coredns.ts';
import { type HostRecord, keepRecord, keptRecord, restoreHost, weighPods } from './host.ts';
import { podImage } from './image.ts';
import { kubeProxy } from './kube-proxy.ts';
import { kubelet } from './kubelet.ts';
import { isOwn, isTaken, makeNetwork, ownerOf, removeNetwork } from './network.ts';
import { type NodePlan, nodePlans } from './plan.ts';
import { killNodes } from './processes.ts';

/** What real nodes need besides our own binaries. */
const realNodePrograms = [
  'containerd',
  'ctr',
  'runc',
  'bridge',
  'nft',
  'conntrack',
  'ip',
  'nsenter',
  'umount',
  'openssl',
] as const;

/** What the kernel takes as the path of a socket, in bytes. */
const LONGEST_SOCKET = 107;

/** Why this machine cannot have real nodes; null: it can, perhaps after some packages were installed. */
export const whyNoRealNodes = (): Promise<string | null> => whyNoDebianPrograms(realNodePrograms);

/** As `whyNoRealNodes`, for tests: a machine that nobody has opted in has none. */
export async function whyNoTestsOnRealNodes(): Promise<string | null> {
  if (areRealNodesAskedFor()) return await whyNoRealNodes();
  return `it installs packages and changes kernel settings, which nobody has asked for (${HOW_TO_ASK})`;
}

/** Installs and builds what the machine lacks. Throws ToolError or ClusterError where that cannot be; nothing else is changed. */
export async function ensureRealNodeParts(): Promise<void> {
  await ensureDebianPrograms(realNodePrograms);
  await podImage();
}

/** Links for the cluster's `bin`: containerd is started like all components, ctr is for people. */
export const linkedPrograms: Readonly<Record<string, string>> = {
  containerd: debianPrograms.containerd.path,
  ctr: debianPrograms.ctr.path,
};

/** The components of the cluster's real nodes, each after those that it needs. */
export function realNodeSpecs(site: Site): readonly ComponentSpec[] {
  const nodes = nodePlans(site.layout, site.state);
  const [first] = nodes;
  if (first === undefined) return [];
  const ofNodes = nodes.flatMap((node) => [containerd(node), kubelet(site, node)]);
  return [coredns(site), ...ofNodes, kubeProxy(site, first)];
}

/** Gives the machine the networks of the cluster's real nodes, if it has any. Throws ClusterError where there is no room. */
export function prepareMachine({ layout, state }: Site): void {
  const nodes = nodePlans(layout, state);
  for (const { containerd } of nodes) checkSocket(layout.root, containerd.socket);
  makeNetwork(layout.root, nodes);
  if (state.real === undefined) return;
  keepRecord(layout.root, state.real.host);
  weighPods(state.real.host);
}

function checkSocket(root: string, socket: string): void {
  const excess = Buffer.byteLength(`${socket}.ttrpc`) - LONGEST_SOCKET;
  if (excess <= 0) return;
  throw new ClusterError(
    `${root} is ${excess} characters too long for containerd's socket in it: choose another folder with --dir.`,
  );
}

/** The containers that ran when the nodes were ended. */
export type EndedContainers = ReadonlySet<string>;

/** Ends all that runs of the cluster's real nodes, also what nobody recorded. */
export function killRealNodes(layout: Layout, state: ClusterState | undefined): EndedContainers {
  const known = nodesOf(layout, state);
  return known === undefined ? new Set() : killNodes(layout, known.nodes);
}

/** Removes what the cluster's real nodes have left on the machine. Everything of them must have ended. */
export function clearMachine(layout: Layout, state: ClusterState | undefined, ended: EndedContainers): void {
  const known = nodesOf(layout, state);
  // A cluster that was refused the machine has left nothing on it, and what there is now belongs to the other.
  if (known === undefined || isTaken(layout.root, known.nodes)) return;
  restoreHost(layout, known.nodes, known.host, ended);
  removeNetwork(layout.root, known.nodes);
}

/** Whether the machine says that it has real nodes of the cluster in this folder, whatever the folder says. */
export const hasRealNodes = (layout: Layout): boolean => nodesOf(layout, undefined) !== undefined;

/** The folder of a cluster that has this machine's real nodes, but that somebody removed or emptied by hand. */
export function removedFolder(layout: Layout): string | undefined {
  const owners = possibleNodes(layout).map(({ bridge }) => ownerOf(bridge));
  return owners.find((owner) => owner !== undefined && !existsSync(layoutOf(owner).state));
}

interface KnownNodes {
  readonly nodes: readonly NodePlan[];
  readonly host: HostRecord;
}

/** Without a state: as many as there may be, if the machine has the first one's bridge. */
function nodesOf(layout: Layout, state: ClusterState | undefined): KnownNodes | undefined {
  if (state !== undefined) return state.real && { nodes: nodePlans(layout, state), host: state.real.host };
  const nodes = possibleNodes(layout);
  return nodes.some((node) => isOwn(layout.root, node)) ? { nodes, host: keptRecord(layout.root) } : undefined;
}

const possibleNodes = (layout: Layout): readonly NodePlan[] => nodePlans(layout, { real: { nodeTokens: ['', ''] } });
