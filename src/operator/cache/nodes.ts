/** What the watch of nodes has shown, and which pods are on a node that is lost. */
import type { ClusterNode, Pod } from '../../api/pod.ts';

export type Nodes = {
  /** `namespace/name` of the pods on the node, where it was lost by this change or is lost no more; else nothing. */
  changed(before: ClusterNode | null, after: ClusterNode | null): readonly string[];
  /** A pod came, changed or went (null). */
  podChanged(before: Pod | null, after: Pod | null): void;
  cordoned(node: string | null): boolean;
  /**
   * The node is deleted, or out of service. One that was never shown is not lost: a watch may lag behind the pods on a new node, and a right
   * may be missing.
   */
  lost(node: string | null): boolean;
  /** null: it has none, or was never shown. */
  zone(node: string | null): string | null;
};

export function createNodes(): Nodes {
  const zones = new Map<string, string>();
  const cordoned = new Set<string>();
  const outOfService = new Set<string>();
  /** While a pod is on it. */
  const deleted = new Set<string>();
  /** By node, `namespace/name` of its pods. */
  const pods = new Map<string, Set<string>>();
  const lost = (node: string): boolean => deleted.has(node) || outOfService.has(node);

  function changed(before: ClusterNode | null, after: ClusterNode | null): readonly string[] {
    const name = (after ?? before)?.name ?? '';
    const wasLost = lost(name);
    note(cordoned, name, after?.cordoned === true);
    note(outOfService, name, after?.outOfService === true);
    note(deleted, name, after === null && pods.has(name));
    if (after?.zone == null) zones.delete(name);
    else zones.set(name, after.zone);
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
    zone: (node) => (node === null ? null : (zones.get(node) ?? null)),
    podChanged,
    cordoned: (node) => node !== null && cordoned.has(node),
    lost: (node) => node !== null && lost(node),
  };
}

const nameOf = ({ namespace, name }: Pod): string => `${namespace}/${name}`;

function note(names: Set<string>, name: string, holds: boolean): void {
  if (holds) names.add(name);
  else names.delete(name);
}
