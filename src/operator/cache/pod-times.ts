/** Since when the parts of a pod by which an election goes are as they are, by own observation: node clocks are not trusted with delays. */
import type { MonotonicMs, WallMs } from '../../api/clocks.ts';
import type { Pod } from '../../api/pod.ts';
import type { Clock } from '../../ports/clock.ts';

export type ConditionTime = { readonly type: string; readonly isTrue: boolean; readonly changedMs: MonotonicMs };

export type PodTimes = {
  /** When this replica saw the pod first. */
  readonly metMs: MonotonicMs;
  readonly readyChangedMs: MonotonicMs;
  /** Also of such as have gone, which are not True. */
  readonly conditions: readonly ConditionTime[];
  readonly runningChangedMs: MonotonicMs;
};

/** A pod with its times. */
export type StoredPod = { readonly pod: Pod } & PodTimes;

/** Somebody may give a pod a condition of another type again and again. */
const MAX_GONE = 16;

/** `previous`: the same pod as it was before; null: it is met for the first time, and was then as its own times say, as far as the wall clock can tell. */
export function timesOf(previous: StoredPod | null, pod: Pod, clock: Clock): PodTimes {
  const nowMs = clock.nowMs();
  const since = (told: WallMs | null): MonotonicMs =>
    previous !== null || told === null ? nowMs : nowMs - Math.max(0, clock.wallMs() - told);
  const isSame = previous?.pod.ready === pod.ready;
  const runs = previous?.pod.runningSinceMs === pod.runningSinceMs;
  return {
    metMs: previous?.metMs ?? nowMs,
    readyChangedMs: previous !== null && isSame ? previous.readyChangedMs : since(pod.readyTransitionMs),
    conditions: conditionsOf(previous, pod, since),
    runningChangedMs: previous !== null && runs ? previous.runningChangedMs : since(pod.runningSinceMs),
  };
}

/** Of one of which nobody knows since when it has been as it is: since now. */
export const timesFrom = (pod: Pod, nowMs: MonotonicMs): PodTimes => ({
  metMs: nowMs,
  readyChangedMs: nowMs,
  conditions: pod.conditions.map(({ type, isTrue }) => ({ type, isTrue, changedMs: nowMs })),
  runningChangedMs: nowMs,
});

const NONE: readonly ConditionTime[] = [];

function conditionsOf(
  previous: StoredPod | null,
  pod: Pod,
  since: (told: WallMs | null) => MonotonicMs,
): readonly ConditionTime[] {
  const before = previous?.conditions ?? NONE;
  if (previous?.pod.conditions === pod.conditions) return before;
  const now = pod.conditions.map(({ type, isTrue, transitionMs }) => {
    const known = before.find((each) => each.type === type);
    return known?.isTrue === isTrue ? known : { type, isTrue, changedMs: since(transitionMs) };
  });
  const gone = before
    .filter(({ type }) => !pod.conditions.some((each) => each.type === type))
    .map((each) => (each.isTrue ? { type: each.type, isTrue: false, changedMs: since(null) } : each));
  return now.length + gone.length === 0 ? NONE : [...now, ...gone.slice(0, MAX_GONE)];
}
