/** What is said of a group that is gone: who keeps its label because it was told to, and who because it could not be patched. */
import { labelledPods } from '../../election/fencing.ts';
import type { Observation } from '../../election/observation.ts';
import { retainedLeader } from '../../election/retained.ts';

export type LabelsLeft = {
  /** A sentence; null: nobody keeps it by deletionPolicy Retain. */
  readonly retained: string | null;
  /** `pods`: three of them at most. null: nobody else has the label. */
  readonly left: { readonly pods: readonly string[]; readonly count: number; readonly message: string } | null;
};

export function labelsLeft(o: Observation): LabelsLeft {
  const retained = retainedLeader(o);
  const { key, leader } = o.group.spec.label;
  const names = labelledPods(o).flatMap((each) => (each === retained ? [] : [each.pod.name]));
  const pods = names.slice(0, 3);
  return {
    retained:
      retained === null
        ? null
        : `the LeaderGroup is deleted, and ${retained.pod.name} keeps ${key}=${leader} and its token, as deletionPolicy Retain says. Nobody replaces ` +
          'it any more; the next LeaderGroup of this name takes the label off before it elects.',
    left: names.length === 0 ? null : { pods, count: names.length, message: leftMessage(o, names, pods) },
  };
}

function leftMessage(o: Observation, names: readonly string[], pods: readonly string[]): string {
  const { key, leader } = o.group.spec.label;
  const who = `${pods.join(', ')}${names.length > pods.length ? ` and ${names.length - pods.length} more` : ''}`;
  const carry = `still carr${names.length === 1 ? 'ies' : 'y'} ${key}=${leader}`;
  // By hand it must not come off either while a controller may select by it.
  return o.labelStop === null
    ? `the LeaderGroup is deleted, but ${who} could not be patched and ${carry}. Remove it by hand: kubectl label pod NAME ${key}-`
    : `the LeaderGroup is deleted, but ${who} ${carry}. A controller selects by ${key}, or may: without the label it releases the pod and creates another. Change its selector before you remove the label.`;
}
