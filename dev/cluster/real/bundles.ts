/** The containers of a node as its folders tell of them: also while containerd hangs, and when it was killed. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { NodePlan } from './plan.ts';

/** A container that has been made and not yet removed. */
export interface Bundle {
  readonly id: string;
  readonly namespace: string;
  readonly pod: string;
  /** Undefined: the one that holds the pod's namespaces open. */
  readonly container: string | undefined;
}

const ANNOTATION = 'io.kubernetes.cri';

export function bundlesOf(node: NodePlan): readonly Bundle[] {
  return namesIn(tasks(node)).flatMap((id) => bundleOf(node, id) ?? []);
}

function bundleOf(node: NodePlan, id: string): Bundle | undefined {
  try {
    const text = readFileSync(join(tasks(node), id, 'config.json'), 'utf8');
    const { annotations = {} } = JSON.parse(text) as { readonly annotations?: Readonly<Record<string, string>> };
    const of = (name: string) => annotations[`${ANNOTATION}.${name}`];
    return {
      id,
      namespace: of('sandbox-namespace') ?? '',
      pod: of('sandbox-name') ?? '',
      container: of('container-name'),
    };
  } catch {
    // It is being made or removed at this moment.
    return undefined;
  }
}

/** Of every container that may have left something, running or not. */
export function containerIds({ containerd }: NodePlan): readonly string[] {
  const kinds = ['sandboxes', 'containers'].map((kind) => join('io.containerd.grpc.v1.cri', kind));
  const folders = [containerd.root, containerd.state].flatMap((dir) => kinds.map((kind) => join(dir, kind)));
  const ids = [tasks({ containerd }), ...folders].flatMap(namesIn);
  return [...new Set([...ids, ...networkedIds(containerd.cniData)])];
}

/** A pod has its address before it has a folder. */
function networkedIds(cniData: string): readonly string[] {
  const leases = namesIn(cniData).flatMap((network) =>
    namesIn(join(cniData, network)).map((name) => join(cniData, network, name)),
  );
  return leases.filter((path) => /\/[\d.]+$/.test(path)).map((path) => readFileSync(path, 'utf8').split(/\s/)[0] ?? '');
}

const tasks = ({ containerd }: Pick<NodePlan, 'containerd'>) =>
  join(containerd.state, 'io.containerd.runtime.v2.task', 'k8s.io');

function namesIn(path: string): readonly string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}
