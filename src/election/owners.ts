/**
 * Labels and the controllers of pods. A controller releases a pod that its selector matches no more, and makes another in its place: a
 * label key that stands in a selector must never be written, nor taken off.
 */
import type { LeaderGroup } from '../api/leadergroup.ts';
import { fencedAnnotation, tokenAnnotation } from '../api/names.ts';
import type { OwnerRef, Pod } from '../api/pod.ts';
import { labelled } from './candidates.ts';
import type { LabelStop, Observation, ObservedPod } from './observation.ts';

export const LABEL_STOP = 'LabelInWorkloadSelector';

/** Labels that a pod has from its controller only. */
const MADE_BY_A_CONTROLLER = [
  'pod-template-hash',
  'rollouts-pod-template-hash',
  'controller-revision-hash',
  'controller-uid',
  'batch.kubernetes.io/controller-uid',
  'statefulset.kubernetes.io/pod-name',
];

/** It was made by a controller, and has none now. */
export const isOrphan = ({ owner, labels }: Pod): boolean =>
  owner === null && MADE_BY_A_CONTROLLER.some((label) => labels[label] !== undefined);

/** An orphan to which this group has written: nobody can tell any more whether that was the reason. */
export const released = ({ name }: LeaderGroup, pod: Pod): boolean =>
  isOrphan(pod) && [tokenAnnotation(name), fencedAnnotation(name)].some((key) => pod.annotations[key] !== undefined);

/** A label may have to come off one that is no member any more. */
const isConcerned = (group: LeaderGroup, observed: ObservedPod): boolean =>
  observed.member || labelled(group, observed);

/** Nobody knows what its controller selects by. */
export const uncertain = ({ owner }: ObservedPod): boolean => owner.kind === 'unread' || owner.kind === 'unreadable';

/**
 * Whether labels may be written. `releases`: members that count as released. What was said before (`stoppedBefore`, of this generation of
 * the group) holds until every owner that there is has been read, and there is one: a controller that was scaled to zero comes back.
 */
export function labelStopOf(
  group: LeaderGroup,
  pods: readonly ObservedPod[],
  releases: readonly ObservedPod[],
  stoppedBefore: string | null,
): LabelStop | null {
  const { key } = group.spec.label;
  const concerned = pods.filter((observed) => isConcerned(group, observed));
  const selecting = concerned.find(({ owner }) => owner.kind === 'selects');
  if (selecting?.owner.kind === 'selects') return { message: selectsMessage(selecting.owner.workload, key) };
  const doubt = concerned.some(uncertain);
  if (!doubt && concerned.some(({ owner }) => owner.kind === 'clear')) return null;
  const [pod] = releases;
  if (doubt && pod !== undefined) return { message: releasedMessage(pod.pod.name, key) };
  return stoppedBefore === null ? null : { message: stoppedBefore };
}

const selectsMessage = (workload: string, key: string): string =>
  `${workload} selects its pods by the label key ${key}. When that label changes, the controller releases the pod and creates another, so no ` +
  `label is written. Remove ${key} from the selector and the pod template of ${workload}, or create a LeaderGroup with another label.key. If ` +
  `${workload} is gone and the group stays stalled, another controller cannot be read: edit the spec of the LeaderGroup to resume.`;

const releasedMessage = (pod: string, key: string): string =>
  `pod ${pod} lost its controller after the operator wrote its label, and the operator cannot read the selector of a controller: it may ` +
  `select by the label key ${key}. No more labels are written. Remove the key from the selector, or let the operator read the controllers ` +
  '(deploy/10-rbac.yaml). If the pod was orphaned on purpose, edit the spec of the LeaderGroup to resume.';

/** Controllers that have not been read, of all pods that a stop is decided by, each once. */
export const unreadOwners = (o: Observation): readonly OwnerRef[] =>
  unreadOwnersOf(o.pods.filter((observed) => isConcerned(o.group, observed)));

/** Of these pods, each once. */
export function unreadOwnersOf(pods: readonly ObservedPod[]): readonly OwnerRef[] {
  const owners = pods.flatMap(({ pod, owner }) => (owner.kind === 'unread' && pod.owner ? [pod.owner] : []));
  return [...new Map(owners.map((owner) => [owner.uid, owner])).values()];
}
