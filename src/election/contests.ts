/** Labels that somebody else writes too: when they are put right, and what is said of it. */
import type { PodRef } from '../api/pod.ts';
import type { FencingTarget, Look } from './actions.ts';
import { refOf } from './fencing.ts';
import type { Observation, ObservedPod } from './observation.ts';
import { look } from './plans.ts';

/** What somebody else undoes again and again is put right, but not at once every time. */
export const onHold = (o: Observation, { contest }: ObservedPod): boolean =>
  contest !== null && o.nowMs < contest.notBeforeMs;

/**
 * Without those that can wait where no lock is to be moved: fenced at this version of the lock, so that their promotions are void, and
 * labelled by hand since.
 */
export function due(o: Observation, targets: readonly FencingTarget[]): readonly FencingTarget[] {
  const waiting = new Set(o.pods.filter((observed) => onHold(o, observed)).map(({ pod }) => pod.uid));
  return targets.filter(({ pod }) => !(waiting.has(pod.uid) && o.fenced.has(pod.uid)));
}

/** `wrong`: as somebody else left it. Only then does it show who: our own repair takes the others off its list of managers. */
export function unknownContester(o: Observation, wrong: (observed: ObservedPod) => boolean): PodRef | null {
  const found = o.pods.find((observed) => observed.contest !== null && observed.contest.by === null && wrong(observed));
  return found === undefined ? null : refOf(found);
}

/** null: nobody to ask for. */
export const askFor = (pod: PodRef | null): Look | null =>
  pod === null ? null : look([{ do: 'readContester', pod }], 'finding out who else writes the label');

/** null: nobody contests a label. */
export function contestMessage(o: Observation): string | null {
  const found = o.pods.find(({ contest }) => contest !== null);
  if (found?.contest == null) return null;
  const { key } = o.group.spec.label;
  const by = found.contest.by === null ? '' : ` (${found.contest.by})`;
  return (
    `another client keeps changing the label ${key} or the annotations of pod ${found.pod.name}${by}; the operator restores them every few seconds. ` +
    'Stop that client from writing them, or create a LeaderGroup with another label.key'
  );
}
