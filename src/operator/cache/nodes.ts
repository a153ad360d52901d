/** What the watch of nodes has shown, and which pods are on a node that is lost. */
import type { ClusterNode, Pod } from '../../api/pod.ts';

export type Nodes = {
  /** `namespace/name` of the pods on the node, where it was lost by this change or is lost no more; else nothing. */
  changed(before: ClusterNode | null, after: ClusterNode | null): readonly string[];
  /** A pod came, changed or went (null). */
  podChanged(before: Pod | null, after: Pod | null): void;
  /** As the watch has shown it last; null: it has not, or the node is deleted. */
  node(name: string | null): ClusterNode | null;
  /**
   * The node is deleted, or out of service. One that was never shown is not lost: a watch may lag behind the pods on a new node, and a right
   * may be missing.
   */
  lost(node: string | null): boolean;
};

export function createNodes(): Nodes {
  /** The very objects that the reflector keeps: they take no memory twice. */
  const shown = new Map<string, ClusterNode>();
  /** While a pod is on it. */
  const deleted = new Set<string>();
  /** By node, `namespace/name` of its pods. */
  const pods = new Map<string, Set<string>>();
  const lost = (node: string): boolean => deleted.has(node) || shown.get(node)?.outOfService === true;

  function changed(before: ClusterNode | null, after: ClusterNode | null): readonly string[] {
    const name = (after ?? before)?.name ?? '';
    const wasLost = lost(name);
    if (after === null) shown.delete(name);
    else shown.set(name, after);
    if (after === null && pods.has(name)) deleted.add(name);
    else deleted.delete(name);
    return wasLost === lost(name) ? [] : [...(pods.get(name) ?? [])];
  }

  function podChanged(before: Pod | null, after: Pod | null): void {
    if (before?.node === after?.node) return;
    if (after?.node != null) pods.set(after.node, (pods.get(after.node) ?? new Set()).add(nameOf(after)));
    if (before?.node != null) leave(before.node, nameOf(before));
  }

  function leave(node: string, pod: string): void {
    pods.get(node)?.delete(pod);
    if (pods.get(node)?.size !== 0) return;
    pods.delete(node);
    deleted.delete(node);
  }

  return {
    changed,
    podChanged,
    node: (name) => (name === null ? null : (shown.get(name) ?? null)),
    lost: (node) => node !== null && lost(node),
  };
}

const nameOf = ({ namespace, name }: Pod): string => `${namespace}/${name}`;
