/**
 * The gate: may this pod act as the leader now, and for how long may it believe the answer? (Promise I10.) The label is for
 * whom to route to; this is for who may act.
 */

import type { GateAnswer } from '../api/gate.ts';
import type { PodUid } from '../api/ids.ts';
import { sinceAnnotation } from '../api/names.ts';
import type { Pod } from '../api/pod.ts';
import { isTime } from '../api/time.ts';
import { type LabelView, labelled } from './candidates.ts';
import type { LockView, MemberSession, Observation } from './observation.ts';
import { recordedToken } from './observed-tokens.ts';
import { holderAmong } from './sessions.ts';
import { tokenOf } from './token.ts';
import { trustOf } from './trust.ts';

/** No grant is good for longer, whatever is set: a new owner of a bucket, which cannot know what was set for the one before, waits so long. */
export const MAX_GRANT_MS = 2000;

/** Unless set otherwise: how long a handover may have to wait, and how long a frozen client may go on. */
export const GRANT_MS = 1000;

/** What an answer rests on; of the pods only the holder matters. */
export type GateView = Pick<
  Observation,
  'nowMs' | 'group' | 'ownership' | 'lock' | 'sessions' | 'verified' | 'highestObserved' | 'revoked'
> & { readonly pods: readonly LabelView[] };

/**
 * **Guarantees** A grant is given to the pod whose session holds the lock, which a write of this replica has shown since it got
 * the bucket; it ends with the earliest of `maxMs`, the deadline of this replica's own session and that of the pod's.
 */
export function answerGate(o: GateView, podUid: PodUid | null, maxMs: number): GateAnswer {
  const { ownership, lock, nowMs } = o;
  if (ownership.kind !== 'owned' || nowMs >= ownership.untilMs)
    return unknown('this replica does not own the bucket now');
  if (lock === null) return unknown('the lock has not been read yet');
  const holder = holderAmong(o.sessions, lock);
  if (holder === null) return { kind: 'no', leader: null };
  const reason = whyUnknown(o, lock, holder);
  if (reason !== null) return unknown(reason);
  const pod = promoted(o, lock, holder);
  if (pod === null) return { kind: 'no', leader: null };
  const since = pod.annotations[sinceAnnotation(o.group.name)] ?? '';
  const acquireTime = isTime(since) ? since : '';
  const leader = { pod: pod.name, uid: pod.uid, token: recordedToken(lock), acquireTime };
  if (pod.uid !== podUid) return { kind: 'no', leader };
  if (o.revoked === podUid) return { kind: 'revoking', leader };
  const validForMs = Math.min(maxMs, ownership.untilMs - nowMs, holder.deadlineMs - nowMs);
  return { kind: 'grant', leader, validForMs };
}

const unknown = (reason: string): GateAnswer => ({ kind: 'unknown', reason });

function whyUnknown(o: GateView, lock: LockView, holder: MemberSession): string | null {
  if (!holder.proven || o.nowMs >= holder.deadlineMs) return "the leader's session is past its deadline";
  if (!o.verified) return 'the lock has not been verified yet';
  return trustOf(o, lock, holder) === 'good' ? null : 'the record of the lock is not trusted';
}

/** The holder with the label and the token of this very lock: not one that is being fenced or has yet to be promoted. */
export function promoted(o: Pick<GateView, 'group' | 'pods'>, lock: LockView, holder: MemberSession): Pod | null {
  const found = o.pods.find(({ pod }) => pod.uid === holder.podUid);
  if (found === undefined || o.group.deleting || !labelled(o.group, found)) return null;
  return tokenOf(found.pod, o.group.name) === recordedToken(lock) ? found.pod : null;
}
