/**
 * Labels and the controllers of pods. A controller releases a pod that its selector matches no more, and makes another in its place: a
 * label key that stands in a selector must never be written, nor taken off.
 */
import type { LeaderGroup } from '../api/leadergroup.ts';
import { fencedAnnotation, tokenAnnotation } from '../api/names.ts';
import type { OwnerRef, Pod } from '../api/pod.ts';
import type { Action, Plan, WriteOffTarget } from './actions.ts';
import { labelled, membersOf } from './candidates.ts';
import type { LabelStop, Observation, ObservedPod } from './observation.ts';
import { look, notReady, rest } from './plans.ts';

export const LABEL_STOP = 'LabelInWorkloadSelector';

/** A controller that cannot be read must have kept a pod for so long after our write before more of its pods are written. */
export const TRIAL_MS = 2000;

/** Labels that a pod has from its controller only. */
const MADE_BY_A_CONTROLLER = [
  'pod-template-hash',
  'rollouts-pod-template-hash',
  'controller-revision-hash',
  'controller-uid',
  'batch.kubernetes.io/controller-uid',
  'statefulset.kubernetes.io/pod-name',
];

/** It was made by a controller, has none now, and this group has written to it: nobody can tell any more whether that was the reason. */
export const released = ({ name }: LeaderGroup, { owner, labels, annotations }: Pod): boolean =>
  owner === null &&
  MADE_BY_A_CONTROLLER.some((label) => labels[label] !== undefined) &&
  [tokenAnnotation(name), fencedAnnotation(name)].some((key) => annotations[key] !== undefined);

const uncertain = ({ owner }: ObservedPod): boolean => owner.kind === 'unread' || owner.kind === 'unreadable';

/**
 * Whether labels may be written. `releases`: members that count as released. What was said before (`stoppedBefore`, of this generation of
 * the group) holds until every owner has been read.
 */
export function labelStopOf(
  group: LeaderGroup,
  pods: readonly ObservedPod[],
  releases: readonly ObservedPod[],
  stoppedBefore: string | null,
): LabelStop | null {
  const { key } = group.spec.label;
  const concerned = pods.filter((observed) => observed.member || labelled(group, observed));
  const selecting = concerned.find(({ owner }) => owner.kind === 'selects');
  if (selecting?.owner.kind === 'selects') return { message: selectsMessage(selecting.owner.workload, key) };
  if (!concerned.some(uncertain)) return null;
  const [pod] = releases;
  if (pod !== undefined) return { message: releasedMessage(pod.pod.name, key) };
  return stoppedBefore === null ? null : { message: stoppedBefore };
}

const selectsMessage = (workload: string, key: string): string =>
  `${workload} selects its pods by the label key ${key}: a pod whose label changes is released, and another is made in its place. No label ` +
  `is written. Take ${key} out of the selector and the template of ${workload}, or choose another label.key in a new LeaderGroup.`;

const releasedMessage = (pod: string, key: string): string =>
  `pod ${pod} has lost its controller since its label was written, and the selector of a controller cannot be read: it may select by the ` +
  `label key ${key}. No label is written any more. Take the key out of the selector, or let the operator read the controllers ` +
  '(deploy/10-rbac.yaml); where the pod was orphaned on purpose, edit the LeaderGroup to go on.';

/** Controllers of members that have not been read, each once. */
export function unreadOwners(o: Observation): readonly OwnerRef[] {
  const owners = membersOf(o).flatMap(({ pod, owner }) => (owner.kind === 'unread' && pod.owner ? [pod.owner] : []));
  return [...new Map(owners.map((owner) => [owner.uid, owner])).values()];
}

/**
 * Before a plan writes a label the controllers of those pods have been asked for their selectors. Of one that may not be read a single pod
 * is written first; the rest waits until that pod has kept its controller.
 *
 * **Guarantees** What is left of a plan is a prefix of it, so its order still holds.
 */
