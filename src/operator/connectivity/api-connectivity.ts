/**
 * Whether this replica reaches the API server: judged by its requests and its watches, so that at rest nothing is asked only to
 * find out. After a request without an answer it is asked until it answers.
 */
import type { MonotonicMs } from '../../api/clocks.ts';
import type { Clock } from '../../ports/clock.ts';
import { type Kubernetes, KubernetesError, type WriteOutcome } from '../../ports/kubernetes.ts';
import { aborted } from '../common/aborted.ts';
import { createWakeSignal } from '../common/wake-signal.ts';

export type ApiConnectivity = {
  /** The port, watched. */
  readonly kubernetes: Kubernetes;
  /** False once requests have got no answer, or a watch has not worked, for LOST_MS; true again with the first that does. */
  reaches(): boolean;
  /** False once requests have got no answer for LOST_MS, until one does; a watch that does not work says nothing of requests. */
  answers(): boolean;
  /** What a reflector says: a problem, or null when it works again. */
  watchProblem(kind: string, problem: string | null): void;
  /** Monotonic milliseconds of the last answer to a request; null before the first. */
  answeredMs(): MonotonicMs | null;
  /** Asks while an answer is missing, until `signal` aborts. */
  run(signal: AbortSignal): Promise<void>;
};

/** So long a blip may last: whoever is cut off gives its buckets away, which costs more than waiting. */
const LOST_MS = 2000;
const ASK_MS = 500;

/** `changed` is called when the answer of `reaches` becomes another, `answersAgain` with the first answer after a request without one. */
export function trackConnectivity(
  kubernetes: Kubernetes,
  clock: Clock,
  changed: () => void,
  answersAgain: () => void = () => undefined,
): ApiConnectivity {
  const wakeSignal = createWakeSignal(clock);
  const problems = new Set<string>();
  let outageSinceMs: MonotonicMs | null = null;
  let problemSinceMs: MonotonicMs | null = null;
  let answeredMs: MonotonicMs | null = null;
  let lost = false;

  function judge(): void {
    const sinceMs = Math.min(outageSinceMs ?? Number.POSITIVE_INFINITY, problemSinceMs ?? Number.POSITIVE_INFINITY);
    const next = lost ? sinceMs !== Number.POSITIVE_INFINITY : clock.nowMs() - sinceMs >= LOST_MS;
    if (next === lost) return;
    lost = next;
    changed();
  }

  /** Rings only with the first: the loop asks, and every question without an answer comes by here. */
  function unanswered(): void {
    if (outageSinceMs !== null) return;
    outageSinceMs = clock.nowMs();
    wakeSignal.ring();
  }

  function answered(): void {
    answeredMs = clock.nowMs();
    const again = outageSinceMs !== null;
    outageSinceMs = null;
    judge();
    if (again) answersAgain();
  }

  const reading =
    <A extends unknown[], R>(call: (...args: A) => Promise<R>) =>
    async (...args: A): Promise<R> => {
      try {
        const answer = await call(...args);
        answered();
        return answer;
      } catch (error) {
        // A refusal is an answer.
        if (error instanceof KubernetesError) (error.kind === 'unreachable' ? unanswered : answered)();
        throw error;
      }
    };

  const writing =
    <A extends unknown[], T>(call: (...args: A) => Promise<WriteOutcome<T>>) =>
    async (...args: A): Promise<WriteOutcome<T>> => {
      const outcome = await call(...args);
      if (outcome.kind === 'unknown') unanswered();
      else answered();
      return outcome;
    };

  const watched: Kubernetes = {
    patchPod: writing(kubernetes.patchPod),
    getPod: reading(kubernetes.getPod),
    listPods: reading(kubernetes.listPods),
    getGroup: reading(kubernetes.getGroup),
    getTermination: reading(kubernetes.getTermination),
    getWorkload: reading(kubernetes.getWorkload),
    getLabelManagers: reading(kubernetes.getLabelManagers),
    listPodSelecting: reading(kubernetes.listPodSelecting),
    setFinalizers: writing(kubernetes.setFinalizers),
    replaceStatus: writing(kubernetes.replaceStatus),
    clusterUid: reading(kubernetes.clusterUid),
  };

  async function run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await wakeSignal.rung(signal);
      if (aborted(signal)) return;
      if (outageSinceMs !== null) await watched.clusterUid(signal).catch(() => undefined);
      if (aborted(signal)) return;
      judge();
      if (outageSinceMs !== null || (problemSinceMs !== null && !lost)) wakeSignal.notifyAfter(ASK_MS);
    }
  }

  function watchProblem(kind: string, problem: string | null): void {
    if (problem === null) problems.delete(kind);
    else problems.add(kind);
    problemSinceMs = problems.size === 0 ? null : (problemSinceMs ?? clock.nowMs());
    if (problem === null) judge();
    else wakeSignal.ring();
  }

  const answers = (): boolean => outageSinceMs === null || clock.nowMs() - outageSinceMs < LOST_MS;

  return { kubernetes: watched, reaches: () => !lost, answers, watchProblem, answeredMs: () => answeredMs, run };
}
