/** `formerLeader: Evict`: whoever led before, and goes on running, is asked to go once the next one leads. */
import { fencedAnnotation } from '../api/names.ts';
import type { Pod } from '../api/pod.ts';
import type { Evict, Plan } from './actions.ts';
import { finished, labelled } from './candidates.ts';
import { refOf } from './fencing.ts';
import type { Observation, ObservedPod } from './observation.ts';
import { recordedToken } from './observed-tokens.ts';
import { tokenOf } from './token.ts';

/** After the promotion; once, since another replica that comes after it does not know whether it was done. What this one owes is in `evictionsOwed`. */
export function withEviction(o: Observation, plan: Plan): Plan {
  if (o.group.spec.formerLeader !== 'Evict' || plan.kind !== 'transition') return plan;
  const { lock } = plan;
  if (lock.do !== 'take' && lock.do !== 'handOver') return plan;
  const former = o.pods.find(({ pod }) => pod.uid === o.lock?.record?.holder.uid);
  if (former === undefined || former.pod.uid === lock.transaction.to.pod.uid) return plan;
  if (!goesOn(o, former) || !hasLed(o, former)) return plan;
  const evict: Evict = { do: 'evict', pod: refOf(former) };
  return { ...plan, lock, after: [...promotionsOf(plan), evict] };
}

/** Of the last handovers, in which the label of this holder, or of one that never got its own, met a conflict, or had no answer: once the holder has it. */
export function evictionsOwed(o: Observation, { pod: { uid } }: ObservedPod): readonly Evict[] {
  const owed = o.owedEvictions;
  if (o.group.spec.formerLeader !== 'Evict' || (owed?.next !== uid && owed?.from !== uid)) return [];
  const due = owed.formers.filter(({ untilMs }) => o.nowMs < untilMs).map((former) => former.uid);
  return o.pods
    .filter(
      (former) =>
        former.pod.uid !== uid && due.includes(former.pod.uid) && goesOn(o, former) && isFormer(o, former.pod),
    )
    .map((former) => ({ do: 'evict', pod: refOf(former) }));
}

const promotionsOf = ({ after }: Extract<Plan, { kind: 'transition' }>) =>
  after.flatMap((action) => (action.do === 'promote' ? [action] : []));

/** With the lock that it has, or had last: one that was refused its label since may have led long before. */
const hasLed = (o: Observation, observed: ObservedPod): boolean =>
  labelled(o.group, observed) || (o.lock !== null && tokenOf(observed.pod, o.group.name) >= recordedToken(o.lock));

/** It has led in this group, and nobody has told it to go yet. */
const goesOn = ({ group }: Observation, { pod, member, claimedByOther }: ObservedPod): boolean =>
  member && !claimedByOther && !pod.deleting && !finished(pod) && tokenOf(pod, group.name) > 0;

/** As this version shows it, it does not lead: an eviction of this version cannot hit a leader that has come back. */
export const isFormer = (o: Observation, pod: Pod): boolean =>
  pod.annotations[fencedAnnotation(o.group.name)] !== undefined &&
  !labelled(o.group, { pod, member: true, claimedByOther: false });
