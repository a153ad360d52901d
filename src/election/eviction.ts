/** `formerLeader: Evict`: whoever led before, and goes on running, is asked to go once the next one leads. */
import { fencedAnnotation } from '../api/names.ts';
import type { Pod } from '../api/pod.ts';
import type { Evict, Plan } from './actions.ts';
import { finished, labelled } from './candidates.ts';
import { refOf } from './fencing.ts';
import type { Observation, ObservedPod } from './observation.ts';
import { tokenOf } from './token.ts';

/** After the promotion; once, since another replica that comes after it does not know whether it was done. What this one owes is in `evictionOwed`. */
export function withEviction(o: Observation, plan: Plan): Plan {
  if (o.group.spec.formerLeader !== 'Evict' || plan.kind !== 'transition') return plan;
  const { lock } = plan;
  if (lock.do !== 'take' && lock.do !== 'handOver') return plan;
  const former = o.pods.find(({ pod }) => pod.uid === o.lock?.record?.holder.uid);
  if (former === undefined || former.pod.uid === lock.transaction.to.pod.uid || !goesOn(o, former)) return plan;
  const evict: Evict = { do: 'evict', pod: refOf(former) };
  return { ...plan, lock, after: [...promotionsOf(plan), evict] };
}

/** Of the last handover to this holder, whose label met a conflict, or had no answer: once the holder has it. */
export function evictionOwed(o: Observation, { pod: { uid } }: ObservedPod): readonly Evict[] {
  const owed = o.owedEviction;
  if (o.group.spec.formerLeader !== 'Evict' || owed?.next !== uid || o.nowMs >= owed.untilMs) return [];
  const former = o.pods.find(({ pod }) => pod.uid === owed.former);
  return former !== undefined && goesOn(o, former) && isFormer(o, former.pod)
    ? [{ do: 'evict', pod: refOf(former) }]
    : [];
}

const promotionsOf = ({ after }: Extract<Plan, { kind: 'transition' }>) =>
  after.flatMap((action) => (action.do === 'promote' ? [action] : []));

/** It has led in this group, and nobody has told it to go yet. */
const goesOn = ({ group }: Observation, { pod, member, claimedByOther }: ObservedPod): boolean =>
  member && !claimedByOther && !pod.deleting && !finished(pod) && tokenOf(pod, group.name) > 0;

/** As this version shows it, it does not lead: an eviction of this version cannot hit a leader that has come back. */
export const isFormer = (o: Observation, pod: Pod): boolean =>
  pod.annotations[fencedAnnotation(o.group.name)] !== undefined &&
  !labelled(o.group, { pod, member: true, claimedByOther: false });
