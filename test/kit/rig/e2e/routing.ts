/** Judges what the clients of a leader-only Service were answered, by what the observer saw of the label. Pure. */
import { isLabelled, tokenOf } from '../../checker/groups.ts';
import type { History, Interval, Moment, WatchedGroup, WatchedPod } from '../../checker/history.ts';
import { stepsOf } from '../../checker/steps.ts';
import type { Answer } from './service-client.ts';

/** From a pod's getting the leader label to its losing it, in monotonic milliseconds; Infinity: it has it still. */
export type Reign = {
  readonly pod: string;
  readonly uid: string;
  readonly token: number;
  /** The earliest that it can have been. */
  readonly fromMs: number;
  /** When the observer was told. */
  readonly seenMs: number;
  readonly untilMs: number;
};

export function reignsOf(history: History, group: WatchedGroup): readonly Reign[] {
  const over: Reign[] = [];
  const open = new Map<string, Omit<Reign, 'untilMs'>>();
  for (const step of stepsOf(history)) {
    for (const { pod, after } of step.changes) {
      const begun = open.get(pod.uid);
      const leads = isLabelled(group, after);
      if (leads && begun === undefined) open.set(pod.uid, beginning(group, pod, step));
      if (leads || begun === undefined) continue;
      open.delete(pod.uid);
      over.push({ ...begun, untilMs: step.atMs });
    }
  }
  const still = [...open.values()].map((begun) => ({ ...begun, untilMs: Number.POSITIVE_INFINITY }));
  return [...over, ...still].toSorted((a, b) => a.fromMs - b.fromMs);
}

const beginning = (
  group: WatchedGroup,
  pod: WatchedPod,
  { atMs, earliestMs = atMs }: Moment,
): Omit<Reign, 'untilMs'> => ({
  pod: pod.name,
  uid: pod.uid,
  token: tokenOf(group, pod) ?? 0,
  fromMs: earliestMs,
  seenMs: atMs,
});

/** Answers of pods that were not the leader at that moment, nor within `graceMs` before it. */
export const wrongAnswers = (
  answers: readonly Answer[],
  reigns: readonly Reign[],
  graceMs: number,
): readonly Answer[] =>
  answers.filter(
    ({ pod, atMs }) =>
      pod !== null &&
      !reigns.some((reign) => reign.pod === pod && reign.fromMs <= atMs && atMs <= reign.untilMs + graceMs),
  );

/**
 * Those of wrong answers that neither a delay of routing nor the kernel explains: of a pod that had never led, or asked for after the Service had been
 * seen to route to a later leader. Routing follows the label late, on a busy machine by seconds, but it never goes back. A lone one between
 * two of others is a connection whose port one of the former leader's had before: the kernel leads it as it led that, for a while
 * (connection tracking, which kube-proxy does not clear for TCP).
 */
export function unexplained(
  wrong: readonly Answer[],
  answers: readonly Answer[],
  reigns: readonly Reign[],
): readonly Answer[] {
  const routed = answers.flatMap((answer) => {
    const by = reigns.find(
      ({ pod, fromMs, untilMs }) => pod === answer.pod && fromMs <= answer.atMs && answer.atMs <= untilMs,
    );
    return by === undefined ? [] : [{ atMs: answer.atMs, sinceMs: by.fromMs }];
  });
  const at = new Map(answers.map((answer, index) => [answer, index]));
  const isLone = (answer: Answer): boolean => {
    const index = at.get(answer) ?? Number.NaN;
    return [answers[index - 1], answers[index + 1]].every((next) => next !== undefined && next.pod !== answer.pod);
  };
  return wrong.filter((answer) => {
    const { pod, sentMs, atMs } = answer;
    const own = reigns.findLast((reign) => reign.pod === pod && reign.fromMs <= atMs);
    if (own === undefined) return true;
    return routed.some((seen) => seen.atMs < sentMs && seen.sinceMs > own.untilMs) && !isLone(answer);
  });
}

/** For people: how long after its reign a pod was still answering new connections. */
export const longestLateMs = (wrong: readonly Answer[], reigns: readonly Reign[]): number =>
  Math.max(
    0,
    ...wrong.map(({ pod, atMs }) => {
      const own = reigns.findLast((reign) => reign.pod === pod && reign.fromMs <= atMs);
      return own === undefined ? 0 : atMs - own.untilMs;
    }),
  );

/** For people: who answered wrongly from when to when, how often, and when it had led. */
export function wrongSpells(wrong: readonly Answer[], reigns: readonly Reign[]): readonly string[] {
  return [...new Set(wrong.map(({ pod }) => pod))].map((pod) => {
    const times = wrong.filter((answer) => answer.pod === pod).map(({ atMs }) => atMs);
    const led = reigns
      .filter((reign) => reign.pod === pod)
      .map(({ fromMs, untilMs, token }) => `${Math.round(fromMs)} to ${Math.round(untilMs)} ms with token ${token}`);
    const span = `${Math.round(Math.min(...times))} to ${Math.round(Math.max(...times))} ms`;
    return `${pod} answered ${times.length} times from ${span}; it had led from ${led.join(', ') || 'never'}`;
  });
}

/** The longest time within the interval in which nobody answered, in milliseconds. */
export function longestGapMs(answers: readonly Answer[], { fromMs, toMs }: Interval): number {
  const answered = answers.filter(({ pod }) => pod !== null).map(({ atMs }) => atMs);
  const before = answered.findLast((atMs) => atMs < fromMs) ?? fromMs;
  const times = [before, ...answered.filter((atMs) => atMs >= fromMs && atMs <= toMs), toMs];
  return Math.max(0, ...times.slice(1).map((atMs, at) => atMs - (times[at] ?? atMs)));
}
