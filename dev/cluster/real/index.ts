/** Real nodes: the machine made ready for them and put back, and their components. */
import { debianPrograms, ensureDebianPrograms, whyNoDebianPrograms } from '../../tools/debian.ts';
import { ClusterError } from '../errors.ts';
import type { Layout } from '../layout.ts';
import type { ComponentSpec, Site } from '../spec.ts';
import type { ClusterState } from '../state.ts';
import { containerd } from './containerd.ts';
import { restoreHost } from './host.ts';
import { podImage } from './image.ts';
import { kubelet } from './kubelet.ts';
import { kubeProxy } from './kubeProxy.ts';
import { makeNetwork, removeNetwork } from './network.ts';
import { nodePlans } from './plan.ts';
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
  'umount',
  'openssl',
] as const;

/** What the kernel takes as the path of a socket, in bytes. */
const LONGEST_SOCKET = 107;

/** Why this machine cannot have real nodes; null: it can, perhaps after some packages were installed. */
export const whyNoRealNodes = (): Promise<string | null> => whyNoDebianPrograms(realNodePrograms);

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
  const proxies = nodes.slice(0, 1).map((node) => kubeProxy(site, node));
  return [...nodes.flatMap((node) => [containerd(node), kubelet(site, node)]), ...proxies];
}

/** Gives the machine the networks of the cluster's real nodes, if it has any. Throws ClusterError where there is no room. */
export function prepareMachine({ layout, state }: Site): void {
  const nodes = nodePlans(layout, state);
  for (const { containerd } of nodes) checkSocket(layout.root, containerd.socket);
  makeNetwork(layout, nodes);
}

function checkSocket(root: string, socket: string): void {
  const excess = Buffer.byteLength(`${socket}.ttrpc`) - LONGEST_SOCKET;
  if (excess <= 0) return;
  throw new ClusterError(
    `${root} is ${excess} characters too long for containerd's socket in it: choose another folder with --dir.`,
  );
}

/** Ends all that runs of the cluster's real nodes, also what nobody recorded. */
export function killRealNodes(layout: Layout, state: ClusterState | undefined): void {
  if (state?.real !== undefined) killNodes(layout, nodePlans(layout, state));
}

/** Removes what the cluster's real nodes have left on the machine. Everything of them must have ended. */
export function clearMachine(layout: Layout, state: ClusterState | undefined): void {
  if (state?.real === undefined) return;
  const nodes = nodePlans(layout, state);
  restoreHost(layout, nodes, state.real.host);
  removeNetwork(layout.root, nodes);
}
