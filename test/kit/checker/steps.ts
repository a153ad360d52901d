/** Pod events as differences: what each resourceVersion changed, and who wrote it. */
import { annotationKeys, changedKeys } from './groups.ts';
import {
  compareVersions,
  type History,
  type Moment,
  OPERATOR,
  type PodEvent,
  type WatchedGroup,
  type WatchedPod,
} from './history.ts';

export type Change = {
  readonly before: WatchedPod | null;
  readonly after: WatchedPod | null;
  /** The newest known state: after, or what was deleted. */
  readonly pod: WatchedPod;
  readonly changedLabels: readonly string[];
  readonly changedAnnotations: readonly string[];
  /** `unseen`: found by a list, so several writes may be in it, or it was there before the history begins. */
  readonly by: 'operator' | 'foreign' | 'unseen';
  /** The pod appeared with this write, and the test did not call it foreign. */
  readonly created: boolean;
};

/** What one event changed. Positions count events, so that they order everything about pods. */
export type Step = Moment & {
  readonly position: number;
  readonly resourceVersion: string;
  /** `first`: the state the history begins with. `gap`: a later list. */
  readonly kind: 'first' | 'gap' | 'write';
  readonly changes: readonly Change[];
};

/** Throws when the events are no history: out of order, or a change of a pod that was never there. */
export function stepsOf(history: History): readonly Step[] {
  const pods = new Map<string, WatchedPod>();
  let last = '0';
  return history.pods.map((event, position) => {
    if (compareVersions(event.resourceVersion, last) < (event.kind === 'list' ? 0 : 1)) {
      throw new Error(`pod events out of order: resourceVersion ${event.resourceVersion} after ${last}`);
    }
    last = event.resourceVersion;
    const changes = apply(event, pods, history.groups);
    const kind = event.kind !== 'list' ? 'write' : position === 0 ? 'first' : 'gap';
    const { atMs, resourceVersion } = event;
    return { position, resourceVersion, atMs, earliestMs: event.earliestMs ?? atMs, kind, changes };
  });
}

function apply(event: PodEvent, pods: Map<string, WatchedPod>, groups: readonly WatchedGroup[]): readonly Change[] {
  if (event.kind === 'list') return applyList(event.pods, pods);
  const before = pods.get(event.pod.uid) ?? null;
  if ((before === null) !== (event.kind === 'added')) {
    throw new Error(
      `${event.kind} event for pod ${event.pod.name} (${event.pod.uid}), which is ${before ? '' : 'not '}there`,
    );
  }
  const after = event.kind === 'deleted' ? null : event.pod;
  if (after === null) pods.delete(event.pod.uid);
  else pods.set(after.uid, after);
  const change = difference(before, after, 'foreign');
  const operators = event.foreign !== true && (event.writer ?? guessWriter(change, groups)) === OPERATOR;
  return [{ ...change, by: operators ? 'operator' : 'foreign', created: before === null && event.foreign !== true }];
}

function applyList(listed: readonly WatchedPod[], pods: Map<string, WatchedPod>): readonly Change[] {
  const present = new Set(listed.map((pod) => pod.uid));
  const gone = [...pods.values()].filter((pod) => !present.has(pod.uid));
  const changes = [
    ...gone.map((pod) => difference(pod, null, 'unseen')),
    ...listed.map((pod) => difference(pods.get(pod.uid) ?? null, pod, 'unseen')),
  ];
  pods.clear();
  for (const pod of listed) pods.set(pod.uid, pod);
  return changes;
}

function difference(before: WatchedPod | null, after: WatchedPod | null, by: Change['by']): Change {
  const pod = after ?? before;
  if (pod === null) throw new Error('a change of nothing');
  const [was, is] = [before ?? after, after ?? before] as [WatchedPod, WatchedPod];
  const changedLabels = changedKeys(was.labels, is.labels);
  const changedAnnotations = changedKeys(was.annotations, is.annotations);
  return { before, after, pod, changedLabels, changedAnnotations, by, created: false };
}

/** Nobody but the operator has a reason to touch its keys; whoever does in a test says so with `foreign`. */
function guessWriter(change: Change, groups: readonly WatchedGroup[]): string | null {
  const keys = groups
    .filter((group) => group.namespace === change.pod.namespace)
    .flatMap((group) => [group.labelKey, ...annotationKeys(group)]);
  const touched = [...change.changedLabels, ...change.changedAnnotations].some((key) => keys.includes(key));
  return touched && change.before !== null && change.after !== null ? OPERATOR : null;
}
