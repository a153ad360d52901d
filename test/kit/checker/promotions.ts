/** I16: nobody is promoted who did not pass when it was asked, in its present life and just before. Read from the pods, and from what they answered. */
import { fencedAnnotation, tokenAnnotation } from '../../../src/api/names.ts';
import { type Breach, podName } from './breach.ts';
import { groupKey, type History, type PodChange, type WatchedGroup, type WatchedPod } from './history.ts';

/** An answer counts for 30 s when the promotion is planned; the request that it is sent in may be under way for as long, while a process stands still. */
const LATE_MS = 60_000;

export function askedBefore(history: History): readonly Breach[] {
  if (history.promotionAnswers === undefined) return [];
  return history.groups.filter(({ asksFirst }) => asksFirst != null).flatMap((group) => ofGroup(history, group));
}

function ofGroup(history: History, group: WatchedGroup): readonly Breach[] {
  const versions = new Map<string, WatchedPod>();
  /** As it was when it led last. */
  let leader: WatchedPod | null = null;
  return history.pods.flatMap((event): readonly Breach[] => {
    if (event.kind === 'list') {
      for (const pod of event.pods) versions.set(pod.uid, pod);
      return [];
    }
    const { pod } = event;
    const before = versions.get(pod.uid);
    versions.set(pod.uid, pod);
    const isNew = isPromotion(group, event, before);
    // Of a group that is made anew the leader may have kept its label.
    const leadsOn = isSameLife(leader, pod) || staysLeader(group, leader, before);
    if (isNew || (leader?.uid === pod.uid && leads(group, pod))) leader = pod;
    return !isNew || leadsOn || wasAsked(history, group, pod, event.atMs) ? [] : [breach(group, event)];
  });
}

const isSameLife = (leader: WatchedPod | null, { uid, restarts }: WatchedPod): boolean =>
  leader?.uid === uid && leader.restarts === restarts;

/** It carries the label of its promotion, or has lost it by somebody else: the operator marks whom it takes the label off. */
const staysLeader = (group: WatchedGroup, leader: WatchedPod | null, before: WatchedPod | undefined): boolean =>
  before !== undefined &&
  (leads(group, before) ||
    (leader?.uid === before.uid && before.annotations[fencedAnnotation(group.name)] === undefined));

/** The operator gave it the label, or another token with it. */
const isPromotion = (group: WatchedGroup, event: PodChange, before: WatchedPod | undefined): boolean =>
  event.kind === 'modified' &&
  event.foreign !== true &&
  leads(group, event.pod) &&
  (before === undefined || tokenOf(group, event.pod) !== tokenOf(group, before)) &&
  exists(group, event.resourceVersion);

const breach = (group: WatchedGroup, { resourceVersion, pod }: PodChange): Breach => ({
  promise: 'I16',
  group: groupKey(group),
  resourceVersion,
  index: null,
  pods: [podName(pod)],
  message: `${pod.name} was promoted, and ${group.asksFirst === 'Promote' ? 'was not asked' : 'did not pass'} just before, in its present life`,
});

const tokenOf = ({ name }: WatchedGroup, { annotations }: WatchedPod): string | undefined =>
  annotations[tokenAnnotation(name)];

const leads = (group: WatchedGroup, pod: WatchedPod): boolean =>
  pod.labels[group.labelKey] === group.leaderValue && tokenOf(group, pod) !== undefined;

const exists = ({ bornAt = '0', goneAt }: WatchedGroup, version: string): boolean =>
  BigInt(version) > BigInt(bornAt) && (goneAt === undefined || BigInt(version) < BigInt(goneAt));

const wasAsked = (
  { promotionAnswers = [] }: History,
  { asksFirst }: WatchedGroup,
  pod: WatchedPod,
  promotedMs: number,
): boolean =>
  promotionAnswers.some(
    ({ podUid, restarts, atMs, passes }) =>
      podUid === pod.uid &&
      restarts === (pod.restarts ?? restarts) &&
      atMs <= promotedMs &&
      promotedMs - atMs <= LATE_MS &&
      (passes || asksFirst === 'Promote'),
  );
