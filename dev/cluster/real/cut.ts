/** Cuts a pod of a real node off from others: what is matched is dropped in the pod's own network, which goes with the pod. */
import { debianPrograms } from '../../tools/debian.ts';
import { ClusterError } from '../errors.ts';
import type { Site } from '../spec.ts';
import { nodePlans } from './plan.ts';
import { type ContainerWish, containerProcesses } from './processes.ts';
import { runProgram } from './programs.ts';

/** Expressions of nftables, e.g. `ip daddr 10.96.0.1`: of packets that come, and of those that the pod sends. */
export interface Cut {
  readonly input: readonly string[];
  readonly output: readonly string[];
}

const TABLE = 'inet cut-off';

/**
 * Throws ClusterError if no container of the pod runs.
 *
 * @returns what ends it; does nothing where the pod has gone
 */
export function cutPodOff({ layout, state }: Site, wish: ContainerWish, cut: Cut): () => void {
  const pidNow = () => containerProcesses(nodePlans(layout, state), wish)[0]?.pid;
  const pid = pidNow();
  if (pid === undefined)
    throw new ClusterError(`Of the pod ${wish.namespace}/${wish.pod} no container runs on a real node.`);
  inNetworkOf(pid, rulesFor(cut));
  return () => {
    const now = pidNow();
    if (now !== undefined) inNetworkOf(now, `delete table ${TABLE}`);
  };
}

/** Pure. */
export function rulesFor(cut: Cut): string {
  const chains = (['input', 'output'] as const).flatMap((hook) => [
    `add chain ${TABLE} ${hook} { type filter hook ${hook} priority 0 ; }`,
    ...cut[hook].map((match) => `add rule ${TABLE} ${hook} ${match} drop`),
  ]);
  return [`add table ${TABLE}`, ...chains].join('\n');
}

function inNetworkOf(pid: number, commands: string): void {
  runProgram(debianPrograms.nsenter.path, [`--net=/proc/${pid}/ns/net`, debianPrograms.nft.path, commands]);
}
