/** What the watch of nodes has shown, and which pods are on a node that is lost. */
import type { MonotonicMs } from '../../api/clocks.ts';
import type { ClusterNode, Pod } from '../../api/pod.ts';
import type { Clock } from '../../ports/clock.ts';

export type Nodes = {
  /**
   * Whether the node was lost by this change, is lost no more, or became Ready or not; whether it was cordoned, uncordoned or given other labels. `pods`: `namespace/name` of those on
   * it, where any of it is so; else nothing.
   */
  changed(before: ClusterNode | null, after: ClusterNode | null): NodeChange;
  /** A pod came, changed or went (null). */
  podChanged(before: Pod | null, after: Pod | null): void;
  /** As the watch has shown it last; null: it has not, or the node is deleted. */
  node(name: string | null): ClusterNode | null;
  /** Since when it has been Ready, or not, by own observation; null: nothing was shown of it. One that is deleted has not been Ready since then. */
  readyChangedMs(name: string | null): MonotonicMs | null;
  /**
   * The node is deleted, or out of service. One that was never shown is not lost: a watch may lag behind the pods on a new node, and a right
   * may be missing.
   */
  lost(node: string | null): boolean;
};

export type NodeChange = { readonly lost: boolean; readonly ranked: boolean; readonly pods: readonly string[] };

export function createNodes(clock: Clock): Nodes {
  /** The very objects that the reflector keeps: they take no memory twice. */
  const shown = new Map<string, ClusterNode>();
  const readyChangedMs = new Map<string, MonotonicMs>();
  /** While a pod is on it. */
  const deleted = new Set<string>();
  /** By node, `namespace/name` of its pods. */
  const pods = new Map<string, Set<string>>();
  const lost = (node: string): boolean => deleted.has(node) || shown.get(node)?.outOfService === true;

  function changed(before: ClusterNode | null, after: ClusterNode | null): NodeChange {
    const name = (after ?? before)?.name ?? '';
    const [wasLost, wasReady] = [lost(name), isReady(name)];
    const ranked = ranksAnew(before, after);
    keep(name, after);
    if (before === null || wasReady !== isReady(name)) readyChangedMs.set(name, changedMs(before, after));
    if (after === null && !pods.has(name)) readyChangedMs.delete(name);
    const isLost = wasLost !== lost(name) || wasReady !== isReady(name);
    return { lost: isLost, ranked, pods: isLost || ranked ? podsOn(name) : [] };
  }

  const podsOn = (name: string): readonly string[] => [...(pods.get(name) ?? [])];

  const isReady = (name: string): boolean => shown.get(name)?.ready === true;

  function keep(name: string, after: ClusterNode | null): void {
    if (after === null) shown.delete(name);
    else shown.set(name, after);
    if (after === null && pods.has(name)) deleted.add(name);
    else deleted.delete(name);
  }

  /** One met for the first time has been as it is for as long as its condition says, as far as the wall clock can tell. */
  function changedMs(before: ClusterNode | null, after: ClusterNode | null): MonotonicMs {
    const told = before === null ? (after?.readyTransitionMs ?? null) : null;
    return clock.nowMs() - (told === null ? 0 : Math.max(0, clock.wallMs() - told));
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
    if (!shown.has(node)) readyChangedMs.delete(node);
  }

  return {
    changed,
    podChanged,
    node: (name) => (name === null ? null : (shown.get(name) ?? null)),
    readyChangedMs: (name) => (name === null ? null : (readyChangedMs.get(name) ?? null)),
    lost: (node) => node !== null && lost(node),
  };
}

/** By what its pods are preferred, or not moved. */
function ranksAnew(before: ClusterNode | null, after: ClusterNode | null): boolean {
  if (before === null || after === null) return before !== after;
  if (before.cordoned !== after.cordoned) return true;
  const [was, is] = [Object.entries(before.labels), Object.entries(after.labels)];
  return was.length !== is.length || is.some(([key, value]) => before.labels[key] !== value);
}

const nameOf = ({ namespace, name }: Pod): string => `${namespace}/${name}`;
