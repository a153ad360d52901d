/**
 * The bridges of real nodes, and what kube-proxy and CNI put beside them. The first bridge says which cluster has the machine's
 * real nodes, so it is made first and goes last: it is born with an address that the cluster's folder determines, and gets the
 * folder as its alias, for people.
 */
import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { BlockList } from 'node:net';
import { debianPrograms } from '../../tools/debian.ts';
import { ClusterError } from '../errors.ts';
import { type NodePlan, POD_NETWORK, SERVICE_NETWORK } from './plan.ts';
import { runProgram, tryProgram } from './programs.ts';

const PROXY_TABLE = 'kube-proxy';

interface Link {
  readonly ifname: string;
  /** MAC address. */
  readonly address?: string;
  readonly ifalias?: string;
}

interface Route {
  readonly dst: string;
  readonly dev?: string;
}

/** Makes the bridges that are missing. Throws ClusterError where another cluster or the machine itself is in the way. */
export function makeNetwork(root: string, nodes: readonly NodePlan[]): void {
  const missing = nodes.filter((node) => !isOwn(root, node));
  if (missing.some(({ at }) => at === 1)) {
    for (const { bridge } of missing) checkNobodyHas(bridge);
    checkMachineIsFree();
  }
  for (const node of missing) makeBridge(root, node);
}

/** Removes what belongs to the cluster's bridges, and them. kube-proxy must have ended. */
export function removeNetwork(root: string, nodes: readonly NodePlan[]): void {
  const own = nodes.filter((node) => isOwn(root, node));
  if (own.some(({ at }) => at === 1)) {
    for (const family of ['ip', 'ip6']) tryProgram(debianPrograms.nft.path, ['delete', 'table', family, PROXY_TABLE]);
    tryProgram(debianPrograms.conntrack.path, ['-D', '-s', POD_NETWORK]);
    tryProgram(debianPrograms.conntrack.path, ['-D', '-d', SERVICE_NETWORK]);
  }
  for (const { bridge } of own.toReversed()) {
    // Those of pods that were killed: the kernel removes them too, but later.
    for (const { ifname } of linksOf(['master', bridge]))
      tryProgram(debianPrograms.ip.path, ['link', 'delete', ifname]);
    runProgram(debianPrograms.ip.path, ['link', 'delete', bridge]);
  }
}

/** Whether the node's bridge is that of the cluster in `root`. */
export const isOwn = (root: string, { bridge }: NodePlan) =>
  linksOf(['dev', bridge]).some(({ address }) => address === hardwareAddress(root));

/** The bit that says so makes it one of the addresses that anybody may choose. */
function hardwareAddress(root: string): string {
  const hash = createHash('sha256').update(root).digest('hex');
  return ['02', ...[0, 2, 4, 6, 8].map((at) => hash.slice(at, at + 2))].join(':');
}

function linksOf(which: readonly string[]): readonly Link[] {
  const text = tryProgram(debianPrograms.ip.path, ['-json', 'link', 'show', ...which]) ?? '';
  return text.trim() === '' ? [] : (JSON.parse(text) as readonly Link[]).filter((link) => 'ifname' in link);
}

/** The folder of the cluster that has the bridge, as its alias has it; undefined where there is none. */
export const ownerOf = (bridge: string): string | undefined => linksOf(['dev', bridge])[0]?.ifalias;

/** Whether another cluster than that in `root` has the machine's real nodes. */
export const isTaken = (root: string, nodes: readonly NodePlan[]): boolean =>
  nodes.some((node) => linksOf(['dev', node.bridge]).length > 0 && !isOwn(root, node));

function checkNobodyHas(bridge: string): void {
  if (linksOf(['dev', bridge]).length === 0) return;
  const owner = ownerOf(bridge) ?? 'a folder that is being filled';
  throw new ClusterError(
    `The cluster in ${owner} has real nodes (interface ${bridge}), and a machine has room for one such: end it with \`npm run cluster -- down --dir D\`.`,
  );
}

function checkMachineIsFree(): void {
  const tables = runProgram(debianPrograms.nft.path, ['list', 'tables']);
  if (/\bkube-proxy$/m.test(tables)) {
    throw new ClusterError(
      `This machine is a Kubernetes node already (nftables has a table ${PROXY_TABLE}): run without --node real here.`,
    );
  }
  const routes = JSON.parse(runProgram(debianPrograms.ip.path, ['-json', '-4', 'route', 'show'])) as readonly Route[];
  for (const { dst, dev } of routes) {
    const network = [POD_NETWORK, SERVICE_NETWORK].find((own) => overlap(own, dst));
    if (network === undefined) continue;
    throw new ClusterError(
      `Real nodes need the network ${network}, and this machine has a route to ${dst} by ${dev ?? 'a gateway'}: remove that route, or run without --node real.`,
    );
  }
}

/** Whether two networks, or a network and an address, have addresses in common; `default` has none. */
export function overlap(one: string, other: string): boolean {
  return other !== 'default' && (holds(one, other) || holds(other, one));
}

function holds(network: string, other: string): boolean {
  const [address = '', bits = '32'] = network.split('/');
  const list = new BlockList();
  list.addSubnet(address, Number(bits), 'ipv4');
  return list.check(other.split('/')[0] ?? '', 'ipv4');
}

function makeBridge(root: string, { at, bridge, address }: NodePlan): void {
  const ip = (...args: readonly string[]) => runProgram(debianPrograms.ip.path, args);
  ip('link', 'add', bridge, 'address', hardwareAddress(root), 'type', 'bridge');
  ip('link', 'set', bridge, 'alias', root);
  ip('address', 'add', `${address}/24`, 'dev', bridge);
  ip('link', 'set', bridge, 'up');
  // Of this interface alone: whether the machine forwards what others send it is not ours to say.
  writeFileSync(`/proc/sys/net/ipv4/conf/${bridge}/forwarding`, '1');
  // A machine without a default route would not even try to reach a Service.
  if (at === 1) ip('route', 'add', SERVICE_NETWORK, 'dev', bridge, 'src', address);
}