export function withOwnersKnown(o: Observation, plan: Plan): Plan {
  const written = plan.actions.flatMap((action) => labelWrites(o, action));
  if (written.length === 0) return plan;
  const unread = written.flatMap(({ pod, owner }) => (owner.kind === 'unread' && pod.owner ? [pod.owner] : []));
  if (unread.length > 0) {
    const owners = [...new Map([...unread, ...unreadOwners(o)].map((owner) => [owner.uid, owner])).values()];
    return look([{ do: 'readOwners', owners }], 'what the controllers of the pods select by is not known');
  }
  if (!written.some(({ owner }) => owner.kind === 'unreadable')) return plan;
  return onTrial(o, plan);
}

/**
 * The prefix of the plan that writes at most one pod of each controller that could not be read. A lock does not move, and no verification
 * is sent, for a promotion that must wait.
 */
function onTrial(o: Observation, plan: Plan): Plan {
  const trial = beginTrial();
  const refused = plan.actions.map((action) => labelWrites(o, action).filter((observed) => !trial.may(observed)));
  const first = refused.findIndex((pods) => pods.length > 0);
  if (first < 0) return plan;
  const before = plan.actions.slice(0, first);
  const move = before.findIndex(({ do: what }) => what !== 'writeOff');
  const uids = new Set(refused[first]?.map(({ pod }) => pod.uid));
  const part = move < 0 ? without(plan.actions[first], uids) : [];
  const actions = [...(move < 0 ? before : before.slice(0, move)), ...part];
  return actions.length === 0 ? rest(notReady('Electing', ON_TRIAL), trial.waitMs()) : { ...plan, actions };
}

const ON_TRIAL =
  'the controllers of the pods cannot be read; one label was written, to see whether its pod keeps its controller';

function beginTrial() {
  const firsts = new Map<string, string>();
  let waitMs = 0;
  return {
    waitMs: () => waitMs,
    /** Of each controller that cannot be read one pod, and the others once that has kept it. */
    may: ({ pod, owner }: ObservedPod): boolean => {
      if (owner.kind !== 'unreadable' || pod.owner === null) return true;
      if (owner.trial !== null && owner.trial.leftMs <= 0) return true;
      const first = owner.trial?.podUid ?? firsts.get(pod.owner.uid) ?? pod.uid;
      firsts.set(pod.owner.uid, first);
      if (first !== pod.uid) waitMs = Math.max(waitMs, owner.trial?.leftMs ?? TRIAL_MS);
      return first === pod.uid;
    },
  };
}

/** Only what is left of several independent writes may go ahead. */
function without(action: Action | undefined, uids: ReadonlySet<string>): readonly Action[] {
  if (action?.do !== 'writeOff') return [];
  const targets = action.targets.filter(({ pod }) => !uids.has(pod.uid));
  return targets.length === 0 ? [] : [{ ...action, targets }];
}

/** Pods whose label the action changes. One that is silence's business is left out: its deadline does not wait. */
function labelWrites(o: Observation, action: Action): readonly ObservedPod[] {
  const { key, leader, follower } = o.group.spec.label;
  const known = new Map(o.pods.map((observed) => [observed.pod.uid, observed]));
  const changed = (uid: string, to: string | null): readonly ObservedPod[] => {
    const observed = known.get(uid);
    return observed === undefined || (observed.pod.labels[key] ?? null) === to ? [] : [observed];
  };
  const after = ({ label }: WriteOffTarget): string | null => (label === 'follower' ? follower : null);
  if (action.do === 'promote') return changed(action.pod.uid, leader);
  if (action.do === 'labelFollowers') return action.pods.flatMap(({ uid }) => changed(uid, follower));
  if (action.do === 'cleanUp')
    return action.pods.flatMap(({ pod, label }) => (label === 'keep' ? [] : changed(pod.uid, null)));
  if (action.do !== 'writeOff' || action.because === 'silence') return [];
  return action.targets.flatMap((target) => (target.label === 'keep' ? [] : changed(target.pod.uid, after(target))));
}
