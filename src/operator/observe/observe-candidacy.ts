/** Whether a pod is a candidate by the condition that its group goes by, and since when. */
import type { MonotonicMs } from '../../api/clocks.ts';
import type { LeaderGroup } from '../../api/leadergroup.ts';
import { type Candidacy, goesByReady, type Lack } from '../../election/candidacy.ts';
import type { StoredPod } from '../cache/pod-times.ts';
import type { Store } from '../cache/store.ts';

type Part = { readonly lack: Lack; readonly holds: boolean; readonly sinceMs: MonotonicMs };

export function candidacyOf(
  store: Pick<Store, 'node' | 'nodeReadyChangedMs'>,
  { spec }: LeaderGroup,
  stored: StoredPod,
  nowMs: MonotonicMs,
): Candidacy {
  const { pod, readyChangedMs } = stored;
  if (goesByReady(spec)) return { lacks: pod.ready ? null : 'NotReady', forMs: nowMs - readyChangedMs };
  const parts = [
    nodeOf(store, stored),
    { lack: 'ContainerNotRunning' as const, holds: pod.runningSinceMs !== null, sinceMs: stored.runningChangedMs },
    conditionOf(stored, spec.candidateCondition),
  ];
  const lacking = parts.filter(({ holds }) => !holds);
  const [first] = lacking;
  if (first === undefined) return { lacks: null, forMs: nowMs - Math.max(...parts.map(({ sinceMs }) => sinceMs)) };
  return { lacks: first.lack, forMs: nowMs - Math.min(...lacking.map(({ sinceMs }) => sinceMs)) };
}

/** A node that was never shown is not known to be Ready. */
function nodeOf(store: Pick<Store, 'node' | 'nodeReadyChangedMs'>, { pod, metMs }: StoredPod): Part {
  const holds = store.node(pod.node)?.ready === true;
  return { lack: 'NodeNotReady', holds, sinceMs: store.nodeReadyChangedMs(pod.node) ?? metMs };
}

/** Of a condition that the pod never had here nobody knows since when it lacks it: late is safe, so since this replica has known the pod. */
function conditionOf({ conditions, metMs }: StoredPod, wanted: string): Part {
  const found = conditions.find(({ type }) => type === wanted);
  return { lack: 'NotReady', holds: found?.isTrue === true, sinceMs: found?.changedMs ?? metMs };
}
